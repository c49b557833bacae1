"""Rebuild the bundled example from its source, two Debian packages.

    python examples/rebuild.py            # fetch, decode, write examples/italian-prompts{,.zip}
    python examples/rebuild.py --check    # the same in a temporary folder, compared with ours
    python examples/rebuild.py --zip      # only the ZIP, from the folder; nothing is fetched

Fetching needs Debian or Ubuntu (`apt-get download`, `dpkg-deb`), and all need av, numpy and
soundfile from PyPI.
Which clips are in the example, and on which side of the split, stands in its metadata.csv;
transcripts and audio come from the packages. `clips/a__b.flac` is the prompt `a/b`.
"""

import argparse
import csv
import gzip
import subprocess
import tempfile
import zipfile
from pathlib import Path

import av
import numpy as np
import soundfile

EXAMPLES = Path(__file__).parent
NAME = "italian-prompts"
PACKAGES = ("asterisk-core-sounds-it", "asterisk-core-sounds-it-g722")  # version 1.6.1-1
TRANSCRIPTS = "usr/share/doc/asterisk-core-sounds-it/core-sounds-it.txt.gz"
SOUNDS = "usr/share/asterisk/sounds/it_IT_m_Carlo"
SAMPLE_RATE = 16000  # Hz, of G.722 and of Whisper
COLUMNS = ("file_name", "transcription", "split")
ZIP_TIME = (1980, 1, 1, 0, 0, 0)  # the same bytes at every build
CREDIT = (
    b"Italian telephone prompts, (c) 2012 Carlo Flora, translated by Silvia Petrin, CC-BY-3.0 "
    b"https://creativecommons.org/licenses/by/3.0/ - a selection, converted from G.722 to FLAC"
)


def read_metadata(folder: Path) -> list[dict[str, str]]:
    with (folder / "metadata.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def unpack_packages(folder: Path) -> Path:
    """Download both packages and unpack them into `folder`/root."""
    subprocess.run(["apt-get", "download", *PACKAGES], cwd=folder, check=True)
    root = folder / "root"
    for package in folder.glob("*.deb"):
        subprocess.run(["dpkg-deb", "-x", package, root], check=True)
    return root


def read_transcripts(root: Path) -> dict[str, str]:
    """Prompt name -> what is said, from lines `name: text`."""
    with gzip.open(root / TRANSCRIPTS, "rt", encoding="utf-8-sig") as lines:
        pairs = (line.split(":", 1) for line in lines if ":" in line and line[0] != ";")
        return {name.strip(): text.strip() for name, text in pairs}


def decode_g722(path: Path) -> np.ndarray:
    """Mono int16 samples at 16 kHz, shape = (n_samples,)."""
    with av.open(str(path), format="g722") as container:
        frames = [frame.to_ndarray() for frame in container.decode(audio=0)]
    return np.concatenate(frames, axis=1)[0]


def build_folder(root: Path, rows: list[dict[str, str]], folder: Path) -> None:
    """Write metadata.csv and clips/ for the chosen `rows`, texts and audio from the packages."""
    transcripts = read_transcripts(root)
    (folder / "clips").mkdir(parents=True, exist_ok=True)
    with (folder / "metadata.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(COLUMNS)
        for row in rows:
            prompt = Path(row["file_name"]).stem.replace("__", "/")
            samples = decode_g722(root / SOUNDS / f"{prompt}.g722")
            soundfile.write(folder / row["file_name"], samples, SAMPLE_RATE, subtype="PCM_16")
            table.writerow([row["file_name"], transcripts[prompt], row["split"]])


def build_zip(folder: Path, rows: list[dict[str, str]], path: Path) -> None:
    """What a user would upload: metadata.csv and clips/. The credit is the archive's comment."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:  # FLAC does not shrink
        for name in ("metadata.csv", *(row["file_name"] for row in rows)):
            archive.writestr(zipfile.ZipInfo(name, ZIP_TIME), (folder / name).read_bytes())
        archive.comment = CREDIT


def differences(built: Path, ours: Path) -> list[str]:
    """What differs between two example folders: names, texts, split, decoded samples."""
    if read_metadata(built) != read_metadata(ours):
        return ["metadata.csv"]
    names = [row["file_name"] for row in read_metadata(ours)]
    if {path.name for path in (ours / "clips").iterdir()} != {Path(name).name for name in names}:
        return ["clips/"]
    return [name for name in names if not _same_samples(built / name, ours / name)]


def _same_samples(one: Path, other: Path) -> bool:
    return np.array_equal(*(soundfile.read(path, dtype="int16")[0] for path in (one, other)))


def main() -> None:
    parser = argparse.ArgumentParser(description="Rebuild the Italian example from Debian.")
    parser.add_argument("--check", action="store_true", help="compare, change nothing")
    parser.add_argument("--zip", action="store_true", help="write the ZIP from the folder")
    args = parser.parse_args()
    rows = read_metadata(EXAMPLES / NAME)
    if args.zip:
        build_zip(EXAMPLES / NAME, rows, EXAMPLES / f"{NAME}.zip")
        return
    with tempfile.TemporaryDirectory() as scratch:
        root = unpack_packages(Path(scratch))
        target = Path(scratch) if args.check else EXAMPLES
        build_folder(root, rows, target / NAME)
        build_zip(target / NAME, rows, target / f"{NAME}.zip")
        different = differences(target / NAME, EXAMPLES / NAME)
    if different:
        raise SystemExit(f"differs from the packages: {', '.join(different)}")
    print(f"{len(rows)} clips: names, transcripts and samples are those of the packages")


if __name__ == "__main__":
    main()
