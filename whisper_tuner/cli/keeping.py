"""The commands that look after runs: how they stand, their private copies, their end."""

import argparse
import sys
from dataclasses import asdict

from whisper_tuner import steps
from whisper_tuner.cli.commands import open_run, require_token
from whisper_tuner.cli.telling import report_run, say, say_json
from whisper_tuner.errors import RunError
from whisper_tuner.locales import text
from whisper_tuner.narrate import copy_sentence
from whisper_tuner.publish.copier import Copier
from whisper_tuner.runs.folder import Run, default_root


def status(options: argparse.Namespace) -> int:
    if options.run:
        report_run(open_run(options.run), options.json)
        return 0
    folders = sorted(default_root().glob("*-*-*/"))
    if not folders and not options.json:
        say(text("cli_no_runs"))
    for run in map(Run, folders):
        try:
            report_run(run, options.json)
        except RunError as error:  # the others count too
            if options.json:
                say_json({"run": run.id, "problem": error.code})
            else:
                say(f"{run.id}  {error.sentence()}")
    return 0


def copy(options: argparse.Namespace) -> int:
    """Exit code 1 when the copy is not complete."""
    run = open_run(options.run)
    run.read_spec()  # it is copied from its start on
    copier = Copier(run, require_token())
    copier.wait()
    if options.json:
        say_json({"run": run.id, "copy": copier.told[0], **copier.told[1]})
    else:
        say(copy_sentence(copier))
    return int(copier.has_problem)


def delete(options: argparse.Namespace) -> int:
    """Asks first, on a terminal. Raises RunError when it was not confirmed."""
    run = open_run(options.run)
    is_sure = options.yes
    if not is_sure and sys.stdin.isatty():
        is_sure = input(text("cli_delete_ask", run=run.id) + " ").strip().lower() in ("y", "yes")
    if not is_sure:
        raise RunError("run_delete_not_sure")
    deleted = steps.delete(run)
    if options.json:
        say_json(asdict(deleted))
    else:
        say(text("delete_done", **asdict(deleted)))
    return 0
