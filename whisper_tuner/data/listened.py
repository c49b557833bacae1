"""What the base model heard to be wrong, in the report beside what the doctor found by itself."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from whisper_tuner.data.clips import Finding, read_clips, read_report, write_report
from whisper_tuner.data.doctor import HEARD
from whisper_tuner.data.prepare import before_dir

ABOUT = frozenset({"listened", "listened_in_vain", "listened_too_few"})  # the dataset as a whole


def put_findings(dataset_dir: Path, findings: Sequence[Finding]) -> None:
    """Put them in the place of those of an earlier listening; also where `fixes.undo` goes back to.

    Each report is replaced in one step.
    """
    for folder in (dataset_dir, before_dir(dataset_dir)):
        if not folder.exists():
            continue
        report, names = read_report(folder), {clip.name for clip in read_clips(folder)}
        before = [f for f in report.findings if f.code not in HEARD and f.code not in ABOUT]
        new = [f for f in findings if not f.clip or f.clip in names]
        write_report(folder, replace(report, findings=[*before, *new]))
