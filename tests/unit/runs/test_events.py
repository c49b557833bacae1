"""The event log: numbered, typed, flushed, and safe to read at any moment."""

import json

import pytest

from whisper_tuner.runs.events import (
    KINDS,
    EventWriter,
    Failed,
    Note,
    Progress,
    Record,
    Resumed,
    Score,
    StateChanged,
    Step,
    read_events,
    without_lost_steps,
)

EVENTS = [
    StateChanged("queued"),
    Note("note_saved", {"n": 1}),
    Progress("stage_base_transcripts", 8, 40),
    Step(1, 75, 0.067, 1.5, 0.3, 1e-3, 2.0, 148.0),
    Score(15, 0.1, 0.05, 16),
    Resumed(0),
    Failed("disk_full"),
]


def test_every_kind_is_read_as_it_was_written(tmp_path):
    writer = EventWriter(tmp_path / "events.jsonl")
    assert [writer.append(event) for event in EVENTS] == [1, 2, 3, 4, 5, 6, 7]
    records = read_events(tmp_path / "events.jsonl")  # not closed: each line was flushed
    assert [record.event for record in records] == EVENTS
    assert [record.seq for record in records] == [1, 2, 3, 4, 5, 6, 7]
    assert {type(event) for event in EVENTS} == set(KINDS.values())
    writer.close()


def test_only_what_is_new(tmp_path):
    writer = EventWriter(tmp_path / "events.jsonl")
    for event in EVENTS:
        writer.append(event)
    writer.close()
    assert [record.seq for record in read_events(tmp_path / "events.jsonl", after=4)] == [5, 6, 7]


def test_torn_last_line_is_not_read_and_not_kept(tmp_path):
    path = tmp_path / "events.jsonl"
    writer = EventWriter(path)
    writer.append(EVENTS[0])
    writer.close()
    with path.open("ab") as file:
        file.write(b'{"seq": 2, "time_s": 1.0, "kind": "sta')
    assert [record.seq for record in read_events(path)] == [1]
    writer = EventWriter(path)
    assert writer.append(EVENTS[1]) == 2
    writer.close()
    assert [json.loads(line)["seq"] for line in path.read_text().splitlines()] == [1, 2]


@pytest.mark.parametrize(
    "bad",
    [
        b"\0" * 300 + b"\n",
        b"\n",
        b"[]\n",
        b"7\n",
        b"\xff\n",
        b'{"seq": 3, "time_s": 1.0, "kind": "of_a_later_version"}\n',
        b'{"seq": 3, "time_s": 1.0, "kind": "note", "of_a_later_version": 1}\n',
        b'{"seq": null, "time_s": 1.0, "kind": "note", "code": "note_saved"}\n',
        b'{"time_s": 1.0, "kind": "note", "code": "note_saved"}\n',
    ],
)
def test_reading_ends_at_the_first_bad_line_and_writing_goes_on_there(tmp_path, bad):
    path = tmp_path / "events.jsonl"
    writer = EventWriter(path)
    for event in EVENTS[:2]:
        writer.append(event)
    writer.close()
    behind = bad + b'{"seq": 4, "time_s": 1.0, "kind": "state", "state": "done"}\n{"torn'
    with path.open("ab") as file:
        file.write(behind)
    assert [record.event for record in read_events(path)] == EVENTS[:2]
    writer = EventWriter(path)
    assert writer.append(EVENTS[3]) == 3
    writer.close()
    assert [record.event for record in read_events(path)] == [*EVENTS[:2], EVENTS[3]]
    assert (tmp_path / "events.unreadable").read_bytes() == behind


def test_every_cut_of_the_file_is_readable(tmp_path):
    path = tmp_path / "events.jsonl"
    writer = EventWriter(path)
    for event in EVENTS:
        writer.append(event)
    writer.close()
    data = path.read_bytes()
    for length in range(len(data) + 1):
        path.write_bytes(data[:length])
        assert len(read_events(path)) == data[:length].count(b"\n")


def test_no_file_is_no_events(tmp_path):
    assert read_events(tmp_path / "events.jsonl") == []


def test_steps_computed_again_count_once():
    def step(n: int, loss: float) -> Step:
        return Step(n, 4, 0.0, loss, 0.0, 0.0, 0.0, 0.0)

    events = [step(1, 9), step(2, 8), Score(2, 0.5, 0.2, 4), step(3, 7), Resumed(1), step(2, 8.5)]
    records = [Record(i, 0.0, event) for i, event in enumerate(events, 1)]
    kept = [record.event for record in without_lost_steps(records)]
    assert kept == [events[0], events[4], events[5]]
