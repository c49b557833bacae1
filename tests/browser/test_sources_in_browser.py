"""A language of Common Voice downloaded from the page, while its tab is closed and opened again."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import serve
from tests.browser.reader import Reader
from tests.common_voice import real_archive
from tests.mozilla_server import MozillaServer

pytestmark = pytest.mark.browser

KEY = "mdc_CANARYcanaryCANARY0123456789"
ID = "cmzwelsh000000000000"


def test_a_download_outlives_its_tab(visit, tmp_path, hub_cache):
    home = {"HF_HOME": str(hub_cache), "HF_HUB_OFFLINE": "1"}
    with (
        MozillaServer({KEY: {ID}}) as mozilla,
        serve(tmp_path, **home, MDC_API_URL=mozilla.api) as served,
    ):
        mozilla.add(ID, "Common Voice Scripted Speech 26.0 - Welsh", "cy", real_archive(20))
        mozilla.gate.clear()
        visitor = visit(to=served)
        page = visitor.open()
        page.get_by_role("tab", name="Common Voice").click()
        page.locator("#mozilla-release input").click()
        page.get_by_role("option", name="Welsh · Scripted Speech 26.0").click()
        expect(page.locator("#mozilla-terms")).to_contain_text(f"datasets/{ID}")
        page.locator("#mozilla-key input").fill("wrong")
        page.get_by_role("button", name="Start download").click()
        expect(page.locator("#fetch-told")).to_contain_text("does not accept this key")
        page.locator("#mozilla-key input").fill(KEY)
        page.get_by_role("button", name="Start download").click()
        expect(page.locator("#fetch-told")).to_contain_text("GB have come")
        page.close()

        again = Reader(visitor.open(), "en")
        expect(again.page.locator("#fetch-told")).to_contain_text("GB have come")
        expect(again.page.get_by_role("button", name="Cancel the download")).to_be_visible()
        mozilla.gate.set()
        again.sees("20 of 20 clips can be used")
        expect(again.page.locator("#fetch-told")).to_be_empty()
        kept = [served.log, *(p for p in tmp_path.rglob("*") if p.is_file())]
        assert not [path for path in kept if KEY.encode() in path.read_bytes()]
