"""The listening stage on a tiny random Whisper: what it hears, keeps and writes."""

import json

import pytest
import torch

from tests.tiny import LARGE_V3_ID, TINY_ID
from tests.unit.evaluation.conftest import CPU, Heard, make_run
from whisper_tuner.data.clips import Finding, Report, read_clips, read_report, write_report
from whisper_tuner.data.fixes import fix, undo
from whisper_tuner.data.listened import put_findings
from whisper_tuner.evaluation import listen as stage
from whisper_tuner.evaluation.base_cache import BaseCache
from whisper_tuner.evaluation.compare import Listener
from whisper_tuner.evaluation.hearing import hear
from whisper_tuner.evaluation.transcribe import transcribe_clips
from whisper_tuner.model.load import load_base, load_processor
from whisper_tuner.runs.context import Stopped, WorkerContext
from whisper_tuner.runs.events import EventWriter, Note, Progress, last_state, read_events

DURATIONS_S = (0.3, 0.6, 0.4)


def plain(run, base_id=TINY_ID) -> Listener:
    """A base without an adapter."""
    return Listener(
        load_base(base_id, "it", "32bit", CPU), load_processor(base_id, "it"), run, "32bit"
    )


@pytest.fixture
def working():
    """A function that makes what a worker has."""
    made = []

    def make(run) -> WorkerContext:
        made.append(WorkerContext(run, EventWriter(run.events_path)))
        return made[-1]

    yield make
    for context in made:
        context.writer.close()


@pytest.mark.parametrize("base_id", [TINY_ID, LARGE_V3_ID])
def test_texts_are_the_base_s_and_the_encoder_runs_once(hub_cache, tmp_path, base_id):
    run = make_run(tmp_path, DURATIONS_S, base=base_id)
    listener, clips = plain(run, base_id), read_clips(run.dataset_dir)
    shapes = Heard(listener.model).shapes
    heard = {clip.id: told for batch in hear(listener, clips) for clip, told in batch}
    if base_id == TINY_ID:  # v3's random weights write times, and generate() goes on from these
        assert [shape[0] for shape in shapes] == [3]
    model, processor = listener.model, listener.processor
    texts = transcribe_clips(model, processor, clips, run.dataset_dir, "32bit", 8)
    assert [heard[clip.id].text for clip in clips] == texts
    for told in heard.values():
        assert 0 <= told.no_speech < 1
        assert len(told.languages) == 5 and 0 < sum(told.languages.values()) <= 1.001


def test_the_first_step_is_that_of_the_model_itself(hub_cache, tmp_path):
    run = make_run(tmp_path, (0.5,))
    listener, clips = plain(run), read_clips(run.dataset_dir)
    seen = []
    listener.model.get_encoder().conv1.register_forward_pre_hook(
        lambda _, args: seen.append(args[0])
    )
    [[(_, told)]] = list(hear(listener, clips))
    with torch.inference_mode():
        start = torch.tensor([[50258]])
        logits = listener.model(input_features=seen[0], decoder_input_ids=start).logits[0, 0]
    settings = listener.model.generation_config
    ids = sorted(settings.lang_to_id.values())
    shares = dict(zip(ids, logits[ids].softmax(-1).tolist(), strict=True))
    for code, share in told.languages.items():
        assert share == pytest.approx(shares[settings.lang_to_id[f"<|{code}|>"]], abs=1e-4)
    assert max(told.languages.values()) == pytest.approx(max(shares.values()), abs=1e-4)
    # <|nospeech|> lies before <|notimestamps|>
    assert told.no_speech == pytest.approx(logits.softmax(-1)[50362].item(), abs=1e-4)


def test_what_was_heard_is_known_to_measuring_and_listening(hub_cache, tmp_path, working):
    run = make_run(tmp_path, DURATIONS_S)
    listener, clips = plain(run), read_clips(run.dataset_dir)
    heard = stage.heard_of(working(run), listener, clips)
    shapes = Heard(listener.model).shapes
    assert stage.heard_of(working(run), listener, clips) == heard
    cache = BaseCache.of(listener)
    assert [cache.read(run.dataset_dir / clip.audio) for clip in clips] == [
        heard[clip.id].text for clip in clips
    ]
    assert shapes == []


def test_a_text_known_from_measuring_is_heard_again_for_the_rest(hub_cache, tmp_path, working):
    run = make_run(tmp_path, (0.3,))
    listener, [clip] = plain(run), read_clips(run.dataset_dir)
    BaseCache.of(listener).write(run.dataset_dir / clip.audio, "un testo")
    heard = stage.heard_of(working(run), listener, [clip])
    assert heard[clip.id].text != "un testo"


def test_a_stopped_one_goes_on_where_it_was(hub_cache, tmp_path, monkeypatch, working):
    run = make_run(tmp_path, DURATIONS_S)
    listener, clips = plain(run), read_clips(run.dataset_dir)
    monkeypatch.setattr("whisper_tuner.evaluation.hearing.clips_at_once", lambda model: 1)
    context = working(run)
    told = context.progress

    def stop_after_one(what: str, done: int, total: int) -> None:
        context.stop_asked = done == 1
        told(what, done, total)

    monkeypatch.setattr(context, "progress", stop_after_one)
    with pytest.raises(Stopped):
        stage.heard_of(context, listener, clips)
    shapes = Heard(listener.model).shapes
    stage.heard_of(working(run), listener, clips)
    assert len(shapes) == 2
    counts = [r.event for r in read_events(run.events_path) if isinstance(r.event, Progress)]
    assert [count.done for count in counts] == [0, 1, 1, 2, 3]


def test_the_stage_says_what_it_found(hub_cache, tmp_path, working):
    run = make_run(tmp_path, DURATIONS_S)
    stage.listen(working(run))
    records = read_events(run.events_path)
    assert last_state(records) == "done"
    notes = [r.event for r in records if isinstance(r.event, Note)]
    assert notes[-1] == Note("note_listened", {"n": 3, "n_doubted": 0})
    [finding] = read_report(run.dataset_dir).findings
    assert finding.code == "listened_too_few"


def test_findings_are_fixed_and_taken_back(tmp_path):
    run = make_run(tmp_path, (0.5,) * 6)
    folder = run.dataset_dir
    texts = ["uno due", "tre quattro", "cinque sei", "sette otto", "nove dieci", "cento e uno"]
    lines = (folder / "manifest.jsonl").read_text().splitlines()
    rows = [{**json.loads(line), "text": t} for line, t in zip(lines, texts, strict=True)]
    for row in rows[:4]:
        row["split"] = "train"
    (folder / "manifest.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    write_report(folder, Report(6, 4, 2, 2.0, 1.0, [Finding("too_long", "x.wav", True)]))
    clips = read_clips(folder)
    params = {"text": "uno", "heard": "due", "distance": 0.9}
    doubt = clips[0].finding("text_not_heard", **params)
    other = clips[1].finding("text_not_heard", **params)
    about = Finding("listened", "", False, None, {"n": 6, "n_judged": 6, "n_doubted": 1})
    put_findings(folder, [other, about])
    put_findings(folder, [doubt, about])  # in the place of the earlier ones

    def found(code: str) -> list[str]:
        return [finding.clip for finding in read_report(folder).findings if finding.code == code]

    assert (found("text_not_heard"), found("too_long")) == (["0.wav"], ["x.wav"])
    fix(folder, "text_not_heard", lambda text: 5)
    assert [clip.name for clip in read_clips(folder)] == [f"{i}.wav" for i in range(1, 6)]
    assert (found("text_not_heard"), found("left_out"), found("listened")) == ([], ["0.wav"], [""])
    put_findings(folder, [other, about])  # heard once more, without it
    undo(folder)
    assert found("text_not_heard") == ["1.wav"] and len(read_clips(folder)) == 6
