"""Real worker processes on a tiny Whisper: train, stop, queue, die, compare, try."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from safetensors.numpy import load_file

from whisper_tuner import steps
from whisper_tuner.config import LoraSettings
from whisper_tuner.data.clips import read_clips
from whisper_tuner.errors import RunError
from whisper_tuner.model.catalogue import base_model
from whisper_tuner.runs import checkpoints, jobs
from whisper_tuner.runs.events import (
    EventWriter,
    Note,
    Resumed,
    Score,
    StateChanged,
    Step,
    read_events,
    without_lost_steps,
)
from whisper_tuner.runs.folder import Run, Spec
from whisper_tuner.runs.tryout import TryOut

PATIENCE_S = 240
ADAPTER_NAME = "adapter_model.safetensors"


def wait_until(condition, what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"waited {PATIENCE_S} s for {what}"
        time.sleep(0.1)


def wait_for_end(run: Run) -> jobs.Status:
    wait_until(lambda: not jobs.is_alive(run), "the worker to end")
    return jobs.status(run)


def events_of(run: Run, kind: type) -> list:
    return [r.event for r in read_events(run.events_path) if isinstance(r.event, kind)]


def has_stepped(run: Run) -> bool:
    return bool(events_of(run, Step))


@pytest.mark.parametrize("precision", ["32bit", "8bit"])
def test_trains_and_compares(prepared, tiny_config, precision):
    steps.train(prepared, replace(tiny_config, precision=precision, max_steps=3))
    assert wait_for_end(prepared).state == "done", "\n".join(jobs.log_tail(prepared))

    records = read_events(prepared.events_path)
    assert [record.seq for record in records] == list(range(1, len(records) + 1))
    states = [event.state for event in events_of(prepared, StateChanged)]
    saved = ["training", "saving", "training", "saving"]  # the last checkpoint, the adapter
    assert states == ["queued", "preparing", *saved, "evaluating", "done"]
    assert [event.step for event in events_of(prepared, Step)] == [1, 2, 3]
    assert [event.step for event in events_of(prepared, Score)] == [0, 2]  # before, and per epoch

    assert not (prepared.dir / "tensorboard").exists()  # nobody asked for it

    comparison = prepared.read_comparison()
    held_out = read_clips(prepared.dataset_dir, "test")
    assert {clip["id"] for clip in comparison["clips"]} == {clip.id for clip in held_out}
    assert comparison["base"].keys() == comparison["tuned"].keys() == {"wer", "cer"}
    note = events_of(prepared, Note)[-1]
    assert note.params["tuned_wer"] == comparison["tuned"]["wer"]

    weights = load_file(prepared.adapter_dir / ADAPTER_NAME)
    base = base_model(tiny_config.base)
    n_trained = sum(weight.size for weight in weights.values())
    assert n_trained == LoraSettings().rank * 2 * 64 * (2 + 2 * 2) * 2  # the tiny one's own sizes
    assert base.n_trainable(LoraSettings()) == 32 * 2 * 384 * (4 + 2 * 4) * 2


def test_plain_peft_in_a_fresh_process_hears_the_same(prepared, tiny_config):
    config = replace(tiny_config, epochs=3, learning_rate=0.02)
    steps.train(prepared, config)
    assert wait_for_end(prepared).state == "done"
    clip = prepared.read_comparison()["clips"][0]
    assert clip["tuned"] != clip["base"]  # it has learnt something to be compared at all
    script = """
import sys, soundfile, torch
from peft import PeftConfig, PeftModel
from transformers import GenerationConfig, WhisperForConditionalGeneration, WhisperProcessor
adapter, audio = sys.argv[1:]
base = PeftConfig.from_pretrained(adapter).base_model_name_or_path
model = WhisperForConditionalGeneration.from_pretrained(base, dtype="float32")
model = PeftModel.from_pretrained(model, adapter).eval()
processor = WhisperProcessor.from_pretrained(adapter)
generation = GenerationConfig.from_pretrained(adapter)
samples, rate = soundfile.read(audio, dtype="float32")
features = processor(samples, sampling_rate=rate, return_tensors="pt").input_features
limit = 44 + int(25 * len(samples) / rate)
ids = model.generate(input_features=features, generation_config=generation, max_length=limit)
print(processor.batch_decode(ids, skip_special_tokens=True)[0].strip())
"""
    held_out = {c.id: c for c in read_clips(prepared.dataset_dir, "test")}
    longest = max(held_out.values(), key=lambda c: c.duration_s)  # the batch's limit is its own
    expected = next(c for c in prepared.read_comparison()["clips"] if c["id"] == longest.id)
    audio = prepared.dataset_dir / longest.audio
    answer = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script, prepared.adapter_dir, audio],
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stdout.strip() == expected["tuned"]


def test_stop_saves_and_compare_finishes_the_job(prepared, tiny_config, monkeypatch):
    """And what nobody needs to know of is nowhere in what it leaves."""
    monkeypatch.setenv("HF_TOKEN", "hf_canarycanarycanary")
    monkeypatch.setenv("OAUTH_CLIENT_SECRET", "canary")
    steps.train(prepared, replace(tiny_config, epochs=100))
    wait_until(lambda: has_stepped(prepared), "the first step")
    process = psutil.Process(json.loads(prepared.lock_path.read_text())["pid"])
    assert "canary" not in " ".join(process.environ().values())
    jobs.stop(prepared)
    began_s = time.monotonic()
    status = wait_for_end(prepared)
    assert status.state == "stopped"
    assert time.monotonic() - began_s < 30
    assert prepared.has_adapter
    assert len(events_of(prepared, Step)) < 100
    with pytest.raises(RunError) as caught:
        jobs.stop(prepared)
    assert caught.value.code == "run_not_running"

    assert steps.compare(prepared)
    status = wait_for_end(prepared)
    assert status.state == "stopped"  # and it can still be resumed
    assert jobs.can_resume(status)
    assert prepared.read_comparison()["n_clips"] == 2
    for path in prepared.dir.rglob("*"):
        assert path.is_dir() or b"canary" not in path.read_bytes(), path


def test_an_adapter_of_an_earlier_stop_is_not_compared(prepared, tiny_config):
    """What the training has learnt since lies in its checkpoints; `done` would hide them."""
    prepared.write_spec(Spec(tiny_config, time.time(), {}))
    prepared.adapter_dir.mkdir()
    (prepared.adapter_dir / ADAPTER_NAME).write_bytes(b"")
    writer = EventWriter(prepared.events_path)
    writer.append(StateChanged("stopped"))
    assert jobs.can_compare(prepared, jobs.status(prepared))
    writer.append(StateChanged("queued"))
    writer.append(StateChanged("training"))
    writer.close()
    (prepared.dir / jobs.STOP_NAME).write_text("0")  # asked to stop, and ended before it saved
    assert jobs.status(prepared).state == "interrupted"
    with pytest.raises(RunError, match="Resume it in step 2"):
        steps.compare(prepared)


def test_resume_of_a_stopped_run_forgets_its_comparison_and_tells_of_damage(prepared, tiny_config):
    steps.train(prepared, replace(tiny_config, epochs=100))
    wait_until(lambda: has_stepped(prepared), "the first step")
    jobs.stop(prepared)
    wait_for_end(prepared)
    [saved] = checkpoints.by_step(prepared.checkpoints_dir)
    (saved / "optimizer.pt").write_bytes(b"damaged")
    prepared.comparison_path.write_text("{}")  # of the adapter as it was stopped
    n_before = len(read_events(prepared.events_path))
    steps.resume(prepared)
    wait_until(lambda: len(events_of(prepared, Resumed)) == 1, "the way back")
    jobs.stop(prepared)
    assert wait_for_end(prepared).state == "stopped"
    assert not prepared.comparison_path.exists()
    assert events_of(prepared, Resumed) == [Resumed(0)]
    damaged = Note("note_checkpoint_broken", {"step": checkpoints.step_of(saved)})
    assert damaged in events_of(prepared, Note)
    scores = [r.event for r in read_events(prepared.events_path)[n_before:]]
    assert not any(isinstance(e, Score) and e.step == 0 for e in scores)  # the base's is known


def test_one_training_at_a_time_and_who_waits_can_be_stopped_and_has_not_loaded_torch(
    prepared, tiny_config
):
    second, third = steps.again(prepared), steps.again(prepared)
    steps.train(prepared, replace(tiny_config, epochs=100))
    wait_until(lambda: has_stepped(prepared), "the first step")
    steps.train(second, replace(tiny_config, max_steps=1))
    steps.train(third, replace(tiny_config, max_steps=1))
    wait_until(lambda: jobs.status(third).ahead == 2, "two runs ahead")
    assert jobs.status(second).ahead == 1
    assert jobs.status(second).state == "queued"
    wait_until(lambda: events_of(second, StateChanged), "the second to queue")
    pid = json.loads(second.lock_path.read_text())["pid"]
    assert "libtorch" not in Path(f"/proc/{pid}/maps").read_text()
    jobs.stop(second)
    assert wait_for_end(second).state == "stopped"
    assert not second.has_adapter
    assert jobs.status(third).ahead == 1
    jobs.stop(prepared)
    assert wait_for_end(prepared).state == "stopped"
    assert wait_for_end(third).state == "done"
    began = next(r.time_s for r in read_events(third.events_path) if r.event.kind == "step")
    ended = read_events(prepared.events_path)[-1].time_s
    assert ended < began


def test_pressing_start_twice_is_harmless(prepared, tiny_config):
    steps.train(prepared, replace(tiny_config, max_steps=1))
    with pytest.raises(RunError):
        steps.train(prepared, tiny_config)
    assert not jobs.start(prepared)
    assert wait_for_end(prepared).state == "done"


def test_a_worker_is_a_group_of_its_own_and_when_killed_reads_as_interrupted(prepared, tiny_config):
    steps.train(prepared, replace(tiny_config, epochs=100))
    wait_until(lambda: has_stepped(prepared), "the first step")
    pid = json.loads(prepared.lock_path.read_text())["pid"]
    assert os.getpgid(pid) == pid
    os.killpg(pid, signal.SIGKILL)
    wait_until(lambda: jobs.status(prepared).params == {"code": 9}, "the exit code")
    status = jobs.status(prepared)
    assert (status.state, status.alive, status.reason) == ("interrupted", False, "worker_killed")


def test_killed_training_resumes_to_bitwise_the_same_adapter(prepared, tiny_config, monkeypatch):
    config = replace(tiny_config, epochs=4)
    whole = steps.again(prepared)
    monkeypatch.setattr(jobs, "WORKER", "benchmarks.eager_worker")
    steps.train(whole, config)
    assert wait_for_end(whole).state == "done", "\n".join(jobs.log_tail(whole))
    assert len(checkpoints.by_step(whole.checkpoints_dir)) == 1  # the others are done with
    with pytest.raises(RunError) as caught:
        steps.resume(whole)
    assert caught.value.code == "run_has_ended"

    steps.train(prepared, config)
    wait_until(lambda: checkpoints.newest(prepared.checkpoints_dir), "a checkpoint")
    os.killpg(json.loads(prepared.lock_path.read_text())["pid"], signal.SIGKILL)
    wait_until(lambda: not jobs.is_alive(prepared), "its death")
    steps.resume(prepared)
    assert wait_for_end(prepared).state == "done", "\n".join(jobs.log_tail(prepared))

    [resumed] = events_of(prepared, Resumed)
    assert resumed.step >= 2
    records = read_events(prepared.events_path)
    assert [record.seq for record in records] == list(range(1, len(records) + 1))
    learnt = without_lost_steps(records)
    n_steps = [r.event.step for r in learnt if isinstance(r.event, Step)]
    assert n_steps == [event.step for event in events_of(whole, Step)]
    first, second = (load_file(r.adapter_dir / ADAPTER_NAME) for r in (whole, prepared))
    assert all((first[name] == second[name]).all() for name in first)


def test_a_bug_is_a_sentence_on_the_page_and_a_traceback_in_the_log(prepared, tiny_config):
    clip = read_clips(prepared.dataset_dir, "train")[0]
    (prepared.dataset_dir / clip.audio).write_bytes(b"not audio any more")
    steps.train(prepared, tiny_config)
    status = wait_for_end(prepared)
    assert (status.state, status.reason) == ("failed", "worker_failed")
    assert "Traceback" in "\n".join(jobs.log_tail(prepared))


def test_try_out_answers_twice_and_names_a_bad_file(prepared, tiny_config, tmp_path):
    steps.train(prepared, replace(tiny_config, max_steps=1))
    assert wait_for_end(prepared).state == "done"
    clip = read_clips(prepared.dataset_dir, "test")[0]
    (tmp_path / "broken.wav").write_bytes(b"nothing")
    tryout = TryOut()
    try:
        first = tryout.transcribe(prepared, prepared.dataset_dir / clip.audio)
        assert first.keys() == {"base", "tuned"}
        with pytest.raises(Exception, match=r"broken\.wav"):
            tryout.transcribe(prepared, tmp_path / "broken.wav")
        assert tryout.transcribe(prepared, prepared.dataset_dir / clip.audio) == first
    finally:
        tryout.close()
