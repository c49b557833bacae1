"""Small files that are on the disk and whole, or not there: also when the power fails."""

import os
import tempfile
from pathlib import Path


def fsync(path: Path) -> None:
    """Wait until a file, or a folder's list of names, is on the disk."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def write(path: Path, text: str) -> None:
    """Put `text` in the place of what is there. Raises OSError when the disk is full."""
    new = _written(path, text)
    try:
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)
    fsync(path.parent)


def write_once(path: Path, text: str) -> None:
    """The same, once. Raises FileExistsError when there is such a file: a rename would not."""
    new = _written(path, text)
    try:
        os.link(new, path)
    finally:
        new.unlink()
    fsync(path.parent)


def _written(path: Path, text: str) -> Path:
    """A file beside `path`, for its owner only, that holds `text` and is on the disk."""
    fd, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with os.fdopen(fd, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(fd)
    except BaseException:
        Path(name).unlink()
        raise
    return Path(name)
