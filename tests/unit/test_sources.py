"""Common Voice from a small Mozilla on loopback into a run: as much as needed, and no key kept."""

import os
import random
from pathlib import Path

import pytest

from tests.common_voice import TOP, packed, real_archive, table
from tests.mozilla_server import MozillaServer
from whisper_tuner import steps
from whisper_tuner.data import mozilla
from whisper_tuner.data.clips import COMMON_VOICE, read_clips
from whisper_tuner.errors import InputError, RunError
from whisper_tuner.runs import disk
from whisper_tuner.runs.folder import Run
from whisper_tuner.sources import MozillaSource

KEY = "mdc_CANARYcanaryCANARY0123456789"
ID = "cmzwelsh000000000000"
CLIP_BYTES = 40_000  # random, as MP3 is to gzip


@pytest.fixture(scope="module")
def parts() -> tuple[dict[str, bytes], dict[str, bytes]]:
    """The tables and the clips of a large archive: 12 MB."""
    tables = {f"{TOP}/train.tsv": table(0, 250), f"{TOP}/test.tsv": table(250, 300)}
    tables |= {f"{TOP}/dev.tsv": table(300, 300), f"{TOP}/validated.tsv": table(0, 300)}
    numbers = list(range(300))
    random.Random(1).shuffle(numbers)
    noise = random.Random(0).randbytes
    return tables, {f"{TOP}/clips/cv_{n}.mp3": noise(CLIP_BYTES) for n in numbers}


@pytest.fixture(scope="module")
def archive(parts) -> bytes:
    return packed(parts[0] | parts[1])


@pytest.fixture
def server(monkeypatch):
    with MozillaServer({KEY: {ID}}) as found:
        monkeypatch.setenv("MDC_API_URL", found.api)
        yield found


@pytest.fixture
def run(tmp_path) -> Run:
    return Run.create(tmp_path / "runs")


def offer(server: MozillaServer, data: bytes) -> mozilla.Release:
    server.add(ID, "Common Voice Scripted Speech 26.0 - Welsh", "cy", data)
    return mozilla.find("cy")


def taken(source: MozillaSource, run: Run) -> list:
    with source.open(run, ()) as candidates:
        return list(candidates)


def n_of(found: list, split: str) -> int:
    return sum(candidate.split == split for candidate in found)


def test_the_download_ends_when_there_are_enough(server, run, archive):
    source = MozillaSource(offer(server, archive), KEY, 20, 5)
    found = taken(source, run)
    assert (n_of(found, "train"), n_of(found, "test")) == (20, 5)
    assert all(candidate.source == COMMON_VOICE for candidate in found)
    assert server.n_sent < len(archive) / 2
    assert not source.folder(run.dir.parent).exists()  # nothing of it is kept


def test_tables_behind_the_clips_need_all_of_it(server, run, parts):
    data = packed(parts[1] | parts[0])
    found = taken(MozillaSource(offer(server, data), KEY, 20, 5), run)
    assert (n_of(found, "train"), n_of(found, "test")) == (20, 5)
    assert server.n_sent == len(data)
    speakers = {candidate.name for candidate in found}
    again = taken(MozillaSource(mozilla.find("cy"), KEY, 20, 5), run)
    assert {candidate.name for candidate in again} == speakers  # drawn by the seed, as ever


def test_more_clips_than_there_are(server, run, archive):
    found = taken(MozillaSource(offer(server, archive), KEY, 1000, 1000), run)
    assert (n_of(found, "train"), n_of(found, "test")) == (250, 50)


def test_no_sentence_on_both_sides_and_no_known_clip(server, run, parts):
    twice = table(0, 250) + b"".join(
        b"x\tcv_%d.mp3\tBRAWDDEG %d\n" % (n, n - 250) for n in range(250, 300)
    )
    tables = {f"{TOP}/validated.tsv": twice}
    tables |= {f"{TOP}/{name}.tsv": table(0, 0) for name in ("train", "test", "dev")}
    source = MozillaSource(offer(server, packed(tables | parts[1])), KEY, 150, 25)
    known = {f"cv_{n}.mp3" for n in range(60, 90)}
    with source.open(run, known) as candidates:
        found = list(candidates)
    texts = {
        side: {c.text.casefold().rstrip(".") for c in found if c.split == side}
        for side in ("train", "test")
    }
    assert texts["train"] and texts["test"] and not texts["train"] & texts["test"]
    assert not known & {candidate.name for candidate in found}


def test_a_cancelled_download_goes_on(server, run, archive):
    seen = []
    release = offer(server, archive)
    source = MozillaSource(
        release,
        KEY,
        20,
        5,
        on_bytes=lambda have, _: seen.append(have),
        is_stopped=lambda: len(seen) > 3,
    )
    with pytest.raises(RunError) as caught:
        taken(source, run)
    assert caught.value.code == "download_stopped" and "kept" in caught.value.sentence()
    part = source.folder(run.dir.parent) / "part"
    had = part.stat().st_size
    assert seen[-1] < had < len(archive)
    assert len(taken(MozillaSource(release, KEY, 20, 5), run)) == 25
    assert f"GET /files/{ID} bytes={had}-" in server.requests
    assert not part.exists()


def test_what_came_is_not_shared_between_people(server, run, archive):
    release = offer(server, archive)
    mine = MozillaSource(release, KEY, 20, 5, owner="a")
    with mine.open(run, ()) as candidates:
        next(candidates)
        with pytest.raises(RunError) as caught:
            taken(MozillaSource(release, KEY, 20, 5, owner="a"), run)
        assert caught.value.code == "download_running"
        assert len(taken(MozillaSource(release, KEY, 20, 5, owner="b"), run)) == 25


def test_a_full_disk_is_refused_before_a_byte_comes(server, run, archive, monkeypatch):
    release = offer(server, archive)
    monkeypatch.setattr(disk, "free_bytes", lambda folder: 10**9 + 5 * 10**6)
    with pytest.raises(InputError) as caught:
        taken(MozillaSource(release, KEY, 20, 5), run)
    assert caught.value.code == "disk_no_download"
    assert "1.0 GB" in caught.value.sentence()
    assert server.n_sent == 0


def test_a_damaged_archive_is_not_kept(server, run):
    source = MozillaSource(offer(server, b"no archive" * 1000), KEY, 20, 5)
    with pytest.raises(InputError) as caught:
        taken(source, run)
    assert caught.value.code == "cv_not_an_archive"
    assert not source.folder(run.dir.parent).exists()


def test_the_whole_way_leaves_no_key_behind(server, run, tmp_path, monkeypatch, hub_cache, capfd):
    temp = tmp_path / "temp"
    temp.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temp))
    source = MozillaSource(offer(server, real_archive()), KEY, 6, 2)
    report = steps.prepare_from(run, source)
    assert (report.n_train, report.n_test) == (6, 2)
    assert {clip.source for clip in read_clips(run.dataset_dir)} == {COMMON_VOICE}
    server.drop_after(20_000)
    server.keys.clear()
    with pytest.raises(InputError) as caught:
        steps.prepare_from(Run.create(tmp_path / "runs"), source)
    assert caught.value.code == "mozilla_key"
    assert KEY not in repr(source) + str(caught.value) + repr(caught.value.__context__)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert files and not any(KEY.encode() in path.read_bytes() for path in files)
    assert KEY not in "".join(capfd.readouterr())
    assert KEY not in Path("/proc/self/environ").read_text(errors="replace") + str(os.environ)
    assert list(temp.iterdir()) == []
