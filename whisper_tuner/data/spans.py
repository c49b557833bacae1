"""Rows that are parts of a longer recording: Kaldi's `segments`, NeMo's `offset` and `duration`."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from operator import attrgetter

from whisper_tuner.data.clips import Candidate
from whisper_tuner.data.cutting import Segment, cut, decoded
from whisper_tuner.data.entries import Entry
from whisper_tuner.data.pieces import clip_name
from whisper_tuner.data.tables import Row
from whisper_tuner.decoder import Decoder
from whisper_tuner.errors import AudioError, InputError


def of_spans(recording: Entry, rows: Sequence[Row]) -> Iterator[Candidate]:
    """A clip a row, each a new file that is there until the next is asked for; the recording is
    decoded once.
    """
    rows = sorted(rows, key=attrgetter("span"))
    segments = [
        Segment(
            clip_name(recording.name, *row.span),
            recording.name,
            *row.span,
            row.text,
            row.speaker,
            row.number,
        )
        for row in rows
    ]
    try:
        with Decoder() as decoder, decoded(recording.fetch(), recording.name, decoder) as sound:
            for row, candidate in zip(rows, cut(sound, segments), strict=True):
                yield replace(candidate, split=row.split)
    except (AudioError, InputError) as error:
        yield Candidate(recording.name, None, None, problem=error.code, params=error.params)
