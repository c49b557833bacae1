"""The measuring stage on a tiny random Whisper: what is transcribed, what is known already."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.unit.evaluation.conftest import Heard, listener_for, make_run
from whisper_tuner.data.clips import read_clips
from whisper_tuner.evaluation.metrics import score
from whisper_tuner.evaluation.stage import base_transcripts, measure
from whisper_tuner.runs.context import Stopped, WorkerContext
from whisper_tuner.runs.events import EventWriter, Note, Progress, read_events


@contextmanager
def working(run) -> Iterator[WorkerContext]:
    context = WorkerContext(run, EventWriter(run.events_path))
    yield context
    context.writer.close()


def events_of(run, kind):
    return [r.event for r in read_events(run.events_path) if isinstance(r.event, kind)]


def base_texts_of(run):
    """What the stage says the base hears, and how many clips its encoder was given for it."""
    listener = listener_for(run)
    heard = Heard(listener.model)
    with working(run) as context:
        texts = base_transcripts(context, listener, read_clips(run.dataset_dir))
    return texts, heard.n_clips


def notes_of(run):
    return [(note.code, note.params["n"]) for note in events_of(run, Note)]


def test_the_second_run_on_the_same_clips_does_not_hear_them_again(hub_cache, tmp_path):
    first, second = (make_run(tmp_path, (0.3, 0.6)) for _ in range(2))
    texts, n_heard = base_texts_of(first)
    assert n_heard == 2
    assert base_texts_of(second) == (texts, 0)
    assert notes_of(first) == [("note_transcribing_base", 2)]
    assert notes_of(second) == [("note_base_known", 2)]
    assert not events_of(second, Progress)


def test_a_changed_dataset_reuses_the_clips_it_shares(hub_cache, tmp_path):
    known, _ = base_texts_of(make_run(tmp_path, (0.3, 0.6)))
    larger = make_run(tmp_path, (0.3, 0.6, 0.4))
    texts, n_heard = base_texts_of(larger)
    assert n_heard == 1
    assert texts[:2] == known
    assert notes_of(larger) == [("note_base_known", 2), ("note_transcribing_base", 1)]


def test_a_run_carried_to_another_machine_is_heard_there(hub_cache, tmp_path):
    run = make_run(tmp_path / "here", (0.3,))
    texts, _ = base_texts_of(run)
    (tmp_path / "there").mkdir()
    shutil.copytree(run.dir, tmp_path / "there" / run.id)
    assert base_texts_of(type(run)(tmp_path / "there" / run.id)) == (texts, 1)


def test_the_base_is_heard_at_30_seconds_without_the_adapter(hub_cache, tmp_path):
    run = make_run(tmp_path, (0.3,))
    listener = listener_for(run)
    clips = read_clips(run.dataset_dir)
    heard = Heard(listener.model)
    with working(run) as context:
        base = base_transcripts(context, listener, clips)
    assert heard.shapes == [(1, 80, 3000)]
    assert base != listener.tuned(clips)
    assert base == listener.base(clips)


def test_the_tuned_model_is_measured_in_both_windows(hub_cache, tmp_path):
    run = make_run(tmp_path, (0.3, 0.6))
    listener = listener_for(run)
    clips = read_clips(run.dataset_dir)
    heard = Heard(listener.model)
    with working(run) as context:
        measure(context, listener, clips, ["uno due", "uno"])
    assert [shape[-1] for shape in heard.shapes] == [3000, 3000, 100]  # second: the silence

    comparison = run.read_comparison()
    references = [clip.text for clip in clips]
    fast = score(references, listener.tuned(clips, window="speech"), "it")
    assert comparison["tuned_speech_window"] == {"wer": fast.wer, "cer": fast.cer}
    full = score(references, listener.tuned(clips), "it")
    assert comparison["tuned"] == {"wer": full.wer, "cer": full.cer}
    assert comparison["base"]["wer"] == pytest.approx(1 / 4)
    stages = [event.stage for event in events_of(run, Progress)]
    assert stages == ["stage_tuned_transcripts", "stage_fast"]


def test_a_stop_while_measuring_leaves_no_comparison(hub_cache, tmp_path):
    run = make_run(tmp_path, (0.3,))
    with working(run) as context:
        context.stop_asked = True
        with pytest.raises(Stopped):
            measure(context, listener_for(run), read_clips(run.dataset_dir), ["uno due"])
    assert not run.comparison_path.exists()
