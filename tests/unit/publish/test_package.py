import json
import shutil
import zipfile

import pytest

from tests.unit.publish.conftest import CLIP_NAME, TRANSCRIPT, fill_adapter
from whisper_tuner.errors import PublishError, RunError
from whisper_tuner.publish.package import ALLOWED_FILES, package_files, zip_adapter
from whisper_tuner.runs.folder import Run

PACKED = [
    "adapter_model.safetensors",
    "adapter_config.json",
    "generation_config.json",
    "preprocessor_config.json",
    "tokenizer.json",
    "README.md",
    "whisper_tuner.json",
]


def test_the_zip_holds_the_allowed_files_and_nothing_else(run: Run) -> None:
    path = zip_adapter(run)
    assert path == run.dir / "exports" / "whisper-base-it-lora.zip"
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == PACKED
        assert set(PACKED) <= set(ALLOWED_FILES)
        weights = (run.adapter_dir / "adapter_model.safetensors").read_bytes()
        assert archive.read("adapter_model.safetensors") == weights
        assert "tuned for Italian" in archive.read("README.md").decode()
        everything = b"".join(archive.read(name) for name in PACKED).decode("latin-1")
    assert str(run.dir) not in everything
    assert TRANSCRIPT not in everything and CLIP_NAME not in everything


def test_the_same_run_gives_the_same_bytes_and_leaves_no_part_behind(run: Run) -> None:
    first = zip_adapter(run).read_bytes()
    for path in run.adapter_dir.iterdir():
        path.touch()
    second = zip_adapter(run)
    assert second.read_bytes() == first
    assert list(second.parent.iterdir()) == [second]


def test_a_run_that_was_not_compared_is_packed_too(run: Run) -> None:
    run.comparison_path.unlink()
    with zipfile.ZipFile(zip_adapter(run)) as archive:
        assert "Not measured" in archive.read("README.md").decode()


def test_the_adapter_outlives_the_recordings(run: Run) -> None:
    shutil.rmtree(run.dataset_dir)
    with zipfile.ZipFile(zip_adapter(run)) as archive:
        card = archive.read("README.md").decode()
    assert "| LoRA |" in card and "Speech" not in card


@pytest.mark.parametrize("base", ["/data/models/base", "models/base", "", "openai/whisper-tiny"])
def test_an_adapter_of_another_base_is_refused(run: Run, base: str) -> None:
    fill_adapter(run.adapter_dir, base)
    with pytest.raises(PublishError) as caught:
        package_files(run, "a/b")
    assert caught.value.code == "adapter_base_not_on_hub"


def test_a_run_without_an_adapter_is_refused(run: Run) -> None:
    (run.adapter_dir / "adapter_model.safetensors").unlink()
    with pytest.raises(RunError):
        zip_adapter(run)


def test_the_marker_holds_no_personal_data(run: Run) -> None:
    marker = json.loads(package_files(run, "a/b")["whisper_tuner.json"])
    assert set(marker) == {"whisper_tuner", "base", "language"}
