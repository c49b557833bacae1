"""A large file, fetched no further than it is read, and gone on with after whatever broke off.

What came is in `<folder>/part`, and what it is part of in `<folder>/part.json`. Whoever reads past
the end of the part waits for more of it, so an archive is read while it comes, and nothing more
comes when nobody reads on.
"""

import hashlib
import io
import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

import httpx

from whisper_tuner.data.mozilla import Ticket
from whisper_tuner.errors import InputError

PART_NAME, NOTE_NAME = "part", "part.json"
READ_BYTES = 256 << 10  # asked for at a time
CHECK_ROOM_EVERY = 64 << 20  # bytes
TIMEOUT = httpx.Timeout(20.0, connect=10.0)  # seconds without one byte; then it is asked for again
WAITS_S = (1.0, 2.0, 4.0, 8.0)  # between attempts that brought nothing
SHA256 = re.compile(r"(?:sha256:)?([0-9a-f]{64})", re.IGNORECASE)
RANGE = re.compile(r"bytes (\d+)-\d+/(\d+)")

Progress = Callable[[int, int], None]  # bytes that are here, bytes in all; may raise to stop


@dataclass(frozen=True)
class _Note:
    """What a part is of: as announced, and as the server sends it."""

    n_bytes: int
    checksum: str
    total: int
    etag: str = ""

    def fits(self, ticket: Ticket) -> bool:
        is_known = bool(self.checksum or self.etag)
        return is_known and (self.n_bytes, self.checksum) == (ticket.n_bytes, ticket.checksum)


class Download:
    """Opened like a `Path`, any number of times. Close it: the part stays, to be gone on with.

    `ask`: a ticket; asked for again when the first has run out. `check_room`: is given the bytes
    that are still to come, and raises when the disk has not enough.

    Raises: InputError download_broke_off, download_changed, download_disk, download_checksum; what
    `ask`, `check_room` and `on_bytes` raise.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        ask: Callable[[], Ticket],
        check_room: Callable[[int], None],
        on_bytes: Progress,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.name = name
        self._part, self._note_path = folder / PART_NAME, folder / NOTE_NAME
        self._ask, self._check_room, self._on_bytes, self._sleep = ask, check_room, on_bytes, sleep
        self._is_read = False  # then what came before cannot be exchanged any more
        self._client = httpx.Client(timeout=TIMEOUT, follow_redirects=True)
        self._response: httpx.Response | None = None
        self._blocks: Iterator[bytes] = iter(())
        try:
            self._ticket = ask()
            self._note = self._kept()
            check_room(self.total - self.have)
            on_bytes(self.have, self.total)
            if self.is_coming and self.have:
                self._fetch(self.have + 1)  # is it still the same file?
        except BaseException:
            self.close()
            raise

    @property
    def have(self) -> int:
        return self._part.stat().st_size if self._part.exists() else 0

    @property
    def total(self) -> int:
        return self._note.total

    @property
    def is_coming(self) -> bool:
        return self.have < self.total

    def open(self, mode: str = "rb") -> BinaryIO:
        return io.BufferedReader(_Reader(self), READ_BYTES)

    def close(self) -> None:
        self._hang_up()
        self._client.close()

    def read_at(self, position: int, size: int) -> bytes:
        """Up to `size` bytes from `position` on; fewer only at the end of the file."""
        self._fetch(position + size)
        self._is_read = True
        if not self._part.exists():
            return b""
        with self._part.open("rb") as file:
            file.seek(position)
            return file.read(size)

    def _kept(self) -> _Note:
        """The note of the part that is here, when it is of this very file; else nothing is kept."""
        try:
            note = _Note(**json.loads(self._note_path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            note = None
        if note and note.fits(self._ticket) and self.have <= note.total:
            return note
        return self._begin_again()

    def _begin_again(self, total: int = 0, etag: str = "") -> _Note:
        if self._is_read and self.have:
            self._part.unlink()
            raise InputError("download_changed", file=self.name)
        ticket = self._ticket
        note = _Note(ticket.n_bytes, ticket.checksum, total or ticket.n_bytes, etag)
        self._part.parent.mkdir(parents=True, exist_ok=True)
        self._part.unlink(missing_ok=True)
        self._note_path.write_text(json.dumps(asdict(note)), encoding="utf-8")
        return note

    def _fetch(self, end: int) -> None:
        """Let the part grow to `end` bytes, or to the whole file."""
        if min(end, self.total) <= self.have:
            return
        waits = iter(WAITS_S)
        while (had := self.have) < min(end, self.total):
            try:
                self._grow(end)
            except (httpx.HTTPError, _PassingError) as error:
                self._hang_up()
                waits = iter(WAITS_S) if self.have > had else waits
                wait_s = next(waits, None)
                if wait_s is None:
                    sizes = {"have": self.have / 1e9, "total": self.total / 1e9}
                    raise InputError("download_broke_off", **sizes) from error
                self._on_bytes(self.have, self.total)
                self._sleep(wait_s)
        if not self.is_coming:
            self._hang_up()
            self._verify()

    def _grow(self, end: int) -> None:
        if self._response is None:
            self._connect()
        try:
            with self._part.open("ab") as file:
                have = file.tell()
                while have < min(end, self.total):
                    block = next(self._blocks, b"")[: self.total - have]
                    if not block:
                        raise _PassingError
                    file.write(block)
                    if have // CHECK_ROOM_EVERY != (have + len(block)) // CHECK_ROOM_EVERY:
                        self._check_room(self.total - have)
                    have += len(block)
                    self._on_bytes(have, self.total)
        except OSError as error:
            raise InputError("download_disk", needed=(self.total - self.have) / 1e9) from error

    def _connect(self) -> None:
        """Ask for the rest of the file, or for all of it when it is another one by now."""
        answer = self._get()
        if answer.status_code in (401, 403, 404, 410):  # tickets run out
            answer.close()
            self._renew()
            answer = self._get()
        self._response = answer
        etag = answer.headers.get("ETag", "")
        if answer.status_code == 206:
            found = RANGE.fullmatch(answer.headers.get("Content-Range", ""))
            is_rest = found and int(found[1]) == self.have and int(found[2]) == self.total
            if not is_rest or (self._note.etag and etag and etag != self._note.etag):
                self._hang_up()
                self._note = self._begin_again()
                raise _PassingError
        elif answer.status_code == 200:
            length = answer.headers.get("Content-Length", "")
            self._note = self._begin_again(int(length) if length.isdecimal() else 0, etag)
        elif answer.status_code == 416:  # the part is longer than the file
            self._note = self._begin_again()
            raise _PassingError
        elif answer.status_code >= 500 or answer.status_code == 429:
            raise _PassingError
        else:
            raise InputError("mozilla_answer", status=answer.status_code)
        self._blocks = answer.iter_raw()

    def _get(self) -> httpx.Response:
        headers = {"Accept-Encoding": "identity"}
        if self.have:
            headers["Range"] = f"bytes={self.have}-"
            if self._note.etag and not self._note.etag.startswith("W/"):
                headers["If-Range"] = self._note.etag
        asked = self._client.build_request("GET", self._ticket.url, headers=headers)
        return self._client.send(asked, stream=True)

    def _renew(self) -> None:
        self._ticket = self._ask()
        if not self._note.fits(self._ticket):
            self._note = self._begin_again()

    def _hang_up(self) -> None:
        if self._response is not None:
            self._response.close()
        self._response, self._blocks = None, iter(())

    def _verify(self) -> None:
        wanted = SHA256.fullmatch(self._ticket.checksum)
        if wanted is None:
            return
        with self._part.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != wanted[1].lower():
            self._part.unlink()
            raise InputError("download_checksum", file=self.name)


class _PassingError(Exception):
    """Trying again may help."""


class _Reader(io.RawIOBase):
    """A place in a download."""

    def __init__(self, download: Download) -> None:
        self._download, self._position = download, 0

    def readinto(self, buffer: bytearray) -> int:
        data = self._download.read_at(self._position, len(buffer))
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        before = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._download.total}
        self._position = before[whence] + offset
        return self._position

    def tell(self) -> int:
        return self._position

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True
