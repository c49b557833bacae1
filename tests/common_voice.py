"""Small archives in the layout of Common Voice's Scripted Speech."""

import io
import tarfile

from whisper_tuner import steps

TOP = "cv-corpus-26.0-2026-06-12/cy"


def packed(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz", compresslevel=1) as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def table(first: int, last: int) -> bytes:
    """Rows of thirty speakers, each with a sentence of its own."""
    lines = [f"s{n % 30}\tcv_{n}.mp3\tBrawddeg {n}.\n" for n in range(first, last)]
    return ("client_id\tpath\tsentence\n" + "".join(lines)).encode()


def real_archive(n: int = 10) -> bytes:
    """Without official splits; its clips are recorded speech."""
    clips = sorted((steps.EXAMPLE_DIR / "clips").glob("*.flac"), key=lambda p: p.stat().st_size)
    members = {f"{TOP}/{name}.tsv": table(0, 0) for name in ("train", "dev", "test")}
    members[f"{TOP}/validated.tsv"] = table(0, n)
    return packed(members | {f"{TOP}/clips/cv_{i}.mp3": clips[i].read_bytes() for i in range(n)})
