"""`align`: a long recording and its full text, and the table of clips for a person to review."""

import argparse
from pathlib import Path

from whisper_tuner import steps
from whisper_tuner.alignment import review, task
from whisper_tuner.cli.telling import follow, open_run, say, say_json
from whisper_tuner.errors import InputError, TunerError
from whisper_tuner.locales import text
from whisper_tuner.runs.delete import delete
from whisper_tuner.runs.events import read_events
from whisper_tuner.runs.folder import Run, default_root


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
    table = options.table or Path(f"{Path(task.read(run).recording).stem}.clips.csv")
    table.write_text(review.to_csv(run), encoding="utf-8", newline="")
    rows = review.read(run)
    n_doubtful = sum(row.is_sound and not row.keep for row in rows)
    if options.json:
        say_json({"run": run.id, "table": str(table), "rows": len(rows), "doubtful": n_doubtful})
    else:
        say(text("cli_aligned", run=run.id, table=table, n=len(rows), doubtful=n_doubtful))
    return code


def _begin(options: argparse.Namespace) -> Run:
    if not (options.recording and options.text and options.language):
        raise InputError("cli_align_what")
    run = Run.create(default_root())
    try:
        steps.align(
            run,
            options.recording,
            options.text,
            options.language,
            options.base or "",
            options.encoding,
        )
    except TunerError:
        delete(run)
        raise
    return run


def aligned_source(options: argparse.Namespace) -> steps.AlignedSource:
    """For `prepare --aligned`. Raises InputError as `review.from_csv` does."""
    run = open_run(options.aligned)
    if options.table:
        if not options.table.is_file():
            raise InputError("file_missing", file=str(options.table))
        data = options.table.read_bytes()
        review.from_csv(run, data, options.table.name, options.encoding)
    return steps.AlignedSource(run)
