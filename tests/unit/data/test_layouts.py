"""Data sets as they are published: NeMo, Kaldi, LJSpeech, Azure, LibriSpeech, Common Voice."""

import json
from pathlib import Path

import pytest

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


def test_pieces_of_longer_recordings_are_refused(tmp_path: Path) -> None:
    row = {"audio_filepath": "a.wav", "text": "x", "offset": 2.5, "duration": 1}
    for name in ("l.jsonl", "l.json"):
        fill(tmp_path / name, {"a.wav": None, name: json.dumps(row)})
        assert refusal(tmp_path / name) == "table_of_pieces"
    kaldi = {"a.wav": None, "text": "u1 x", "wav.scp": "r1 a.wav", "segments": "u1 r1 0.0 1.5"}
    fill(tmp_path / "kaldi", kaldi)
    assert refusal(tmp_path / "kaldi") == "table_of_pieces"


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
