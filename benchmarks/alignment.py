"""How well is a long recording cut by its full text? Against cuts that are known.

    python benchmarks/alignment.py german FOLDER --language de --json FILE

FOLDER holds clips of one speaker and a metadata.csv (file_name, transcription). They are joined to
one recording (`long_recording.py`) and their transcripts to one text without line breaks; the
product's own worker aligns both. What counts as right is written in benchmarks/README.md.
"""

import argparse
import json
import os
import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.long_recording import Spoken, assemble
from whisper_tuner import steps
from whisper_tuner.alignment import review, task
from whisper_tuner.alignment.letters import Window
from whisper_tuner.evaluation.normalize import words
from whisper_tuner.runs import jobs
from whisper_tuner.runs.folder import Run

POLL_S = 0.5
WORD_S = 0.3  # less voice than that, beyond a cut, holds no word: breath, a click


def measure(folder: Path, language: str, base: str, n_clips: int, scratch: Path) -> dict:
    recording, text = scratch / "recording.flac", scratch / "text.txt"
    spoken = assemble(folder, recording, n_clips)
    text.write_text(" ".join(part.text for part in spoken), encoding="utf-8")
    run = Run.create(scratch / "runs")
    began_s = time.monotonic()
    steps.align(run, [(recording, text)], language, base)
    while jobs.is_alive(run):
        time.sleep(POLL_S)
    wall_s = time.monotonic() - began_s
    if not review.is_there(run):
        raise SystemExit("\n".join([str(jobs.status(run)), *jobs.log_tail(run)]))
    rows = review.read(run)
    clips = [row for row in rows if row.is_sound and row.text]
    is_right = [right(row, spoken, language) for row in clips]
    sure = [ok for ok, row in zip(is_right, clips, strict=True) if row.keep]
    errors = boundary_errors(clips, spoken)
    known = sorted(error for error in errors if error is not None)
    return {
        "recording": folder.name,
        "base": task.read(run).base,
        "minutes": round(spoken[-1].sound_end_s / 60, 2),
        "source_clips": len(spoken),
        "clips": len(clips),
        "right_words": round(sum(is_right) / max(1, len(clips)), 4),
        "kept_unasked": len(sure),
        "right_words_kept": round(sum(sure) / max(1, len(sure)), 4),
        "wrong_and_kept": len(sure) - sum(sure),
        "mean_clip_s": round(statistics.fmean(row.end_s - row.start_s for row in clips), 2),
        "longest_clip_s": round(max(row.end_s - row.start_s for row in clips), 2),
        "cuts": len(errors),
        "cuts_within_a_source_clip": len(errors) - len(known),
        "median_boundary_error_s": round(statistics.median(known), 3),
        "boundary_error_95_percent_s": round(known[int(0.95 * len(known))], 3),
        "share_of_text": round(
            sum(len(row.text) for row in clips) / len(text.read_text(encoding="utf-8")), 4
        ),
        "not_heard": sum(not row.is_sound for row in rows),
        "without_text": sum(not row.text for row in rows),
        "heard_letters": round(likeness(task.heard_windows(run), spoken, language), 3),
        "wall_s": round(wall_s, 1),
        "cpu_s": round(resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime, 1),
        "wrong": [_told(row) for row, ok in zip(clips, is_right, strict=True) if not ok],
    }


def right(row: review.Row, spoken: list[Spoken], language: str) -> bool:
    """Whether the words of a clip are those spoken between its cuts: those of the source clips
    whose voice lies between them. A cut through a voice is wrong: nobody knows its words.
    """
    inside: list[str] = []
    for part in spoken:
        kept_s = min(row.end_s, part.end_s) - max(row.start_s, part.start_s)
        if kept_s <= 0:
            continue
        if part.voice_s(row.start_s, row.end_s) > part.voice_s(0, part.end_s) - WORD_S:
            inside.append(part.text)
        elif part.voice_s(row.start_s, row.end_s) >= WORD_S:
            return False
    return words(row.text, language) == words(" ".join(inside), language)


def boundary_errors(clips: list[review.Row], spoken: list[Spoken]) -> list[float | None]:
    """Of every cut, how far a clip begins before (or behind) the first voice that it should have,
    or ends behind (or before) the last; None for a cut within a source clip, where none is known.
    """
    errors: list[float | None] = []
    for row in clips:
        for cut_s, edges in (
            (row.start_s, [part.start_s for part in spoken]),
            (row.end_s, [part.end_s for part in spoken]),
        ):
            is_within = any(
                min(part.voice_s(0, cut_s), part.voice_s(cut_s, part.end_s)) >= WORD_S
                for part in spoken
                if part.start_s < cut_s < part.end_s
            )
            errors.append(None if is_within else min(abs(cut_s - edge_s) for edge_s in edges))
    return errors


def likeness(heard: list[Window], spoken: list[Spoken], language: str) -> float:
    """Letters heard, for letters of the text."""
    n_heard = sum(len("".join(words(window.text, language))) for window in heard)
    return n_heard / max(1, sum(len("".join(words(part.text, language))) for part in spoken))


def _told(row: review.Row) -> dict:
    return {"time": row.time, "confidence": row.confidence, "text": row.text}


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--language", required=True)
    parser.add_argument("--base", default="openai/whisper-base")
    parser.add_argument("--clips", type=int, default=0, help="source clips (default: all)")
    parser.add_argument("--json", type=Path)
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> None:
    options = parse(arguments)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with tempfile.TemporaryDirectory() as scratch:
        result = measure(
            options.folder, options.language, options.base, options.clips, Path(scratch)
        )
    print("\n".join(f"{name:26} {value}" for name, value in result.items() if name != "wrong"))
    for row in result["wrong"]:
        print(f"  wrong: {row['time']} ({row['confidence']}) {row['text'][:90]}")
    if options.json:
        text = json.dumps(result, ensure_ascii=False, indent=1)
        options.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
