"""Spreadsheets and Parquet files, honest and hostile: read as a person sees them, or refused."""

import base64
import time
import zipfile
import zlib
from pathlib import Path

import pytest

from tests.sheets import DATE_STYLE, PERCENT_STYLE, write_ods, write_parquet, write_xlsx
from tests.sounds import decode, speech, write
from whisper_tuner.data import foreign
from whisper_tuner.data.clips import Candidate
from whisper_tuner.data.tables import Reading
from whisper_tuner.data.upload import candidates
from whisper_tuner.errors import InputError

HEAD = ["file_name", "transcription"]
# Written by xlwt 1.3: file_name, transcription; a.wav, Привет; b.wav, 7.0
XLS = (
    "eNrtWE1oE0EU/maz+aVpk5oKrRBDwaq1CCpCLzW1or1oqV4UEeqmjRAaN2UNih60WnMUBE+Kl0IvXqpe/EEPevMgVP"
    "QgCEJij54EBQ9t1jcvs5hqDg3UojLfMm/evvdm5+28mbc782YhXp592FXBL9gHH6puGIE6maAS9m5iIL3rStarQ1Rc"
    "jX8K4RAFMuDHs+jroIyhjHcFBh6YL4kCn6icwhRGCnY2tY4YYh8sIX0YICpwlySt6GSv2pmOM93A9D5bPmc6yJIbTA"
    "fItixOYiE90tuvZvEJo5t1rZDPfcxtPrBkFzrwSs7iKzdFzdaP/U7Oyv+diqTZgjlQ3Iazdtax8mUkKIBz+OamgK/e"
    "Sn2R0vL1lQuQ/PtKebCB/JZhAtNwT/MEL1FyXfTVAnx4CQcoyuBCOfdMLp8ds62z2ShQdCz73LiTmyrmCjbprZ0XrP"
    "MBiM3moNlv7jb3mkMmiTNSHJHNeYnHVizxKE/9FqITaGM+zgsgRkl86d6Xt0cyo+kxlkxzWq8l/y3SX7i4KltQ41bW"
    "sMts28t0B9Nr/NRNzHcxTdDLUN0z2qGYQzNsc521PdTPHsa79NY6fhvxpc9HnyRLi+ntxM8PVy4l5t+nZ9FNAzNB7e"
    "U1gz7RJ+7clnia9mqhEsVHpp2/JY2QEVO+u+oL14ZlRJiNM63dydERyl40sBdsbyh7wfY+ZW80sDfYXo7lZSOiRj8p"
    "P7pGOx5JJaWwn4hAQ0NDQ0NDQ0NDY40g1K+7/F011X5DbhCC6lxnmUpVH5P8tziGAl1F2pgehE21g4tNzZ+N8AvvWW"
    "KVbbzzQonj1LuDSWTYj8mm5y9t8ET9+6y6YWztllCz/Veb8fMP9/8DbdDL3A=="
)


def recordings(folder: Path, *names: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).write_text(name)
    return folder


def texts(found: list[Candidate]) -> dict[str, str | None]:
    return {c.name: c.text for c in found if not c.problem}


def problems(found: list[Candidate]) -> list[tuple]:
    return sorted((c.problem, c.name, c.row) for c in found if c.problem)


def refusal(*args: object) -> str:
    with pytest.raises(InputError) as caught:
        list(candidates(*args))
    return caught.value.code


def test_the_sheet_that_names_audio_and_text(tmp_path: Path) -> None:
    source = recordings(tmp_path / "src", "a.wav", "b.wav", "7.wav", "c.wav")
    notes = [["Nur Notizen"], ["ohne Tabelle", "file_name"]]
    rows = [[None], [], [None, *HEAD, "split"]]
    rows += [[None, "a.wav", "Grüße & <Küsse>", "train"], [None, "b.wav", 7, "test"]]
    rows += [[], [None, 7, "zwei\nZeilen", "dev"], [None, "c.wav", "007", ""]]
    write_xlsx(source / "Liste.xlsx", notes, rows)
    found = list(candidates([source]))
    assert texts(found) == {
        "a.wav": "Grüße & <Küsse>",
        "b.wav": "7",
        "7.wav": "zwei\nZeilen",
        "c.wav": "007",
    }
    assert [(c.row, c.split) for c in found] == [(4, "train"), (5, "test"), (7, "train"), (8, "")]


def test_a_second_sheet_of_recordings_is_named(tmp_path: Path) -> None:
    source = recordings(tmp_path / "src", "a.wav")
    write_xlsx(source / "l.xlsx", [HEAD, ["a.wav", "one"]], [HEAD, ["a.wav", "other"]])
    found = list(candidates([source]))
    assert texts(found) == {"a.wav": "one"}
    assert problems(found) == [("sheets_left_out", "l.xlsx", None)]


def test_cells_that_look_different_in_the_spreadsheet_are_no_transcripts(tmp_path: Path) -> None:
    source = recordings(tmp_path / "src", "a.wav", "b.wav", "2024-02-01.wav")
    rows = [HEAD, ["a.wav", (45323, DATE_STYLE)], ["b.wav", (0.5, PERCENT_STYLE)]]
    rows.append([(45323, DATE_STYLE), "a day"])
    write_xlsx(source / "l.xlsx", rows)
    found = list(candidates([source]))
    assert texts(found) == {"2024-02-01.wav": "a day"}
    assert problems(found) == [("cell_not_text", "a.wav", 2), ("cell_not_text", "b.wav", 3)]


def test_open_document(tmp_path: Path) -> None:
    source = recordings(tmp_path / "src", "a.wav", "b.wav")
    write_ods(source / "l.ods", [HEAD, ["a.wav", "你好"], ["b.wav", "x & y"]])
    assert texts(list(candidates([source]))) == {"a.wav": "你好", "b.wav": "x & y"}


def test_the_excel_of_before_2007(tmp_path: Path) -> None:
    source = recordings(tmp_path / "src", "a.wav", "b.wav")
    (source / "l.xls").write_bytes(zlib.decompress(base64.b64decode(XLS)))
    assert texts(list(candidates([source]))) == {"a.wav": "Привет", "b.wav": "7"}


def test_a_spreadsheet_with_unknown_columns_is_a_question(tmp_path: Path) -> None:
    source = recordings(tmp_path / "src", "x.wav")
    write_xlsx(source / "l.xlsx", [["A", "B"], ["y7", "one"], ["y8", "two"]])
    assert refusal([source]) == "table_no_audio_column"
    found = list(candidates([source], None, Reading(audio="A", text="B")))
    assert problems(found)[:2] == [("audio_missing", "y7", 2), ("audio_missing", "y8", 3)]


def test_no_spreadsheet_at_all(tmp_path: Path) -> None:
    source = recordings(tmp_path / "src", "a.wav")
    for name, data in {"l.xlsx": b"PK\3\4", "l.xls": b"\xd0\xcf\x11\xe0" + b"x" * 999}.items():
        (source / name).write_bytes(data)
        assert refusal([source]) == "table_not_readable"
        (source / name).unlink()
    write_xlsx(source / "l.xlsx", [[]])
    assert refusal([source]) == "table_empty"


def test_bombs_end_their_own_process_soon(tmp_path: Path) -> None:
    far = '<c r="XFD1048576" t="inlineStr"><is><t>x</t></is></c>'
    path = write_xlsx(tmp_path / "far.xlsx", [HEAD, ["a", "b"]])
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name).decode() for name in archive.namelist()}
    sheet = "xl/worksheets/sheet1.xml"
    parts[sheet] = parts[sheet].replace("</sheetData>", f"<row>{far}</row></sheetData>")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    with zipfile.ZipFile(tmp_path / "big.xlsx", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(sheet, b"0" * (200 << 20))
    for name in ("far.xlsx", "big.xlsx"):
        began_s = time.monotonic()
        with pytest.raises(InputError) as caught:
            foreign.read_sheets(tmp_path / name, name)
        assert caught.value.code == "table_too_heavy"
        assert time.monotonic() - began_s < 5


@pytest.fixture
def sounds(tmp_path: Path) -> list[bytes]:
    paths = [write(tmp_path / f"{i}.flac", speech(0.5 + i / 10)) for i in range(3)]
    return [path.read_bytes() for path in paths]


def test_parquet_with_the_recordings_inside(tmp_path: Path, sounds: list[bytes]) -> None:
    audio = [{"bytes": sound, "path": f"{i}.flac"} for i, sound in enumerate(sounds)]
    audio += [{"bytes": None, "path": "gone.flac"}, None, {"bytes": sounds[0], "path": "0.flac"}]
    columns = {"audio": audio, "sentence": ["one", "two", "three", "four", "five", None]}
    columns["client_id"] = ["s1", "s2", "s1", "", "", ""]
    path = write_parquet(tmp_path / "test-00000-of-00001.parquet", columns)
    seen, durations = [], []
    for found in candidates([path]):
        seen.append((found.name, found.text, found.split, found.speaker, found.row, found.problem))
        if found.audio:
            durations.append(round(len(decode(found.audio, found.name)) / 16000, 1))
    assert seen == [
        ("0.flac", "one", "test", "s1", 1, ""),
        ("1.flac", "two", "test", "s2", 2, ""),
        ("2.flac", "three", "test", "s1", 3, ""),
        ("gone.flac", "four", "test", "", 4, "audio_missing"),
        (f"{path.name}: 5", "five", "test", "", 5, "audio_missing"),
        (f"{path.name}: 6", "", "test", "", 6, ""),
    ]
    assert durations == [0.5, 0.6, 0.7, 0.5]


def test_parquet_with_names_of_recordings(tmp_path: Path) -> None:
    source = recordings(tmp_path / "src", "a.wav", "b.wav")
    columns = {"file_name": ["a.wav", "b.wav"], "transcription": ["one", "two"], "n": [1.5, 2.5]}
    write_parquet(source / "l.parquet", columns)
    assert texts(list(candidates([source]))) == {"a.wav": "one", "b.wav": "two"}


@pytest.mark.parametrize("data", [b"", b"PAR1", b"PAR1" + b"\xff" * 4000 + b"PAR1"])
def test_broken_parquet(tmp_path: Path, data: bytes) -> None:
    source = recordings(tmp_path / "src", "a.wav")
    (source / "l.parquet").write_bytes(data)
    assert refusal([source]) == "table_not_readable"


def test_a_parquet_file_that_breaks_off_says_so(tmp_path: Path, sounds: list[bytes]) -> None:
    audio = [{"bytes": sounds[0], "path": f"{i}.flac"} for i in range(40)]
    columns = {"audio": audio, "text": [f"word {i}" for i in range(40)]}
    how = {"compression": "none", "use_dictionary": False, "row_group_size": 10}
    path = write_parquet(tmp_path / "l.parquet", columns, **how)
    data = bytearray(path.read_bytes())
    third = [i for i in range(len(data)) if data.startswith(b"fLaC", i)][25]
    data[third - 2000 : third] = b"\xff" * 2000  # also the header of a page
    data[4:40] = b"\xff" * 36
    path.write_bytes(data)
    assert refusal([path]) == "table_not_readable"
