"""The process that decodes strangers' recordings, one after the other, and does nothing else.

Each comes as an open file over the socket that is standard input (`wire.py`). While it is open, no
descriptor is left in which a second file, or a socket, could be opened: that holds for the
libraries in C, too.
"""

import json
import os
import pkgutil
import resource
import signal
import socket
from collections.abc import Iterable, Iterator
from importlib import import_module

import av
import numpy as np

from whisper_tuner import jail
from whisper_tuner.audio import to_pcm
from whisper_tuner.decoder import formats
from whisper_tuner.decoder.wire import (
    ANY_LENGTH,
    BLOCK_SAMPLES,
    END,
    HEADER,
    HEAVY,
    READY,
    REQUEST,
    SOUND,
)

MAX_MEMORY_BYTES = 1 << 30  # of addresses; the libraries take 0.2 GB of them
MAX_CPU_S = 24 * 3600  # of all files together
CLIP_CPU_S, RECORDING_CPU_S = 30, 1800  # a recording of ten hours at 192 kHz takes about 300
N_FILES = 4  # standard input, output and error, and the file that is decoded


def main() -> None:
    for module in pkgutil.walk_packages(av.__path__, "av."):
        if not module.name.endswith("__main__"):
            import_module(module.name)  # it would do so when it meets a subtitle, and may not then
    parent = socket.socket(fileno=0)
    jail.limit(MAX_MEMORY_BYTES, MAX_CPU_S, N_FILES)
    signal.signal(signal.SIGXCPU, signal.SIG_DFL)
    jail.refuse_everything_else()
    _send(parent, READY, b"")
    while True:
        data, files, _, _ = socket.recv_fds(parent, REQUEST.size, 1)
        if len(data) < REQUEST.size:  # nobody asks any more
            return
        try:
            _answer(parent, files[0], *REQUEST.unpack(data))
        finally:
            os.close(files[0])


def _answer(parent: socket.socket, descriptor: int, max_s: float) -> None:
    used = resource.getrusage(resource.RUSAGE_SELF)
    is_recording = max_s == ANY_LENGTH
    allowed_s = RECORDING_CPU_S if is_recording else CLIP_CPU_S
    until_s = int(used.ru_utime + used.ru_stime) + allowed_s
    resource.setrlimit(resource.RLIMIT_CPU, (min(until_s, MAX_CPU_S), MAX_CPU_S))
    error: dict = {}
    try:
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            parts = formats.stream(file) if is_recording else [formats.decode(file, max_s)]
            for pcm in _in_blocks(parts):
                _send(parent, SOUND, pcm.tobytes())
    except formats.UnusableError as refusal:
        error = {"code": refusal.code, "params": refusal.params}
    except MemoryError:
        error = {"code": HEAVY, "params": {}}
    _send(parent, END, json.dumps(error).encode())


def _in_blocks(parts: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """int16, `BLOCK_SAMPLES` at a time, fewer in the last one."""
    waiting = np.zeros(0, np.int16)
    for part in parts:
        waiting = np.concatenate([waiting, to_pcm(part)])
        n_whole = len(waiting) // BLOCK_SAMPLES * BLOCK_SAMPLES
        for start in range(0, n_whole, BLOCK_SAMPLES):
            yield waiting[start : start + BLOCK_SAMPLES]
        waiting = waiting[n_whole:]
    if len(waiting):
        yield waiting


def _send(parent: socket.socket, kind: bytes, data: bytes) -> None:
    parent.sendall(HEADER.pack(kind, len(data)) + data)
