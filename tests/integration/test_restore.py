"""A training is copied, its machine is lost, and it goes on from the copy as if nothing was."""

import json
import os
import pickle
import shutil
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from huggingface_hub import constants
from safetensors.numpy import load_file

from tests.hub_server import HubServer
from tests.integration.test_worker import ADAPTER_NAME, events_of, wait_for_end, wait_until
from whisper_tuner import cli, steps
from whisper_tuner.config import TrainConfig
from whisper_tuner.publish import copier as copying
from whisper_tuner.publish.copier import Copier
from whisper_tuner.runs import checkpoints, jobs, reasons
from whisper_tuner.runs.events import Resumed, Step, read_events, without_lost_steps
from whisper_tuner.runs.folder import Run

pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")

TOKEN = "hf_canarycanarycanary"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)  # for this process, not for workers
    with HubServer({TOKEN: "anna"}) as server:
        monkeypatch.setattr(constants, "ENDPOINT", server.endpoint)
        template = f"{server.endpoint}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(copying, "LOOK_EVERY_S", 0.2)
        monkeypatch.setattr(jobs, "WORKER", "benchmarks.eager_worker")
        yield server


def lose_in_the_middle(run: Run, config: TrainConfig) -> str:
    """Train and copy until a checkpoint is there, then lose the whole folder; the copy's name."""
    steps.train(run, config)
    copier = Copier(run, TOKEN)
    wait_until(lambda: copier.told[0] == "copy_made", "a copied checkpoint")
    copier.end()
    os.killpg(json.loads(run.lock_path.read_text())["pid"], signal.SIGKILL)
    wait_until(lambda: (run.dir / reasons.EXIT_NAME).exists(), "its exit code, written last")
    wait_until(lambda: not copier._thread.is_alive(), "the end of the copying")
    shutil.rmtree(run.dir)
    return copier.told[1]["repo"]


def test_a_lost_training_ends_with_bitwise_the_same_adapter(prepared, tiny_config, hub, tmp_path):
    config = replace(tiny_config, epochs=6)
    whole = steps.again(prepared)
    steps.train(whole, config)
    assert wait_for_end(whole).state == "done", "\n".join(jobs.log_tail(whole))

    run_id = prepared.id
    repo = lose_in_the_middle(prepared, config)
    run = steps.restore(tmp_path / "runs", repo, TOKEN)
    assert run.id == run_id
    assert jobs.status(run).state == "interrupted"
    restored = checkpoints.newest(run.checkpoints_dir)
    assert checkpoints.by_step(run.checkpoints_dir) == [restored]
    steps.resume(run)
    assert wait_for_end(run).state == "done", "\n".join(jobs.log_tail(run))

    assert events_of(run, Resumed) == [Resumed(checkpoints.step_of(restored))]
    learnt = without_lost_steps(read_events(run.events_path))
    trained = [r.event.step for r in learnt if isinstance(r.event, Step)]
    assert trained == [event.step for event in events_of(whole, Step)]
    first, second = (load_file(r.adapter_dir / ADAPTER_NAME) for r in (whole, run))
    assert first.keys() == second.keys()
    assert all((first[name] == second[name]).all() for name in first)
    assert run.read_comparison()["tuned"] == whole.read_comparison()["tuned"]
    for path in run.dir.rglob("*"):
        assert path.is_dir() or TOKEN.encode() not in path.read_bytes(), path


class Hostile:
    """What a pickle does when it is loaded as more than weights."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.canary),)


def test_a_checkpoint_runs_no_code(prepared, tiny_config, hub, tmp_path):
    """Not even one whose manifest was made to fit: it is loaded as weights only."""
    repo = lose_in_the_middle(prepared, replace(tiny_config, epochs=6))
    run = steps.restore(tmp_path / "runs", repo, TOKEN)
    checkpoint = checkpoints.newest(run.checkpoints_dir)
    step = checkpoints.step_of(checkpoint)
    canary = tmp_path / "canary"
    for name in ("optimizer.pt", "rng_state.pth"):
        harmless = (checkpoint / name).read_bytes()
        (checkpoint / name).write_bytes(pickle.dumps(Hostile(canary)))
        (checkpoint / "manifest.json").write_text(checkpoints._manifest(checkpoint, step))
        assert checkpoints.newest(run.checkpoints_dir) == checkpoint
        n_before = run.log_path.stat().st_size if run.log_path.exists() else 0
        steps.resume(run)
        assert wait_for_end(run).state == "failed"
        assert not canary.exists()
        assert b"Weights only load failed" in run.log_path.read_bytes()[n_before:]
        (checkpoint / name).write_bytes(harmless)


def test_the_terminal_copies_and_restores(
    prepared, tiny_config, hub, monkeypatch, capsys, tmp_path
):
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setenv("WHISPER_TUNER_RUNS", str(tmp_path / "elsewhere"))
    given = ("--language", "it", "--base", tiny_config.base, "--precision", "32bit")
    assert cli.main(["train", str(prepared.dir), *given, "--max-steps", "2", "--copy"]) == 0
    told = capsys.readouterr()
    repo = f"anna/whisper-tuner-copy-{prepared.id}"
    assert repo in told.err and "complete" in told.err
    assert hub.repos[repo].private
    assert cli.main(["restore", repo]) == 0
    assert prepared.id in capsys.readouterr().out
    run = Run.open(tmp_path / "elsewhere", prepared.id)
    assert jobs.status(run).state == "done"
    assert (run.adapter_dir / ADAPTER_NAME).read_bytes() == (
        prepared.adapter_dir / ADAPTER_NAME
    ).read_bytes()
    assert cli.main(["resume", prepared.id]) == 2
    assert TOKEN not in told.out + told.err
