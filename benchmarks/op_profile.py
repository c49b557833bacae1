"""Which operations a training's time goes to, in which dtypes: torch.profiler's trace added up.

The profiler's own tables leave the dtypes out; its trace has them. On CUDA a kernel's time goes to
the operation that launched it, which proves in what dtype a matrix product ran.
"""

import json
import tempfile
from collections import defaultdict
from pathlib import Path

import torch
from torch.profiler import ProfilerActivity, profile

N_ROWS = 40
DTYPES = {"c10::BFloat16": "bf16", "c10::Half": "fp16", "float": "fp32", "signed char": "int8"}


def start() -> profile:
    activities = [ProfilerActivity.CPU]
    if torch.cuda.is_available():
        activities.append(ProfilerActivity.CUDA)
    return profile(activities=activities, record_shapes=True)


def table(recorded: profile, n_steps: int) -> str:
    """Operations by time a step, most first: share, milliseconds, calls, name, dtypes, shapes."""
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch, "trace.json")
        recorded.export_chrome_trace(str(path))
        events = json.loads(path.read_text(encoding="utf-8"))["traceEvents"]
    events = [event for event in events if event.get("ph") == "X"]
    kernels = [e for e in events if e.get("cat") in ("kernel", "gpu_memcpy", "gpu_memset")]
    spent = _on_device(events, kernels) if kernels else _on_cpu(events)
    total_us = sum(us for us, _ in spent.values())
    where = "device" if kernels else "CPU (self)"
    lines = [f"{total_us / n_steps / 1e3:.1f} ms of {where} time a step, mean of {n_steps} steps"]
    for what, (us, n) in sorted(spent.items(), key=lambda item: -item[1][0])[:N_ROWS]:
        lines.append(
            f"{us / total_us:6.1%} {us / n_steps / 1e3:9.2f} ms {n / n_steps:6.1f} x  {what}"
        )
    return "\n".join(lines) + "\n"


def _on_device(events: list[dict], kernels: list[dict]) -> dict[str, tuple[float, int]]:
    """Kernel time by the innermost operation that launched it."""
    launched_by = {}
    for event in events:
        if event.get("cat") == "cpu_op":
            launched_by[event["args"].get("External id")] = _describe(event)
    spent = defaultdict(lambda: (0.0, 0))
    for kernel in kernels:
        owner = kernel.get("args", {}).get("External id")
        what = launched_by.get(owner, f"(kernel) {kernel['name'][:80]}")
        us, n = spent[what]
        spent[what] = us + kernel["dur"], n + 1
    return spent


def _on_cpu(events: list[dict]) -> dict[str, tuple[float, int]]:
    """Time of every operation less that of the operations inside it."""
    spent = defaultdict(lambda: (0.0, 0))
    operations = [event for event in events if event.get("cat") == "cpu_op"]
    operations.sort(key=lambda e: (e["tid"], e["ts"], -e["dur"]))
    outer: list[dict] = []
    for event in operations:
        while outer and (
            outer[-1]["tid"] != event["tid"] or outer[-1]["ts"] + outer[-1]["dur"] <= event["ts"]
        ):
            outer.pop()
        if outer:
            what = _describe(outer[-1])
            us, n = spent[what]
            spent[what] = us - event["dur"], n
        what = _describe(event)
        us, n = spent[what]
        spent[what] = us + event["dur"], n + 1
        outer.append(event)
    return spent


def _describe(event: dict) -> str:
    kinds = event["args"].get("Input type", [])
    shapes = event["args"].get("Input Dims", [])
    tensors = [
        f"{DTYPES.get(kind, kind)}{shape}"
        for kind, shape in zip(kinds, shapes, strict=False)
        if shape and kind != "TensorList"
    ]
    return f"{event['name']} {' '.join(tensors[:4])}"
