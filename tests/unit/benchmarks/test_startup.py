"""A real start of the page and of a worker, and what each of them imports."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import startup
from tests.tiny import TINY_ID

TRACE = """
import time: self [us] | cumulative | imported package
import time:       100 |        100 |     torch._C
import time:     20000 |      20100 |   torch
some library's own words
import time:      3000 |      23100 | transformers
import time:       500 |        500 | torch.nn
"""


def test_the_page_by_its_command(tmp_path):
    path = tmp_path / "startup.json"
    command = [sys.executable, "benchmarks/startup.py", "--quick", "--parts", "page"]
    done = subprocess.run(
        [*command, "--json", path],
        cwd=startup.REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(startup.REPOSITORY)},
        capture_output=True,
        text=True,
        check=True,
    )
    figures = json.loads(path.read_text())
    assert figures["page_cpu_s"] > 0.3
    assert 0.3 < figures["page_ready_s"] < startup.PAGE_LIMIT_S
    assert 60 < figures["page_rss_mb"] < 400
    assert figures["forbidden_imports"] == {}
    assert "gradio" in figures["imports"]["page"]["packages"]
    assert "gradio" not in figures["imports"]["cli"]["packages"]
    for part in ("page", "cli"):
        assert not startup.HEAVY & set(figures["imports"][part]["packages"])
        assert len(figures["imports"][part]["heaviest"]) == startup.N_HEAVIEST
    assert "page_ready_s" in done.stdout


def test_a_workers_first_step(hub_cache, tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # more wait for each other on a busy machine
    timeline = startup.first_step(tmp_path, TINY_ID)
    assert list(timeline.values()) == sorted(timeline.values())
    assert 0 < timeline["queued"] < timeline["preparing"] < timeline["step"] < 300


def test_imports_of_a_trace():
    found = startup.imports(TRACE)
    assert (found["n_modules"], found["s"]) == (4, 0.024)
    assert found["packages"] == ["torch", "transformers"]
    assert list(found["heaviest"].items()) == [("transformers", [23, 3]), ("torch", [20, 20])]


@pytest.mark.parametrize(
    ("part", "package"), [("page", "torch"), ("cli", "transformers"), ("tryout", "gradio")]
)
def test_what_must_not_be_imported_is_told(part, package):
    imported = {part: {"packages": ["json", package]}, "train": {"packages": ["torch"]}}
    assert startup.forbidden(imported) == {part: [package]}


def test_cold_finds_no_bytecode(monkeypatch, tmp_path):
    (tmp_path / "module.py").write_text("x = 1\n")
    monkeypatch.setattr(startup.sysconfig, "get_path", lambda name: tmp_path)
    command = [sys.executable, "-c", "import sys; print(sys.pycache_prefix)"]
    with startup.cold():
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        prefix = Path(done.stdout.strip())
        assert prefix.is_dir() and not list(prefix.iterdir())
    assert startup.BYTECODE_VARIABLE not in os.environ and not prefix.exists()
