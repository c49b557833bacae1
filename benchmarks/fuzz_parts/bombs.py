"""Small ZIP files that want to become large, or take for ever."""

import io
import os
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

MIB = 1 << 20
CENTRAL, END = b"PK\x01\x02", b"PK\x05\x06"


def _zip(members: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return file.getvalue()


def _clip() -> bytes:
    """A second of noise as WAV."""
    rate = 16_000
    form = struct.pack("<IHHIIHH", 16, 1, 1, rate, 2 * rate, 2, 16)
    data = b"data" + struct.pack("<I", 2 * rate) + os.urandom(2 * rate)
    return b"RIFF" + struct.pack("<I", 28 + len(data)) + b"WAVEfmt " + form + data


def zeros() -> bytes:
    return _zip({"a.wav": bytes(300 * MIB), "a.txt": b"Una frase."})


def many_small() -> bytes:
    """Each below the size from which its ratio counts."""
    return _zip({f"{i}.wav": bytes(MIB - 1) for i in range(1500)})


def nested() -> bytes:
    """As 42.zip: archives in archives."""
    data = _zip({f"{i}.wav": bytes(8 * MIB) for i in range(4)})
    for depth in range(5):
        data = _zip({f"{depth}-{i}.zip": data for i in range(16)})
    return data


def overlapping() -> bytes:
    """As Fifield's zbsm: every entry of the directory is the same member."""
    data = _zip({"0000.wav": os.urandom(MIB) + bytes(9 * MIB)})
    start, end = data.index(CENTRAL), data.index(END)
    entry = data[start:end]
    entries = b"".join(entry.replace(b"0000.wav", b"%04d.wav" % i) for i in range(150))
    return data[:start] + entries + _end(150, len(entries), start)


def million_entries() -> bytes:
    data = _zip({"a.wav": b""})
    start, end = data.index(CENTRAL), data.index(END)
    entries = data[start:end] * 1_000_000
    return data[:start] + entries + _end(0xFFFF, len(entries), start)


def twenty_thousand_long_names() -> bytes:
    return _zip({f"{i:05d}{'n' * 240}.wav": b"" for i in range(20_000)})


def quoted_size() -> bytes:
    """A directory that says 10 bytes of a member of 300 MiB."""
    data = _zip({"a.wav": bytes(300 * MIB), "a.txt": b"Una frase."})
    start = data.index(CENTRAL)
    head = data[start:].replace(struct.pack("<I", 300 * MIB), struct.pack("<I", 10), 1)
    return data[:start] + head


def zip64_size() -> bytes:
    """A directory that says an exabyte, in the field of zip64."""
    packed = zlib.compress(b"x" * 100)[2:-4]
    extra = struct.pack("<HHQQ", 1, 16, 1 << 60, len(packed))
    local = struct.pack("<4sHHHHHIIIHH", b"PK\x03\x04", 45, 0, 8, 0, 0, 0, len(packed), 100, 5, 0)
    entry = struct.pack(
        *("<4sHHHHHHIIIHHHHHII", CENTRAL, 45, 45, 0, 8, 0, 0, 0, 0xFFFFFFFF, 0xFFFFFFFF),
        *(5, len(extra), 0, 0, 0, 0, 0),
    )
    start = len(local) + 5 + len(packed)
    entry += b"a.wav" + extra
    return local + b"a.wav" + packed + entry + _end(1, len(entry), start)


def spreadsheet() -> bytes:
    """A spreadsheet that unpacks to 300 MiB, among honest clips."""
    inner = _zip({"[Content_Types].xml": b"<x/>", "xl/worksheets/sheet1.xml": bytes(300 * MIB)})
    return _zip({"a.wav": _clip(), "list.xlsx": inner})


def table() -> bytes:
    """A table of 60 MiB, packed as tightly as is allowed."""
    line = "".join(f"{i:x}," for i in range(600)).encode() + b"\n"
    return _zip({"a.wav": _clip(), "metadata.csv": line * (60 * MIB // len(line) // 40 + 1) * 40})


def _end(n: int, size: int, start: int) -> bytes:
    n = min(n, 0xFFFF)
    return struct.pack("<4sHHHHIIH", END, 0, 0, n, n, size, start, 0)


BOMBS: dict[str, Callable[[], bytes]] = {
    make.__name__: make
    for make in (
        *(zeros, many_small, nested, overlapping, million_entries, twenty_thousand_long_names),
        *(quoted_size, zip64_size, spreadsheet, table),
    )
}


def write(name: str, folder: Path) -> Path:
    path = folder / f"{name}.zip"
    path.write_bytes(BOMBS[name]())
    return path
