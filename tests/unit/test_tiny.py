"""The tiny models resolve by their Hub names, from the cache alone, and carry the right ids."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tiny import LARGE_V3_ID, TINY_ID, build_hub_cache

PROBE = """
import json, sys, torch
from transformers import WhisperForConditionalGeneration, WhisperProcessor
name, language = sys.argv[1:]
processor = WhisperProcessor.from_pretrained(name, local_files_only=True)
model = WhisperForConditionalGeneration.from_pretrained(name, local_files_only=True).eval()
processor.tokenizer.set_prefix_tokens(language=language, task="transcribe")
speech = torch.randn(16000, generator=torch.Generator().manual_seed(0)).numpy()
features = processor(speech, sampling_rate=16000, return_tensors="pt").input_features
generate = dict(language=language, task="transcribe", max_new_tokens=3, do_sample=False)
result = model.generate(features, return_dict_in_generate=True, **generate)
print(json.dumps({
    "prefix": processor.tokenizer.prefix_tokens, "prompt": result["sequences"][0][:4].tolist(),
    "vocabulary": [len(processor.tokenizer), model.config.vocab_size],
    "features": list(features.shape), "d_model": model.config.d_model,
    "second": processor.tokenizer.convert_tokens_to_ids("<|1.00|>"),
}))
"""


@pytest.fixture(scope="module")
def hf_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("hf_home")
    build_hub_cache(home)
    return home


def probe(hf_home: Path, *args: str) -> dict:
    env = os.environ | {"HF_HOME": str(hf_home), "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-c", PROBE, *args]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_tiny_has_the_ids_and_shapes_of_its_family(hf_home: Path) -> None:
    prefix = [50258, 50274, 50359, 50363]  # start, it, transcribe, no timestamps
    assert probe(hf_home, TINY_ID, "it") == {
        "prefix": prefix,
        "prompt": prefix,
        "vocabulary": [51865, 51865],
        "features": [1, 80, 3000],
        "d_model": 64,
        "second": 50414,
    }


def test_large_v3_knows_cantonese_and_128_mel_bands(hf_home: Path) -> None:
    prefix = [50258, 50358, 50360, 50364]  # start, yue, transcribe, no timestamps
    assert probe(hf_home, LARGE_V3_ID, "yue") == {
        "prefix": prefix,
        "prompt": prefix,
        "vocabulary": [51866, 51866],
        "features": [1, 128, 3000],
        "d_model": 64,
        "second": 50415,
    }
