"""`align` and `prepare --aligned` in the terminal; the hearing itself is in tests/integration."""

import json

import numpy as np
import pytest

from tests.unit.test_cli import call, runs  # noqa: F401
from whisper_tuner.alignment import review, task
from whisper_tuner.alignment.align import Piece
from whisper_tuner.audio import write_flac
from whisper_tuner.cli import aligning
from whisper_tuner.data.long_recordings import read_long
from whisper_tuner.errors import InputError
from whisper_tuner.runs.folder import Run


@pytest.fixture
def aligned(runs, tmp_path) -> Run:  # noqa: F811
    run = Run.create(runs)
    sound = np.random.default_rng(1).normal(0, 0.1, 16_000 * 40).astype(np.float32)
    write_flac(tmp_path / "talk.flac", sound)
    asked = task.Task((task.Item("talk.flac", "x"),), "it", "openai/whisper-tiny", "32bit")
    task.create(run, asked, [tmp_path / "talk.flac"])
    task.source_path(run).rename(task.sound_path(run))
    words = ("Prima frase.", "Seconda.", "Terza frase.", "Quarta.")
    pieces = [Piece(9.0 * i, 9.0 * (i + 1), text, 0.9 - 0.3 * i) for i, text in enumerate(words)]
    review.begin(run, [pieces])
    return run


def test_the_table_is_written_edited_and_used(capsys, hub_cache, aligned, tmp_path):
    table = tmp_path / "talk.csv"
    code, out, _ = call(capsys, "align", "--resume", aligned.id, "--table", table)
    assert f"{table} has 4 rows, 3 of them doubtful" in out
    edited = table.read_text(encoding="utf-8").replace("no,Seconda.", "yes,Seconda frase.")
    table.write_text(edited.replace("no,Terza", "yes,Terza"), encoding="utf-8")
    code, out, err = call(capsys, "prepare", "--aligned", aligned.id, "--table", table)
    assert (code, err) == (0, "") and "3 of 3 clips" in out
    assert "1 clips (9 s) are not used because they were not kept" in out
    table.write_text(edited.replace("yes", "perhaps"), encoding="utf-8")
    code, out, err = call(capsys, "prepare", "--aligned", aligned.id, "--table", table)
    assert code == 2 and "talk.csv" in err and "yes nor no" in err


def test_what_cannot_be_is_said_in_a_sentence(capsys, hub_cache, runs, tmp_path):  # noqa: F811
    (tmp_path / "talk.flac").write_bytes(b"x")
    (tmp_path / "talk.pdf").write_bytes(b"x")
    files = tmp_path / "talk.flac", tmp_path / "talk.pdf"
    for arguments, told in (
        ([*files, "--language", "it"], "neither TXT nor DOCX"),
        (files, "--language"),
        ([tmp_path / "no.flac", files[1], "--language", "it"], "no.flac"),
        ([*files, "--language", "xx"], "xx"),
        (["--resume", "20261123-000000-0123456789abcdef"], "20261123"),
    ):
        code, out, err = call(capsys, "align", *arguments)
        assert (code, out) == (2, "") and told in err, arguments
    assert not [path for path in runs.glob("*") if path.is_dir()]  # nothing half made is left
    assert call(capsys, "prepare", "--aligned", "x", "--hub-dataset", "a/b")[0] == 2


def test_a_table_without_its_alignment_is_not_ignored(capsys, runs, small_source, tmp_path):  # noqa: F811
    table = tmp_path / "talk.csv"
    for arguments in ((small_source, "--table", table), ("--table", table)):
        code, out, err = call(capsys, "prepare", *arguments)
        assert (code, out) == (2, "") and f"--table {table} belongs to --aligned" in err


def test_a_folder_gives_all_pairs_and_names_what_is_left(capsys, tmp_path):
    (tmp_path / "b").mkdir()
    for name, seconds in (("a", 40), ("b/a", 35), ("short", 5), ("alone", 31)):
        write_flac(tmp_path / f"{name}.flac", np.zeros(16_000 * seconds, np.float32))
    for name in ("a", "b/a", "short"):
        (tmp_path / f"{name}.txt").write_text("Ciao.", encoding="utf-8")
    pairs = aligning._pairs([tmp_path])
    assert [audio.relative_to(tmp_path).as_posix() for audio, _ in pairs] == ["a.flac", "b/a.flac"]
    assert all(audio.parent == text.parent for audio, text in pairs)
    told = capsys.readouterr().err
    assert "clips already (1): short.flac" in told and "same name (1): alone.flac" in told
    with pytest.raises(InputError, match="of the same name beside it"):
        aligning._pairs([tmp_path / "short.flac", tmp_path / "short.txt", tmp_path / "alone.flac"])


def test_clips_of_long_recordings_go_to_the_run_that_they_are_of(
    capsys,
    hub_cache,
    runs,  # noqa: F811
    small_source,
    tmp_path,
):
    samples = np.random.default_rng(1).normal(0, 0.1, 16_000 * 40).astype(np.float32)
    write_flac(tmp_path / "talk.flac", samples)
    (tmp_path / "talk.txt").write_text("Prima frase. Seconda frase.", encoding="utf-8")
    code, out, _ = call(
        capsys, "prepare", small_source, tmp_path / "talk.flac", tmp_path / "talk.txt"
    )
    (run,) = [Run(path) for path in runs.glob("*/") if path.is_dir()]
    assert code == 0 and "Last more than 30 seconds: 1  [recording_long]" in out
    _, out, _ = call(capsys, "check", run.id)
    assert f"→ Cut at pauses (1): python -m whisper_tuner align --long {run.id}" in out
    code, _, err = call(capsys, "check", run.id, "--fix", "recording_long")
    assert code == 2 and "align --long" in err

    aligned = Run.create(runs)
    long = read_long(run.dataset_dir)
    items = tuple(task.Item(clip.name, clip.text) for clip in long)
    asked = task.Task(items, "it", "openai/whisper-tiny", "32bit", run.id)
    paths = [run.dataset_dir / clip.audio for clip in long]
    task.create(aligned, asked, paths, are_ours=True)
    pieces = [Piece(10.0 * i, 10.0 * (i + 1), f"Frase {i}.", 0.9) for i in range(2)]
    review.begin(aligned, [pieces])
    code, out, err = call(capsys, "prepare", "--aligned", aligned.id)
    assert (code, err) == (0, "") and "12 of 12 clips" in out and run.id in out
    assert "talk.flac was cut at its pauses; clips of it that are used: 2" in out
    code, _, err = call(capsys, "prepare", "--aligned", aligned.id)
    assert code == 2 and "already" in err
    assert call(capsys, "align", "--long", run.id, "--language", "it")[0] == 2


def test_help_names_the_formats(capsys):
    with pytest.raises(SystemExit):
        call(capsys, "align", "--help")
    assert ".txt or .docx" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        call(capsys, "prepare", "--help")
    assert "--aligned RUN" in capsys.readouterr().out


def test_json_for_programs(capsys, aligned, tmp_path):
    table = tmp_path / "talk.csv"
    _, out, _ = call(capsys, "align", "--resume", aligned.id, "--table", table, "--json")
    answer = json.loads(out.splitlines()[-1])
    assert answer == {"run": aligned.id, "table": str(table), "rows": 4, "doubtful": 3}
