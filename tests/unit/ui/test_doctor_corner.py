"""What the page says of findings: escaped, counted, and the first few of each kind."""

import pytest

from whisper_tuner import steps
from whisper_tuner.data.clips import Clip, Finding, read_report
from whisper_tuner.data.summary import Group, summarise
from whisper_tuner.runs.folder import Run
from whisper_tuner.ui.doctor_corner import N_SHOWN, fix, group_html, rest_html, summary_html, undo

HOSTILE = "<script>alert(1)</script>"


def test_a_kind_names_the_first_few_and_counts_the_rest():
    found = [Finding("audio_noisy", f"{i}.wav", False, None, {"decibels": 9}) for i in range(7)]
    html = group_html(Group("audio_noisy", found, "drop"), "en", {})
    assert "Noise: 7" in html and "and 4 more like this" in html
    assert html.count(".wav is noisy") == N_SHOWN
    assert "噪声: 7" in group_html(Group("audio_noisy", found, "drop"), "zh", {})


def test_hostile_names_and_texts_are_escaped():
    found = [Finding("transcript_markup", HOSTILE, False, None, {"found": HOSTILE})]
    html = group_html(Group("transcript_markup", found, "markup"), "en", {})
    assert "<script" not in html and html.count("&lt;script&gt;") == 2


def test_left_out_and_refused_have_names_of_their_own():
    why = {"why": "audio_noisy", "evidence": {"decibels": 3}}
    html = group_html(Group("left_out", [Finding("left_out", "a", True, None, why)], ""), "en", {})
    assert "Left out by you: 1" in html and "a is noisy" in html
    refused = [Finding("audio_silent", "a", True, None, {"file": "a"})]
    assert "Not used: 1" in group_html(Group("audio_silent", refused, ""), "en", {})


def test_the_summary_draws_only_what_was_measured(tmp_path):
    clip = Clip("1", "clips/1.flac", "una frase", "a.wav", 2.0, 3, "train")
    html = summary_html(summarise(tmp_path, [clip]), "en")
    assert html.count("<svg") == 1 and "Different words" in html and "see that everything" in html


@pytest.fixture
def run(tmp_path, monkeypatch) -> Run:
    monkeypatch.setenv("WHISPER_TUNER_RUNS", str(tmp_path))
    run = Run.create(tmp_path)
    steps.prepare(run, [steps.EXAMPLE_DIR])
    return run


def test_a_button_fixes_the_kind_that_was_shown_beside_it(run):
    shown = ["audio_noisy", "quotes_curly"]
    assert fix(1, "en", run.id, shown) == ""
    assert {change.code for change in read_report(run.dataset_dir).changes} == {"text_changed"}
    assert "No clip has the problem" in fix(0, "en", run.id, shown)
    assert undo("en", run.id) == "" and read_report(run.dataset_dir).changes == []
    assert 'role="alert"' in undo("zh", run.id)
    assert 'role="alert"' in fix(1, "en", "no-such-run", shown)


def test_kinds_without_a_place_are_counted():
    codes = ["audio_noisy", "audio_quiet", "casing_lower"]
    rest = [Group(code, [Finding(code, f"{i}.wav", False) for i in range(3)], "") for code in codes]
    said = rest_html(rest, "en")
    assert "3 more kinds" in said and "Noise: 3 · Very quiet: 3 · No capitals: 3" in said
    assert rest_html([], "en") == ""


def test_a_tab_that_was_forgotten_is_told_to_press_again(tmp_path):
    assert "press again" in fix(0, "en", "no run", [])


def test_what_is_to_be_listened_to_can_be_played():
    said = {"text": "sì", "heard": "no", "distance": 0.9, "other": "b&.wav"}
    found = [Finding("text_of_another", "a.wav", False, None, said)]
    sounds = {"a.wav": "clip/run/1", "b&.wav": "clip/run/2"}
    html = group_html(Group("text_of_another", found, "drop"), "en", sounds)
    assert html.count("<audio") == 2 and 'src="clip/run/1"' in html and "b&.wav" not in html
    noisy = [Finding("audio_noisy", "a.wav", False, None, {"decibels": 9})]
    assert "<audio" not in group_html(Group("audio_noisy", noisy, "drop"), "en", sounds)


def test_nothing_heard_is_said_so():
    found = [Finding("heard_no_speech", "a.wav", False, None, {"heard": "", "seconds": 1.4})]
    assert "wrote nothing for 1.4" in group_html(Group("heard_no_speech", found, "drop"), "en", {})
