import json
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from huggingface_hub import constants
from safetensors.numpy import save_file

from tests.hub_server import HubServer
from whisper_tuner.config import LoraSettings, TrainConfig
from whisper_tuner.data.clips import Clip, Finding, Report, write_dataset
from whisper_tuner.runs.folder import Run, Spec

BASE = "openai/whisper-base"
TOKEN = "hf_CANARYcanaryCANARYcanary0123456789"
TRANSCRIPT = "Il paziente Ermenegildo dorme"
CLIP_NAME = "visita_rossi_0042.wav"
SPEC = Spec(
    TrainConfig(BASE, "it", "8bit", LoraSettings(rank=4, alpha=8), epochs=3), time.time(), {}
)
REPORT = Report(120, 90, 30, 1260.0, 400.0, [Finding("too_long", CLIP_NAME, True)])
COMPARISON = {
    "base": {"wer": 0.4321, "cer": 0.2},
    "tuned": {"wer": 0.1234, "cer": 0.05},
    "language": "it",
    "n_clips": 30,
    "n_words": 712,
    "clips": [{"id": "0", "name": CLIP_NAME, "reference": TRANSCRIPT, "tuned": TRANSCRIPT}],
}


def fill_adapter(folder: Path, base: str = BASE) -> None:
    """What training leaves behind, small, with two files that must not leave the machine."""
    folder.mkdir(exist_ok=True)
    weights = {"base_model.model.q_proj.lora_A.weight": np.arange(4000, dtype=np.float32)}
    save_file(weights, folder / "adapter_model.safetensors")
    config = {"base_model_name_or_path": base, "peft_type": "LORA", "r": 4}
    (folder / "adapter_config.json").write_text(json.dumps(config))
    for name in ("generation_config.json", "preprocessor_config.json", "tokenizer.json"):
        (folder / name).write_text(json.dumps({"name": name}))
    (folder / "README.md").write_text(f"base_model: {folder}")
    (folder / "optimizer.pt").write_bytes(b"a pickle")


@pytest.fixture
def run(tmp_path: Path) -> Run:
    run = Run.create(tmp_path / "runs")
    run.write_spec(SPEC)
    run.dataset_dir.mkdir()
    clip = Clip("0", "clips/0.flac", TRANSCRIPT, CLIP_NAME, 4.2, 12, "test")
    write_dataset(run.dataset_dir, [clip], REPORT)
    run.comparison_path.write_text(json.dumps(COMPARISON))
    fill_adapter(run.adapter_dir)
    return run


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    with HubServer({TOKEN: "anna"}) as server:
        yield server
