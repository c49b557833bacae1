"""The whole job with the real whisper-base on real speech, through the command line."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from whisper_tuner import steps
from whisper_tuner.runs.folder import Run

ZIP = steps.EXAMPLE_DIR.with_suffix(".zip")


def cli(*arguments: object) -> str:
    """What a command prints; it must succeed."""
    command = [sys.executable, "-m", "whisper_tuner", *map(str, arguments)]
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(command, capture_output=True, text=True, cwd=root)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_wer_on_held_out_clips_falls(tmp_path, monkeypatch):
    monkeypatch.setenv("WHISPER_TUNER_RUNS", str(tmp_path))
    prepared = json.loads(cli("prepare", ZIP, "--json"))
    assert (prepared["n_train"], prepared["n_test"]) == (120, 40)
    run = Run.open(tmp_path, prepared["run"])

    cli("train", run.id, "--language", "it", "--precision", "32bit", "--epochs", "1")
    result = json.loads(cli("compare", run.id, "--json"))
    assert result["n_clips"] == 40
    assert 0.10 < result["base"]["wer"] < 0.25  # it is the real whisper-base
    assert result["tuned"]["wer"] < result["base"]["wer"]

    clip = result["clips"][0]
    texts = json.loads(
        cli("try", run.id, run.dataset_dir / "clips" / f"{clip['id']}.flac", "--json")
    )
    assert texts.keys() == {"base", "tuned"}
    assert json.loads(cli("status", run.id, "--json"))["state"] == "done"
