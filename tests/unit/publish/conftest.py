import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from huggingface_hub import constants
from safetensors.numpy import save_file

from tests.hub_server import HubServer
from tests.hub_wire import Repo
from whisper_tuner.config import LoraSettings, TrainConfig
from whisper_tuner.data.clips import Clip, Finding, Report, write_dataset
from whisper_tuner.errors import TunerError
from whisper_tuner.publish import private_copy, repository
from whisper_tuner.publish.private_copy import PrivateCopy
from whisper_tuner.runs import checkpoints
from whisper_tuner.runs.events import EventWriter, StateChanged
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
N_CLIPS = 5  # of a run in training


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


def commit_checkpoint(run: Run, step: int) -> Path:
    def write(folder: Path) -> None:
        (folder / "adapter_model.safetensors").write_bytes(b"weights" * step)
        (folder / "optimizer.pt").write_bytes(b"moments" * step)
        (folder / "trainer_state.json").write_text(json.dumps({"global_step": step}))

    return checkpoints.commit(run.checkpoints_dir, step, write)


def say(run: Run, *states: str) -> None:
    writer = EventWriter(run.events_path)
    for state in states:
        writer.append(StateChanged(state))
    writer.close()


def fill_dataset(run: Run, source: str = "") -> None:
    (run.dataset_dir / "clips").mkdir(exist_ok=True)
    names = [f"clips/{n:06}.flac" for n in range(1, N_CLIPS + 1)]
    clips = [
        Clip(n[6:12], n, "Ciao", f"a{n[6:12]}.mp3", 1.0, 5, "train", source=source) for n in names
    ]
    write_dataset(run.dataset_dir, clips, REPORT)
    for name in names:
        (run.dataset_dir / name).write_bytes(f"the sound of {name}".encode())


def no_wait(seconds: float) -> None:
    pass


def copy_of(run: Run, hub: HubServer) -> PrivateCopy:
    return PrivateCopy(run, TOKEN, hub.endpoint, sleep=no_wait)


def repo_of(run: Run, hub: HubServer) -> Repo:
    return hub.repos[f"anna/whisper-tuner-copy-{run.id}"]


def contents(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def refusal(act: Callable[[], object]) -> str:
    with pytest.raises(TunerError) as caught:
        act()
    assert TOKEN not in str(caught.value)
    assert caught.value.sentence() and caught.value.sentence("zh")
    return caught.value.code


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


@pytest.fixture
def training(run: Run, hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A run in the middle of its training, on a machine that reaches the Hub."""
    monkeypatch.setattr(private_copy, "CLIPS_IN_ZIP", 2)
    monkeypatch.setattr(constants, "ENDPOINT", hub.endpoint)
    template = f"{hub.endpoint}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(repository, "WAITS_S", (0, 0, 0, 0))
    fill_dataset(run)
    say(run, "queued", "preparing", "training")
    commit_checkpoint(run, 10)
    return run
