"""A recording sheet: sentences to read aloud, and a take of each that was read.

A folder beside the runs, `sheets/<id>/`: `sentences.json`, written once, and `takes/0001.flac`, … A
take is whole or not there; recording a sentence again puts the new take in the old one's place.
"""

import json
import secrets
import shutil
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from whisper_tuner.errors import InputError, RunError
from whisper_tuner.runs import durable
from whisper_tuner.runs.disk import is_full, require_disk, told_when_full
from whisper_tuner.runs.folder import ID_PATTERN

FOLDER_NAME = "sheets"
NEW_PREFIX, DELETED_PREFIX = ".new-", ".deleted-"  # runs/delete.py sweeps what a kill leaves
SCRIPT_NAME, TAKES_NAME = "sentences.json", "takes"
MAX_SHEETS = 100  # of one person


@dataclass(frozen=True)
class Script:
    """What is to be read. `language`, `speaker`: "" when nobody said; `owner` as of `Spec`."""

    sentences: tuple[str, ...]
    language: str = ""
    speaker: str = ""
    owner: str = ""
    created_s: float = 0.0


@dataclass(frozen=True)
class Sheet:
    """One sheet's folder. Sentences are counted from 1, as they are shown."""

    dir: Path

    @classmethod
    def create(cls, root: Path, script: Script) -> "Sheet":
        """A sheet without takes, for its owner only, with an id that cannot be guessed.

        `root`: the folder of all runs. Raises InputError where runs cannot be kept, or this person
        has very many sheets already.
        """
        require_disk(root)
        n_sheets = sum(s.read_script().owner == script.owner for s in sheets_in(root))
        if script.owner and n_sheets >= MAX_SHEETS:
            raise InputError("sheets_too_many", limit=MAX_SHEETS)
        id = f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(8)}"
        new = root / FOLDER_NAME / f"{NEW_PREFIX}{id}"
        with told_when_full("sheet_disk_full"):
            new.parent.mkdir(parents=True, exist_ok=True)
            new.mkdir(mode=0o700)
            (new / TAKES_NAME).mkdir()
            content = json.dumps(asdict(script), ensure_ascii=False, indent=1)
            durable.write_once(new / SCRIPT_NAME, content)
            sheet = cls(new.rename(new.with_name(id)))
            durable.fsync(new.parent)
        return sheet

    @classmethod
    def open(cls, root: Path, sheet_id: str) -> "Sheet":
        """The sheet with this id. Raises RunError when there is none; never leaves `root`."""
        sheet = cls(root / FOLDER_NAME / sheet_id)
        if not ID_PATTERN.fullmatch(sheet_id) or not (sheet.dir / SCRIPT_NAME).is_file():
            raise RunError("sheet_unknown")
        return sheet

    @property
    def id(self) -> str:
        return self.dir.name

    def read_script(self) -> Script:
        """Raises RunError when it cannot be read, or is gone."""
        try:
            data = json.loads((self.dir / SCRIPT_NAME).read_text(encoding="utf-8"))
            return Script(**{**data, "sentences": tuple(data["sentences"])})
        except (OSError, ValueError, LookupError, TypeError) as error:
            raise RunError("sheet_unknown") from error

    def take_path(self, n: int) -> Path:
        """Where the take of sentence `n` is, if it was recorded."""
        return self.dir / TAKES_NAME / f"{n:04d}.flac"

    def recorded(self) -> list[int]:
        """The sentences of which there is a take, in order."""
        names = (path.stem for path in (self.dir / TAKES_NAME).glob("[0-9]*.flac"))
        return sorted(int(name) for name in names)

    def keep(self, n: int, flac: bytes) -> None:
        """Put a take of sentence `n` in the place of the one before, if there is one.

        Raises RunError when the sheet was deleted meanwhile, or the disk is full; then the old take
        is still there.
        """
        path = self.take_path(n)
        new = path.with_name(f".{path.stem}-{secrets.token_hex(8)}.flac")
        try:
            with told_when_full("sheet_disk_full"):
                if is_full(self.dir.parent):
                    raise RunError("sheet_disk_full")
                new.write_bytes(flac)
                durable.fsync(new)
                new.replace(path)
                durable.fsync(path.parent)
        except FileNotFoundError as error:
            raise RunError("sheet_unknown") from error
        finally:
            new.unlink(missing_ok=True)

    def delete(self) -> int:
        """Delete it with all takes; returns the bytes that are free now."""
        n_bytes = sum(path.stat().st_size for path in self.dir.rglob("*") if path.is_file())
        root = self.dir.parent.parent
        doomed = root / f"{DELETED_PREFIX}{self.id}"  # from here on it is in no list
        try:
            self.dir.rename(doomed)
        except FileNotFoundError as error:
            raise RunError("sheet_unknown") from error
        durable.fsync(root)
        shutil.rmtree(doomed)
        return n_bytes


def sheets_in(root: Path) -> list[Sheet]:
    """All sheets that can be read, the newest first."""
    folders = (root / FOLDER_NAME).glob("[0-9]*")
    sheets = [Sheet(path) for path in sorted(folders, reverse=True)]
    return [sheet for sheet in sheets if _is_readable(sheet)]


def remove_empty(sheet: Sheet) -> None:
    """Remove a sheet unless it has a take: `rmdir` refuses what is not empty."""
    try:
        (sheet.dir / TAKES_NAME).rmdir()
    except OSError:
        return
    shutil.rmtree(sheet.dir, ignore_errors=True)


def _is_readable(sheet: Sheet) -> bool:
    try:
        return bool(sheet.read_script())
    except RunError:
        return False
