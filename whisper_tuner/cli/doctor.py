"""The commands about a run's recordings: what the doctor found, the fixes, the ZIP."""

import argparse
from dataclasses import asdict

from whisper_tuner import steps
from whisper_tuner.cli.commands import open_run, require_token
from whisper_tuner.cli.telling import follow, say, say_findings, say_json, say_some
from whisper_tuner.config import TrainConfig
from whisper_tuner.data.clips import Report, read_clips, read_report
from whisper_tuner.data.summary import Summary, groups, summarise
from whisper_tuner.errors import InputError, RunError
from whisper_tuner.locales import text
from whisper_tuner.narrate import duration, finding_sentence, rough_duration
from whisper_tuner.runs import jobs
from whisper_tuner.runs.device import find_device
from whisper_tuner.runs.folder import Run

N_SHOWN = 10  # findings of a kind in the terminal; --json has all


def check(options: argparse.Namespace) -> int:
    run = open_run(options.run)
    if not steps.has_dataset(run):
        raise InputError("dataset_missing", run=run.id)
    if options.fix:
        steps.fix(run, options.fix)
    elif options.undo:
        steps.undo_fixes(run)
    elif options.listen:
        code = _listen(run, options)
        if code:
            return code
    report, clips = read_report(run.dataset_dir), read_clips(run.dataset_dir)
    summary = summarise(run.dataset_dir, clips)
    if options.json:
        kinds = [{"code": g.code, "n": len(g.findings), "fix": g.fix} for g in groups(report)]
        say_json({"run": run.id, "summary": asdict(summary), "kinds": kinds, **asdict(report)})
    else:
        _say(run, summary, report)
    return 0


def _listen(run: Run, options: argparse.Namespace) -> int:
    """Exit code 1 when it did not come to its end."""
    if not options.language:
        raise InputError("cli_listen_language")
    device = find_device()
    config = TrainConfig(
        base=options.base or device.default_base,
        language=options.language,
        precision=options.precision or device.default_precision,
    )
    if not options.json:
        time = rough_duration(steps.listening_s(run, config, device))
        say(text("listen_time", time=time))
    work = steps.listen(run, config)
    code = follow(work, options.json)
    if jobs.status(work).state == "stopped":
        raise RunError("listening_stopped")
    return code


def _say(run: Run, summary: Summary, report: Report) -> None:
    key = "cli_summary" if summary.has_words else "cli_summary_characters"
    counts = {**asdict(summary), "time": duration(summary.total_s)}
    say(text(key, **counts))
    say(text(summary.enough))
    say_findings(report, N_SHOWN, run)
    if report.changes:
        say("")
        say_some([finding_sentence(change) for change in report.changes], N_SHOWN)


def export_data(options: argparse.Namespace) -> int:
    run = open_run(options.run)
    if options.push:
        return _push(run, options)
    exported = steps.export_dataset(run, options.file)
    if options.json:
        say_json({"run": run.id, **asdict(exported), "path": str(exported.path)})
        return 0
    say(text("cli_exported", file=str(exported.path), n=exported.n_clips))
    if exported.n_left_out:
        say(text("export_left_out", n=exported.n_left_out))
    return 0


def _push(run: Run, options: argparse.Namespace) -> int:
    pushed = steps.push_dataset(run, require_token(), options.push)
    if options.json:
        say_json({"run": run.id, **asdict(pushed)})
        return 0
    say(text("push_data_done", n=pushed.n_clips, url=pushed.url))
    if pushed.n_left_out:
        say(text("export_left_out", n=pushed.n_left_out))
    return 0
