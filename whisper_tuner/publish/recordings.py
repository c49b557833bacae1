"""A run's checked recordings, to take away: `clips/*.flac` and `metadata.csv`, in one ZIP.

Recordings of Common Voice are never in it: Mozilla's terms forbid to pass them on. A spreadsheet
takes a cell that begins with = + - @ for a formula, so such a cell begins with ' in the table; then
`transcripts.json` has the texts as they are.
"""

import csv
import io
import json
import secrets
import shutil
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from whisper_tuner.data.clips import COMMON_VOICE, Clip, read_clips
from whisper_tuner.errors import InputError
from whisper_tuner.publish.package import add_file
from whisper_tuner.runs.folder import Run

ZIP_NAME = "recordings.zip"
TABLE_NAME = "metadata.csv"
ORIGINALS_NAME = "transcripts.json"
COLUMNS = ("file_name", "transcription", "split", "speaker", "recording", "original_name")
FORMULA_SIGNS = tuple("=+-@\t\r\n\0＝＋－＠")  # the wide ones too: some programs read them alike


@dataclass(frozen=True)
class Exported:
    """The ZIP, how many clips are in it, and how many of Common Voice are not."""

    path: Path
    n_clips: int
    n_left_out: int


def zip_recordings(run: Run, target: Path | None = None) -> Exported:
    """Write `target`, `exports/recordings.zip` of the run when none is given; the same recordings
    give the same bytes.

    Raises: InputError dataset_missing, export_nothing, export_common_voice, export_no_room.
    """
    clips, n_left_out = clips_to_share(run)
    target = target or run.dir / "exports" / ZIP_NAME
    target.parent.mkdir(parents=True, exist_ok=True)
    zip_clips(clips, run.dataset_dir, target)
    return Exported(target, len(clips), n_left_out)


def zip_clips(clips: Sequence[Clip], folder: Path, target: Path) -> None:
    """Write clips, whose sound is below `folder`, and their table. Raises: InputError
    export_no_room.
    """
    n_bytes = sum((folder / clip.audio).stat().st_size for clip in clips)
    if shutil.disk_usage(target.parent).free < 2 * n_bytes:
        raise InputError("export_no_room", megabytes=n_bytes / 1e6)
    part = target.with_name(f".{secrets.token_hex(8)}.part")
    try:
        with zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as archive:
            for name, content in tables(clips).items():
                add_file(archive, name, content)
            for clip in clips:
                add_file(archive, clip.audio, folder / clip.audio)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def clips_to_share(run: Run) -> tuple[list[Clip], int]:
    """All but those of Common Voice, and how many these are. Raises InputError when none is."""
    if not run.dataset_dir.exists():
        raise InputError("dataset_missing", run=run.id)
    clips = read_clips(run.dataset_dir)
    shared = [clip for clip in clips if clip.source != COMMON_VOICE]
    if not shared:
        raise InputError("export_common_voice" if clips else "export_nothing")
    return shared, len(clips) - len(shared)


def tables(clips: Sequence[Clip]) -> dict[str, bytes]:
    """`metadata.csv`, and `transcripts.json` when a cell of it had to be made harmless."""
    file = io.StringIO(newline="")
    table = csv.writer(file)
    table.writerow(COLUMNS)
    is_changed = False
    for clip in clips:
        cells = (clip.audio, clip.text, clip.split, clip.speaker, clip.recording, clip.name)
        harmless = [neutralise(cell) for cell in cells]
        is_changed |= harmless != list(cells)
        table.writerow(harmless)
    files = {TABLE_NAME: file.getvalue().encode()}
    if is_changed:
        originals = {clip.audio: {"text": clip.text, "name": clip.name} for clip in clips}
        files[ORIGINALS_NAME] = json.dumps(originals, ensure_ascii=False, indent=1).encode()
    return files


def neutralise(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{cell}" if cell.lstrip(" \u00a0\u3000").startswith(FORMULA_SIGNS) else cell
