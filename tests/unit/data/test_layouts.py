"""Data sets as they are published: NeMo, Kaldi, LJSpeech, Azure, LibriSpeech, Common Voice."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from whisper_tuner.audio import SAMPLE_RATE
from whisper_tuner.data.clips import COMMON_VOICE, Candidate
from whisper_tuner.data.tables import Reading
from whisper_tuner.data.upload import candidates
from whisper_tuner.errors import InputError


def fill(folder: Path, files: dict[str, str | None]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name if content is None else content, encoding="utf-8")
    return folder


def texts(found: list[Candidate]) -> dict[str, str | None]:
    return {c.name: c.text for c in found if not c.problem}


def problems(found: list[Candidate]) -> list[tuple[str, str]]:
    return sorted((c.problem, c.name) for c in found if c.problem)


def refusal(source: Path, **said: object) -> str:
    with pytest.raises(InputError) as caught:
        list(candidates([source], reading=Reading(**said)))
    return caught.value.code


NEMO = [
    {"audio_filepath": "/data/clips/a.wav", "duration": 1.5, "text": 'He said "no", 5 times'},
    {"audio_filepath": "b.wav", "text": "Größe", "offset": 0.0, "speaker": "s2", "split": "test"},
]


@pytest.mark.parametrize("name", ["train_manifest.json", "l.jsonl", "l.ndjson"])
def test_json_lines(tmp_path: Path, name: str) -> None:
    lines = "\n\n".join(json.dumps(item) for item in NEMO) + "\n"
    found = list(candidates([fill(tmp_path, {"clips/a.wav": None, "b.wav": None, name: lines})]))
    assert texts(found) == {"clips/a.wav": 'He said "no", 5 times', "b.wav": "Größe"}
    assert [(c.row, c.speaker, c.split) for c in found] == [(1, "", ""), (3, "s2", "test")]


def test_a_json_list_of_objects(tmp_path: Path) -> None:
    rows = [
        {"audio": {"path": "a.wav"}, "text": 5},
        {"audio": "b.wav", "text": None},
    ]
    fill(tmp_path, {"a.wav": None, "b.wav": None, "l.json": json.dumps(rows)})
    assert texts(list(candidates([tmp_path]))) == {"a.wav": "5", "b.wav": ""}


def test_json_that_is_no_table_is_left_to_others(tmp_path: Path) -> None:
    settings = json.dumps({"a": [1, 2]}, indent=1)
    files = {"a.wav": None, "a.txt": "x", "s.json": settings, "t.json": "{"}
    found = list(candidates([fill(tmp_path, files)]))
    assert texts(found) == {"a.wav": "x"}
    assert problems(found) == [("file_ignored", f"{n}.json") for n in "st"]


def test_broken_json_lines(tmp_path: Path) -> None:
    fill(tmp_path, {"a.wav": None, "l.jsonl": '{"audio": "a.wav", "text": "x"}\n{"audio": '})
    assert refusal(tmp_path) == "table_not_readable"
    fill(tmp_path, {"l.jsonl": "[" * 100_000})
    assert refusal(tmp_path) == "table_not_readable"
    fill(tmp_path, {"l.jsonl": "[" + "{}," * 400_001 + "{}]"})
    assert refusal(tmp_path) == "table_too_long"


def long_recording(folder: Path, **tables: str) -> Path:
    """Ten seconds that grow louder from second to second, and tables beside them."""
    fill(folder, {name.replace("_", "."): content for name, content in tables.items()})
    loudness = np.repeat(np.arange(1, 11) / 20, SAMPLE_RATE)
    tone = np.sin(np.arange(10 * SAMPLE_RATE) * 0.3)
    soundfile.write(folder / "long.wav", (loudness * tone).astype(np.float32), SAMPLE_RATE)
    return folder


def parts_of(source: Path) -> list[tuple]:
    """Of each clip: what it is, its problem, its seconds, and which second of the recording its
    sound is of.
    """
    rows = []
    for found in candidates([source]):
        sound = soundfile.read(found.audio)[0] if found.audio else np.zeros(SAMPLE_RATE)
        second = round(20 * np.abs(sound[:SAMPLE_RATE]).max()) - 1
        about = (found.text, found.speaker, found.split, found.row, found.problem)
        rows.append((*about, len(sound) / SAMPLE_RATE, second))
    return rows


def test_parts_by_nemos_offset(tmp_path: Path) -> None:
    part = {"audio_filepath": "long.wav", "text": "two", "offset": 2, "duration": 1.5}
    first = {**part, "text": "null", "offset": 0, "duration": 1}
    endless = {"audio_filepath": "long.wav", "text": "x", "offset": 5}
    behind = {**part, "text": "y", "offset": 9.5, "duration": 9}
    lines = "\n".join(json.dumps(row) for row in (part, first, endless, behind))
    assert parts_of(long_recording(tmp_path, l_jsonl=lines)) == [
        ("x", "", "", 3, "cue_ends_before_start", 1.0, -1),
        ("null", "", "", 2, "", 1.0, 0),
        ("two", "", "", 1, "", 1.5, 2),
        ("y", "", "", 4, "cue_past_end", 1.0, -1),
    ]


def test_parts_by_kaldis_segments(tmp_path: Path) -> None:
    long_recording(tmp_path)
    tables = {
        "train/wav.scp": "r1 /corpus/long.wav\n",
        "train/text": "u1 one\nu2 two\nu3 three\nu4 four\n",
        "train/segments": "u2 r1 4.0 5.5\nu1 r1 1.00 2.00\nu3 r2 0 1\nu4 r1 x 3\n",
        "train/utt2spk": "u1 anna\nu2 bert\n",
    }
    assert sorted(parts_of(fill(tmp_path, tables))) == [
        ("four", "", "train", 4, "cue_ends_before_start", 1.0, -1),
        ("one", "anna", "train", 1, "", 1.0, 1),
        ("three", "", "", 3, "audio_missing", 1.0, -1),
        ("two", "bert", "train", 2, "", 1.5, 4),
    ]


def test_parts_of_what_is_no_recording(tmp_path: Path) -> None:
    part = {"audio_filepath": "long.wav", "text": "x", "offset": 2, "duration": 1.5}
    long_recording(tmp_path, l_jsonl=json.dumps(part))
    (tmp_path / "long.wav").write_bytes(b"no sound")
    assert [c.problem for c in candidates([tmp_path])] == ["audio_undecodable"]


def test_kaldi(tmp_path: Path) -> None:
    files: dict[str, str | None] = {"wavs/a.wav": None, "wavs/b.wav": None, "wavs/c.wav": None}
    files |= {
        "data/train/wav.scp": "anna-1 /mnt/corpus/wavs/a.wav\nbert-1 /mnt/corpus/wavs/b.wav\n",
        "data/train/text": 'anna-1 guten Tag\n\nbert-1 he said "no"\nbert-2 never recorded\n',
        "data/train/utt2spk": "anna-1 anna\nbert-1 bert\n",
        "data/train/spk2utt": "anna anna-1\nbert bert-1\n",
        "data/test/wav.scp": "c wavs/c.wav\n",
        "data/test/text": "c ciao\n",
    }
    found = list(candidates([fill(tmp_path, files)]))
    assert texts(found) == {
        "wavs/a.wav": "guten Tag",
        "wavs/b.wav": 'he said "no"',
        "wavs/c.wav": "ciao",
    }
    by_name = {c.name: (c.split, c.speaker, c.row) for c in found}
    assert by_name["wavs/a.wav"] == ("train", "anna", 1)
    assert by_name["wavs/b.wav"] == ("train", "bert", 3)
    assert by_name["wavs/c.wav"] == ("test", "", 1)
    assert problems(found) == [("audio_missing", "bert-2")]


def test_commands_of_kaldi_are_never_run(tmp_path: Path) -> None:
    command = f"touch {tmp_path}/run; cat a.wav |"
    files = {"a.wav": None, "b.wav": None, "wav.scp": f"a {command}\nb b.wav\n"}
    found = list(candidates([fill(tmp_path, files | {"text": "a one\nb two\n"})]))
    assert texts(found) == {"b.wav": "two"}
    assert ("kaldi_command", command) in problems(found)
    assert not (tmp_path / "run").exists()


def test_ljspeech(tmp_path: Path) -> None:
    rows = 'a|"It cost $5," he said.|"It cost five dollars," he said.\nb|Yes.|Yes.\n'
    found = list(
        candidates([fill(tmp_path, {"wavs/a.wav": None, "wavs/b.wav": None, "metadata.csv": rows})])
    )
    assert texts(found) == {"wavs/a.wav": '"It cost $5," he said.', "wavs/b.wav": "Yes."}


def test_azure_and_librispeech(tmp_path: Path) -> None:
    files = {"a.wav": None, "b.wav": None, "trans.txt": "a.wav\tone, two\nb.wav\tthree four\n"}
    assert texts(list(candidates([fill(tmp_path / "azure", files)]))) == {
        "a.wav": "one, two",
        "b.wav": "three four",
    }
    files = {"84/1/84-1-0.flac": None, "84/1/84-1-1.flac": None}
    files |= {"84/1/84-1.trans.txt": "84-1-0 GO DO YOU HEAR\n84-1-1 YES\n"}
    assert texts(list(candidates([fill(tmp_path / "libri", files)]))) == {
        "84/1/84-1-0.flac": "GO DO YOU HEAR",
        "84/1/84-1-1.flac": "YES",
    }


def test_a_table_saved_as_txt_and_a_text_that_is_none(tmp_path: Path) -> None:
    files = {"a.wav": None, "l.txt": "file\ttext\na.wav\thello\n", "readme.txt": "a\nb c\nd e\nf\n"}
    found = list(candidates([fill(tmp_path, files)]))
    assert texts(found) == {"a.wav": "hello"}
    assert problems(found) == [("file_ignored", "readme.txt")]


CV_HEAD = "client_id\tpath\tsentence\tup_votes\n"


def test_an_unpacked_common_voice_folder(tmp_path: Path) -> None:
    files: dict[str, str | None] = {f"cv/it/clips/{n}.mp3": None for n in "abcdef"}
    tables = {"train": "a", "dev": "b", "test": "c", "validated": "abcd", "other": "e"}
    tables["invalidated"] = "f"
    for table, clips in tables.items():
        rows = "".join(f's{n}\t{n}.mp3\t"Ciao" {n}\t2\n' for n in clips)
        files[f"cv/it/{table}.tsv"] = CV_HEAD + rows
    found = list(candidates([fill(tmp_path / "a", files)]))
    used = {c.name[0]: (c.text, c.split, c.speaker, c.source) for c in found if not c.problem}
    assert used == {
        "a": ('"Ciao" a', "train", "sa", COMMON_VOICE),
        "b": ('"Ciao" b', "train", "sb", COMMON_VOICE),
        "c": ('"Ciao" c', "test", "sc", COMMON_VOICE),
    }
    left = [name for problem, name in problems(found) if problem == "table_left_out"]
    assert left == [f"cv/it/{t}.tsv" for t in ("invalidated", "other", "validated")]
    few = {n: t for n, t in files.items() if n[6:] not in ("train.tsv", "dev.tsv", "test.tsv")}
    found = list(candidates([fill(tmp_path / "b", few)]))
    assert sorted(c.name[0] for c in found if not c.problem) == ["a", "b", "c", "d"]
