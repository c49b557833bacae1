"""The command that makes a run which goes on from a trained one."""

import argparse
import shutil
from dataclasses import asdict
from pathlib import Path

from whisper_tuner import steps
from whisper_tuner.cli.commands import is_archive, open_run, say_report
from whisper_tuner.cli.telling import say, say_json
from whisper_tuner.data.add import NOTHING_ADDED
from whisper_tuner.data.clips import Report, read_report
from whisper_tuner.errors import TunerError
from whisper_tuner.locales import text
from whisper_tuner.runs.folder import Run


def further(options: argparse.Namespace) -> int:
    """Exit code 2 when recordings were given and none could be added; the run is there all the
    same. When they cannot be read at all, there is none.
    """
    old, paths = open_run(options.run), options.source
    in_archive = is_archive(paths)
    run = steps.further(old)
    try:
        report = _add(run, paths, in_archive, options) if paths else read_report(run.dataset_dir)
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
    return 2 if paths and is_in_vain else 0


def _add(run: Run, paths: list[Path], in_archive: bool, options: argparse.Namespace) -> Report:
    if not in_archive:
        return steps.add(run, paths, options.seed, tier=options.tier)
    return steps.add_common_voice(run, paths[0], options.clips, options.test_clips, options.seed)
