"""The files of an upload, wherever they lie: in a folder, in a ZIP, or loose."""

import os
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from posixpath import splitext

from whisper_tuner.config import TEMP_PREFIX
from whisper_tuner.data.archives import ARCHIVE_SUFFIXES, Archive, is_junk, open_archive
from whisper_tuner.data.matching import parts_of
from whisper_tuner.errors import InputError


@dataclass(frozen=True, slots=True)
class Entry(ABC):
    """One file of the upload: its name there, and how to get it as a file on disk.

    There may be thousands, all the time that they are decoded: each is kept small.
    """

    name: str

    @abstractmethod
    def fetch(self) -> Path:
        """A file with its bytes."""

    @abstractmethod
    def n_bytes(self) -> int:
        """Without fetching it."""

    @property
    def suffix(self) -> str:
        return splitext(self.name)[1].lower()  # a Path keeps all that it has seen

    @property
    def folder(self) -> tuple[str, ...]:
        return parts_of(self.name)[:-1]

    @property
    def file_name(self) -> str:
        return next(reversed(parts_of(self.name)), "")  # a name may be a blank

    def read(self, max_bytes: int) -> bytes:
        """The bytes of a small file. Raises InputError text_too_large."""
        if self.n_bytes() > max_bytes:
            raise InputError("text_too_large", file=self.name, limit_kb=max_bytes >> 10)
        return self.fetch().read_bytes()


@dataclass(frozen=True, slots=True)
class FileOnDisk(Entry):
    where: str  # smaller than a Path

    def fetch(self) -> Path:
        return Path(self.where)

    def n_bytes(self) -> int:
        return self.fetch().stat().st_size


@dataclass(frozen=True, slots=True)
class Member(Entry):
    """A file out of an archive. It is only there until the next one is fetched, a new file."""

    archive: Archive
    target: Path  # the same for all: an archive never fills the disk

    def fetch(self) -> Path:
        self.target.unlink(missing_ok=True)  # but not for a decoder that has it open
        self.archive.extract(self.name, self.target)
        return self.target

    def n_bytes(self) -> int:
        return self.archive.members[self.name].file_size


@contextmanager
def opened(paths: Sequence[Path], names: Sequence[str] | None) -> Iterator[list[Entry]]:
    """The files of an upload as long as the context lasts.

    `paths`: files, ZIPs and folders in any mixture; `names`: what the user calls each of them.

    Raises: InputError upload_not_found, upload_archive_kind, and those of `archives.open_archive`.
    """
    names = [path.name for path in paths] if names is None else names
    with ExitStack() as stack:
        temp_dir = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=TEMP_PREFIX)))
        entries: list[Entry] = []
        for path, name in zip(paths, names, strict=True):
            entries += _entries(path, name, temp_dir, stack)
        yield entries


def _entries(path: Path, name: str, temp_dir: Path, stack: ExitStack) -> list[Entry]:
    suffix = PurePosixPath(name).suffix.lower()
    if not path.exists():
        raise InputError("upload_not_found", file=name)
    if path.is_dir():
        return [_on_disk(file, file.relative_to(path).as_posix()) for file in _walk(path)]
    if suffix == ".zip":
        archive = stack.enter_context(open_archive(path, name))
        target = temp_dir / "member"
        return [Member(name, archive, target) for name in archive.names]
    if suffix in ARCHIVE_SUFFIXES:
        raise InputError("upload_archive_kind", file=name)
    return [] if is_junk(name) else [_on_disk(path, name)]


def _walk(folder: Path) -> list[Path]:
    files = [Path(root, name) for root, _, names in os.walk(folder) for name in names]
    known = (file for file in files if not is_junk(file.relative_to(folder).as_posix()))
    return sorted(file for file in known if file.is_file())  # a link may lead nowhere


def _on_disk(path: Path, name: str) -> Entry:
    return FileOnDisk(name.replace("\\", "/"), str(path))
