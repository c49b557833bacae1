"""A training on Common Voice: its recordings are gone when it has ended, unless they are kept."""

import time
from dataclasses import replace

import pytest

from whisper_tuner import steps
from whisper_tuner.data.clips import COMMON_VOICE, read_clips, read_report, write_dataset
from whisper_tuner.errors import InputError
from whisper_tuner.runs import jobs
from whisper_tuner.runs.events import Note, read_events
from whisper_tuner.runs.tryout import TryOut

PATIENCE_S = 240


@pytest.mark.parametrize("keep", [False, True])
def test_the_sound_is_deleted_when_the_training_is_done(prepared, tiny_config, small_source, keep):
    folder = prepared.dataset_dir
    clips = [replace(clip, source=COMMON_VOICE) for clip in read_clips(folder)]
    write_dataset(folder, clips, read_report(folder))
    steps.train(prepared, replace(tiny_config, max_steps=1, keep_common_voice=keep))
    deadline = time.monotonic() + PATIENCE_S
    while jobs.is_alive(prepared):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert jobs.status(prepared).state == "done", prepared.log_path.read_text()
    events = [record.event for record in read_events(prepared.events_path)]
    assert (Note("note_common_voice_deleted", {"n": 10}) in events) is not keep
    assert len(list((folder / "clips").iterdir())) == (10 if keep else 0)
    assert len(prepared.read_comparison()["clips"]) == 2
    if keep:
        assert steps.again(prepared).dataset_dir.exists()
        return
    for step in (steps.again, steps.further, steps.compare):
        with pytest.raises(InputError) as refused:
            step(prepared)
        assert refused.value.code == "common_voice_deleted"
    tryout = TryOut()
    try:
        heard = tryout.transcribe(prepared, next((small_source / "clips").iterdir()))
    finally:
        tryout.close()
    assert heard.keys() == {"base", "tuned"}
