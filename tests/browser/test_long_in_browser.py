"""Long recordings on the page: with a text beside them, and in a table of clips.

The base is a tiny random Whisper that hears nonsense: what is under test is everything around it.
"""

import csv
import json
import os
import re
import signal
import zipfile
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Locator, expect

from tests.browser.reader import Reader
from whisper_tuner import steps
from whisper_tuner.audio import SAMPLE_RATE, read_flac, write_flac
from whisper_tuner.data.clips import read_clips
from whisper_tuner.runs import locks
from whisper_tuner.runs.folder import Run

pytestmark = pytest.mark.browser
HEARD_MS = 120_000  # torch is loaded first


@pytest.fixture(scope="module")
def prompts() -> list[dict]:
    with (steps.EXAMPLE_DIR / "metadata.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def join(rows: list[dict], seconds: float, path: Path) -> str:
    """Prompts one after the other, with pauses, so many seconds of them; what they say."""
    rest = np.random.default_rng(1).normal(0, 1e-4, SAMPLE_RATE * 3 // 4).astype(np.float32)
    parts, texts = [], []
    while sum(map(len, parts)) < seconds * SAMPLE_RATE:
        row = rows[len(texts)]
        parts += [read_flac(steps.EXAMPLE_DIR / row["file_name"]), rest]
        texts.append(row["transcription"])
    write_flac(path, np.concatenate(parts)[: round(seconds * SAMPLE_RATE)])
    return " ".join(texts)


@pytest.fixture
def reader(visit, served):
    yield Reader(visit().open(), "en")
    for lock in served.runs.glob("*/worker.lock"):  # of a test that failed
        if locks.is_held(lock):
            os.killpg(json.loads(lock.read_text())["pid"], signal.SIGKILL)


def cells(reader: Reader, time: str) -> Locator:
    """Of the rows of the review with sound whose times are like this."""
    return reader.page.locator("#review-rows").get_by_role("gridcell", name=re.compile(time))


def decide(reader: Reader, start: str, said: str, key: str) -> None:
    """Choose the row that begins then, write what is said in it, and keep it or leave it out."""
    cells(reader, f"^{start}").first.click()
    expect(reader.page.locator("#review-player audio")).to_be_visible()
    reader.page.get_by_label(reader.say("page_review_text")).fill(said)
    reader.page.get_by_role("button", name=reader.say(key), exact=True).click()


def starts(reader: Reader) -> list[str]:
    """When the rows with sound begin, in the order of time."""
    with_sound = cells(reader, r"^\d:\d\d:\d\d\.\d–")
    expect(with_sound.first).to_be_visible()
    return sorted({cell.strip().partition("–")[0] for cell in with_sound.all_inner_texts()})


def test_a_recording_and_its_text_are_cut_reviewed_and_used(reader, prompts, tmp_path, served):
    (tmp_path / "talk.txt").write_text(join(prompts, 60, tmp_path / "talk.flac"), encoding="utf-8")
    files = [tmp_path / "talk.flac", tmp_path / "talk.txt"]
    reader.page.locator("input[type=file]").first.set_input_files(files)
    reader.sees("talk.flac is a long recording and talk.txt may be its full text")
    reader.press("page_align_button")
    reader.sees("Choose the language")
    reader.choose("page_language", "Italian", "#align")
    reader.choose("page_align_base", "whisper-tiny", "#align")
    reader.press("page_align_button")
    expect(reader.page.locator("#review-rows")).to_be_visible(timeout=HEARD_MS)
    first, second, *_ = starts(reader)
    decide(reader, first, "La prima frase, corretta.", "page_review_keep")
    reader.sees("Kept: 1 of the clips")
    decide(reader, second, "La seconda.", "page_review_keep")
    reader.sees("Kept: 2 of the clips")
    decide(reader, first, "La prima frase, corretta.", "page_review_drop")
    reader.sees("Kept: 1 of the clips")
    decide(reader, first, "La prima frase, di nuovo.", "page_review_keep")
    reader.sees("Kept: 2 of the clips")
    reader.press("page_review_use")
    reader.sees("2 of 2 clips can be used")
    made = [Run(path.parent) for path in served.runs.glob("*/dataset")]
    texts = {clip.text for run in made for clip in read_clips(run.dataset_dir)}
    assert {"La prima frase, di nuovo.", "La seconda."} <= texts


def test_clips_of_a_table_that_last_too_long_are_cut_with_one_click(reader, prompts, tmp_path):
    said = join(prompts[10:], 45, tmp_path / "visit.flac")
    rows = [*prompts[:6], {"file_name": "visit.flac", "transcription": said}]
    with zipfile.ZipFile(tmp_path / "visits.zip", "w") as archive:
        for row in prompts[:6]:
            archive.write(steps.EXAMPLE_DIR / row["file_name"], row["file_name"])
        archive.write(tmp_path / "visit.flac", "visit.flac")
        lines = [f'"{row["file_name"]}","{row["transcription"]}"' for row in rows]
        archive.writestr("metadata.csv", "\n".join(["file_name,transcription", *lines]))
    reader.give(tmp_path / "visits.zip")
    reader.sees("6 of 7 clips can be used")
    reader.sees("Last more than 30 seconds: 1")
    reader.sees("visit.flac lasts 45.0 seconds")
    reader.choose("page_language", "Italian", "#long")
    reader.choose("page_align_base", "whisper-tiny", "#long")
    cut = reader.page.get_by_role("button", name="Cut at pauses (1)")
    cut.click()
    expect(cut).to_be_hidden()
    expect(reader.page.locator("#review-rows")).to_be_visible(timeout=HEARD_MS)
    decide(reader, starts(reader)[0], "Una frase della visita.", "page_review_keep")
    reader.sees("Kept: 1 of the clips")
    reader.page.reload()
    train = reader.page.get_by_role("tab", name=reader.say("page_step_train"), exact=True)
    expect(train).to_have_attribute("aria-selected", "true")  # where one comes back to
    reader.go("recordings")
    reader.press("page_review_use")
    reader.sees("7 of 7 clips can be used")
    reader.sees("visit.flac was cut at its pauses; clips of it that are used: 1")
    reader.sees("have taken the place of the long recordings")
    expect(reader.page.locator("#long")).to_be_hidden()
    reader.press("page_undo_fixes")
    reader.sees("6 of 7 clips can be used")
    reader.sees("visit.flac lasts 45.0 seconds")
    expect(reader.page.locator("#review-rows")).to_be_visible()  # nothing has to be heard again
