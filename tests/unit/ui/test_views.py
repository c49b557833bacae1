"""What a person reads about recordings and a training. No page, no gradio."""

import pytest

from whisper_tuner.config import LoraSettings, TrainConfig
from whisper_tuner.data.clips import Clip, Finding, Report
from whisper_tuner.model.catalogue import BASE_MODELS
from whisper_tuner.model.planner import Plan
from whisper_tuner.narrate import size_sentence
from whisper_tuner.runs.device import Device
from whisper_tuner.runs.events import Note, Progress, Record, Resumed, Score, StateChanged, Step
from whisper_tuner.runs.jobs import Status
from whisper_tuner.ui import views

HOSTILE = "<script>alert(1)</script>"


def clip(name: str, split: str = "train", text: str = "ciao") -> Clip:
    return Clip(name, f"clips/{name}.flac", text, name, 2.04, 5, split)


def refusal(name: str, code: str = "audio_undecodable") -> Finding:
    return Finding(code, name, True, None, {"file": name})


def report(*findings: Finding) -> Report:
    return Report(4, 2, 1, 83.0, 12.4, list(findings))


def step(n: int, n_steps: int = 10) -> Step:
    return Step(n, n_steps, n / 5, 2.0 / n, 1.0, 1e-3, 3.0 * n, 3.0 * (n_steps - n))


def records(*events) -> list[Record]:
    return [Record(i, 1000.0 + i, event) for i, event in enumerate(events, start=1)]


CLIPS = [clip("a.wav"), clip("b.wav", "test"), clip("c.wav")]


def test_summary_counts_what_can_be_used_and_how_it_is_divided():
    html = views.data_summary(CLIPS, report(refusal("d.wav")), "en")
    assert "3 of 4 clips can be used: 1:35 minutes of speech." in html
    assert "2 clips (1:23 min) to learn from, 1 clips (0:12 min) held out" in html
    assert "Refused: 1. Used, but worth a look: 0." in html


def test_summary_says_what_is_wrong_with_the_source_as_a_whole():
    crossing = Finding("speakers_in_both_splits", "", False)
    ignored = Finding("file_ignored", "notes.docx", False)
    html = views.data_summary(CLIPS, report(crossing, ignored), "en")
    assert "The same speakers are in training and test" in html
    assert "notes.docx was not used" in html
    assert "No problems found." in html


def test_nothing_usable_is_a_problem_not_a_note():
    none = Finding("no_usable_clips", "", False, None, {"n_found": 4})
    html = views.data_summary([], Report(4, 0, 0, 0, 0, [none]), "en")
    assert 'role="alert">None of the 4 clips can be used' in html


def test_rows_put_refused_clips_first_and_then_those_worth_a_look():
    odd = Finding("audio_very_short", "c.wav", False, None, {"seconds": 0.3})
    rows = views.clip_rows(CLIPS, report(odd, refusal("d.wav")), "en")
    assert [row[0] for row in rows] == ["d.wav", "c.wav", "a.wav", "b.wav"]
    assert [row[3] for row in rows] == ["refused", "trained on", "trained on", "held out"]
    assert rows[0][4].startswith("d.wav cannot be read as sound")
    assert rows[1][1:3] == ["2.0", "ciao"]
    assert rows[1][4].startswith("c.wav lasts only 0.3 seconds")


def test_two_problems_of_one_clip_share_its_row():
    rows = views.clip_rows([], report(refusal("d.wav"), refusal("d.wav", "audio_silent")), "en")
    assert len(rows) == 1
    assert "cannot be read" in rows[0][4] and "is silent" in rows[0][4]


@pytest.mark.parametrize(
    ("shown", "names"),
    [
        ("all", ["d.wav", "a.wav", "b.wav", "c.wav"]),
        ("problems", ["d.wav"]),
        ("train", ["a.wav", "c.wav"]),
        ("test", ["b.wav"]),
    ],
)
def test_rows_can_be_filtered(shown, names):
    rows = views.clip_rows(CLIPS, report(refusal("d.wav")), "en", shown)
    assert [row[0] for row in rows] == names


def test_rows_can_be_searched_in_any_case():
    clips = [*CLIPS, clip("e.wav", text="Straße und ÄRZTE")]
    rows = views.clip_rows(clips, report(), "en", "all", " ärzte ")
    assert [row[0] for row in rows] == ["e.wav"]


def test_file_names_are_escaped_in_html():
    ignored = Finding("file_ignored", HOSTILE, False)
    html = views.data_summary(CLIPS, report(ignored), "en")
    assert "<script" not in html and "&lt;script&gt;" in html


def test_languages_are_found_by_their_name_in_the_readers_language():
    assert ("Italian", "it") in views.language_choices("en")
    assert ("意大利语", "it") in views.language_choices("zh")
    assert len(views.language_choices("zh")) == 100


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("fits", [True, False])
def test_a_plan_is_a_few_lines_and_warns_when_it_may_not_fit(lang, fits):
    config = TrainConfig("openai/whisper-base", "it", "8bit", epochs=3)
    expected = Plan(2e9, 16.1e9, fits, False, False, 1, 1, 60.0, 120.0, 0.05, True)
    html = views.plan(config, expected, Device("cuda", "Tesla T4", 16.1), report(), lang)
    assert html.count("<p ") == 4
    assert ('role="alert"' in html) is not fits
    assert "0.05" in html and "1,179,648" in html


def test_size_and_steps_before_a_training():
    sentence = size_sentence("openai/whisper-base", LoraSettings(), "en")
    assert sentence == (
        "1,179,648 of 72,593,920 weights are trained (1.60%); the adapter will be 4.7 MB."
    )
    assert "; 3 steps." in views.steps_sentence(report(), epochs=3, batch_size=8, lang="en")
    assert "; 2 steps." in views.steps_sentence(report(), epochs=1, batch_size=1, lang="en")


@pytest.mark.parametrize("base", BASE_MODELS)
@pytest.mark.parametrize("rank", [1, 32, 256])
def test_every_base_has_a_size_sentence(base, rank):
    assert "MB" in size_sentence(base, LoraSettings(rank=rank), "zh")


def test_bases_are_offered_with_their_size():
    choices = views.base_choices(["openai/whisper-small", "openai/whisper-base"])
    assert choices == [
        ("whisper-base · 73 M", "openai/whisper-base"),
        ("whisper-small · 242 M", "openai/whisper-small"),
    ]


def test_a_waiting_run_says_how_many_are_ahead():
    status = Status("queued", True, ahead=2)
    html = views.training_status(status, records(StateChanged("queued")), "en", 1003.0)
    assert "Trainings ahead of yours: 2" in html and "<progress></progress>" in html


def test_a_training_shows_its_numbers():
    happened = records(StateChanged("queued"), StateChanged("training"), Score(0, 0.4, 0.2, 8))
    happened += [Record(4, 1010.0, step(4))]
    html = views.training_status(Status("training", True), happened, "en", 1031.0)
    assert '<progress max="10" value="4">' in html
    for shown in ("4 / 10", "0.500", "40.0%", "0:30", "0:18"):
        assert f"<dd>{shown}</dd>" in html


def test_a_stage_shows_its_own_count():
    happened = records(StateChanged("evaluating"), Progress("stage_tuned_transcripts", 3, 40))
    html = views.training_status(Status("evaluating", True), happened, "en", 1003.0)
    assert '<progress max="40" value="3">' in html and "3 of 40 held-out clips" in html


def test_time_between_two_workers_is_not_counted():
    first = records(StateChanged("queued"), StateChanged("stopped"))
    second = [Record(3, 90_000.0, StateChanged("queued")), Record(4, 90_005.0, step(1))]
    html = views.training_status(Status("stopped", False), first + second, "en", 99_999.0)
    assert "<dd>0:05</dd>" in html


@pytest.mark.parametrize(
    ("status", "has_adapter", "beginning"),
    [
        (Status("training", True), False, "You may close this page"),
        (Status("paused", True), False, "The disk is nearly full"),
        (Status("done", False), True, "The tuned model is ready"),
        (Status("stopped", False), True, "What was learned so far is kept"),
        (Status("stopped", False), False, "It was stopped before anything was learned"),
        (Status("failed", False, reason="disk_full"), False, "Resume it, and it goes on"),
        (Status("interrupted", False), False, "Resume it, and it goes on"),
    ],
)
def test_what_to_do_next(status, has_adapter, beginning):
    assert views.next_sentence(status, has_adapter, "en").startswith(beginning)


def test_a_failed_run_gives_its_reason():
    status = Status("interrupted", False, reason="worker_killed", params={"code": 9})
    html = views.training_status(status, records(StateChanged("training")), "en", 0.0)
    assert "Interrupted." in html and "signal 9" in html and "<progress" not in html


def test_log_is_newest_first_and_thins_out_counts():
    happened = records(
        StateChanged("preparing"),
        Note("note_loading_base", {"base": "openai/whisper-tiny"}),
        Progress("stage_base_transcripts", 1, 3),
        Progress("stage_base_transcripts", 3, 3),
        StateChanged("done"),
    )
    lines = views.log_lines(happened, "en").splitlines()
    assert lines[0].split() == ["0:04", "Finished."]
    assert lines[1].endswith("Base model: 3 of 3 held-out clips")
    assert len(lines) == 4


def test_a_long_training_does_not_fill_the_log_with_steps():
    happened = records(*(step(n, 1000) for n in range(1, 1001)))
    lines = views.log_lines(happened, "en").splitlines()
    assert len(lines) <= views.MAX_STEP_LINES + 1
    assert "Step 1000 of 1000" in lines[0]


def test_an_empty_run_has_an_empty_log_and_no_curve():
    assert views.log_lines([], "en") == ""
    assert views.curves([], "en") == '<div class="curves"></div>'
    assert "<svg" not in views.curves(records(step(1), Score(0, 0.5, 0.5, 8)), "en")


def test_curves_are_thinned_out_but_keep_the_last_point():
    scores = [Score(0, 0.25, 0.1, 9), Score(500, 0.125, 0.1, 9)]
    html = views.curves(records(*scores, *(step(n, 1000) for n in range(1, 1001))), "en")
    points = html.split('<polyline points="')[1].split('"')[0].split()
    assert len(points) <= views.MAX_PLOT_POINTS + 1
    assert "Loss on the training clips: 2 → 0.002" in html
    assert "Word error rate on held-out clips: 25% → 12.5%" in html


def test_what_goes_on_by_itself_asks_for_nothing():
    broken_off = Status("interrupted", False, goes_on=True)
    assert views.next_sentence(broken_off, False, "en").startswith("It goes on by itself")


def test_checkpoints_do_not_fill_the_log():
    saves = [StateChanged("saving"), StateChanged("training")] * 30
    last = [StateChanged("saving"), StateChanged("evaluating")]  # this one is the adapter's
    happened = records(StateChanged("training"), step(1), *saves, step(2), *last)
    lines = [line.split(maxsplit=1)[1] for line in views.log_lines(happened, "en").splitlines()]
    assert [line.split()[0] for line in reversed(lines)] == [
        *("Training.", "Step", "Step", "Saving", "Measuring")
    ]


def test_what_a_resumed_training_computed_again_is_shown_once():
    happened = records(step(1), step(2), Score(2, 0.5, 0.2, 4), step(3), Resumed(1), step(2))
    html = views.training_status(Status("training", True), happened, "en", 1010.0)
    assert "2 / 10" in html
    assert "50.0%" not in html
    plot = views.curves(happened, "en")
    assert len(plot.split('<polyline points="')[1].split('"')[0].split()) == 2
