"""What a person is shown of a table before it is read, and what is asked."""

from pathlib import Path

import pytest

from tests.sheets import write_parquet, write_xlsx
from whisper_tuner.data.preview import N_ROWS, preview
from whisper_tuner.data.tables import Reading
from whisper_tuner.errors import InputError


def source(folder: Path, **files: bytes) -> Path:
    for name in ("a.wav", "b.wav"):
        (folder / name).write_text(name)
    for name, data in files.items():
        (folder / name.replace("_", ".")).write_bytes(data)
    return folder


def test_a_certain_table_asks_nothing(tmp_path: Path) -> None:
    rows = "".join(f"{n}.wav;Größe {n};train\n" for n in "abcdefgh")
    shown = preview([source(tmp_path, l_csv=("file_name;text;split\n" + rows).encode())])
    assert shown.questions == () and shown.encodings == ()
    assert (shown.file, shown.delimiter, shown.has_header) == ("l.csv", ";", True)
    assert shown.columns == {"audio": 0, "text": 1, "split": 2}
    assert len(shown.rows) == N_ROWS and shown.rows[0] == ["a.wav", "Größe a", "train"]


def test_an_encoding_is_asked_for_with_all_that_fit(tmp_path: Path) -> None:
    folder = source(tmp_path, l_csv="file;text\na.wav;słońce\nb.wav;zażółć\n".encode("cp1250"))
    shown = preview([folder])
    assert shown.questions == ("encoding",) and shown.encoding == "cp1250"
    assert {"cp1250", "cp1252", "mac_roman"} <= set(shown.encodings)
    assert "utf-8" not in shown.encodings
    plain = b"c.wav;plain\n" * 9
    (folder / "l.csv").write_bytes(b"file;text\n" + plain + "a.wav;słońce\n".encode("cp1250"))
    assert [row[1] for row in preview([folder]).rows] == ["plain", "słońce", *["plain"] * 3]
    (folder / "l.csv").write_bytes("file;text\na.wav;Σήμερα είναι\n".encode("cp1253"))
    assert preview([folder]).questions == ("encoding",)  # no guess, but a choice
    (folder / "l.csv").write_bytes("file;text\na.wav;słońce\n".encode("cp1250"))
    other = preview([folder], reading=Reading(encoding="cp1252"))
    assert other.questions == () and other.rows[0][1] != "słońce"
    assert other.encodings == preview([folder]).encodings  # still to choose from


def test_unknown_columns_are_asked_for_with_a_guess(tmp_path: Path) -> None:
    data = b"id,spoken words,by whom\na,Good morning to you,Anna Lee\nb,Good night,Bert Orr\n"
    shown = preview([source(tmp_path, l_csv=data)])
    assert shown.questions == ("columns",)
    assert shown.columns == {"audio": 0, "text": 1}
    assert shown.labels == ["id", "spoken words", "by whom"]
    shown = preview([tmp_path], reading=Reading(audio="id", text="by whom", has_header=True))
    assert shown.questions == () and shown.columns == {"audio": 0, "text": 2}
    shown = preview([tmp_path], reading=Reading(has_header=False))
    assert shown.labels == ["1", "2", "3"] and shown.rows[0][0] == "id"


def test_the_table_that_is_to_be_asked_about_comes_first(tmp_path: Path) -> None:
    certain, unclear = b"file,text\na.wav,x\n", "file,text\nb.wav,é\n".encode("cp1252")
    folder = source(tmp_path, a_csv=certain, b_csv=unclear, c_csv=b"speaker,age\nAnna,30\n")
    assert preview([folder]).file == "b.csv"
    (folder / "b.csv").unlink()
    assert preview([folder]).file == "a.csv"


def test_spreadsheets_and_parquet(tmp_path: Path) -> None:
    folder = source(tmp_path)
    write_xlsx(folder / "l.xlsx", [["file_name", "text"], ["a.wav", "hello"]])
    shown = preview([folder])
    assert (shown.rows, shown.encoding, shown.delimiter) == ([["a.wav", "hello"]], "", "")
    assert shown.has_header
    audio = [{"bytes": b"x" * 100, "path": "one.wav"}]
    path = write_parquet(tmp_path / "l.parquet", {"audio": audio, "words": ["hello"]})
    shown = preview([path])
    assert shown.questions == ("columns",) and shown.has_header is None
    assert shown.rows == [["hello", "one.wav"]] and shown.columns["audio"] == 1
    assert preview([path], reading=Reading(text="words")).questions == ()


def test_text_files_whose_encoding_is_not_told(tmp_path: Path) -> None:
    folder = source(tmp_path, a_txt="grün".encode("cp1252"), b_txt=b"plain")
    shown = preview([folder])
    assert shown.questions == ("encoding",) and shown.rows == [["a.txt", "grün"]]
    assert preview([folder], reading=Reading(encoding="cp1252")).questions == ()
    (folder / "a.txt").write_text("grün", encoding="utf-8")
    assert preview([folder]) is None


def test_nothing_to_show(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        preview([])
    assert preview([source(tmp_path)]) is None
    (tmp_path / "l.csv").write_bytes(b"")
    with pytest.raises(InputError) as caught:
        preview([tmp_path])
    assert caught.value.code == "table_empty"
