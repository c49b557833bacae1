"""The corner in which a long recording is aligned: when it appears, what it tells, the review."""

import numpy as np
import pytest

from whisper_tuner.alignment import review
from whisper_tuner.alignment.review import Row
from whisper_tuner.audio import write_flac
from whisper_tuner.runs.events import EventWriter, Progress, StateChanged
from whisper_tuner.runs.folder import Run
from whisper_tuner.ui import review_corner, review_view

ROWS = [
    Row(0.0, 5.0, "Prima frase.", 0.95, True),
    Row(5.0, 9.5, "Seconda, forse.", 0.3, False),
    Row(9.5, 9.5, "Non <detta>.", 0.0, False),
    Row(9.5, 12.0, "", 0.0, False),
    Row(12.0, 18.0, "Terza frase.", 0.5, False, is_looked_at=True),
]


def test_what_waits_for_a_decision_comes_first_the_least_sure_first():
    assert review_view.order(ROWS) == [2, 3, 1, 0, 4]
    cells = review_view.table(ROWS, "en")
    assert cells[2] == ["2", "0:00:05.0–0:00:09.5", "30%", "left out", "Seconda, forse."]
    assert [row[3] for row in cells] == ["not heard", "no words", "left out", "kept", "left out"]
    assert "Kept: 1 of the clips (0.1 minutes)" in review_view.summary(ROWS, "en")
    assert all(len(row) == len(review_view.columns("zh")) for row in cells)


def test_a_row_is_played_or_said_to_be_silent():
    html = review_view.player("20261123-000000-0123456789abcdef", 1, ROWS[1], "en")
    assert 'src="aligned/20261123-000000-0123456789abcdef/1"' in html and "30%" in html
    assert "<audio" not in review_view.player("x", 2, ROWS[2], "en")


@pytest.fixture
def aligned(tmp_path) -> Run:
    return Run.create(tmp_path / "runs")


def test_how_far_it_is_and_how_long_it_takes(aligned, monkeypatch):
    writer = EventWriter(aligned.events_path)
    for event in (StateChanged("queued"), StateChanged("aligning")):
        writer.append(event)
    monkeypatch.setattr(review_corner.jobs, "is_alive", lambda run: True)
    assert "Listening" in review_corner.told(aligned, "en")
    times = iter([100.0, 160.0])
    monkeypatch.setattr("time.time", lambda: next(times))
    writer.append(Progress("stage_aligning", 2, 12))
    writer.append(Progress("stage_aligning", 4, 12))
    writer.close()
    html = review_corner.told(aligned, "en")
    assert '<progress value="4" max="12">' in html
    assert "Heard 4 of 12 stretches · about 4 minutes to go" in html


def test_the_sound_of_a_row_is_its_stretch_of_the_recording(aligned):
    folder = aligned.dir / "alignment"
    folder.mkdir()
    samples = np.arange(32_000, dtype=np.float32) / 64_000
    write_flac(folder / "recording.flac", samples)
    data = review.sound(aligned, Row(0.5, 1.0, "x", 1.0, True))
    pcm = np.frombuffer(data[-16_000:], "<i2")
    assert data[:4] == b"RIFF" and len(pcm) == 8_000 and pcm[0] == round(32_768 / 8)
