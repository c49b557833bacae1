"""The page's functions around a sheet: whose it is, what is said of lines, what becomes of it."""

from pathlib import Path

import gradio as gr
import pytest

from whisper_tuner import steps
from whisper_tuner.data.clips import read_clips
from whisper_tuner.runs.folder import Run
from whisper_tuner.runs.sheets import Sheet
from whisper_tuner.ui import record_tab
from whisper_tuner.ui.record_tab import RecordTab, begin, delete, fill, look, read_file

ME, YOU = "a" * 32, "b" * 32


@pytest.fixture
def root(hub_cache, tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("WHISPER_TUNER_RUNS", str(tmp_path))
    return tmp_path


@pytest.fixture
def tab(whole_page) -> RecordTab:
    return whole_page.parts[0].record


def sheet_of(person: str, lines: str = "Uno due.\nTre quattro.\nCinque.") -> str:
    id, notice, _ = begin("en", person, lines, " Anna\tB. ", "it")
    assert notice == ""
    return id


def record(root: Path, id: str) -> None:
    for n, name in enumerate(("vm-repeat", "vm-rec-name"), start=1):
        steps.record(Sheet.open(root, id), n, steps.EXAMPLE_DIR / "clips" / f"{name}.flac")


def test_a_new_person_chooses_sentences(root, tab):
    shown = tab.show("zh", ME, "")
    assert shown[tab.begin_room].visible and not shown[tab.sheet_room].visible
    assert not shown[tab.choosing].visible and shown[tab.recorder] == ""
    names = [name for name, _ in shown[tab.built_in].choices]
    assert "意大利语" in names


def test_a_sheet_is_its_owners(root, tab):
    id = sheet_of(ME)
    shown = tab.show("en", ME, id)
    assert f'sheet="{id}" lang="en"' in shown[tab.recorder] and shown[tab.sheet_room].visible
    assert shown[tab.sheets].value == id and "Anna B." in shown[tab.sheets].choices[0][0]
    for person, asked in ((YOU, id), ("", id), (f"{YOU} ", id), (ME, "../" + id)):
        shown = tab.show("en", person, asked)
        assert shown[tab.recorder] == "" and shown[tab.sheet_id] == ""
    shown = tab.show("en", f"{ME} {YOU}", id)  # signed in since
    assert id in shown[tab.recorder]


def test_coming_back_goes_on_where_nothing_else_waits(root, tab, prepared):
    id = sheet_of(ME)
    assert tab.find("en", ME, id, "")[tab.tabs].selected == "record"
    assert tab.find("en", ME, "", "")[tab.tabs] == gr.skip()
    prepared.dir.rename(root / prepared.id)
    assert tab.find("en", ME, id, prepared.id)[tab.tabs] == gr.skip()


def test_what_was_recorded_becomes_a_run(root, tab):
    id = sheet_of(ME)
    notice, run, _ = tab.prepare("en", "", "anew", ME, id)
    assert 'role="alert"' in notice and run == gr.skip()  # nothing recorded
    assert [path.name for path in root.iterdir() if path.name != "sheets"] == []
    record(root, id)
    assert 'role="alert"' in tab.prepare("en", "", "anew", YOU, id)[0]
    notice, run_id, language = tab.prepare("en", "", "anew", ME, id)
    assert (notice, language) == ("", "it")
    assert len(read_clips(Run.open(root, run_id).dataset_dir)) == 2


def test_lines_that_are_left_out_are_said_before_and_after(root):
    lines = "Uno.\n\nUno.\n…\n" + "\n".join(["Due <i>x</i>."] * 3)
    said = look("en", lines)
    assert "<details>" in said and "<i>" not in said and "line 1" in said
    id, notice, text = begin("en", ME, lines, "", None)
    assert notice == said and text == ""
    assert Sheet.open(root, id).read_script().sentences == ("Uno.", "Due <i>x</i>.")
    assert look("en", "  \n") == ""
    assert 'role="alert"' in begin("zh", ME, "…", "", None)[1]
    assert 'role="alert"' in look("en", "x" * (2 << 20))


def test_built_in_sentences_and_files_fill_the_box(root, tmp_path):
    text, language = fill("sw")
    assert language == "sw" and text.count("\n") == 60
    path = tmp_path / "sätze.txt"
    path.write_bytes("Schöne Grüße an alle".encode("cp1252"))
    text, notice = read_file("en", str(path))
    assert text == "Schöne Grüße an alle" and "Windows-1252" in notice
    path.with_suffix(".pdf").write_bytes(b"%PDF")
    text, notice = read_file("en", str(path.with_suffix(".pdf")))
    assert text == gr.skip() and 'role="alert"' in notice


def test_only_its_owner_deletes_a_sheet_and_only_when_sure(root):
    id = sheet_of(ME)
    record(root, id)
    for person, is_sure in ((YOU, True), (ME, False)):
        assert 'role="alert"' in delete("en", person, id, is_sure)[1]
        assert Sheet.open(root, id).recorded() == [1, 2]
    forgotten, notice, is_sure = delete("en", ME, id, True)
    assert (forgotten, is_sure) == ("", False) and "recordings (2" in notice
    assert not list(root.rglob("*.flac"))


def test_a_space_that_forgets_says_so(root, tab, monkeypatch):
    assert tab.show("en", ME, "")[tab.place] == ""
    monkeypatch.setenv("SPACE_ID", "anna/tuner")
    assert "no persistent storage" in tab.show("en", ME, "")[tab.place]


def test_the_browsers_part_is_whole() -> None:
    assert record_tab.HEAD.count("<script>") == record_tab.HEAD.count("</script>") == 3
