"""Hostile, broken and odd ZIP files: refused by name, and nothing is written outside."""

import os
import stat
import struct
import time
import zipfile
from pathlib import Path

import pytest

from whisper_tuner.data.archives import MAX_DEPTH, MAX_ENTRIES, is_junk, open_archive
from whisper_tuner.data.entries import opened
from whisper_tuner.errors import InputError


def pack(path: Path, members: dict[str, bytes], **options: object) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, **options) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def refusal(path: Path) -> str:
    with pytest.raises(InputError) as caught, open_archive(path, "my.zip"):
        pass
    assert caught.value.params["file"] == "my.zip"
    return caught.value.code


def patched(path: Path, old: bytes, new: bytes) -> Path:
    data = path.read_bytes()
    assert old in data and len(old) == len(new)
    path.write_bytes(data.replace(old, new))
    return path


def test_reads_what_is_inside(tmp_path: Path) -> None:
    content = os.urandom(300_000)
    path = pack(tmp_path / "a.zip", {"d/": b"", "d/x.wav": content, "./y.csv": b"hi"})
    with open_archive(path, "a.zip") as archive:
        assert archive.names == ["d/x.wav", "y.csv"]
        archive.extract("d/x.wav", tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == content


def test_junk_is_dropped(tmp_path: Path) -> None:
    names = ["__MACOSX/d/._x.wav", "d/._x.wav", "d/.DS_Store", "Thumbs.db", "d/Desktop.ini"]
    path = pack(tmp_path / "a.zip", dict.fromkeys([*names, "d/x.wav"], b"x"))
    assert all(is_junk(name) for name in names)
    with open_archive(path, "a.zip") as archive:
        assert archive.names == ["d/x.wav"]


@pytest.mark.parametrize(
    "name",
    [
        "../x.wav",
        "a/../../x.wav",
        "/etc/x.wav",
        "a\\..\\x.wav",
        "..\\x.wav",
        "C:\\x.wav",
        "c:x.wav",
        "\\\\server\\x.wav",
        "a//x.wav",
        ".",
        " ",
        "a/./x.wav",
        "d/" * (MAX_DEPTH + 1) + "x.wav",
        "n" * 256,
    ],
)
def test_unsafe_names(tmp_path: Path, name: str) -> None:
    assert refusal(pack(tmp_path / "a.zip", {name: b"x"})) == "archive_unsafe_name"


def test_nul_in_a_name(tmp_path: Path) -> None:
    path = pack(tmp_path / "a.zip", {"ab_cd.wav": b"x"})
    assert refusal(patched(path, b"ab_cd", b"ab\0cd")) == "archive_unsafe_name"


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO, stat.S_IFSOCK])
def test_links_and_devices(tmp_path: Path, kind: int) -> None:
    info = zipfile.ZipInfo("x.wav")
    info.external_attr = (kind | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(info, "/etc/passwd")
    assert refusal(tmp_path / "a.zip") == "archive_special_file"


def test_encrypted(tmp_path: Path) -> None:
    path = pack(tmp_path / "a.zip", {"x.wav": b"x"})
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    assert refusal(path) == "archive_encrypted"


@pytest.mark.parametrize("name", ["more.zip", "d/old.TAR.GZ", "x.7z", "y.rar"])
def test_nested(tmp_path: Path, name: str) -> None:
    assert refusal(pack(tmp_path / "a.zip", {name: b"x"})) == "archive_nested"


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_duplicate_names(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("x.wav", b"1")
        archive.writestr("x.wav", b"2")
    assert refusal(tmp_path / "a.zip") == "archive_duplicate_name"


def test_overlap(tmp_path: Path) -> None:
    path = pack(tmp_path / "a.zip", {"x.wav": b"1" * 50, "y.wav": b"2" * 50})
    data = bytearray(path.read_bytes())
    second = data.index(b"PK\x01\x02", data.index(b"PK\x01\x02") + 4)
    data[second + 42 : second + 46] = struct.pack("<I", 0)  # both entries share the first member
    path.write_bytes(data)
    assert refusal(path) == "archive_overlap"


def test_a_bomb_is_refused_from_its_directory(tmp_path: Path) -> None:
    path = pack(tmp_path / "a.zip", {"x.wav": bytes(20 << 20)})
    start = time.monotonic()
    assert refusal(path) == "archive_ratio"
    assert time.monotonic() - start < 1


def test_declared_sizes(tmp_path: Path) -> None:
    def with_size(n_bytes: int, n_members: int = 1) -> Path:
        members = {f"{i}.wav": os.urandom(64) for i in range(n_members)}
        path = pack(tmp_path / "a.zip", members)
        data = path.read_bytes()
        central = data.index(b"PK\x01\x02")
        sizes = struct.pack("<I", 64)
        tail = data[central:].replace(sizes, struct.pack("<I", n_bytes))
        path.write_bytes(data[:central] + tail)
        return path

    assert refusal(with_size(513 << 20)) == "archive_member_too_large"
    assert refusal(with_size(500 << 20, 5)) == "archive_too_large"


def test_lying_sizes(tmp_path: Path) -> None:
    path = pack(tmp_path / "a.zip", {"x.wav": b"1" * 1000})
    data = path.read_bytes()
    central = data.index(b"PK\x01\x02")
    real, less = struct.pack("<I", 1000), struct.pack("<I", 500)
    path.write_bytes(data[:central] + data[central:].replace(real, less))
    with open_archive(path, "a.zip") as archive, pytest.raises(InputError) as caught:
        archive.extract("x.wav", tmp_path / "out")
    assert caught.value.code == "archive_member_damaged"
    assert (tmp_path / "out").stat().st_size <= 500


def test_too_many_files(tmp_path: Path) -> None:
    path = pack(tmp_path / "a.zip", {f"{i}.wav": b"" for i in range(MAX_ENTRIES + 1)})
    assert refusal(path) == "archive_too_many_files"


def test_a_directory_of_a_million_is_not_even_read(tmp_path: Path) -> None:
    entry = pack(tmp_path / "a.zip", {"x.wav": b""}).read_bytes()
    start, end = entry.index(b"PK\x01\x02"), entry.index(b"PK\x05\x06")
    directory = entry[start:end] * 200_000
    ending = bytearray(entry[end:])
    ending[12:16] = struct.pack("<I", len(directory))
    (tmp_path / "a.zip").write_bytes(entry[:start] + directory + ending)
    assert refusal(tmp_path / "a.zip") == "archive_too_many_files"


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_memory_hungry_methods(tmp_path: Path, method: int) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", method) as archive:
        archive.writestr("x.wav", b"x" * 100)
    assert refusal(tmp_path / "a.zip") == "archive_method"


@pytest.mark.parametrize("content", [b"", b"hello", b"Rar!\x1a\x07", bytes(5000)])
def test_not_a_zip(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.zip").write_bytes(content)
    assert refusal(tmp_path / "a.zip") == "archive_not_zip"


def test_half_an_upload(tmp_path: Path) -> None:
    data = pack(tmp_path / "a.zip", {"x.wav": os.urandom(5000)}).read_bytes()
    (tmp_path / "a.zip").write_bytes(data[:3000])
    assert refusal(tmp_path / "a.zip") == "archive_not_zip"


def test_every_damaged_byte_has_a_name(tmp_path: Path) -> None:
    data = pack(
        tmp_path / "a.zip", {"d/x.wav": b"12345" * 9, "list.csv": b"file,text\n"}
    ).read_bytes()
    path, target = tmp_path / "b.zip", tmp_path / "out"
    for place in range(len(data)):
        for value in (0xFF, data[place] ^ 0x10):
            path.write_bytes(data[:place] + bytes([value]) + data[place + 1 :])
            try:
                with open_archive(path, "b.zip") as archive:
                    for name in archive.names:
                        archive.extract(name, target)
            except InputError as error:
                assert error.code.startswith("archive_")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.zip", "b.zip", "out"]


@pytest.mark.parametrize(
    ("names", "encoding"),
    [
        (["录音一.wav", "他的医院.wav"], "gbk"),
        (["録音のテスト.wav", "二つ目です.wav"], "cp932"),
        (["été.wav", "Müller.wav"], "cp437"),
        (["été.wav", "录音.wav"], "utf-8"),
    ],
)
def test_names_without_the_unicode_flag(tmp_path: Path, names: list[str], encoding: str) -> None:
    holders = [f"{i}".ljust(len(name.encode(encoding)), "_") for i, name in enumerate(names)]
    path = pack(tmp_path / "a.zip", dict.fromkeys(holders, b"x"))
    for holder, name in zip(holders, names, strict=True):
        patched(path, holder.encode(), name.encode(encoding))
    with open_archive(path, "a.zip") as archive:
        assert archive.names == names
        archive.extract(names[0], tmp_path / "out")


def test_a_member_that_runs_into_the_directory(tmp_path: Path) -> None:
    path = pack(tmp_path / "a.zip", {"x.wav": b"1" * 50})
    data = bytearray(path.read_bytes())
    entry = data.index(b"PK\x01\x02")
    data[entry + 20 : entry + 24] = struct.pack("<I", 5000)  # packed size
    path.write_bytes(data)
    assert refusal(path) == "archive_overlap"


def test_a_text_that_is_too_large_is_not_even_unpacked(tmp_path: Path) -> None:
    path = pack(tmp_path / "a.zip", {"metadata.csv": b"a,b\n" * 30_000})
    with opened([path], None) as entries, pytest.raises(InputError) as caught:
        next(iter(entries)).read(100_000)
    assert caught.value.code == "text_too_large"
    assert not list(tmp_path.glob("**/member"))
