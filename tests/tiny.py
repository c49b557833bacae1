"""Two tiny random Whispers, laid out as the Hub's local cache, for tests without network.

`openai/whisper-tiny` has the dimensions of its family (vocabulary 51,865, 80 mel bands), and
`openai/whisper-large-v3` those of v3 (51,866 tokens with `<|yue|>`, 128 mel bands). Tokenizer,
processor and generation settings are the real ones; only the weights are random.
"""

import json
from copy import deepcopy
from pathlib import Path

import torch
from transformers import WhisperConfig, WhisperForConditionalGeneration

from whisper_tuner.model import offline

TINY_ID = "openai/whisper-tiny"
LARGE_V3_ID = "openai/whisper-large-v3"
REVISION = "0123456789abcdef0123456789abcdef01234567"
SEED = 7

ENDS = {"bos_token_id": 50257, "eos_token_id": 50257, "pad_token_id": 50257}
SIZES = {
    f"{side}_{key}": size
    for side in ("encoder", "decoder")
    for key, size in {"layers": 2, "attention_heads": 4, "ffn_dim": 128}.items()
}
FIRST_SHIFTED = 50358  # <|translate|> before v3; `<|yue|>` in v3


def build_hub_cache(hf_home: Path) -> None:
    """Fill `hf_home`/hub so that both names resolve with HF_HOME=`hf_home`, HF_HUB_OFFLINE=1."""
    files = offline.json_files()
    files["generation_config.json"]["alignment_heads"] = [[0, 0], [1, 1]]  # of 2 layers × 4 heads
    _write_model(_snapshot(hf_home, TINY_ID), files)
    _write_model(_snapshot(hf_home, LARGE_V3_ID), _as_v3(files))


def _snapshot(hf_home: Path, model_id: str) -> Path:
    repo = hf_home / "hub" / f"models--{model_id.replace('/', '--')}"
    snapshot = repo / "snapshots" / REVISION
    snapshot.mkdir(parents=True)
    (repo / "refs").mkdir()
    (repo / "refs" / "main").write_text(REVISION, encoding="utf-8")
    return snapshot


def _write_model(folder: Path, files: dict[str, dict]) -> None:
    config = WhisperConfig(
        d_model=64,
        vocab_size=files["tokenizer.json"]["added_tokens"][-1]["id"] + 1,
        num_mel_bins=files["preprocessor_config.json"]["feature_size"],
        decoder_start_token_id=50258,
        begin_suppress_tokens=[220, 50257],
        **ENDS,
        **SIZES,
    )
    with torch.random.fork_rng():
        torch.manual_seed(SEED)
        WhisperForConditionalGeneration(config).save_pretrained(folder)
    for name, content in files.items():
        if name != "config.json":
            (folder / name).write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")


def _as_v3(files: dict[str, dict]) -> dict[str, dict]:
    """The same files with Cantonese: every id from 50358 on moves up by one; 128 mel bands."""
    files = deepcopy(files)
    tokenizer = files["tokenizer.json"]
    tokens = tokenizer["added_tokens"]
    place = FIRST_SHIFTED - tokens[0]["id"]
    for token in tokens[place:]:
        token["id"] += 1
    tokens.insert(place, {**tokens[place - 1], "id": FIRST_SHIFTED, "content": "<|yue|>"})
    for token in tokenizer["post_processor"]["special_tokens"].values():
        token["ids"] = _shift(token["ids"])
    extra = files["tokenizer_config.json"]["extra_special_tokens"]
    extra.insert(extra.index("<|translate|>"), "<|yue|>")

    generation = files["generation_config.json"]
    generation["lang_to_id"]["<|yue|>"] = FIRST_SHIFTED
    generation["task_to_id"] = {task: n + 1 for task, n in generation["task_to_id"].items()}
    generation["no_timestamps_token_id"] += 1
    generation["prev_sot_token_id"] += 1
    generation["suppress_tokens"] = _shift(generation["suppress_tokens"])
    files["preprocessor_config.json"]["feature_size"] = 128
    return files


def _shift(ids: list[int]) -> list[int]:
    return [n + (n >= FIRST_SHIFTED) for n in ids]
