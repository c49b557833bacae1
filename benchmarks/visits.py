"""What a visit costs the page's process: its memory over many visits that have ended.

    python benchmarks/visits.py --visits 50 --json FILE
    python benchmarks/visits.py --against ../older-checkout

A visitor is a browser without a window: it asks for the page, keeps Gradio's heartbeat open, sends
what the page's script sends when it is opened, prepares the bundled example and goes away. So the
page works as in Chromium, and the machine is not busy with fifty Chromiums. `--against` lets
another checkout's page have every second visit.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import psutil

from benchmarks.chaos_parts.page import PageProcess
from benchmarks.chaos_parts.visitor import Visitor
from benchmarks.turns import REPOSITORY
from whisper_tuner.runs.folder import ROOT_VARIABLE

WARM = 10  # visits until the page has loaded what it loads once
SETTLE_S = 3.0  # behind the last visit of a round
TIDY_S = 70.0  # longer than the page lets a minute's garbage lie (`ui/upkeep.py`)


class Subject:
    """One page with a runs folder of its own, and its memory in MB after some of its visits."""

    def __init__(self, repository: Path, scratch: Path) -> None:
        settings = {
            ROOT_VARIABLE: str(scratch / "runs"),
            "GRADIO_TEMP_DIR": str(scratch / "gradio"),
            "HF_HOME": str(scratch / "home"),
            "HF_HUB_OFFLINE": "1",
        }
        self.page = PageProcess(repository=repository, settings=settings)
        self.memory_mb = {0: self.rss_mb()}

    def rss_mb(self) -> float:
        return psutil.Process(self.page.pid).memory_info().rss / 2**20

    def visit(self) -> None:
        with Visitor(self.page.port) as visitor:
            visitor.open()
            visitor.press("page_example_button")


def measure(subjects: dict[str, Subject], n: int) -> dict:
    marks = sorted({1, 5, WARM, 20, n} & set(range(n + 1)))
    for i in range(1, n + 1):
        for subject in subjects.values():
            subject.visit()
        if i in marks:
            time.sleep(SETTLE_S)
            for subject in subjects.values():
                subject.memory_mb[i] = subject.rss_mb()
    time.sleep(TIDY_S)
    return {name: figures(subject, n) for name, subject in subjects.items()}


def figures(subject: Subject, n: int) -> dict:
    memory, tidied_mb = subject.memory_mb, subject.rss_mb()
    grown_mb = memory[n] - memory[min(WARM, n)]
    return {
        "visits": n,
        "mb_after": {str(i): round(mb, 1) for i, mb in memory.items()},
        "mb_a_visit": round(grown_mb / max(1, n - WARM), 2),
        "mb_a_minute_later": round(tidied_mb, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--visits", type=int, default=50)
    parser.add_argument("--quick", action="store_true", help="three visits")
    parser.add_argument("--against", type=Path, help="another checkout, visited in turns")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    checkouts = {"ours": REPOSITORY} | ({"other": options.against} if options.against else {})
    subjects: dict[str, Subject] = {}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        try:
            for name, repository in checkouts.items():
                subjects[name] = Subject(repository.resolve(), Path(scratch) / name)
            result = measure(subjects, 3 if options.quick else options.visits)
        finally:
            for subject in subjects.values():
                subject.page.kill()
    for name, value in result.items():
        print(name, json.dumps(value))
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + os.linesep)


if __name__ == "__main__":
    main()
