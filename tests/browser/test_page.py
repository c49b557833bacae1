"""What a person does on the page, from the first visit to the adapter in a ZIP."""

import io
import json
import re
import tarfile
import zipfile

import pytest
import soundfile
from playwright.sync_api import Page, expect
from safetensors.numpy import load

from tests.browser.conftest import HOSTILE_TEXT, SLOW_MS, TOKEN
from tests.browser.reader import Reader
from whisper_tuner.locales import text
from whisper_tuner.model.languages import LANGUAGES as SPOKEN

pytestmark = pytest.mark.browser

LOCALES = {"en": "en-US", "zh": "zh-CN"}
MAX_READY_CPU_S = 6.0
MAX_MEMORY_MB = 450  # behind a dozen visitors; torch alone would be more than 200 of it


def spoken(lang: str) -> str:
    return SPOKEN["it"] if lang == "en" else text("language_it", lang)


# --- recordings


def test_page_is_there_soon(served):
    assert served.ready_cpu_s < MAX_READY_CPU_S


def test_example_is_shown_clip_by_clip(visit):
    reader = Reader(visit().open(), "en")
    reader.sees(reader.say("data_empty"))
    reader.press("page_example_button")
    reader.sees("160 of 160 clips can be used")
    reader.sees("120 clips (4:16 min) to learn from, 40 clips (1:56 min) held out for the test.")
    rows = reader.page.locator("#clips").get_by_role("row").filter(has_text=".flac")
    expect(rows.first).to_be_visible()
    reader.page.get_by_label("Search").fill("cancelletto")
    expect(rows.first).to_contain_text("cancelletto")
    reader.press("page_continue_train")
    expect(reader.page.get_by_label("Language spoken").first).to_have_value("Italian")
    reader.sees("1,179,648 of 72,593,920 weights are trained (1.60%)")
    reader.sees("Hugging Face cannot be reached")


def test_every_problem_has_a_sentence(visit, upload):
    reader = Reader(visit().open(), "en")
    reader.give(upload)
    reader.sees("10 of 12 clips can be used")
    reader.sees("Refused: 2.")
    reader.sees("notes.docx was not used")
    reader.sees("clips/broken visit.wav cannot be read as sound")
    reader.sees("There is no recording called clips/missing.wav")


def test_a_source_that_cannot_be_read_is_one_sentence(visit, tmp_path):
    (tmp_path / "no archive.zip").write_bytes(b"PK\x03\x04 cut off")
    reader = Reader(visit().open(), "en")
    reader.press("page_check_button")
    reader.sees("Nothing was uploaded")
    reader.give(tmp_path / "no archive.zip")
    reader.sees("no archive.zip is not a complete ZIP file")
    reader.sees(reader.say("data_empty"))


def test_training_asks_for_the_language(visit, upload):
    reader = Reader(visit().open(), "en")
    reader.give(upload)
    reader.sees("10 of 12 clips can be used")
    reader.go("train")
    reader.press("page_start")
    reader.sees("Choose the language spoken in the recordings first.")


# --- language of the page


def test_language_is_switched_without_losing_anything(visit):
    visitor = visit()
    reader = Reader(visitor.open(), "en")
    reader.press("page_example_button")
    reader.sees("160 of 160 clips can be used")
    reader.page.get_by_label("中文").check()
    chinese = Reader(reader.page, "zh")
    chinese.sees("160 段录音中有 160 段可用")
    for step in ("录音", "训练", "对比", "带走"):
        expect(chinese.page.get_by_role("tab", name=step, exact=True)).to_be_visible()
    chinese.go("train")
    expect(chinese.page.get_by_label("录音所说的语言").first).to_have_value("意大利语")
    chinese.page.close()
    again = Reader(visitor.open(), "zh")
    expect(again.button("page_start")).to_be_visible()
    assert again.page.evaluate("document.documentElement.lang") == "zh-CN"


@pytest.mark.parametrize(("locale", "lang"), [("zh-HK", "zh"), ("de-DE", "en"), ("en-GB", "en")])
def test_language_follows_the_browser(visit, locale, lang):
    reader = Reader(visit(locale=locale).open(), lang)
    expect(reader.button("page_example_button")).to_be_visible()
    reader.sees(reader.say("data_empty"))


# --- the whole way


@pytest.mark.parametrize("lang", LOCALES)
def test_from_an_upload_to_a_zip(visit, served, upload, recording, lang):
    visitor = visit(locale=LOCALES[lang])
    reader = Reader(visitor.open(), lang)
    reader.give(upload)
    reader.sees(reader.say("data_summary", n_clips=10, n_found=12, time="0:10")[:14])
    reader.start(spoken(lang), epochs=8)
    reader.page.close()  # in the middle of it

    reader = Reader(visitor.open(), lang)
    expect(reader.button("page_stop")).to_be_visible(timeout=SLOW_MS)
    second = Reader(visitor.open(), lang)
    second.sees(reader.say("state_done"), SLOW_MS)
    second.page.close()
    reader.press("page_see_comparison", SLOW_MS)
    expect(reader.page.locator("#compare-status .headline")).to_contain_text("%")
    reader.sees(HOSTILE_TEXT)
    assert_sound_plays(reader.page)

    reader.page.locator("[data-testid=source-select] button").first.click()  # a file, no microphone
    reader.page.locator("input[type=file]").last.set_input_files(recording)
    expect(reader.page.locator("[data-testid=waveform-controls]")).to_be_visible()
    reader.press("page_try_button")
    heard = reader.page.get_by_label(reader.say("page_try_tuned")).first
    expect(heard).not_to_have_value("", timeout=SLOW_MS)

    reader.go("take")
    expect(reader.page.get_by_label(reader.say("page_push_name")).first).to_have_value(
        "whisper-tiny-it-lora"
    )
    assert_zip_is_an_adapter(reader)
    reader.press("page_push_button")
    reader.sees(reader.say("push_not_logged_in"))
    look_from_a_telephone(visit, visitor, lang)
    assert_page_stayed_small(served)


def assert_sound_plays(page: Page) -> None:
    source = page.locator("#compared audio").first.get_attribute("src")
    answer = page.request.get(f"{page.url}{source}", headers={"Range": "bytes=0-3"})
    assert answer.status == 206 and answer.body() == b"fLaC"
    refused = re.sub(r"[^/]+$", "999999", source)
    assert page.request.get(f"{page.url}{refused}").status == 404
    assert page.request.get(f"{page.url}clip/../../etc/passwd").status in (403, 404)


def assert_zip_is_an_adapter(reader: Reader) -> None:
    with reader.page.expect_download() as started:
        reader.page.get_by_role("link", name=reader.say("page_download")).click()
    assert started.value.suggested_filename == "whisper-tiny-it-lora.zip"
    with zipfile.ZipFile(started.value.path()) as archive:
        assert "README.md" in archive.namelist()
        config = json.loads(archive.read("adapter_config.json"))
        weights = load(io.BytesIO(archive.read("adapter_model.safetensors")).read())
    assert config["base_model_name_or_path"] == "openai/whisper-tiny"
    assert any(weight.any() for name, weight in weights.items() if "lora_B" in name)


def look_from_a_telephone(visit, visitor, lang: str) -> None:
    """The same run on a narrow, dark screen: nothing sticks out on any step."""
    memory = visitor.context.storage_state()
    narrow = {"width": 390, "height": 844}
    phone = visit(
        locale=LOCALES[lang], storage_state=memory, viewport=narrow, color_scheme="dark"
    ).open()
    reader = Reader(phone, lang)
    for step in ("recordings", "train", "compare", "take"):
        reader.go(step)
        phone.wait_for_timeout(500)
        assert phone.evaluate("document.documentElement.scrollWidth") <= 390, step
    assert phone.evaluate("document.body.classList.contains('dark')")


def assert_page_stayed_small(served) -> None:
    assert "libtorch" not in served.maps()
    assert served.memory_mb() < MAX_MEMORY_MB


def test_push_to_the_own_account(visit, online, hub, upload):
    reader = Reader(visit(to=online).open(), "en")
    reader.give(upload)
    reader.sees("10 of 12 clips can be used")
    reader.start("Italian", epochs=1)
    expect(reader.page.get_by_text("Hugging Face cannot be reached")).to_have_count(0)
    reader.press("page_see_comparison", SLOW_MS)
    reader.press("page_continue_take")
    token = reader.page.get_by_label("Hugging Face token").last  # the first is for restoring
    reader.page.get_by_label("Name of the repository").first.fill("not a name!")
    token.fill(TOKEN)
    reader.press("page_push_button")
    reader.sees("cannot be a repository name")
    expect(token).to_have_value("")
    reader.page.get_by_label("Name of the repository").first.fill("my-whisper")
    token.fill(TOKEN)
    reader.press("page_push_button")
    link = reader.page.get_by_role("link", name=f"{hub.endpoint}/anna/my-whisper")
    expect(link).to_be_visible(timeout=SLOW_MS)
    assert hub.repos["anna/my-whisper"].private
    kept = [online.log, *(p for p in online.runs.rglob("*") if p.is_file())]
    assert not [path for path in kept if TOKEN.encode() in path.read_bytes()]


def test_common_voice_archive(visit, tmp_path, recording):
    sound, rate = soundfile.read(recording)
    table = ["client_id\tpath\tsentence\tup_votes\tdown_votes"]
    archive = tmp_path / "cv-corpus-26.0-cy.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        for n in range(12):
            table.append(f"speaker{n % 6}\tcommon_voice_cy_{n}.mp3\tBrawddeg rhif {n}.\t2\t0")
            mp3 = io.BytesIO()
            soundfile.write(mp3, sound * (1 - n / 100), rate, format="MP3")
            add_member(tar, f"cv-corpus-26.0/cy/clips/common_voice_cy_{n}.mp3", mp3.getvalue())
        add_member(tar, "cv-corpus-26.0/cy/validated.tsv", "\n".join(table).encode() + b"\n")
    reader = Reader(visit().open(), "en")
    reader.page.get_by_role("tab", name="Common Voice").click()
    reader.press("page_cv_upload")
    reader.press("page_cv_button")
    reader.sees("Choose a Common Voice archive first.")
    reader.page.locator("input[type=file]").last.set_input_files(archive)
    reader.sees("Language found in the archive: Welsh.")
    reader.page.get_by_label("Clips to train on").first.fill("4")
    reader.page.get_by_label("Clips to hold out").first.fill("2")
    reader.press("page_cv_button")
    reader.sees("6 of 6 clips can be used")
    reader.press("page_continue_train")
    expect(reader.page.get_by_label("Language spoken").first).to_have_value("Welsh")


def add_member(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))


def test_a_forgotten_run_starts_clean(visit, served, upload):
    visitor = visit()
    reader = Reader(visitor.open(), "en")
    before = set(served.runs.iterdir())
    reader.give(upload)
    reader.sees("10 of 12 clips can be used")
    (made,) = set(served.runs.iterdir()) - before
    made.rename(made.with_name("gone"))
    reader.page.close()
    reader = Reader(visitor.open(), "en")
    reader.sees(reader.say("data_empty"))
