"""The page's question about a table: rows as they would be read, and the choices as a `Reading`."""

from collections.abc import Iterator
from pathlib import Path

import gradio as gr
import pytest

from whisper_tuner.data.preview import preview
from whisper_tuner.data.tables import Reading
from whisper_tuner.data.upload import candidates
from whisper_tuner.ui.table_corner import TableCorner, column_choices, reading_of, table_html

UNKNOWN = "Wo;Wortlaut;Wer\na;grün & <b>blau</b>;Anna Östlund\nb;schön ist es ja;Bert Ähl\n"


@pytest.fixture
def corner(loops) -> Iterator[TableCorner]:
    with gr.Blocks():
        yield TableCorner(None)


def save(folder: Path, table: bytes) -> list[str]:
    for name, data in {"a.wav": b"a", "b.wav": b"b", "l.csv": table}.items():
        (folder / name).write_bytes(data)
    return [str(folder / name) for name in ("a.wav", "b.wav", "l.csv")]


def values(updates: list) -> list:
    """What the choices are set to, in the order of `TableCorner.inputs`."""
    return [part.value for part in updates[2:]]


def test_a_certain_table_is_shown_and_nothing_is_asked(corner: TableCorner, tmp_path: Path) -> None:
    files = save(tmp_path, "file_name,text\na.wav,grün\n".encode())
    shown, room, *_ = updates = corner.look("en", files)
    assert "l.csv" in shown and "grün" in shown and not room.visible
    assert reading_of(*values(updates)) is None


def test_an_unclear_table_is_asked_about_and_the_guess_can_be_taken(
    corner: TableCorner, tmp_path: Path
) -> None:
    files = save(tmp_path, UNKNOWN.encode("cp1252"))
    shown, room, *_ = updates = corner.look("en", files)
    assert room.visible and "&lt;b&gt;blau" in shown and "<b>blau" not in shown
    assert values(updates) == ["cp1252", ";", False, "Wo", "Wortlaut", 0, 0]
    found = candidates([Path(file) for file in files], reading=reading_of(*values(updates)))
    assert [(c.name, c.text) for c in found] == [
        ("a.wav", "grün & <b>blau</b>"),
        ("b.wav", "schön ist es ja"),
    ]


def test_choices_show_what_they_make_of_the_table(corner: TableCorner, tmp_path: Path) -> None:
    files = save(tmp_path, UNKNOWN.encode("cp1252"))
    updates = corner.look_anew("zh", files, "mac_roman", ";", False)
    assert updates[1].visible and "gr¸n" in updates[0]
    assert values(updates)[0] == "mac_roman"
    updates = corner.look_anew("en", files, "cp1252", ";", True)
    assert values(updates)[2:5] == [True, 1, 2] and "Column 1" in updates[0]
    updates = corner.look_again("en", files, "cp1252", ";", False, "Wo", "Wer", 0, 0)
    assert values(updates)[3:5] == ["Wo", "Wer"]
    updates = corner.look_anew("en", files, "cp932", ";", False)  # does not fit these bytes
    assert 'role="alert"' in updates[0]


def test_nothing_uploaded_or_nothing_readable(corner: TableCorner, tmp_path: Path) -> None:
    files = save(tmp_path, b"")
    for given in (None, [], files, files[:2]):
        shown, room, *_ = updates = corner.look("en", given)
        assert (shown, room.visible) == ("", False)
        assert reading_of(*values(updates)) is None


def test_columns_are_chosen_by_name_where_it_is_one(tmp_path: Path) -> None:
    save(tmp_path, b"x;x;;7;Wortlaut\nq;r;s;t;u v\n")
    shown = preview([tmp_path])
    assert [value for _, value in column_choices(shown, "en")] == [1, 2, 3, 4, "Wortlaut"]
    assert "Wortlaut" in table_html(shown, "en")


def test_an_encoding_alone_leaves_the_columns_to_the_tables() -> None:
    assert reading_of("cp1252", None, False, None, None, None, None) == Reading("cp1252")
