"""The command that makes a run which goes on from a trained one."""

import argparse
import shutil
from dataclasses import asdict

from whisper_tuner import steps
from whisper_tuner.cli.commands import open_run, say_report
from whisper_tuner.cli.sources import names_source, reader
from whisper_tuner.cli.telling import say, say_json
from whisper_tuner.data.add import NOTHING_ADDED
from whisper_tuner.data.clips import read_report
from whisper_tuner.errors import TunerError
from whisper_tuner.locales import text


def further(options: argparse.Namespace) -> int:
    """Exit code 2 when recordings were given and none could be added; the run is there all the
    same. When they cannot be read at all, there is none.
    """
    old = open_run(options.run)
    read = reader(options) if names_source(options) else None
    run = steps.further(old)
    try:
        report = read(run) if read else read_report(run.dataset_dir)
    except TunerError:
        shutil.rmtree(run.dir)
        raise
    language = old.read_spec().config.language
    command = f"python -m whisper_tuner train {run.id} --language {language}"
    if options.json:
        names = {"run": run.id, "from": old.id, "train": command, "dataset": str(run.dataset_dir)}
        say_json(names | asdict(report))
    else:
        say_report(report)
        say(text("cli_further", run=run.id, origin=old.id, command=command))
    is_in_vain = any(finding.code == NOTHING_ADDED for finding in report.findings)
    return 2 if read and is_in_vain else 0
