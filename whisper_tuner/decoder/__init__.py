"""Recordings of strangers → sound, decoded by a child process with limits (`child.py`, `jail.py`).

One that kills the child, or keeps it busy for too long, costs itself: it is refused by name, and
the next one finds a new child. This process never gives such a file to a library.
"""

import json
import os
import queue
import socket
import subprocess
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import numpy as np

from whisper_tuner import jail
from whisper_tuner.audio import MAX_CLIP_S, SAMPLE_RATE, from_pcm
from whisper_tuner.decoder.wire import (
    ANY_LENGTH,
    HEADER,
    HEAVY,
    MAX_BLOCK_BYTES,
    READY,
    REQUEST,
    SOUND,
)
from whisper_tuner.errors import AudioError, RunError

CHILD = "whisper_tuner.decoder.child"
START_S = 60.0  # until a child is ready; it takes 0.2 on a quiet machine
WAIT_S = 60.0  # for a clip, or for the next seconds of a recording; these take milliseconds
LAST_BREATH_S = 0.2
ENOUGH_FILES = 20  # for one child; more is worth the start of another
N_SIDE_BY_SIDE = min(2, os.cpu_count() or 1)


class ChildEndedError(Exception):
    """The child said no more, or nothing in time; its exit code is minus the signal if one ended
    it."""

    def __init__(self, code: int, why: Exception) -> None:
        super().__init__(code, why)
        self.code, self.is_late = code, isinstance(why, TimeoutError)


class Decoder:
    """One child process, started when the first file comes. For one thread at a time."""

    def __init__(self) -> None:
        self._process: subprocess.Popen | None = None
        self._socket: socket.socket | None = None

    def __enter__(self) -> "Decoder":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def decode(self, path: Path, name: str | None = None, max_s: float = MAX_CLIP_S) -> np.ndarray:
        """The sound of any audio or video file; channels are averaged. `name` is what the user
        calls the file.

        Returns: float32 in [-1, 1), shape = (n_samples,), 16 kHz, never longer than `max_s` s.
        Raises: AudioError audio_empty, audio_undecodable, audio_silent, audio_not_finite,
        audio_too_long, audio_too_heavy; RunError decoder_unavailable.
        """
        with path.open("rb") as file:
            return self.decode_file(file, name or path.name, max_s)

    def decode_file(self, file: BinaryIO, name: str, max_s: float = MAX_CLIP_S) -> np.ndarray:
        """The same of a file that was opened just now."""
        blocks, n_samples = [np.zeros(0, np.int16)], 0
        for block in self._blocks(file, name, max_s):
            blocks.append(block)
            n_samples += len(block)
            if n_samples > max_s * SAMPLE_RATE:
                raise AudioError(HEAVY, file=name)  # the child is not itself any more
        return from_pcm(np.concatenate(blocks))

    def stream(self, path: Path, name: str | None = None) -> Iterator[np.ndarray]:
        """The sound of a recording of any length, block by block as it is decoded.

        Yields: float32 in [-1, 1), shape = (n_samples,), mono, 16 kHz.
        Raises: AudioError audio_empty, audio_undecodable, audio_not_finite, audio_too_heavy;
        RunError decoder_unavailable.
        """
        with path.open("rb") as file:
            yield from self.stream_file(file, name or path.name)

    def stream_file(self, file: BinaryIO, name: str) -> Iterator[np.ndarray]:
        """The same of a file that was opened just now."""
        for block in self._blocks(file, name, ANY_LENGTH):
            yield from_pcm(block)

    def close(self) -> None:
        """End the child; the next file starts another one."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._socket.close()
            self._process = self._socket = None

    def _last_code(self) -> int:
        """The exit code of a child that says no more, minus its signal where that ended it."""
        with suppress(subprocess.TimeoutExpired):  # it may be dying at this moment
            self._process.wait(LAST_BREATH_S)
        process = self._process
        self.close()
        return process.returncode

    def _blocks(self, file: BinaryIO, name: str, max_s: float) -> Iterator[np.ndarray]:
        """int16. Whoever stops asking for them ends the child."""
        self._start()
        is_over = False
        try:
            socket.send_fds(self._socket, [REQUEST.pack(max_s)], [file.fileno()])
            while (message := self._receive())[0] == SOUND:
                yield np.frombuffer(message[1], np.int16)
            is_over = True
        except (OSError, EOFError) as error:
            raise AudioError(HEAVY, file=name) from ChildEndedError(self._last_code(), error)
        finally:
            if not is_over:
                self.close()
        if said := json.loads(message[1]):
            raise AudioError(said["code"], file=name, **said["params"])

    def _receive(self) -> tuple[bytes, bytes]:
        """Kind and content. Raises EOFError when the child is gone, TimeoutError when late."""
        kind, n_bytes = HEADER.unpack(self._exactly(HEADER.size))
        if n_bytes > MAX_BLOCK_BYTES:
            raise EOFError
        return kind, self._exactly(n_bytes)

    def _exactly(self, n_bytes: int) -> bytes:
        data = bytearray()
        while len(data) < n_bytes:
            part = self._socket.recv(n_bytes - len(data))
            if not part:
                raise EOFError
            data += part
        return bytes(data)

    def _start(self) -> None:
        if self._process is not None and self._process.poll() is None:
            return
        self.close()
        self._socket, theirs = socket.socketpair()
        self._socket.settimeout(START_S)
        self._process = subprocess.Popen(
            jail.command(CHILD),
            stdin=theirs,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=jail.ENVIRONMENT,
        )
        theirs.close()
        try:
            if self._receive()[0] != READY:
                raise EOFError
        except (OSError, EOFError) as error:
            self.close()
            raise RunError("decoder_unavailable") from error
        self._socket.settimeout(WAIT_S)


class Decoders:
    """Children side by side, as soon as there is enough to do for more than one. A file is opened
    when it is handed in, so it may be replaced by another one, though not written over, before it
    is decoded.
    """

    def __init__(self) -> None:
        self._decoders: list[Decoder] = []
        self._free: queue.SimpleQueue[Decoder] = queue.SimpleQueue()
        self._n_files = 0
        self._pool = ThreadPoolExecutor(N_SIDE_BY_SIDE, "decoder")

    def __enter__(self) -> "Decoders":
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)
        for decoder in self._decoders:
            decoder.close()

    def submit(self, path: Path, name: str, max_s: float = MAX_CLIP_S) -> "Future[np.ndarray]":
        """What `Decoder.decode` returns or raises of a clip."""
        if self._n_files % ENOUGH_FILES == 0 and len(self._decoders) < N_SIDE_BY_SIDE:
            self._decoders.append(Decoder())
            self._free.put(self._decoders[-1])
        self._n_files += 1
        file = path.open("rb")
        result = self._pool.submit(self._decode, file, name, max_s)
        result.add_done_callback(lambda _: file.close())
        return result

    def _decode(self, file: BinaryIO, name: str, max_s: float) -> np.ndarray:
        decoder = self._free.get()
        try:
            return decoder.decode_file(file, name, max_s)
        finally:
            self._free.put(decoder)
