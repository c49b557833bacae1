"""How soon is the page there, how soon has a worker taken its first step, and what do they import?

    python benchmarks/startup.py --json FILE

- page ready: a fresh `python app.py` on a free port until `GET /` answers 200, asked every 20 ms;
  resident memory at that moment
- first step: from pressing Start (`steps.train`) until the `step` event of a training on a dozen
  short clips: interpreter, imports, model, step. What the base hears in the held-out clips is known
  from an earlier run. The base is a tiny one with random weights, or the embedded model with
  `--base openai/whisper-base`
- imports: the same page and command line, and a worker's stages on a real run, all of them under
  `-X importtime`. A package's cumulative time is that of its largest import with all that came with
  it; its own time is that of its own modules. Tracing makes every import a little slower

Warm: the page cache and the compiled bytecode are there. Cold: bytecode is looked for in an empty
folder (PYTHONPYCACHEPREFIX) and so compiled anew, and the kernel was asked to forget the installed
packages' files (posix_fadvise), which it does unless another process has them mapped. No root.
"""

import argparse
import json
import os
import re
import socket
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
import urllib.error
import urllib.request
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.tiny import TINY_ID, build_hub_cache
from whisper_tuner import steps
from whisper_tuner.config import TrainConfig
from whisper_tuner.runs import jobs
from whisper_tuner.runs.events import Note, Record, StateChanged, read_events
from whisper_tuner.runs.folder import Run
from whisper_tuner.runs.tryout import TryOut

REPOSITORY = Path(__file__).resolve().parents[1]
POLL_S = 0.02
PAGE_LIMIT_S = 300.0
N_STARTS = 3
N_HEAVIEST = 10
N_CLIPS = 12
BYTECODE_VARIABLE = "PYTHONPYCACHEPREFIX"
TRACE_VARIABLE = "PYTHONPROFILEIMPORTTIME"  # -X importtime
PARTS = ("page", "worker")
STAGES = ("train", "compare", "tryout")
HEAVY = {"torch", "transformers", "peft", "bitsandbytes", "accelerate"}
FORBIDDEN = {"page": HEAVY, "cli": HEAVY} | {stage: {"gradio"} for stage in STAGES}
IMPORT_LINE = re.compile(r"import time:\s+(\d+) \|\s+(\d+) \| +(\S+)$", re.MULTILINE)


@contextmanager
def variable(name: str, value: str) -> Iterator[None]:
    os.environ[name] = value
    try:
        yield
    finally:
        del os.environ[name]


@contextmanager
def cold() -> Iterator[None]:
    """What is started inside finds no bytecode and, as far as can be asked for, no file in RAM."""
    for path in Path(sysconfig.get_path("purelib")).rglob("*"):
        if path.suffix in (".py", ".pyc", ".so", ".json") and path.is_file():
            _forget(path)
    with tempfile.TemporaryDirectory() as empty, variable(BYTECODE_VARIABLE, empty):
        yield


def _forget(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(descriptor)


def start_page(log: Path) -> dict:
    """Start the page, wait for it, end it. Its seconds and memory when it first answered."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, str(REPOSITORY / "app.py")]
    environment = {**os.environ, "GRADIO_SERVER_PORT": str(port)}
    started = time.perf_counter()
    with (
        log.open("wb") as file,
        subprocess.Popen(command, env=environment, stdout=file, stderr=file) as page,
    ):
        try:
            while not _answers(f"http://127.0.0.1:{port}/"):
                if page.poll() is not None or time.perf_counter() - started > PAGE_LIMIT_S:
                    raise SystemExit(log.read_text(encoding="utf-8"))
                time.sleep(POLL_S)
            seconds = time.perf_counter() - started
            process = psutil.Process(page.pid)
            cpu_s = sum(process.cpu_times()[:2])
            return {"s": seconds, "cpu_s": cpu_s, "rss_mb": process.memory_info().rss / 1e6}
        finally:
            page.kill()


def _answers(url: str) -> bool:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=10) as answer:
            return answer.status == 200
    except urllib.error.URLError:
        return False


def new_run(folder: Path, base: str) -> tuple[Run, TrainConfig]:
    """A run on the example's shortest clips, and one training step of settings."""
    clips = sorted(steps.EXAMPLE_DIR.glob("clips/*.flac"), key=lambda path: path.stat().st_size)
    run = Run.create(folder / "runs")
    steps.prepare(run, [steps.EXAMPLE_DIR / "metadata.csv", *clips[:N_CLIPS]])
    settings = {"max_steps": 1, "batch_size": 4, "n_score_clips": 0, "stop_early": False}
    return run, TrainConfig(base, steps.EXAMPLE_LANGUAGE, "32bit", **settings)


def first_step(folder: Path, base: str) -> dict[str, float]:
    """Seconds from pressing Start to each event up to the first step, by the event's name."""
    run, config = new_run(folder, base)
    started = time.time()
    steps.train(run, config)
    finish(run)
    records = read_events(run.events_path)
    until = next(i for i, record in enumerate(records) if record.event.kind == "step")
    return {_name(r): round(r.time_s - started, 3) for r in records[: until + 1]}


def finish(run: Run) -> None:
    """Wait for the run's worker to end well."""
    while jobs.is_alive(run):
        time.sleep(POLL_S)
    if jobs.status(run).state != "done":
        log = run.log_path.read_text(encoding="utf-8")
        raise SystemExit(re.sub(r"import time:.*\n", "", log))


def _name(record: Record) -> str:
    event = record.event
    if isinstance(event, StateChanged):
        return event.state
    return event.code if isinstance(event, Note) else event.kind


def light_imports(log: Path) -> dict[str, dict]:
    """What the page imports until it answers, and what any command of the terminal does."""
    with variable(TRACE_VARIABLE, "1"):
        start_page(log)
        command = [sys.executable, "-m", "whisper_tuner", "--help"]
        cli = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    return {"page": imports(log.read_text(encoding="utf-8")), "cli": imports(cli.stderr)}


def stage_imports(folder: Path, base: str, stages: Sequence[str]) -> dict[str, dict]:
    """What a worker imports in its life, by stage, each with real work to do."""
    run, config = new_run(folder, base)
    work = {
        "train": lambda: steps.train(run, config),
        "compare": lambda: steps.compare(run),
        "tryout": lambda: try_one_clip(run),
    }
    found, n_read = {}, 0
    with variable(TRACE_VARIABLE, "1"):
        for stage in stages:
            work[stage]()
            finish(run)
            log = run.log_path.read_text(encoding="utf-8")
            found[stage] = imports(log[n_read:])
            n_read = len(log)
    return found


def try_one_clip(run: Run) -> None:
    tryout = TryOut()
    try:
        tryout.transcribe(run, next(run.dataset_dir.glob("clips/*.flac")))
    finally:
        tryout.close()


def imports(trace: str) -> dict:
    """The packages of one `-X importtime` trace; of the heaviest cumulative and own ms."""
    own_us: dict[str, int] = defaultdict(int)
    largest_us: dict[str, int] = defaultdict(int)
    found = IMPORT_LINE.findall(trace)
    for own, cumulative, module in found:
        package = module.split(".")[0]
        own_us[package] += int(own)
        largest_us[package] = max(largest_us[package], int(cumulative))
    heaviest = sorted(largest_us, key=largest_us.__getitem__, reverse=True)[:N_HEAVIEST]
    return {
        "n_modules": len(found),
        "s": round(sum(own_us.values()) / 1e6, 3),
        "packages": sorted(own_us),
        "heaviest": {name: [largest_us[name] // 1000, own_us[name] // 1000] for name in heaviest},
    }


def measure_page(folder: Path, n_starts: int, with_cold: bool) -> dict:
    """The traced start comes first: it leaves files in the page cache, and bytecode."""
    log = folder / "page.log"
    found = light_imports(log)
    pages = [start_page(log) for _ in range(n_starts)]
    figures = {
        "page_ready_s": round(statistics.median(page["s"] for page in pages), 3),
        "page_ready_all_s": [round(page["s"], 3) for page in pages],
        "page_cpu_s": round(statistics.median(page["cpu_s"] for page in pages), 3),
        "page_rss_mb": round(max(page["rss_mb"] for page in pages), 1),
    }
    if with_cold:
        with cold():
            figures["page_ready_cold_s"] = round(start_page(log)["s"], 3)
    return {**figures, "imports": found}


def measure_worker(
    folder: Path, base: str, stages: Sequence[str], n_starts: int, with_cold: bool
) -> dict:
    build_hub_cache(folder / "hf")
    found = stage_imports(folder, base, stages)
    timelines = [first_step(folder, base) for _ in range(n_starts)]
    figures = {
        "base": base,
        "first_step_s": round(statistics.median(timeline["step"] for timeline in timelines), 3),
        "first_step_all_s": [timeline["step"] for timeline in timelines],
        "first_step_timeline_s": timelines[0],
    }
    if with_cold:
        with cold():
            figures["first_step_cold_s"] = first_step(folder, base)["step"]
    return {**figures, "imports": found}


def forbidden(imported: dict[str, dict]) -> dict[str, list[str]]:
    """Packages that a part imported and must not, by part; empty when all is well."""
    wrong = {part: sorted(FORBIDDEN[part] & set(imported[part]["packages"])) for part in imported}
    return {part: packages for part, packages in wrong.items() if packages}


def print_tables(figures: dict) -> None:
    for key, value in figures.items():
        if isinstance(value, float):
            print(f"{key:18} {value:6.1f}")
    if timeline := figures.get("first_step_timeline_s"):
        print("first step: " + ", ".join(f"{name} {at_s:.2f}" for name, at_s in timeline.items()))
    for part, found in figures["imports"].items():
        print(f"\n{part}: {found['n_modules']} modules, {found['s']:.2f} s")
        for package, (cumulative_ms, own_ms) in found["heaviest"].items():
            print(f"  {cumulative_ms:6} ms, own {own_ms:6} ms  {package}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--base", default=TINY_ID, help="openai/whisper-base: the embedded model")
    parser.add_argument("--starts", type=int, default=N_STARTS)
    parser.add_argument("--quick", action="store_true", help="one start each, none cold, one stage")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    jobs.ENVIRONMENT = (*jobs.ENVIRONMENT, BYTECODE_VARIABLE, TRACE_VARIABLE)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    if options.quick:  # threads of a worker wait for each other on a busy machine
        os.environ["OMP_NUM_THREADS"] = "1"
    n_starts, stages = (1, STAGES[:1]) if options.quick else (options.starts, STAGES)
    with_cold = not options.quick
    figures: dict = {}
    with tempfile.TemporaryDirectory() as temp:
        folder = Path(temp)
        os.environ.update(HF_HOME=f"{temp}/hf", HF_HUB_OFFLINE="1", WHISPER_TUNER_RUNS=temp)
        if "page" in options.parts:
            figures |= measure_page(folder, n_starts, with_cold)
        if "worker" in options.parts:
            worker = measure_worker(folder, options.base, stages, n_starts, with_cold)
            worker["imports"] = figures.get("imports", {}) | worker["imports"]
            figures |= worker
    figures["forbidden_imports"] = forbidden(figures["imports"])
    print_tables(figures)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    if figures["forbidden_imports"]:
        raise SystemExit(f"forbidden imports: {figures['forbidden_imports']}")


if __name__ == "__main__":
    main()
