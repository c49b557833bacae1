"""ZIP uploads with something wrong: damaged, lying, with names that lead out, or no ZIP at all."""

import io
import re
import stat
import struct
import tarfile
import warnings
import zipfile
from functools import cache
from random import Random

from benchmarks.fuzz_parts import damage, sound_mutants

CENTRAL, LOCAL, END = b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06"
FIELDS = {  # where a number lies behind each signature (APPNOTE 4.3.7, 4.3.12, 4.3.16)
    CENTRAL: (4, 6, 8, 10, 16, 20, 24, 28, 30, 32, 34, 36, 38, 42),
    LOCAL: (4, 6, 8, 14, 18, 22, 26, 28),
    END: (4, 6, 8, 10, 12, 16, 20),
}
EVIL_NAMES = (
    *("../escaped.wav", "../../../../escaped.wav", "a/../../escaped.wav", "..\\escaped.wav"),
    *("/tmp/escaped.wav", "//tmp/escaped.wav", "C:\\escaped.wav", "\\\\host\\escaped.wav"),
    *("OUTSIDE/escaped.wav", "./../escaped.wav", "clips/\0/escaped.wav", "a\0.wav", "", ".", ".."),
    *("CON", "a:b.wav", "a" * 300 + ".wav", "d/" * 40 + "a.wav", "\u202egpj.wav", "~/escaped.wav"),
    *("$HOME/escaped.wav", "-rf", "a\nb.wav", "é" * 200 + ".wav", "%2e%2e/escaped.wav"),
)
KINDS = (stat.S_IFLNK, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO, stat.S_IFSOCK, stat.S_IFDIR)
TABLE = "file_name,transcription\n"


@cache
def recordings() -> list[tuple[str, bytes]]:
    files = sound_mutants.whole()
    return [(f"clips/{name}", files[name]) for name in sorted(files) if len(files[name]) < 40_000]


def _members(rng: Random) -> list[tuple[str, bytes]]:
    """An honest upload of three clips."""
    clips = rng.sample(recordings(), 3)
    names = [name for name, _ in clips]
    match rng.randrange(4):
        case 0:
            rows = "".join(f"{name},Frase {i}.\n" for i, name in enumerate(names))
            return [*clips, ("metadata.csv", (TABLE + rows).encode())]
        case 1:
            texts = [(f"{name.rpartition('.')[0]}.txt", b"Una frase.") for name in names]
            return [*clips, *dict(texts).items()]
        case 2:
            cue = b"1\n00:00:00,000 --> 00:00:00,400\nUna frase.\n"
            return [*clips, *((f"{name.rpartition('.')[0]}.srt", cue) for name in set(names))]
        case _:
            lines = "".join(f'{{"file": "{name}", "text": "Frase"}}\n' for name in names)
            extra = [("__MACOSX/clips/._a.wav", b"x"), ("clips/", b""), ("notes.docx", b"PK")]
            return [*clips, ("list.jsonl", lines.encode()), *extra]


def _packed(members: list[tuple[str, bytes]], rng: Random, outside: str) -> bytes:
    """As a ZIP, with what a hostile packer may say about its members."""
    file = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(file, "w") as archive:
        warnings.simplefilter("ignore")  # names that come twice
        for name, data in members:
            info = zipfile.ZipInfo(name.replace("OUTSIDE", outside))
            info.filename = info.orig_filename = name.replace("OUTSIDE", outside)
            info.compress_type = rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
            if rng.random() < 0.01:
                info.external_attr = (rng.choice(KINDS) | 0o777) << 16
            archive.writestr(info, data)
    return file.getvalue()


def _with_evil_names(members: list, rng: Random) -> list:
    evil = [(rng.choice(EVIL_NAMES), data) for _, data in members[: rng.randrange(1, 4)]]
    rows = "".join(f'"{name}",Frase.\n' for name, _ in evil)
    return [*members, *evil, ("more.csv", (TABLE + rows).encode())]


def _with_collisions(members: list, rng: Random) -> list:
    name, data = members[0]
    changes = (name, name.upper(), f"./{name}", name.replace("/", "\\"), f"x/../{name}")
    return [*members, (rng.choice(changes), data)]


def _with_archive(members: list, rng: Random) -> list:
    inner = _packed(members, rng, "")
    return [*members, (rng.choice(("more.zip", "more.tar.gz", "more.wav", "more.xlsx")), inner)]


def _with_damaged_member(members: list, rng: Random) -> list:
    i = rng.randrange(len(members))
    name, data = members[i]
    return [*members[:i], (name, damage.damaged(data or b"x", rng)), *members[i + 1 :]]


CHANGES = (_with_evil_names, _with_collisions, _with_archive, _with_damaged_member)


def _lie(data: bytes, rng: Random) -> bytes:
    """One to four numbers in the headers say something else."""
    for _ in range(rng.randrange(1, 5)):
        signature = rng.choice((CENTRAL, CENTRAL, LOCAL, END))
        places = [found.start() for found in re.finditer(re.escape(signature), data)]
        if places:
            place = rng.choice(places) + rng.choice(FIELDS[signature])
            value = rng.choice((*damage.LIES, rng.getrandbits(16))) & 0xFFFF_FFFF
            n = rng.choice((2, 4))
            data = (
                data[:place]
                + (value & ((1 << 8 * n) - 1)).to_bytes(n, "little")
                + data[place + n :]
            )
    return data


def _with_zip64(data: bytes, rng: Random) -> bytes:
    """A zip64 record and its locator that say what they like, before the end record."""
    end = data.rfind(END)
    numbers = [rng.choice((1, len(data), 1 << 40, (1 << 64) - 1)) for _ in range(4)]
    record = struct.pack("<4sQHHII4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, *numbers)
    locator = struct.pack("<4sIQI", b"PK\x06\x07", 0, rng.choice((end, 0, 1 << 50)), 1)
    ending = bytearray(data[end:])
    ending[8:20] = b"\xff" * 12
    return data[:end] + record + locator + bytes(ending)


def _other_kind(members: list, rng: Random) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=rng.choice(("w", "w:gz"))) as archive:
        for name, data in members:
            info = tarfile.TarInfo(rng.choice((name, "../escaped.wav")))
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return rng.choice((file.getvalue(), b"", b"hello", rng.randbytes(3000)))


def mutant(rng: Random, outside: str) -> tuple[str, bytes]:
    """A file name and what is in it. `outside`: an absolute folder that nothing may be put into."""
    members = _members(rng)
    draw = rng.random()
    if draw < 0.02:
        return rng.choice(("a.zip", "a.tar.gz", "a.7z")), _other_kind(members, rng)
    if draw < 0.45:
        members = rng.choice(CHANGES)(members, rng)
    data = _packed(members, rng, outside)
    if draw < 0.45:
        return "a.zip", data
    if draw < 0.70:
        return "a.zip", _lie(data, rng)
    if draw < 0.76:
        return "a.zip", _with_zip64(data, rng)
    if draw < 0.80:
        return "a.zip", rng.randbytes(rng.randrange(1, 2000)) + data + rng.randbytes(50)
    return "a.zip", damage.damaged(data, rng)
