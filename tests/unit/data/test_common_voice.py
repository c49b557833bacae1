"""Common Voice archives of every layout, read as a stream; nothing leads out of the archive."""

import gzip
import io
import tarfile
from pathlib import Path

import pytest

from tests.sounds import decode
from tests.unit.data.archives_of_cv import (
    HEADER,
    TOP,
    clips_of,
    mp3_of,
    pack,
    refusal,
    rows_of,
    splits,
    table,
)
from whisper_tuner.data.common_voice import candidates, locales, recordings, whisper_language
from whisper_tuner.data.prepare import prepare
from whisper_tuner.data.split import sentence_key
from whisper_tuner.errors import InputError

REAL = Path(__file__).parents[4] / "shared" / "data" / "common-voice-6.1"


@pytest.fixture(scope="module")
def mp3() -> bytes:
    return mp3_of()


def test_recordings_by_their_names(tmp_path: Path, mp3: bytes) -> None:
    rows = rows_of(5, 2)
    members = {f"cy/clips/{file}": mp3 + bytes([n]) for n, (_, file, _) in enumerate(rows)}
    path = pack(tmp_path / "cy.tar.gz", members)
    wanted = {rows[1][1], rows[3][1], "common_voice_cy_99.mp3"}
    found = {name: audio.read_bytes()[-1] for name, audio in recordings(path, wanted)}
    assert found == {rows[1][1]: 1, rows[3][1]: 3}
    with pytest.raises(InputError):
        list(recordings(Path(__file__), wanted))


@pytest.mark.parametrize("tables_first", [True, False])
@pytest.mark.parametrize("folder", [f"{TOP}/cy", f"./{TOP}/cy", "cy", "."])
def test_without_official_splits(
    tmp_path: Path, mp3: bytes, tables_first: bool, folder: str
) -> None:
    rows = rows_of(50, 10)
    clips = clips_of(rows, mp3, folder)
    tables = {f"{folder}/validated.tsv": table(rows), f"{folder}/invalidated.tsv": b"x"}
    members = tables | clips if tables_first else clips | tables
    path = pack(tmp_path / "cy.tar.gz", members)
    assert locales(path) == ["cy"]
    found = []
    for candidate in candidates(path, 30, 30):
        assert candidate.audio is not None and len(decode(candidate.audio)) > 20_000
        found.append(candidate)
    assert splits(found) == {"train": 30, "test": 10}
    speakers = {side: {c.speaker for c in found if c.split == side} for side in ("train", "test")}
    assert not speakers["train"] & speakers["test"]
    by_file = {file: (text, who) for who, file, text in rows}
    assert all(by_file[c.name] == (c.text, c.speaker) for c in found)


@pytest.mark.parametrize("tables_first", [True, False])
def test_official_splits(tmp_path: Path, mp3: bytes, tables_first: bool) -> None:
    train, dev, test = rows_of(10, 3), rows_of(5, 1, 10), rows_of(5, 2, 20)
    other = rows_of(20, 5, 30)
    folder = f"{TOP}/cy"
    named = {"train": train, "dev": dev, "test": test, "validated": other}
    tables = {f"{folder}/{name}.tsv": table(rows) for name, rows in named.items()}
    clips = clips_of([*other, *test, *dev, *train], mp3, folder)
    path = pack(tmp_path / "a.tar.gz", tables | clips if tables_first else clips | tables)
    found = {c.name: c.split for c in candidates(path, 100, 100)}
    expected = {file: "train" for _, file, _ in [*train, *dev]}
    assert found == expected | {file: "test" for _, file, _ in test}
    assert splits(list(candidates(path, 6, 2))) == {"train": 6, "test": 2}


def test_empty_official_splits_are_none(tmp_path: Path, mp3: bytes) -> None:
    rows = rows_of(20, 5)
    tables = {"train": [], "test": [], "dev": [], "validated": rows}
    members = {f"{TOP}/cy/{name}.tsv": table(content) for name, content in tables.items()}
    path = pack(tmp_path / "a.tar.gz", members | clips_of(rows, mp3, f"{TOP}/cy"))
    assert splits(list(candidates(path, 100, 100))) == {"train": 16, "test": 4}


def test_one_speaker_is_left_to_be_split_by_sentence(tmp_path: Path, mp3: bytes) -> None:
    rows = rows_of(10, 1)
    members = {f"{TOP}/cy/validated.tsv": table(rows)} | clips_of(rows, mp3, f"{TOP}/cy")
    path = pack(tmp_path / "a.tar.gz", members)
    report = prepare(candidates(path, 8, 2), tmp_path / "dataset", len)
    assert (report.n_train, report.n_test) == (8, 2)


def test_the_seed_chooses(tmp_path: Path, mp3: bytes) -> None:
    rows = rows_of(60, 12)
    validated = {f"{TOP}/cy/validated.tsv": table(rows)}
    clips = clips_of(rows, mp3, f"{TOP}/cy")
    one = pack(tmp_path / "a.tar.gz", validated | clips)
    other = pack(tmp_path / "b.tar.gz", dict(reversed(clips.items())) | validated)
    chosen = [{c.name: c.split for c in candidates(p, 10, 5, seed=3)} for p in (one, other)]
    assert chosen[0] == chosen[1]
    assert chosen[0] != {c.name: c.split for c in candidates(one, 10, 5, seed=4)}


@pytest.mark.parametrize("n_speakers", [1, 10])
def test_more_of_the_same_archive_are_other_clips(
    tmp_path: Path, mp3: bytes, n_speakers: int
) -> None:
    rows = rows_of(40, n_speakers)
    members = {f"{TOP}/cy/validated.tsv": table(rows), **clips_of(rows, mp3, f"{TOP}/cy")}
    path = pack(tmp_path / "cy.tar.gz", members)
    first = list(candidates(path, 8, 2))
    more = list(candidates(path, 8, 2, known={c.name for c in first}))
    assert len(more) == 10 and not {c.name for c in first} & {c.name for c in more}
    sides = {c.speaker: c.split for c in [*first, *more]}
    assert all(sides[c.speaker] == c.split for c in [*first, *more])  # voices stay on their side
    with pytest.raises(InputError) as caught:
        list(candidates(path, 5, 5, known={file for _, file, _ in rows}))
    assert caught.value.code == "cv_all_known"


def test_a_test_sentence_is_never_chosen_for_training(tmp_path: Path, mp3: bytes) -> None:
    rows = [(f"s{i}", f"{i}.mp3", f"Brawddeg {i % 40}" + "!" * (i // 40)) for i in range(80)]
    members = {f"{TOP}/cy/validated.tsv": table(rows)} | clips_of(rows, mp3, f"{TOP}/cy")
    found = list(candidates(pack(tmp_path / "a.tar.gz", members), 100, 10))
    sides = {s: {sentence_key(c.text or "") for c in found if c.split == s} for s in splits(found)}
    assert not sides["train"] & sides["test"] and splits(found)["test"] == 10


def test_nothing_is_quoted_and_nothing_is_missing(tmp_path: Path, mp3: bytes) -> None:
    sentences = ["NA", "null", '"Dim ond hyn', "nan", 'a "b" c', "None"]
    rows = [(f"s{i}", f"clip{i}", text) for i, text in enumerate(sentences)]
    members = {f"{TOP}/cy/validated.tsv": table(rows)}
    members |= {f"{TOP}/cy/clips/clip{i}.mp3": mp3 for i in range(len(rows))}
    found = candidates(pack(tmp_path / "a.tar.gz", members), 100, 100)
    numbered = {c.text: (c.name, c.row) for c in found}
    assert numbered == {text: (f"clip{i}.mp3", i + 2) for i, text in enumerate(sentences)}


def test_a_clip_that_is_not_there_is_said(tmp_path: Path, mp3: bytes) -> None:
    rows = rows_of(10, 5)
    members = {f"{TOP}/cy/validated.tsv": table(rows)} | clips_of(rows[1:], mp3, f"{TOP}/cy")
    found = list(candidates(pack(tmp_path / "a.tar.gz", members), 100, 100))
    assert [c.name for c in found if c.audio is None] == [rows[0][1]]


def test_a_plain_tar_as_safari_leaves_it(tmp_path: Path, mp3: bytes) -> None:
    rows = rows_of(10, 5)
    members = {f"{TOP}/cy/validated.tsv": table(rows)} | clips_of(rows, mp3, f"{TOP}/cy")
    packed = pack(tmp_path / "a.tar.gz", members)
    (tmp_path / "a.tar").write_bytes(gzip.decompress(packed.read_bytes()))
    assert len(list(candidates(tmp_path / "a.tar", 100, 100))) == 10


def test_links_and_strange_names_are_not_taken(tmp_path: Path, mp3: bytes) -> None:
    rows = rows_of(10, 5)
    secret = tmp_path / "secret.mp3"
    secret.write_bytes(mp3)
    path = tmp_path / "a.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE):
            info = tarfile.TarInfo(f"{TOP}/cy/clips/{rows[0][1]}")
            info.type, info.linkname = kind, str(secret)
            archive.addfile(info)
        for name in (f"../{TOP}/cy/clips/{rows[0][1]}", f"/{TOP}/cy/clips/{rows[0][1]}"):
            info = tarfile.TarInfo(name)
            info.size = len(mp3)
            archive.addfile(info, io.BytesIO(mp3))
        data = table(rows)
        info = tarfile.TarInfo(f"{TOP}/cy/validated.tsv")
        info.size = len(data)
        archive.addfile(info, io.BytesIO(data))
    assert all(c.audio is None for c in candidates(path, 100, 100))


def test_several_languages(tmp_path: Path, mp3: bytes) -> None:
    rows = rows_of(10, 5)
    members = {}
    for locale in ("cy", "br"):
        members |= {f"{TOP}/{locale}/validated.tsv": table(rows)}
        members |= clips_of(rows, mp3, f"{TOP}/{locale}")
    path = pack(tmp_path / "a.tar.gz", members)
    assert locales(path) == ["br", "cy"]
    assert refusal(path).code == "cv_several_languages"
    assert len(list(candidates(path, 100, 100, locale="br"))) == 10
    assert refusal(path, locale="lt").code == "cv_no_tsv"


def test_refusals(tmp_path: Path, mp3: bytes) -> None:
    path = tmp_path / "a.tar.gz"
    for content in (b"", b"hello" * 500, gzip.compress(b"hello" * 500)):
        path.write_bytes(content)
        assert refusal(path, name="cy.tar.gz").params == {"file": "cy.tar.gz"}
        assert refusal(path).code == "cv_not_an_archive"
    rows = rows_of(10, 5)
    assert refusal(pack(path, clips_of(rows, mp3, f"{TOP}/cy"))).code == "cv_no_tsv"
    assert refusal(pack(path, {"photos/x.jpg": b"x"})).code == "cv_no_tsv"
    with pytest.raises(InputError) as caught:
        locales(pack(path, {"photos/x.jpg": b"x"}))
    assert caught.value.code == "cv_no_tsv"
    assert refusal(pack(path, {f"{TOP}/cy/validated.tsv": table([])})).code == "cv_no_tsv"
    error = refusal(pack(path, {f"{TOP}/cy/validated.tsv": b"client_id\tpath\ns\tx.mp3\n"}))
    assert (error.code, error.params["column"]) == ("cv_no_column", "sentence")
    assert refusal(pack(path, {f"{TOP}/cy/validated.tsv": b"\xff\xfe" * 9})).code == "cv_damaged"
    endless = HEADER.encode() + b"\n" + b"x" * 200_000
    assert refusal(pack(path, {f"{TOP}/cy/validated.tsv": endless})).code == "cv_damaged"


def test_half_a_download(tmp_path: Path, mp3: bytes) -> None:
    rows = rows_of(10, 5)
    members = clips_of(rows, mp3, f"{TOP}/cy") | {f"{TOP}/cy/validated.tsv": table(rows)}
    path = pack(tmp_path / "a.tar.gz", members)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert refusal(path).code == "cv_damaged"


def test_a_header_that_would_fill_the_memory(tmp_path: Path) -> None:
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.XHDTYPE, 1 << 30
    first = tarfile.TarInfo("y")
    with gzip.open(tmp_path / "a.tar.gz", "wb") as file:
        file.write(first.tobuf() + info.tobuf() + bytes(4 << 20))
    assert refusal(tmp_path / "a.tar.gz").code == "cv_damaged"


@pytest.mark.parametrize(
    ("locale", "language"),
    [
        ("cy", "cy"),
        ("zh-CN", "zh"),
        ("zh-TW", "zh"),
        ("zh-HK", "zh"),
        ("yue", "yue"),
        ("sv-SE", "sv"),
        ("pa-IN", "pa"),
        ("hy-AM", "hy"),
        ("ne-NP", "ne"),
        ("nn-NO", "nn"),
        ("nb-NO", "no"),
        ("jv", "jw"),
        ("fy-NL", None),
        ("ga-IE", None),
        ("nan-tw", None),
        ("rm-sursilv", None),
        ("ckb", None),
        ("tok", None),
    ],
)
def test_whisper_language(locale: str, language: str | None) -> None:
    assert whisper_language(locale) == language


@pytest.mark.skipif(not REAL.is_dir(), reason="the nine real archives are not beside this checkout")
@pytest.mark.parametrize("locale", ["cy", "th", "zh-CN"])
def test_real_archives(tmp_path: Path, locale: str) -> None:
    path = REAL / f"{locale}.tar.gz"
    assert locales(path) == [locale]
    report = prepare(candidates(path, 20, 8), tmp_path / "dataset", len)
    assert (report.n_found, report.n_train, report.n_test) == (28, 20, 8)
    assert not any(finding.refused for finding in report.findings)
