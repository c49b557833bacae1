"""The language picker, the Hub tab and the downloads they start, on the page's own components."""

import time

import pytest
from huggingface_hub import constants

from tests.common_voice import real_archive
from tests.hub_server import HubServer
from tests.mozilla_server import MozillaServer
from tests.parquet import fleurs
from tests.unit.ui.conftest import in_page
from whisper_tuner import steps
from whisper_tuner.data.clips import read_report
from whisper_tuner.ui import fetch_corner, mozilla_tab
from whisper_tuner.ui.add_to import ADD
from whisper_tuner.ui.data_step import DataStep
from whisper_tuner.ui.session import find_run

KEY = "mdc_CANARYcanaryCANARY0123456789"
ID = "cmzwelsh000000000000"


@pytest.fixture
def mozilla(monkeypatch):
    with MozillaServer({KEY: {ID}}) as server:
        monkeypatch.setenv("MDC_API_URL", server.api)
        server.add(ID, "Common Voice Scripted Speech 26.0 - Welsh", "cy", real_archive(20))
        mozilla_tab._catalogue.cache_clear()
        yield server
        server.gate.set()


@pytest.fixture
def step(monkeypatch, tmp_path, hub_cache) -> DataStep:
    """The page's first step."""
    monkeypatch.setenv("WHISPER_TUNER_RUNS", str(tmp_path / "runs"))

    return in_page(DataStep)


def begin(step: DataStep, key: str = KEY, known: str = "", id: str | None = ID) -> dict:
    return step.archive_tab.mozilla.begin("en", "", ADD, "anna", known, id, key, 12, 4)


def waited(step: DataStep, updates: dict) -> dict:
    """What the tick shows that comes when the download has ended."""
    id = updates[step.fetch.id]
    step.fetch.fetchers[id].wait()
    return step.fetch.tick("en", id, 3)


def test_the_catalogue_is_listed(step, mozilla):
    tab = step.archive_tab.mozilla
    shown = tab.list("en")
    assert shown[tab.release].choices[0][0].startswith("Welsh · Scripted Speech 26.0 · ")
    assert shown[tab.release].choices[0][1] == ID
    terms = mozilla_tab.show_terms("en", ID)
    assert f'<a href="https://mozilladatacollective.com/datasets/{ID}" target="_blank"' in terms
    mozilla.add("nan", "Common Voice Scripted Speech 26.0 - Min Nan", "nan-tw")
    assert len(tab.list_anew("en")[tab.release].choices) == 2
    assert "not one that Whisper knows" in mozilla_tab.show_terms("en", "nan")
    mozilla.refuse("/api", 503)
    assert "choices" in vars(tab.list("en")[tab.release])  # known for a while
    out = tab.list_anew("zh")
    assert tab.release not in out and "上传" in out[tab.terms]


def test_a_download_becomes_a_run(step, mozilla):
    done = waited(step, begin(step))
    page = step.page
    run = find_run(done[page.run_id])
    assert (read_report(run.dataset_dir).n_train, done[page.spoken]) == (12, "cy")
    assert done[step.fetch.ended] == 4  # everything is drawn anew
    assert done[step.fetch.id] == "" and done[step.fetch.told] == ""
    assert step.fetch.fetchers == {}


@pytest.mark.parametrize(
    ("key", "id", "said"),
    [("", ID, "paste your key"), (KEY, None, "Choose a language"), (KEY, "gone", "no longer has")],
)
def test_nothing_is_begun_without_language_and_key(step, mozilla, key, id, said):
    out = begin(step, key, id=id)
    assert said in out[step.fetch.told]
    assert step.fetch.fetchers == {}


def test_a_refusal_is_said_with_links_and_leaves_no_run(step, mozilla, tmp_path):
    mozilla.keys[KEY] = set()
    done = waited(step, begin(step))
    told = done[step.fetch.told]
    assert 'role="alert"' in told and f"datasets/{ID}</a>" in told and KEY not in str(done)
    assert step.page.run_id not in done
    assert not list((tmp_path / "runs").glob("*-*-*"))


def test_it_is_cancelled_and_goes_on(step, mozilla):
    noise = bytes(range(256)) * 4000
    mozilla.add(ID, "Common Voice Scripted Speech 26.0 - Welsh", "cy", real_archive(20) + noise)
    mozilla.gate.clear()
    begun = begin(step)
    id = begun[step.fetch.id]
    until(lambda: step.fetch.fetchers[id].have > 0)
    going = step.fetch.tick("en", id, 0)
    assert "<progress value=" in going[step.fetch.told] and "GB have come" in going[step.fetch.told]
    assert "another window" in begin(step, known=id)[step.fetch.told]  # one for each browser
    stopping = step.fetch.stop("en", id)
    assert "Being cancelled" in stopping[step.fetch.told]
    mozilla.gate.set()
    done = waited(step, begun)
    assert "kept for a week" in done[step.fetch.told]
    done = waited(step, begin(step))
    assert step.page.run_id in done
    assert any("bytes=" in request for request in mozilla.requests)


def until(is_so) -> None:
    end_s = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < end_s
        time.sleep(0.02)


def test_a_tab_that_comes_back(step, mozilla):
    begun = begin(step)
    id = begun[step.fetch.id]
    step.fetch.fetchers[id].wait()
    again = step.fetch.show("en", None, id)  # as a reload draws it
    assert again[step.fetch.timer].active and again[step.fetch.id] == id
    lost = step.fetch.show("en", None, "of a page that was restarted")
    assert "kept for a week" in lost[step.fetch.told] and lost[step.fetch.id] == ""
    assert step.fetch.show("en", None, "")[step.fetch.id] == ""


def test_only_so_many_at_a_time(step, mozilla, monkeypatch):
    monkeypatch.setattr(fetch_corner, "MAX_AT_WORK", 1)
    mozilla.gate.clear()
    begun = begin(step)
    assert "Several people" in begin(step)[step.fetch.told]
    mozilla.gate.set()
    waited(step, begun)


def test_a_fault_of_ours_is_said(step, mozilla, monkeypatch, capsys, tmp_path):
    def break_down(*arguments: object, **named: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(steps, "prepare_from", break_down)
    done = waited(step, begin(step))
    assert "should not have" in done[step.fetch.told]
    err = capsys.readouterr().err
    assert "ZeroDivisionError" in err and KEY not in err
    assert not list((tmp_path / "runs").glob("*-*-*"))


def test_added_to_a_run_that_goes_on(step, mozilla, prepared, monkeypatch):
    monkeypatch.setenv("WHISPER_TUNER_RUNS", str(prepared.dir.parent))
    prepared.start_dir.mkdir()
    before = read_report(prepared.dataset_dir)
    out = step.archive_tab.mozilla.begin("en", prepared.id, ADD, "anna", "", ID, KEY, 12, 4)
    done = waited(step, out)
    after = read_report(prepared.dataset_dir)
    assert done[step.page.run_id] == prepared.id
    assert after.n_found == before.n_found + 16 and after.n_train > before.n_train


def test_a_hub_dataset_is_looked_at_and_read(step, monkeypatch):
    with HubServer() as hub:
        template = f"{hub.endpoint}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "ENDPOINT", hub.endpoint)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        fleurs(hub)
        tab = step.hub
        out = tab.show_configs("en", "google/fleurs", "")
        assert out[tab.config].choices == [(c, c) for c in ("af_za", "sw_ke", "sw_tz")]
        assert out[tab.room].visible is False and "3 parts" in out[tab.notice]
        out = tab.show_columns("en", "google/fleurs", "", "sw_ke")
        assert out[tab.columns["text"]].value == "transcription" and out[tab.train].value == "train"
        where = ("en", "", "anna", ADD, "")
        asked = (*where, "google/fleurs", "", "sw_ke", "audio", "transcription", "")
        done = waited(step, tab.begin(*asked, "train", "test", 5, 2))
        report = read_report(find_run(done[step.page.run_id]).dataset_dir)
        assert (report.n_found, report.n_train) == (7, 0)
        # They are noise: each is refused, and listed.
        assert {f.code for f in report.findings} == {"audio_undecodable", "no_usable_clips"}
        assert done[step.page.spoken] == "sw"
        out = tab.show_configs("en", "google/nothing", "")
        assert "google/nothing" in out[tab.notice] and out[tab.room].visible is False
        asked = (*asked[:7], None, *asked[8:])
        assert "choose its part" in tab.begin(*asked, "train", "test", 5, 2)[step.fetch.told]
