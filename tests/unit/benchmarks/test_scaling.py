"""Preparing and loading at two small sizes, whole, each in a process of its own."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import scaling
from tests.sounds import decode
from whisper_tuner.audio import MAX_CLIP_S

REPOSITORY = Path(scaling.__file__).parents[1]


@pytest.fixture(scope="module")
def result(tmp_path_factory) -> tuple[dict, str]:
    """The figures for 20 and 40 clips, and what was printed."""
    path = tmp_path_factory.mktemp("scaling") / "scaling.json"
    command = [sys.executable, "benchmarks/scaling.py", "--sizes", "40", "20", "--json", path]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    return json.loads(path.read_text()), done.stdout


def test_every_clip_is_prepared_and_loaded(result):
    figures, _ = result
    for row, n_clips in zip(figures["rows"], (20, 40), strict=True):
        assert row["clips"] == n_clips
        assert row["prepare"]["n_refused"] == 0
        assert row["prepare"]["audio_s"] == pytest.approx(4.32 * n_clips, rel=0.3)
        assert row["loader"]["n_clips"] == 0.8 * n_clips  # the rest is held out
        assert row["loader"]["audio_s"] < row["prepare"]["audio_s"]


def test_figures_are_plausible(result):
    figures, _ = result
    assert figures["real_time_factor"] > 5
    assert -0.2 < figures["rss_growth"] < 0.2
    for row in figures["rows"]:
        assert 40 < row["prepare"]["peak_rss_mb"] < 250  # no torch
        assert row["prepare"]["peak_rss_mb"] < row["loader"]["peak_rss_mb"] < 2_000
        for stage in ("prepare", "loader"):
            assert row[stage]["s"] > 0 and row[stage]["cpu_s"] > 0


def test_the_table_says_the_slopes(result):
    figures, printed = result
    for stage in ("prepare", "loader"):
        slope = 1000 * figures["slopes"][stage]["s_per_clip"]
        assert f"slope of {stage}: {slope:.2f} ms a clip" in printed


def test_clips_differ_and_come_back_the_same(tmp_path):
    for name in ("a", "b"):
        scaling.write_source(tmp_path / name, 4)
    written = sorted((tmp_path / "a/clips").iterdir())
    assert len({path.read_bytes() for path in written}) == 4
    for path in written:
        assert path.read_bytes() == (tmp_path / "b/clips" / path.name).read_bytes()
        assert scaling.CLIP_S[0] - 0.1 < len(decode(path)) / 16_000 < MAX_CLIP_S
    table = (tmp_path / "a/metadata.csv").read_text(encoding="utf-8").splitlines()
    assert len(table) == 5 and table[0] == "file_name,transcription"


def test_summary_counts_growth_from_a_thousand_clips_on():
    def row(clips: int, s: float, mb: float) -> dict:
        stage = {"s": s, "cpu_s": s / 2, "peak_rss_mb": mb, "audio_s": 4.0 * clips}
        return {"clips": clips, "prepare": stage, "loader": {**stage, "peak_rss_mb": 500.0}}

    figures = scaling.summary([row(100, 1, 50.0), row(1_000, 10, 100.0), row(10_000, 100, 115.0)])
    assert figures["real_time_factor"] == 400 and figures["real_time_factor_cpu"] == 800
    assert figures["rss_growth"] == 0.15
    assert figures["rss_growth_of"] == {"prepare": 0.15, "loader": 0.0}
    assert figures["slopes"]["prepare"]["s_per_clip"] == pytest.approx(0.01)
    assert figures["slopes"]["loader"]["mb_per_1000_clips"] == pytest.approx(0, abs=0.01)
