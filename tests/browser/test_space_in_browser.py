"""On a Space without persistent storage: what is said, the private copy, and the way back."""

import shutil

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import SLOW_MS, TOKEN, serve
from tests.browser.reader import Reader

pytestmark = pytest.mark.browser


def test_a_run_that_a_restart_would_lose(visit, hub, tmp_path, upload):
    hub.spaces["anna/tuner"] = {"stage": "RUNNING", "gcTimeout": 1, "replicas": {"current": 1}}
    home = {"HF_HOME": str(tmp_path / "home"), "HF_ENDPOINT": hub.endpoint, "HF_HUB_OFFLINE": "0"}
    with serve(tmp_path, **home, SPACE_ID="anna/tuner") as space:
        visitor = visit(to=space)
        reader = Reader(visitor.open(), "en")
        reader.give(upload)
        reader.sees("10 of 12 clips can be used")
        reader.go("train")
        reader.choose("page_base", "whisper-tiny")
        reader.sees("This Space has no persistent storage")
        reader.sees("This Space goes to sleep about a minute after the last visit")
        page = reader.page
        page.get_by_label("Keep a private copy").check()
        page.get_by_label("Hugging Face token").last.fill(TOKEN)
        reader.start("Italian", epochs=1)
        told = page.locator("#copy-told")
        expect(told).to_contain_text("is complete", timeout=SLOW_MS)
        expect(page.get_by_label("Hugging Face token").last).to_have_value("")

        [run_dir] = space.runs.glob("*-*-*")
        shutil.rmtree(run_dir)  # the Space was restarted
        again = Reader(visitor.open(), "en")
        again.sees(again.say("data_empty"))
        again.page.get_by_text("Restore a training from my account").click()
        again.page.get_by_label("Name of the copy").fill(f"whisper-tuner-copy-{run_dir.name}")
        again.page.get_by_label("Hugging Face token").first.fill(TOKEN)
        again.page.get_by_role("button", name="Restore", exact=True).click()
        again.sees("The training is restored")
        again.sees("10 of 12 clips can be used")
        assert (run_dir / "adapter" / "adapter_model.safetensors").exists()
        kept = [space.log, *(p for p in space.runs.rglob("*") if p.is_file())]
        assert not [path for path in kept if TOKEN.encode() in path.read_bytes()]
