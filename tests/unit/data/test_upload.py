"""A folder, a ZIP or loose files: every recording finds its own transcript, or is named."""

import shutil
import unicodedata
import zipfile
from pathlib import Path

import pytest

from tests.sounds import speech, write
from whisper_tuner.data.clips import Candidate
from whisper_tuner.data.tables import Reading
from whisper_tuner.data.upload import MAX_TXT_BYTES, candidates
from whisper_tuner.errors import InputError

NFC, NFD = (unicodedata.normalize(form, "Élève à l'école") for form in ("NFC", "NFD"))


def fill(folder: Path, files: dict[str, str | None]) -> Path:
    """Files by name: None is a stand-in for a recording, whose content holds its own name."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name if text is None else text, encoding="utf-8")
    return folder


def zipped(folder: Path) -> Path:
    return Path(shutil.make_archive(str(folder), "zip", folder))


def pairs(found: list[Candidate]) -> dict[str, str | None]:
    return {c.name: c.text for c in found if not c.problem}


def problems(found: list[Candidate]) -> list[tuple[str, str]]:
    return sorted((c.problem, c.name) for c in found if c.problem)


def refusal(*args: object) -> str:
    with pytest.raises(InputError) as caught:
        list(candidates(*args))
    return caught.value.code


ROWS = "file_name,transcription\n"
LAYOUTS = {
    "table": {"rec_2.wav": None, "rec_10.wav": None, "rec_1.wav": None}
    | {"list.csv": ROWS + "rec_1.wav,one\nrec_10.wav,ten\nrec_2.wav,two\n"},
    "bare names": {"rec_2.wav": None, "rec_10.wav": None, "rec_1.wav": None}
    | {"list.csv": ROWS + "rec_1,one\nrec_10,ten\nrec_2,two\n"},
    "deep": {"d/clips/rec_2.wav": None, "d/clips/rec_10.wav": None, "d/clips/rec_1.wav": None}
    | {"d/tables/list.tsv": "path\tsentence\nrec_1.wav\tone\nrec_10\tten\nclips/rec_2.mp3\ttwo\n"},
    "paths of another computer": {"rec_2.wav": None, "rec_10.wav": None, "x/rec_1.wav": None}
    | {"list.csv": ROWS + "C:\\my data\\rec_1.wav,one\n/home/me/rec_10.wav,ten\n./rec_2.wav,two\n"},
    "text files": {"rec_2.wav": None, "rec_10.wav": None, "rec_1.wav": None}
    | {"rec_1.txt": "one", "rec_10.txt": "ten\n", "rec_2.txt": "two"},
    "text folder": {"wav/rec_2.wav": None, "wav/rec_10.wav": None, "wav/rec_1.wav": None}
    | {"txt/rec_1.txt": "one", "txt/rec_10.txt": "ten\n", "txt/rec_2.txt": "two"},
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("packed", [False, True])
def test_matched_by_name_never_by_order(tmp_path: Path, layout: str, packed: bool) -> None:
    source = fill(tmp_path / "src", LAYOUTS[layout])
    words, contents = {}, {}
    for found in candidates([zipped(source) if packed else source]):
        assert found.problem == "" and found.audio is not None
        stem = Path(found.name).stem
        words[stem] = (found.text or "").strip()
        contents[stem] = found.audio.read_text(encoding="utf-8")
    assert words == {"rec_1": "one", "rec_10": "ten", "rec_2": "two"}
    assert all(Path(content).stem == stem for stem, content in contents.items())


def test_loose_files_with_the_names_the_user_gave(tmp_path: Path) -> None:
    fill(tmp_path, {"f0": None, "f1": None, "f2": ROWS + "b b.wav,two\nä.wav,one\n"})
    names = ["ä.wav", "b b.wav", "list.csv"]
    found = list(candidates([tmp_path / "f0", tmp_path / "f1", tmp_path / "f2"], names))
    assert pairs(found) == {"ä.wav": "one", "b b.wav": "two"}
    assert [c.row for c in found] == [2, 3]


def test_a_zip_of_clips_and_a_loose_table(tmp_path: Path) -> None:
    archive = zipped(fill(tmp_path / "clips", {"d/a.wav": None, "d/b.wav": None}))
    fill(tmp_path, {"list.csv": ROWS + "a.wav,one\nb.wav,two\n"})
    found = list(candidates([archive, tmp_path / "list.csv"]))
    assert pairs(found) == {"d/a.wav": "one", "d/b.wav": "two"}


@pytest.mark.parametrize(("on_disk", "in_table"), [(NFC, NFD), (NFD, NFC), ("A B", "a b")])
def test_unicode_forms_and_case(tmp_path: Path, on_disk: str, in_table: str) -> None:
    fill(tmp_path / "src", {f"{on_disk}.WAV": None, "list.csv": ROWS + f"{in_table}.wav,hi\n"})
    assert pairs(list(candidates([tmp_path / "src"]))) == {f"{on_disk}.WAV": "hi"}


def test_dots_in_names_are_no_suffix(tmp_path: Path) -> None:
    fill(tmp_path / "src", {"s.1.wav": None, "s.2.wav": None, "l.csv": ROWS + "s.2,two\ns.1,one\n"})
    assert pairs(list(candidates([tmp_path / "src"]))) == {"s.1.wav": "one", "s.2.wav": "two"}


def test_same_names_in_different_folders(tmp_path: Path) -> None:
    rows = "s1/001.wav,one\ns2/001.wav,two\n"
    fill(tmp_path / "a", {"s1/001.wav": None, "s2/001.wav": None, "l.csv": ROWS + rows})
    expected = {"s1/001.wav": "one", "s2/001.wav": "two"}
    assert pairs(list(candidates([tmp_path / "a"]))) == expected
    fill(tmp_path / "b", {"x/c/s1/001.wav": None, "x/c/s2/001.wav": None, "x/l.csv": ROWS + rows})
    assert list(pairs(list(candidates([tmp_path / "b"]))).values()) == ["one", "two"]


def test_a_bare_name_that_could_be_two_files(tmp_path: Path) -> None:
    fill(tmp_path / "src", {"s1/001.wav": None, "s2/001.wav": None, "l.csv": ROWS + "001.wav,x\n"})
    found = list(candidates([tmp_path / "src"]))
    assert problems(found) == [("name_ambiguous", "001.wav")]
    assert found[0].row == 2


def test_only_one_speaker_of_the_table_uploaded(tmp_path: Path) -> None:
    rows = "s1/001.wav,one\ns2/001.wav,two\ns3/001.wav,three\n"
    fill(tmp_path / "src", {"s2/001.wav": None, "l.csv": ROWS + rows})
    found = list(candidates([tmp_path / "src"]))
    assert pairs(found) == {"s2/001.wav": "two"}
    assert problems(found) == [("audio_missing", "s1/001.wav"), ("audio_missing", "s3/001.wav")]


def test_a_folder_that_is_there_has_no_stand_in(tmp_path: Path) -> None:
    texts = {"s1/001.txt": "one", "s1/002.txt": "two", "s2/001.txt": "other"}
    fill(tmp_path / "a", {"s1/002.wav": None, "s2/001.wav": None} | texts)
    found = list(candidates([tmp_path / "a"]))
    assert pairs(found) == {"s1/002.wav": "two", "s2/001.wav": "other"}
    assert problems(found) == [("file_ignored", "s1/001.txt")]
    rows = "s1/001.wav,one\ns1/002.wav,two\n"
    fill(tmp_path / "b", {"s1/002.wav": None, "s2/001.wav": None, "l.csv": ROWS + rows})
    found = list(candidates([tmp_path / "b"]))
    assert pairs(found) == {"s1/002.wav": "two"}
    assert problems(found) == [
        ("audio_missing", "s1/001.wav"),
        ("transcript_missing", "s2/001.wav"),
    ]


def test_a_link_that_leads_nowhere(tmp_path: Path) -> None:
    fill(tmp_path / "src", {"a.wav": None, "a.txt": "x"})
    (tmp_path / "src/b.wav").symlink_to(tmp_path / "gone.wav")
    assert pairs(list(candidates([tmp_path / "src"]))) == {"a.wav": "x"}


def test_two_rows_for_one_file_refuse_it_once(tmp_path: Path) -> None:
    rows = "a.wav,one\nb.wav,two\nA.wav,other\na,third\n"
    fill(tmp_path / "src", {"a.wav": None, "b.wav": None, "l.csv": ROWS + rows})
    found = list(candidates([tmp_path / "src"]))
    assert pairs(found) == {"b.wav": "two"}
    assert problems(found) == [("two_rows", "a.wav")]


def test_two_uploads_of_the_same_name(tmp_path: Path) -> None:
    files = {
        "1/a.wav": None,
        "2/a.wav": None,
        "1/b.wav": None,
        "l.csv": ROWS + "a.wav,x\nb.wav,y\n",
    }
    fill(tmp_path, files)
    paths = [tmp_path / name for name in files]
    found = list(candidates(paths, ["a.wav", "a.wav", "b.wav", "l.csv"]))
    assert pairs(found) == {"b.wav": "y"} and problems(found) == [("name_ambiguous", "a.wav")]
    fill(tmp_path, {"a.txt": "x"})
    paths = [tmp_path / "1/a.wav", tmp_path / "2/a.wav", tmp_path / "a.txt"]
    found = list(candidates(paths, ["a.wav", "a.wav", "a.txt"]))
    assert problems(found) == [("name_ambiguous", "a.wav")] * 2


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    rows = "a.wav,one\ngone.wav,two\n,three\n"
    fill(tmp_path / "src", {"a.wav": None, "extra.wav": None, "l.csv": ROWS + rows})
    found = list(candidates([tmp_path / "src"]))
    expected = [("audio_missing", ""), ("audio_missing", "gone.wav")]
    assert problems(found) == [*expected, ("transcript_missing", "extra.wav")]
    assert [c.row for c in found if c.problem == "audio_missing"] == [3, 4]


def test_junk_is_silent_and_the_unknown_is_said(tmp_path: Path) -> None:
    junk = {".DS_Store": "", "__MACOSX/._a.wav": "", "._a.wav": "", "Thumbs.db": ""}
    known = {"a.wav": None, "l.csv": ROWS + "a.wav,one\n"}
    other = {"README.txt": "hello", "a.TextGrid": "", "extra.csv": "file_name,speaker\na.wav,s\n"}
    source = fill(tmp_path / "src", junk | known | other)
    for path in (source, zipped(source)):
        found = list(candidates([path]))
        assert pairs(found) == {"a.wav": "one"}
        ignored = [("file_ignored", "README.txt"), ("file_ignored", "extra.csv")]
        assert problems(found) == [*ignored, ("transcript_not_needed", "a.TextGrid")]


def test_rows_with_a_comma_too_many(tmp_path: Path) -> None:
    fill(tmp_path / "src", {"a.wav": None, "l.csv": ROWS + "a.wav,one, two\n"})
    assert problems(list(candidates([tmp_path / "src"]))) == [("row_extra_cells", "a.wav")]


def test_a_text_file_nobody_can_read(tmp_path: Path) -> None:
    fill(tmp_path / "src", {"a.wav": None, "b.wav": None, "b.txt": "fine"})
    (tmp_path / "src/a.txt").write_bytes("Сегодня очень хорошая погода.".encode("cp1251"))
    found = list(candidates([tmp_path / "src"]))
    assert pairs(found) == {"b.wav": "fine"}
    assert problems(found) == [("transcript_encoding_open", "a.wav")]
    found = list(candidates([tmp_path / "src"], reading=Reading(encoding="cp1251")))
    assert pairs(found) == {"a.wav": "Сегодня очень хорошая погода.", "b.wav": "fine"}


def test_an_encoding_that_is_not_told_is_asked_for(tmp_path: Path) -> None:
    fill(tmp_path / "src", {"录音.wav": None})
    (tmp_path / "src/l.csv").write_bytes("文件名,文本\n录音,他是一位医生\n".encode("gb18030"))
    assert refusal([tmp_path / "src"]) == "table_encoding_open"
    found = list(candidates([tmp_path / "src"], reading=Reading(encoding="gb18030")))
    assert pairs(found) == {"录音.wav": "他是一位医生"}
    assert problems(found) == []


@pytest.mark.parametrize(
    ("tables", "expected"),
    [
        ({"l.csv": "file,text,split\na,x,train\nb,y,dev\n"}, ["train", "test"]),
        ({"l.csv": "file,text,split\na,x,test\nb,y,dev\n"}, ["test", "train"]),
        ({"dev.csv": "file,text\na,x\n", "train.csv": "file,text\nb,y\n"}, ["test", "train"]),
        ({"l.csv": "file,text,split\na,x,\nb,y,holdout\n"}, ["", ""]),
    ],
)
def test_development_rows(tmp_path: Path, tables: dict[str, str], expected: list[str]) -> None:
    fill(tmp_path / "src", {"a.wav": None, "b.wav": None} | tables)
    found = sorted(candidates([tmp_path / "src"]), key=lambda c: c.name)
    assert [c.split for c in found] == expected


def test_a_damaged_member_costs_one_clip(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.wav", "broken-sound")
        archive.writestr("b.wav", "whole-sound")
        archive.writestr("l.csv", ROWS + "a.wav,one\nb.wav,two\n")
    path.write_bytes(path.read_bytes().replace(b"broken-sound", b"bro-en-sound"))
    found = list(candidates([path]))
    assert pairs(found) == {"b.wav": "two"}
    assert problems(found) == [("archive_member_damaged", "a.wav")]


def test_one_member_on_disk_at_a_time(tmp_path: Path) -> None:
    files = {f"{i}.wav": None for i in range(5)} | {f"{i}.txt": "x" for i in range(5)}
    found = candidates([zipped(fill(tmp_path / "src", files))])
    folders = set()
    for candidate in found:
        assert candidate.audio is not None
        folders.add(candidate.audio.parent)
        assert len(list(candidate.audio.parent.iterdir())) == 1
    assert len(folders) == 1 and not folders.pop().exists()


def test_nothing_usable(tmp_path: Path) -> None:
    assert refusal([]) == "upload_empty"
    (tmp_path / "empty").mkdir()
    assert refusal([tmp_path / "empty"]) == "upload_empty"
    assert refusal([tmp_path / "gone.wav"]) == "upload_not_found"
    assert refusal([fill(tmp_path / "a", {"l.csv": ROWS + "a,b\n"})]) == "upload_no_audio"
    assert refusal([fill(tmp_path / "b", {"a.wav": None})]) == "upload_no_transcripts"
    sheet = fill(tmp_path / "c", {"a.wav": None, "list.numbers": "PK"})
    assert refusal([sheet]) == "upload_is_spreadsheet"
    sheet = fill(tmp_path / "f", {"a.wav": None, "list.xlsx": "PK"})
    assert refusal([sheet]) == "table_not_readable"
    fill(tmp_path, {"clips.rar": "Rar!", "clips.zip": "PK"})
    assert refusal([tmp_path / "clips.rar"]) == "upload_archive_kind"
    assert refusal([tmp_path / "clips.zip"]) == "archive_not_zip"
    bad = fill(tmp_path / "d", {"a.wav": None, "l.csv": "recording,words\na.wav,x\n"})
    assert refusal([bad]) == "table_columns_open"
    many = fill(tmp_path / "e", {"a.wav": None, "a.txt": "x" * (MAX_TXT_BYTES + 1)})
    assert problems(list(candidates([many]))) == [("transcript_unreadable", "a.wav")]


def test_real_recordings_keep_their_sound(tmp_path: Path) -> None:
    write(tmp_path / "src/a.wav", speech(0.5))
    fill(tmp_path / "src", {"a.txt": "hello"})
    original = (tmp_path / "src/a.wav").read_bytes()
    (found,) = (c.audio.read_bytes() for c in candidates([zipped(tmp_path / "src")]) if c.audio)
    assert found == original
