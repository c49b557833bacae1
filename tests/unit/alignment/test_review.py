"""What a person decides is on the disk at once, and comes back from a spreadsheet."""

import json

import numpy as np
import pytest

from whisper_tuner.alignment import review, task
from whisper_tuner.alignment.align import Piece
from whisper_tuner.audio import write_flac
from whisper_tuner.errors import AudioError, InputError, RunError
from whisper_tuner.runs.folder import Run
from whisper_tuner.steps import AlignedSource

PIECES = [
    Piece(0.0, 5.0, "Prima frase.", 0.95),
    Piece(5.0, 9.5, "Seconda, forse.", 0.3),
    Piece(9.5, 9.5, "Non detta.", 0.0),
    Piece(9.5, 12.0, "", 0.0),
    Piece(12.0, 18.0, "Terza frase.", 0.9),
]


@pytest.fixture
def aligned(tmp_path) -> Run:
    run = Run.create(tmp_path / "runs")
    write_flac(tmp_path / "talk.flac", np.random.default_rng(1).normal(0, 0.1, 16_000 * 18))
    text = " ".join(piece.text for piece in PIECES)
    asked = task.Task((task.Item("talk.flac", text),), "it", "openai/whisper-tiny", "32bit")
    task.create(run, asked, [tmp_path / "talk.flac"])
    task.source_path(run).rename(task.sound_path(run))
    review.begin(run, [PIECES])
    return run


def kept(run: Run) -> list[str]:
    return [row.text for row in review.read(run) if row.keep]


def test_sure_clips_are_kept_and_decisions_stay(aligned):
    assert kept(aligned) == ["Prima frase.", "Terza frase."]
    review.decide(aligned, 1, True, "  Seconda,  certo. ")
    review.decide(aligned, 0, False, "Prima frase.")
    assert kept(aligned) == ["Seconda, certo.", "Terza frase."]
    assert review.keep_sure(aligned) == 2  # what a person decided is not undone
    assert kept(aligned) == ["Seconda, certo.", "Terza frase."]


def test_text_without_sound_and_sound_without_text_cannot_be_kept(aligned):
    assert not review.decide(aligned, 2, True, "Non detta.").keep
    assert not review.decide(aligned, 3, True, " ").keep
    assert review.decide(aligned, 3, True, "Scritta ora.").keep


def test_only_a_finished_alignment_has_a_review(tmp_path):
    run = Run.create(tmp_path / "runs")
    for look in (review.read, task.read):
        with pytest.raises(RunError):
            look(run)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_table_goes_through_a_spreadsheet(aligned, delimiter):
    rows = review.to_csv(aligned)
    assert rows.startswith("\ufefffile,start,end,confidence,keep,text\r\n")
    rows = rows.replace("0.3,no", "0.3,YES").replace('"Seconda, forse."', "Seconda.")
    data = rows.replace(",", delimiter).encode()
    assert review.from_csv(aligned, data, "clips.csv") == 3
    assert kept(aligned) == ["Prima frase.", "Seconda.", "Terza frase."]


def test_a_table_that_was_broken_changes_nothing(aligned):
    good = review.to_csv(aligned)
    before = review.read(aligned)
    for bad in (good.replace("9.5,12.0", "9.5,13.0"), good.replace("yes", "maybe"), "a,b\n1,2\n"):
        with pytest.raises(InputError) as caught:
            review.from_csv(aligned, bad.encode(), "clips.csv")
        assert caught.value.code == "align_table_broken"
        assert "clips.csv" in caught.value.sentence()
    assert review.read(aligned) == before


def test_rows_deleted_from_the_table_are_dropped(aligned):
    lines = review.to_csv(aligned).splitlines(keepends=True)
    review.from_csv(aligned, "".join([*lines[:2], *lines[4:]]).encode(), "clips.csv")
    assert kept(aligned) == ["Prima frase.", "Terza frase."]
    review.from_csv(aligned, "".join(lines[:2]).encode(), "clips.csv")
    assert kept(aligned) == ["Prima frase."]


def test_kept_clips_become_candidates_and_nothing_else_is_silent(aligned, tmp_path):
    with AlignedSource(aligned).open(aligned, ()) as found:
        listed = [(c.text, c.problem, c.params.get("n"), bool(c.audio)) for c in found]
    assert listed == [
        ("Prima frase.", "", None, True),
        ("Terza frase.", "", None, True),
        (None, "align_dropped", 1, False),
        (None, "align_no_text", 1, False),
        (None, "align_not_heard", 1, False),
    ]
    assert sorted(path.name for path in task.folder(aligned).iterdir()) == [
        "recording.flac",
        "review.json",
        "task.json",
    ]
    for i in (0, 4):
        review.decide(aligned, i, False, "x")
    with (
        pytest.raises(InputError, match="No clip is kept"),
        AlignedSource(aligned).open(aligned, ()),
    ):
        pass


def test_what_was_heard_is_kept_whole_however_it_ended(aligned):
    one = task.Window(0.0, 20.0, "Uno", [(0, 0.1), (2, 0.4)])
    two = task.Window(20.0, 40.0, "Due", [])
    task.add_heard(aligned, [one])
    path = task.folder(aligned) / "heard.jsonl"
    path.write_bytes(path.read_bytes() + json.dumps({"start_s": 20.0}).encode()[:9])
    assert task.heard_windows(aligned) == [one]
    task.add_heard(aligned, [two])
    assert task.heard_windows(aligned) == [one, two]


def test_an_alignment_of_an_earlier_version_is_read(aligned):
    path = task.folder(aligned) / "task.json"
    old = {"recording": "talk.flac", "text": "Prima frase.", "language": "it"}
    old |= {"base": "openai/whisper-tiny", "precision": "32bit"}
    path.write_text(json.dumps(old), encoding="utf-8")
    rows = json.loads((task.folder(aligned) / "review.json").read_text())
    for row in rows:
        del row["recording"]
    (task.folder(aligned) / "review.json").write_text(json.dumps(rows))
    asked = task.read(aligned)
    assert asked.items == (task.Item("talk.flac", "Prima frase."),) and asked.dataset == ""
    assert kept(aligned) == ["Prima frase.", "Terza frase."]
    with AlignedSource(aligned).open(aligned, ()) as found:
        assert sum(candidate.audio is not None for candidate in found) == 2


@pytest.fixture
def two(tmp_path) -> Run:
    """Two recordings with the same times, one of a known speaker, and one that is broken."""
    run = Run.create(tmp_path / "runs")
    paths = [tmp_path / f"{n}.flac" for n in range(3)]
    for n, path in enumerate(paths):
        write_flac(path, np.random.default_rng(n).normal(0, 0.1, 16_000 * 18))
    items = task.Item("a.flac", "x"), task.Item("b.flac", "x", "Ben", "test"), task.Item("c", "x")
    task.create(run, task.Task(items, "it", "openai/whisper-tiny", "32bit"), paths, are_ours=True)
    task.write_problem(run, 2, AudioError("audio_undecodable", file="c"))
    review.begin(run, [PIECES, PIECES, []])
    return run


def test_clips_of_several_recordings_are_told_apart(two):
    rows = review.to_csv(two).splitlines(keepends=True)
    assert len(rows) == 11 and rows[1].startswith("a.flac,") and rows[6].startswith("b.flac,")
    edited = [rows[0], rows[1].replace("yes", "no"), *rows[2:]]
    assert review.from_csv(two, "".join(edited).encode(), "clips.csv") == 3
    assert [row.recording for row in review.read(two) if row.keep] == [0, 1, 1]
    for bad in ("d.flac,", ","):
        table = "".join(rows).replace("b.flac,", bad)
        with pytest.raises(InputError) as caught:
            review.from_csv(two, table.encode(), "clips.csv")
        assert caught.value.params["row"] == 7
    assert review.sound(two, review.read(two)[0]) != review.sound(two, review.read(two)[5])


def test_clips_inherit_and_what_is_unused_is_said_once(two):
    with AlignedSource(two).open(two, ()) as candidates:
        found = list(candidates)
    clips = [c for c in found if not c.problem]
    assert [(c.recording, c.speaker, c.split) for c in clips] == [
        *[("a.flac", "", "")] * 2,
        *[("b.flac", "Ben", "test")] * 2,
    ]
    said = {c.problem: (c.name, c.params.get("n"), c.params.get("time")) for c in found[4:]}
    both = "a.flac, b.flac, c"
    assert said == {
        "audio_undecodable": ("c", None, None),
        "align_dropped": (both, 2, "a.flac 0:00:05.0"),
        "align_no_text": (both, 2, "a.flac 0:00:09.5"),
        "align_not_heard": (both, 2, "a.flac 0:00:09.5"),
    }
    with AlignedSource(two, [1]).open(two, ()) as candidates:
        assert {c.recording for c in candidates if c.audio} == {"b.flac"}
