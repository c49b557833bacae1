"""Bases of a published size with random weights, in a Hub cache: no benchmark needs the Hub.

    python -m benchmarks.bases openai/whisper-large-v2 HF_HOME

Speed and memory do not depend on the weights; the tokenizer and all settings are the real ones.
"""

import argparse
import shutil
from pathlib import Path

import torch
from transformers import WhisperConfig, WhisperForConditionalGeneration

from tests.tiny import LARGE_V3_ID, TINY_ID, build_hub_cache
from whisper_tuner.model.catalogue import BaseModel, base_model

TINY = BaseModel(TINY_ID, d_model=64, n_encoder_layers=2, n_decoder_layers=2)  # for a smoke check
HEAD_WIDTH = 64  # of every published Whisper


def build_cache(hf_home: Path, base: BaseModel) -> None:
    """Fill `hf_home`/hub so that `base.id` resolves with HF_HOME=`hf_home`, HF_HUB_OFFLINE=1.

    The weights are float16, as the Hub's copies of the large bases are.
    """
    build_hub_cache(hf_home)  # the tiny ones have the two tokenizers
    template = _repo(hf_home, LARGE_V3_ID if base.n_mels == 128 else TINY_ID)
    repo = _repo(hf_home, base.id)
    if repo != template:
        shutil.copytree(template, repo)
    snapshot = next((repo / "snapshots").iterdir())
    settings = {**WhisperConfig.from_pretrained(snapshot).to_dict(), **_sizes(base)}
    generation = (snapshot / "generation_config.json").read_text(encoding="utf-8")
    torch.manual_seed(0)
    with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
        model = WhisperForConditionalGeneration(WhisperConfig(**settings))
    model.half().save_pretrained(snapshot)
    (snapshot / "generation_config.json").write_text(generation, encoding="utf-8")


def _repo(hf_home: Path, base_id: str) -> Path:
    return hf_home / "hub" / f"models--{base_id.replace('/', '--')}"


def _sizes(base: BaseModel) -> dict[str, int]:
    n_heads = max(2, base.d_model // HEAD_WIDTH)
    return {
        "d_model": base.d_model,
        "encoder_layers": base.n_encoder_layers,
        "decoder_layers": base.n_decoder_layers,
        "encoder_ffn_dim": 4 * base.d_model,
        "decoder_ffn_dim": 4 * base.d_model,
        "encoder_attention_heads": n_heads,
        "decoder_attention_heads": n_heads,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("base")
    parser.add_argument("hf_home", type=Path)
    parser.add_argument("--tiny", action="store_true", help="two layers of width 64")
    options = parser.parse_args()
    build_cache(options.hf_home, TINY if options.tiny else base_model(options.base))


if __name__ == "__main__":
    main()
