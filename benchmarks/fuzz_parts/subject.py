"""A process of its own that is given hostile files, as the page's would be, and reports each.

    python -m benchmarks.fuzz_parts.subject {archives | sounds | bombs} SEED FIRST LAST JAIL

HOME, TMPDIR and the runs' folder lie in JAIL. A line of JSON for each file goes to standard output:
what came of it, and every path outside of the run's and the temporary folder that Python code asked
to write to (an audit hook, PEP 578).
"""

import json
import os
import resource
import shutil
import sys
import time
import traceback
from contextlib import nullcontext
from functools import cache
from pathlib import Path
from random import Random

import numpy as np

from benchmarks.fuzz_parts import bombs, sound_mutants, zip_mutants
from whisper_tuner import steps
from whisper_tuner.audio import MAX_CLIP_S, SAMPLE_RATE
from whisper_tuner.data import prepare as preparing
from whisper_tuner.decoder import ChildEndedError, Decoder, Decoders
from whisper_tuner.errors import AudioError, TunerError
from whisper_tuner.narrate import finding_sentence
from whisper_tuner.runs.folder import Run
from whisper_tuner.steps import recordings

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
CHANGES = {  # audit event → which of its arguments are paths that are changed
    **{f"os.{name}": (0,) for name in ("mkdir", "remove", "rmdir", "truncate", "chmod", "utime")},
    **{f"os.{name}": (0, 1) for name in ("rename", "link", "symlink")},
}
RELATIVE = ("os.remove", "os.rmdir", "os.mkdir")  # with the descriptor of a folder at the end


class Watch:
    """The paths that Python code wanted to change, but for those below the folders allowed."""

    def __init__(self, *allowed: Path) -> None:
        self._allowed = tuple(f"{folder.resolve()}{os.sep}" for folder in allowed)
        self.outside: list[str] = []
        sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: tuple) -> None:
        if event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITING:
            self._see(arguments[0])
        if event in RELATIVE and arguments[-1] >= 0:
            return  # in a folder that is being removed, and that was seen itself
        for i in CHANGES.get(event, ()):
            self._see(arguments[i])

    def _see(self, path: object) -> None:
        if isinstance(path, int):  # a file that was opened before
            return
        shown = os.path.realpath(os.fsdecode(path))
        if shown != os.devnull and not f"{shown}{os.sep}".startswith(self._allowed):
            self.outside.append(shown)


def of_archive(path: Path, jail: Path) -> dict:
    """What the page does with an upload, and what it would say."""
    run = Run.create(jail / "runs")
    try:
        report = steps.prepare(run, [path])
        said = [finding_sentence(f, lang) for f in report.findings for lang in ("en", "zh")]
        result = {"outcome": "read" if report.n_clips else "nothing", "n_said": len(said)}
    except TunerError as error:
        result = {"outcome": error.code, "n_said": len(error.sentence() + error.sentence("zh"))}
    except Exception:
        result = {"outcome": "traceback", "traceback": traceback.format_exc()}
    shutil.rmtree(run.dir)
    return result


def of_sound(path: Path, name: str, decoder: Decoder) -> dict:
    try:
        samples = decoder.decode(path, name)
        is_sound = np.isfinite(samples).all() and 0 < len(samples) <= MAX_CLIP_S * SAMPLE_RATE
        return {"outcome": "read" if is_sound else "not a sound"}
    except AudioError as error:
        cause = error.__cause__
        ended = cause.code if isinstance(cause, ChildEndedError) else None
        said = len(error.sentence() + error.sentence("zh"))
        return {"outcome": error.code, "n_said": said, "ended": ended}
    except Exception:
        return {"outcome": "traceback", "traceback": traceback.format_exc()}


def feed(kind: str, seed: int, first: int, last: int, jail: Path) -> None:
    outside = jail / "outside"
    with Decoders() as decoders, Decoder() as decoder:
        if kind == "archives":  # what is made anew for every upload, and takes longer than it
            preparing.Decoders = lambda: nullcontext(decoders)
            recordings.token_counter = cache(recordings.token_counter)
        watch = Watch(jail / "runs", jail / "tmp", jail / "home", jail / "uploads")
        for i in range(first, last):
            rng = Random(f"{seed} {kind} {i}")
            if kind == "bombs":
                name = list(bombs.BOMBS)[i]
                path = jail / "uploads" / f"{name}.zip"
            else:
                mutant = zip_mutants.mutant(rng, str(outside)) if kind == "archives" else None
                name, data = mutant or sound_mutants.mutant(rng)
                path = jail / "uploads" / name
                path.write_bytes(data)
            began_s = time.perf_counter()
            is_sound = kind == "sounds"
            result = of_sound(path, name, decoder) if is_sound else of_archive(path, jail)
            result |= {"i": i, "name": name, "s": round(time.perf_counter() - began_s, 4)}
            result["outside"], watch.outside = watch.outside, []
            path.unlink()
            result["left"] = [p.name for p in (jail / "tmp").iterdir()]
            result["rss_mb"] = _own_peak_mb()
            print(json.dumps(result), flush=True)


def _own_peak_mb() -> float:
    """Of this process since it began: `getrusage` counts what it was forked from, too."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    peak_kib = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
    return round(peak_kib * 1024 / 1e6, 1)


def _peak_mb(who: int) -> float:
    return round(resource.getrusage(who).ru_maxrss * 1024 / 1e6, 1)


def main() -> None:
    kind, seed, first, last, jail = sys.argv[1:]
    feed(kind, int(seed), int(first), int(last), Path(jail))
    print(json.dumps({"children_rss_mb": _peak_mb(resource.RUSAGE_CHILDREN)}), flush=True)


if __name__ == "__main__":
    main()
