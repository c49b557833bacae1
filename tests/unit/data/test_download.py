"""The real client and a small Mozilla on loopback: catalogue, refusals, files that break off."""

import json
import random

import pytest

from tests.mozilla_server import MozillaServer
from whisper_tuner.data import mozilla
from whisper_tuner.data.download import Download
from whisper_tuner.errors import InputError

KEY = "mdc_CANARYcanaryCANARY0123456789"
ID = "cmzwelsh000000000000"
WELSH = "Common Voice Scripted Speech 26.0 - Welsh"

DATA = random.Random(0).randbytes(1_000_003)


@pytest.fixture
def server(monkeypatch):
    with MozillaServer({KEY: {ID}}) as found:
        monkeypatch.setenv("MDC_API_URL", found.api)
        found.add(ID, WELSH, "cy", DATA)
        yield found


class Fetch:
    """A download into a folder, and what it said."""

    def __init__(self, folder):
        self.folder, self.told, self.room, self.waited = folder, [], [], []

    def open(self, room=None, on_bytes=None) -> Download:
        folder = self.folder
        folder.mkdir(exist_ok=True)
        return Download(
            folder,
            "cy.tar.gz",
            ask=lambda: mozilla.open_ticket(ID, KEY),
            check_room=room or self.room.append,
            on_bytes=on_bytes or (lambda *sizes: self.told.append(sizes)),
            sleep=self.waited.append,
        )

    def all(self) -> bytes:
        download = self.open()
        try:
            with download.open() as file:
                return file.read()
        finally:
            download.close()


@pytest.fixture
def fetch(tmp_path):
    return Fetch(tmp_path / "part of it")


def code_of(call, *arguments) -> tuple[str, dict]:
    with pytest.raises(InputError) as caught:
        call(*arguments)
    assert KEY not in str(caught.value) and KEY not in repr(caught.value.params)
    assert caught.value.sentence("zh") != caught.value.sentence("en")
    return caught.value.code, caught.value.params


def test_the_newest_of_every_language_on_every_page(server):
    for n in range(250):
        server.add(f"id{n}", f"Common Voice Scripted Speech 26.0 - Language {n:03}", f"l{n}")
    server.add("older", "Common Voice Scripted Speech 9.0 - Welsh", "cy")
    server.add("spoken", "Common Voice Spontaneous Speech 4.0 - Welsh", "cy", sizeBytes=1.5e9)
    server.add("other", "Somebody's Common Voice of Welsh", "cy")
    server.add("bare", "Common Voice Scripted Speech 26.0 - Bare", "", sizeBytes=None)
    server.add("bad url", "Common Voice Scripted Speech 26.0 - Odd", "xx", datasetUrl='"><script>')
    found = mozilla.catalogue()
    assert len(found) == 254
    assert [r.split(" ")[1] for r in server.requests] == ["/api/datasets"] * 3
    assert all("Authorization" not in headers for headers in server.headers)
    welsh = [r for r in found if r.language == "Welsh"]
    assert [(r.id, r.kind, r.version) for r in welsh] == [
        (ID, "scripted", "26.0"),
        ("spoken", "spontaneous", "4.0"),
    ]
    assert (welsh[0].n_bytes, welsh[0].licence) == (1_000_003, "CC0-1.0")
    assert welsh[1].n_bytes == 1_500_000_000
    urls = {r.id: r.url for r in found}
    assert urls["bad url"] == "https://mozilladatacollective.com/datasets/bad%20url"
    assert mozilla.find("CY").id == ID and mozilla.find("spoken").id == "spoken"
    assert code_of(mozilla.find, "tlh") == ("mozilla_unknown", {"wanted": "tlh"})
    assert code_of(mozilla.find, "an-id-that-is-not-there")[0] == "mozilla_gone"


def test_an_older_release_by_its_id(server):
    server.add("older-release-of-welsh", "Common Voice Scripted Speech 9.0 - Welsh", "cy")
    assert mozilla.find("older-release-of-welsh").version == "9.0"
    server.add("something-else-altogether", "A book", "cy")
    assert code_of(mozilla.find, "something-else-altogether")[0] == "mozilla_unknown"


def test_a_catalogue_that_cannot_be_had(server, monkeypatch):
    server.refuse("/api/datasets", 503)
    assert code_of(mozilla.catalogue)[0] == "mozilla_unreachable"
    server.refuse("/api/datasets", 429, Retry_After="150")
    assert code_of(mozilla.catalogue)[0] == "mozilla_busy"
    monkeypatch.setenv("MDC_API_URL", "http://127.0.0.1:9/api")
    assert code_of(mozilla.catalogue)[0] == "mozilla_unreachable"


@pytest.mark.parametrize(
    ("status", "code"),
    [(401, "key"), (403, "terms"), (404, "gone"), (410, "gone"), (429, "busy"), (418, "answer")],
)
def test_every_refusal_says_what_to_do_and_links_the_terms(server, status, code):
    server.refuse(f"/api/datasets/{ID}/download", status, Retry_After="90")
    found, params = code_of(mozilla.open_ticket, ID, KEY, "https://example.org/terms")
    assert (found, params["minutes"]) == (f"mozilla_{code}", 2)
    if code != "answer":
        sentence = InputError(found, **params).sentence()
        assert "https://example.org/terms" in sentence


def test_keys_that_are_none(server):
    for key in ("", "  ", "two words", "ключ", "x" * 5000, "a\r\nHost: b"):
        assert code_of(mozilla.open_ticket, ID, key)[0] == "mozilla_key"
    assert server.requests == []
    assert code_of(mozilla.open_ticket, ID, "another")[0] == "mozilla_key"
    server.keys[KEY] = set()
    assert code_of(mozilla.open_ticket, ID, KEY)[0] == "mozilla_terms"


def test_a_file_as_far_as_it_is_read(server, fetch):
    data = server.datasets[ID].data
    download = fetch.open()
    with download.open() as file:
        assert file.read(10) == data[:10]
        file.seek(500_000)
        assert file.read(7) == data[500_000:500_007]
        assert download.is_coming and download.have < 900_000
        file.seek(0)
        assert file.read() == data
    download.close()
    assert fetch.room[0] == len(data) and fetch.told[-1] == (len(data), len(data))
    assert [r for r in server.requests if "/files/" in r] == [f"GET /files/{ID}"]
    assert all("Authorization" not in h for h in server.headers if "identity" in str(h))


def test_a_connection_that_breaks_off_goes_on_where_it_was(server, fetch):
    server.drop_after(300_000)
    server.drop_after(200_000)
    assert fetch.all() == server.datasets[ID].data
    ranges = [r.partition("bytes=")[2] for r in server.requests if "/files/" in r]
    assert ranges == ["", "300000-", "500000-"]
    conditions = [h.get("If-Range") for h in server.headers if "identity" in str(h)]
    assert conditions == [None] + [server.datasets[ID].etag] * 2


@pytest.mark.parametrize("with_checksum", [True, False])
def test_a_later_attempt_goes_on_too(server, fetch, with_checksum):
    server.with_checksum = with_checksum

    def stop(have, total):
        if have > 400_000:
            raise KeyboardInterrupt

    download = fetch.open(on_bytes=stop)
    with pytest.raises(KeyboardInterrupt), download.open() as file:
        file.read()
    download.close()
    had = (fetch.folder / "part").stat().st_size
    assert 400_000 < had < 800_000
    assert fetch.all() == server.datasets[ID].data
    assert server.requests[-1] == f"GET /files/{ID} bytes={had}-"
    n_requests = len(server.requests)
    assert fetch.all() == server.datasets[ID].data  # all of it is here: only the key is asked for
    assert server.requests[n_requests:] == [f"POST /api/datasets/{ID}/download"]


@pytest.mark.parametrize("is_said", [True, False])
def test_a_file_that_changed_meanwhile_is_begun_again(server, fetch, is_said):
    server.with_checksum = is_said
    download = fetch.open()
    with download.open() as file:
        file.read(250_000)
    download.close()
    server.datasets[ID].data = bytes(reversed(server.datasets[ID].data))
    assert fetch.all() == server.datasets[ID].data


def test_a_file_that_changes_under_the_reader_is_said(server, fetch):
    server.drop_after(300_000)
    download = fetch.open()
    with download.open() as file:
        file.read(250_000)
        server.datasets[ID].data = bytes(reversed(server.datasets[ID].data))
        assert code_of(file.read)[0] == "download_changed"
    download.close()
    assert fetch.all() == server.datasets[ID].data


def test_a_link_that_ran_out_is_renewed(server, fetch):
    server.drop_after(300_000)
    download = fetch.open()
    with download.open() as file:
        file.read(250_000)
        server.datasets[ID].signature = "s2"
        file.seek(0)
        assert file.read() == server.datasets[ID].data
    download.close()
    assert sum("/download" in r for r in server.requests) == 2


def test_a_storage_that_is_down_for_long(server, fetch):
    server.drop_after(300_000)
    download = fetch.open()
    with download.open() as file:
        file.read(250_000)
        server.refuse("/files/", 503, times=10)
        code, params = code_of(file.read)
    download.close()
    assert code == "download_broke_off" and params["have"] < params["total"]
    assert fetch.waited == [1.0, 2.0, 4.0, 8.0]
    server.refusals.clear()
    assert fetch.all() == server.datasets[ID].data


def test_bytes_that_are_not_those_announced(server, fetch):
    download = fetch.open()
    server.datasets[ID].data = server.datasets[ID].data[:-1] + b"?"
    with download.open() as file:
        assert code_of(file.read)[0] == "download_checksum"
    download.close()
    assert not (fetch.folder / "part").exists()


def test_room_is_asked_for_first(server, fetch):
    def full(n_bytes):
        raise InputError("disk_no_download", needed=n_bytes / 1e9, free=0.0)

    with pytest.raises(InputError):
        fetch.open(room=full)
    assert server.n_sent == 0 and not (fetch.folder / "part").exists()


def test_a_damaged_note_begins_again(server, fetch):
    download = fetch.open()
    with download.open() as file:
        file.read(200_000)
    download.close()
    for note in ("{", json.dumps({"n_bytes": 1_000_003}), json.dumps([1])):
        (fetch.folder / "part.json").write_text(note)
        assert fetch.all() == server.datasets[ID].data


def test_the_key_is_in_no_file(server, fetch):
    fetch.all()
    for path in fetch.folder.rglob("*"):
        assert KEY.encode() not in path.read_bytes()
    note = (fetch.folder / "part.json").read_text()
    assert "signature" not in note and KEY not in note
