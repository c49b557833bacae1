"""ZIP files from strangers: checked by their directory first, then read one member at a time.

Nothing is ever extracted by the name it has inside, so no name can lead out of our folder. The
limits are ours; the refusals follow OWASP ASVS 5.0, chapter V5 (file handling).
"""

import io
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from posixpath import splitext
from typing import BinaryIO

from whisper_tuner.data.encodings import likely_encoding
from whisper_tuner.errors import InputError

MAX_ENTRIES = 21_000  # 10,000 recordings, each with a .txt or with what a Mac adds, and folders
MAX_DIRECTORY_BYTES = 8 << 20  # the list of contents: so many entries with names of 350 bytes
MAX_TOTAL_BYTES = 2 << 30  # unpacked
MAX_MEMBER_BYTES = 512 << 20  # unpacked
MAX_RATIO = 100  # unpacked / packed; speech as WAV reaches about 10
RATIO_FREE_BYTES = 1 << 20  # below it, digital silence may be packed as small as it likes
RATIO_FREE_TOTAL_BYTES = 64 << 20  # the same for all of them together
MAX_NAME_BYTES = 255  # of one folder or file name, as in most file systems
MAX_DEPTH = 8  # folders
LOCAL_HEADER_BYTES = 30  # APPNOTE 4.3.7, without name and extra field
ENCRYPTED_FLAG = 0x1  # APPNOTE 4.4.4
UTF8_FLAG = 0x800
CHUNK_BYTES = 1 << 18
# LZMA and bzip2 members may ask for gigabytes of memory; nobody packs recordings with them.
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
ARCHIVE_SUFFIXES = frozenset({".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz", ".zst", ".7z", ".rar"})
JUNK_NAMES = frozenset({".ds_store", "thumbs.db", "desktop.ini"})
DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    OverflowError,
    struct.error,
    UnicodeDecodeError,
)


def is_junk(name: str) -> bool:
    """Whether a file was put there by macOS or Windows, not by the user."""
    parts = name.split("/")
    return "__MACOSX" in parts or parts[-1].startswith("._") or parts[-1].casefold() in JUNK_NAMES


class _DirectoryTooLongError(Exception):
    """The list of contents is longer than `MAX_DIRECTORY_BYTES`."""


class _BoundedReader(io.BufferedReader):
    """A file that refuses to be read in one go beyond the size of an honest list of contents.

    zipfile reads the whole list at once, however long the archive says it is.
    """

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > MAX_DIRECTORY_BYTES:
            raise _DirectoryTooLongError
        return super().read(size)


@dataclass(frozen=True)
class Archive:
    """A checked ZIP: `names` are its files, in its own order, "/" between folders."""

    name: str
    zip: zipfile.ZipFile
    members: dict[str, zipfile.ZipInfo]

    @property
    def names(self) -> list[str]:
        return list(self.members)

    def extract(self, name: str, target: Path) -> None:
        """Write one member to `target`. Raises InputError archive_member_damaged."""
        with target.open("wb") as file:
            self._copy(name, file)

    def _copy(self, name: str, file: BinaryIO) -> None:
        member, n_bytes = self.members[name], 0
        try:
            with self.zip.open(member) as source:
                while chunk := source.read(CHUNK_BYTES):
                    n_bytes += len(chunk)
                    if n_bytes > member.file_size:
                        raise zipfile.BadZipFile("more bytes than the directory says")
                    file.write(chunk)
        except DAMAGE as error:
            raise InputError("archive_member_damaged", clip=name, file=self.name) from error
        if n_bytes != member.file_size:
            raise InputError("archive_member_damaged", clip=name, file=self.name)


@contextmanager
def open_archive(path: Path, name: str) -> Iterator[Archive]:
    """Open a ZIP and check its whole directory before one byte is unpacked.

    Raises: InputError archive_not_zip, archive_damaged, archive_too_many_files,
    archive_too_large, archive_member_too_large, archive_ratio, archive_method, archive_encrypted,
    archive_special_file, archive_nested, archive_unsafe_name, archive_duplicate_name,
    archive_overlap.
    """
    with _BoundedReader(io.FileIO(path)) as file:
        if not zipfile.is_zipfile(file):
            raise InputError("archive_not_zip", file=name)
        try:
            archive = zipfile.ZipFile(file)
        except _DirectoryTooLongError as error:
            raise InputError("archive_too_many_files", file=name, limit=MAX_ENTRIES) from error
        except DAMAGE as error:
            raise InputError("archive_damaged", file=name) from error
        with archive:
            yield Archive(name, archive, _checked(archive.infolist(), archive.start_dir, name))


def _checked(
    infos: list[zipfile.ZipInfo], start_of_directory: int, file: str
) -> dict[str, zipfile.ZipInfo]:
    if len(infos) > MAX_ENTRIES:
        raise InputError("archive_too_many_files", file=file, limit=MAX_ENTRIES)
    if sum(info.file_size for info in infos) > MAX_TOTAL_BYTES:
        raise InputError("archive_too_large", file=file, limit_gb=MAX_TOTAL_BYTES >> 30)
    _check_overlap(infos, start_of_directory, file)
    members: dict[str, zipfile.ZipInfo] = {}
    for info, name in zip(infos, _names(infos), strict=True):
        if name.endswith("/") or is_junk(name):
            continue
        _check_name(name, file)
        _check_content(info, name, file)
        if name in members:
            raise InputError("archive_duplicate_name", file=file, member=name)
        members[name] = info
    _check_ratio(infos, file)
    return members


def _names(infos: list[zipfile.ZipInfo]) -> list[str]:
    """The names with "/" between folders, in the encoding their packer most likely meant.

    Without the UTF-8 flag zipfile reads cp437 (APPNOTE D.1), but macOS writes UTF-8 and Windows
    the country's own encoding there. All names of one archive are in one encoding.
    """
    legacy = [
        info.orig_filename
        for info in infos
        if not info.flag_bits & UTF8_FLAG and not info.orig_filename.isascii()
    ]
    raw = b"\n".join(name.encode("cp437") for name in legacy)
    encoding = likely_encoding(raw)
    names = []
    for info in infos:
        name = info.orig_filename
        is_legacy = not info.flag_bits & UTF8_FLAG and not name.isascii()
        if is_legacy and encoding not in (None, "cp1252"):
            name = name.encode("cp437").decode(encoding)
        name = name.replace("\\", "/")
        while name.startswith("./"):
            name = name[2:]
        names.append(name)
    return names


def _check_name(name: str, file: str) -> None:
    parts = name.split("/")
    unsafe = (
        "\0" in name
        or any(part.strip() in ("", ".", "..") for part in parts)
        or re.match("[A-Za-z]:", name)
        or len(parts) > MAX_DEPTH + 1
        or any(len(part.encode()) > MAX_NAME_BYTES for part in parts)
    )
    if unsafe:
        shown = name.replace("\0", "")[:MAX_NAME_BYTES]
        raise InputError("archive_unsafe_name", file=file, member=shown)


def _check_content(info: zipfile.ZipInfo, name: str, file: str) -> None:
    kind = stat.S_IFMT(info.external_attr >> 16)
    ratio_counts = info.file_size > RATIO_FREE_BYTES
    if info.flag_bits & ENCRYPTED_FLAG:
        raise InputError("archive_encrypted", file=file, member=name)
    if kind not in (0, stat.S_IFREG):
        raise InputError("archive_special_file", file=file, member=name)
    if splitext(name)[1].lower() in ARCHIVE_SUFFIXES:
        raise InputError("archive_nested", file=file, member=name)
    if info.compress_type not in METHODS:
        raise InputError("archive_method", file=file, member=name)
    if info.file_size > MAX_MEMBER_BYTES:
        limit_mb = MAX_MEMBER_BYTES >> 20
        raise InputError("archive_member_too_large", file=file, member=name, limit_mb=limit_mb)
    if ratio_counts and info.file_size > MAX_RATIO * max(1, info.compress_size):
        raise InputError("archive_ratio", file=file, member=name)


def _check_ratio(infos: list[zipfile.ZipInfo], file: str) -> None:
    """Of all members together: many small ones make a bomb, too."""
    n_packed = sum(info.compress_size for info in infos)
    if sum(info.file_size for info in infos) > RATIO_FREE_TOTAL_BYTES + MAX_RATIO * n_packed:
        largest = max(infos, key=lambda info: info.file_size)
        raise InputError("archive_ratio", file=file, member=largest.filename)


def _check_overlap(infos: list[zipfile.ZipInfo], start_of_directory: int, file: str) -> None:
    """Overlapping members are how a small file claims to hold petabytes (zbsm, Fifield 2019). They
    all lie before the list of contents.
    """
    end = 0
    for info in sorted(infos, key=lambda info: info.header_offset):
        if info.header_offset < end:
            raise InputError("archive_overlap", file=file)
        is_utf8 = info.flag_bits & UTF8_FLAG  # else cp437, a byte a character
        n_name_bytes = len(info.orig_filename.encode() if is_utf8 else info.orig_filename)
        end = info.header_offset + LOCAL_HEADER_BYTES + n_name_bytes + info.compress_size
    if end > start_of_directory:
        raise InputError("archive_overlap", file=file)
