"""What all tests share: a Hub cache with tiny Whispers, no network, folders of their own."""

import gc
import json
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

TEMP = Path(tempfile.mkdtemp(prefix="whisper-tuner-tests-"))
os.environ.update(  # before huggingface_hub is imported: it reads these once
    HF_HOME=str(TEMP / "hf"),
    HF_HUB_OFFLINE="1",
    HF_HUB_DISABLE_XET="1",
    WHISPER_TUNER_CACHE=str(TEMP / "cache"),
    WHISPER_TUNER_RUNS=str(TEMP / "runs"),
    OMP_NUM_THREADS="1",  # tiny models: a second thread only waits, for minutes on a busy machine
    TOKENIZERS_PARALLELISM="false",
)
for name in ("HF_TOKEN", "HF_ENDPOINT", "SPACE_ID"):
    os.environ.pop(name, None)

gc.disable()  # until all tests are collected: see `pytest_collection_finish`

import csv  # noqa: E402

import pytest  # noqa: E402

from tests.tiny import TINY_ID, build_hub_cache  # noqa: E402
from whisper_tuner import steps  # noqa: E402
from whisper_tuner.config import TrainConfig  # noqa: E402
from whisper_tuner.runs import locks  # noqa: E402
from whisper_tuner.runs.context import IMPOSSIBLE  # noqa: E402
from whisper_tuner.runs.folder import Run  # noqa: E402


def pytest_collection_finish() -> None:
    """Modules and tests stay: whoever looks for garbage need not go through them."""
    gc.freeze()
    gc.enable()


def pytest_unconfigure() -> None:
    shutil.rmtree(TEMP, ignore_errors=True)


@pytest.fixture(scope="session")
def hub_cache() -> Path:
    """HF_HOME with `openai/whisper-tiny` and `openai/whisper-large-v3` as tiny random models."""
    build_hub_cache(TEMP / "hf")
    return TEMP / "hf"


@pytest.fixture(scope="session")
def small_source(tmp_path_factory) -> Path:
    """A folder as a user has it: ten short real clips, eight to train and two to hold out."""
    folder = tmp_path_factory.mktemp("source")
    (folder / "clips").mkdir()
    with (steps.EXAMPLE_DIR / "metadata.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))

    def smallest(split: str, n: int) -> list[dict]:
        chosen = [row for row in rows if row["split"] == split]
        return sorted(chosen, key=lambda r: (steps.EXAMPLE_DIR / r["file_name"]).stat().st_size)[:n]

    chosen = smallest("train", 8) + smallest("test", 2)
    for row in chosen:
        shutil.copy(steps.EXAMPLE_DIR / row["file_name"], folder / row["file_name"])
    with (folder / "metadata.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["file_name", "transcription", "split"])
        writer.writeheader()
        writer.writerows(chosen)
    return folder


@pytest.fixture(scope="session")
def small_dataset(small_source, tmp_path_factory) -> Path:
    """The small source as `prepare` leaves it in a run folder."""
    run = Run.create(tmp_path_factory.mktemp("prepared"))
    steps.prepare(run, [small_source])
    return run.dataset_dir


@pytest.fixture
def runs_dir(tmp_path) -> Iterator[Path]:
    """Where a test's runs are. No worker outlives the test, and none of any run there made an
    impossible change of state.
    """
    yield tmp_path / "runs"
    for lock in (tmp_path / "runs").glob("*/worker.lock"):
        if locks.is_held(lock):
            os.killpg(json.loads(lock.read_text())["pid"], signal.SIGKILL)
    for log in (tmp_path / "runs").glob("*/output.log"):
        assert IMPOSSIBLE not in log.read_text(errors="replace")


@pytest.fixture
def prepared(hub_cache, small_dataset, runs_dir) -> Run:
    """A run with its dataset, ready to be trained."""
    run = Run.create(runs_dir)
    shutil.copytree(small_dataset, run.dataset_dir)
    return run


@pytest.fixture(scope="session")
def tiny_config() -> TrainConfig:
    return TrainConfig(
        base=TINY_ID,
        language="it",
        precision="32bit",
        epochs=1,
        batch_size=4,
        n_score_clips=1,
    )
