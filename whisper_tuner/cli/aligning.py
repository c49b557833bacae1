"""`align`: long recordings and their full texts, and the table of clips for a person to review."""

import argparse
import os
import sys
from pathlib import Path

from whisper_tuner import steps
from whisper_tuner.alignment import review, task
from whisper_tuner.cli.telling import follow, open_run, say, say_json
from whisper_tuner.data.clips import Report
from whisper_tuner.data.full_texts import Pair, find_pairs
from whisper_tuner.errors import InputError, TunerError
from whisper_tuner.locales import text
from whisper_tuner.runs.delete import delete
from whisper_tuner.runs.events import read_events
from whisper_tuner.runs.folder import Run, default_root

N_NAMED = 3


def align(options: argparse.Namespace) -> int:
    """Exit code 1 when it was stopped or failed: `--resume` goes on."""
    if options.resume:
        run = open_run(options.resume)
        seen = max((record.seq for record in read_events(run.events_path)), default=0)
        if not review.is_there(run):
            steps.resume_alignment(run)
        task.read(run)
    else:
        run, seen = _begin(options), 0
    code = follow(run, options.json, seen)
    if not review.is_there(run):
        say(text("cli_align_resume", run=run.id))
        return code or 1
    table = options.table or Path(f"{Path(task.read(run).items[0].name).stem}.clips.csv")
    table.write_text(review.to_csv(run), encoding="utf-8", newline="")
    rows = review.read(run)
    n_doubtful = sum(row.is_sound and not row.keep for row in rows)
    if options.json:
        say_json({"run": run.id, "table": str(table), "rows": len(rows), "doubtful": n_doubtful})
    else:
        say(text("cli_aligned", run=run.id, table=table, n=len(rows), doubtful=n_doubtful))
    return code


def _begin(options: argparse.Namespace) -> Run:
    if not options.language or bool(options.files) == bool(options.long):
        raise InputError("cli_align_what")
    base, run = options.base or "", Run.create(default_root())
    try:
        if options.long:
            steps.align_long(run, open_run(options.long), options.language, base)
        else:
            pairs = _pairs(options.files)
            steps.align(run, pairs, options.language, base, options.encoding)
    except TunerError:
        delete(run)
        raise
    return run


def _pairs(paths: list[Path]) -> list[Pair]:
    """A recording and its text, or all long recordings among more files, or in a folder, that have
    a text of the same name; what is left is said.
    """
    if len(paths) == 2 and not any(path.is_dir() for path in paths):
        return [(paths[0], paths[1])]
    for path in paths:
        if not path.exists():
            raise InputError("file_missing", file=str(path))
    found = find_pairs([file for path in paths for file in _files(path)])
    if not found.pairs:
        raise InputError("align_no_pairs")
    for key, left in (("cli_align_short", found.short), ("cli_align_alone", found.alone)):
        if left:
            names = ", ".join(path.name for path in left[:N_NAMED])
            names += "…" if len(left) > N_NAMED else ""
            print(text(key, n=len(left), names=names), file=sys.stderr)
    return found.pairs


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    return sorted(Path(root, name) for root, _, names in os.walk(path) for name in names)


def aligned_run(options: argparse.Namespace) -> Run:
    """For `--aligned`, with what was decided in the `--table`. Raises InputError as
    `review.from_csv` does.
    """
    run = open_run(options.aligned)
    if options.table:
        if not options.table.is_file():
            raise InputError("file_missing", file=str(options.table))
        data = options.table.read_bytes()
        review.from_csv(run, data, options.table.name, options.encoding)
    return run


def use_cuts(options: argparse.Namespace) -> tuple[Run, Report] | None:
    """Where the clips of `--aligned` belong to recordings of a prepared run: that run, and its
    report with them. None where they are to be a run of their own.
    """
    if not options.aligned or steps.dataset_of(open_run(options.aligned)) is None:
        return None
    aligned = aligned_run(options)
    return steps.dataset_of(aligned), steps.use_cuts(aligned, options.seed)
