"""A table that does not say how it is to be read is asked about before anything is checked."""

import csv
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import HOSTILE_TEXT
from tests.browser.reader import Reader

pytestmark = pytest.mark.browser


@pytest.fixture
def unclear(small_source, tmp_path) -> Path:
    """A ZIP whose table is in an old encoding, with columns of unknown names."""
    source = Path(shutil.copytree(small_source, tmp_path / "unclear"))
    with (source / "metadata.csv").open(encoding="utf-8", newline="") as file:
        rows = [
            (Path(name).stem, f"{said} è così", HOSTILE_TEXT) for name, said, _ in csv.reader(file)
        ]
    with (source / "metadata.csv").open("w", encoding="cp1252", newline="") as file:
        csv.writer(file, delimiter=";").writerows([("Cosa", "Parole", "Nota"), *rows[1:]])
    return Path(shutil.make_archive(str(source), "zip", source))


def test_an_unclear_table_is_confirmed(visit, unclear):
    reader = Reader(visit().open(), "en")
    page = reader.page
    page.locator("input[type=file]").first.set_input_files(unclear)
    reader.sees("Please check these rows")
    reader.sees("è così")
    expect(page.get_by_label(reader.say("page_table_encoding"))).to_have_value(
        reader.say("encoding_cp1252")
    )
    page.get_by_label(reader.say("page_table_text")).click()
    page.get_by_role("option", name="Parole").click()
    reader.sees("will be read like this")
    page.get_by_label(reader.say("page_table_encoding")).click()
    page.get_by_role("option", name=reader.say("encoding_cp1251")).click()
    reader.sees("и cosм")
    page.get_by_label(reader.say("page_table_encoding")).click()
    page.get_by_role("option", name=reader.say("encoding_cp1252")).click()
    reader.sees("è così")
    page.get_by_label(reader.say("page_table_text")).click()
    page.get_by_role("option", name="Parole").click()
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    reader.press("page_check_button")
    reader.sees("10 of 10 clips can be used")
