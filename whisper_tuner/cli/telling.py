"""What the terminal shows of a run: its events as they come, and how it stands."""

import json
import sys
import time
from dataclasses import asdict
from pathlib import Path

from whisper_tuner.data.clips import Report
from whisper_tuner.data.fixes import CUT
from whisper_tuner.data.summary import groups, is_about_clip
from whisper_tuner.locales import text
from whisper_tuner.narrate import event_sentence, finding_sentence, kind_sentence, status_sentence
from whisper_tuner.runs import jobs
from whisper_tuner.runs.caretaker import look_after
from whisper_tuner.runs.events import Record, read_events
from whisper_tuner.runs.folder import Run, default_root


def open_run(name: str) -> Run:
    """A run by its id, or by the path of its folder."""
    path = Path(name)
    if path.is_dir():
        return Run.open(path.resolve().parent, path.resolve().name)
    return Run.open(default_root(), name)


def say(sentence: str) -> None:
    print(sentence, flush=True)


def say_json(data: dict) -> None:
    print(json.dumps(data, ensure_ascii=False), flush=True)


def say_findings(report: Report, n_shown: int, run: Run | None = None) -> None:
    """What was found, worst first, the first few of each kind; with the commands that fix the
    recordings of `run`, as long as its training was not started.
    """
    others = (finding for finding in report.findings if not is_about_clip(finding))
    say_some([finding_sentence(finding) for finding in others], 0)
    for group in groups(report):
        say(f"{kind_sentence(group)}  [{group.code}]")
        say_some([f"  {finding_sentence(finding)}" for finding in group.findings], n_shown)
        if run and group.fix and not run.spec_path.exists():
            what = text(f"fix_{group.fix}", n=len(group.findings))
            command = f"check {run.id} --fix {group.code}"
            if group.fix == CUT:
                command = f"align --long {run.id} --language CODE"
            say(f"  → {what}: python -m whisper_tuner {command}")


def say_some(sentences: list[str], n_shown: int) -> None:
    """The first of them, and how many more there are; all when `n_shown` is 0."""
    shown = sentences[: n_shown or None]
    for sentence in shown:
        say(sentence)
    if len(sentences) > len(shown):
        say(f"  {text('findings_more', n=len(sentences) - len(shown))}")


def follow(run: Run, as_json: bool, seen: int = 0) -> int:
    """Print a run's events behind the first `seen` until its worker ends. Ctrl+C asks it to stop,
    and waits for it.
    """
    while True:
        try:
            alive = jobs.is_alive(run)
            for record in read_events(run.events_path, after=seen):
                seen = record.seq
                say_record(record, as_json)
            look_after(run)
            if not alive and not jobs.is_alive(run):
                break
            time.sleep(0.5)
        except KeyboardInterrupt:
            say(text("state_stopping"))
            jobs.stop(run)
    status = jobs.status(run)
    if status.state not in ("done", "stopped"):
        print(status_sentence(status), file=sys.stderr)
        return 1
    return 0


def say_record(record: Record, as_json: bool) -> None:
    if as_json:
        event = record.event
        say_json({"seq": record.seq, "time_s": record.time_s, "kind": event.kind, **asdict(event)})
    else:
        say(
            f"{time.strftime('%H:%M:%S', time.localtime(record.time_s))}  "
            f"{event_sentence(record.event)}"
        )


def report_run(run: Run, as_json: bool) -> None:
    """Raises RunError when the run cannot be read."""
    if run.spec_path.exists():
        run.read_spec()
    status = jobs.status(run)
    if not as_json:
        say(f"{run.id}  {status_sentence(status)}")
        return
    records = read_events(run.events_path)
    last = [asdict(r.event) for r in records if r.event.kind == "step"][-1:]
    say_json({"run": run.id, **asdict(status), "step": last[0] if last else None})
