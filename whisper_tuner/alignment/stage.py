"""The worker stage `align`: hears long recordings window by window, and cuts each by its text.

What was heard is kept in the run folder at once: whoever goes on after a stop or a kill hears only
the rest. The recording is never in memory as a whole.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import soundfile
from transformers import WhisperForConditionalGeneration, WhisperProcessor

from whisper_tuner.alignment import review, task
from whisper_tuner.alignment.align import Piece, doubtful, matched
from whisper_tuner.alignment.align import align as align_heard
from whisper_tuner.alignment.hearing import follow, hear
from whisper_tuner.alignment.letters import Window
from whisper_tuner.alignment.pauses import HOP_S, is_speech, levels, pauses, windows
from whisper_tuner.audio import SAMPLE_RATE
from whisper_tuner.data.cutting import decode_whole
from whisper_tuner.decoder import Decoder
from whisper_tuner.errors import AudioError
from whisper_tuner.evaluation.transcribe import clips_at_once
from whisper_tuner.model.load import find_torch_device, load_base, load_processor
from whisper_tuner.runs.context import WorkerContext
from whisper_tuner.runs.events import Note
from whisper_tuner.runs.folder import Run

WINDOW_S = (15.0, 29.0)  # the shortest and the longest; the base hears 30 s
ON_CPU = 2  # windows at once: Stop is obeyed behind each batch
LEAST_SPEECH_S = 0.3  # in a window, to be heard at all: a base makes words up in silence


@dataclass(frozen=True)
class _Sound:
    """A recording to hear, number `i` of the task: 16 kHz mono, and when somebody speaks in it."""

    i: int
    path: Path
    duration_s: float
    speech: np.ndarray
    parts: list[tuple[float, float]]


@dataclass(frozen=True)
class _Listener:
    model: WhisperForConditionalGeneration
    processor: WhisperProcessor
    precision: str

    @property
    def n_at_once(self) -> int:
        is_cuda = self.model.get_encoder().conv1.weight.device.type == "cuda"
        return clips_at_once(self.model) if is_cuda else ON_CPU


def align(context: WorkerContext) -> None:
    run = context.run
    asked = task.read(run)
    context.enter("preparing")
    with context.patient():  # decoding hours of video, downloading the base
        sounds = list(_sounds(context, asked))
        model = load_base(asked.base, asked.language, asked.precision, find_torch_device())
        processor = load_processor(asked.base, asked.language)
    listener = _Listener(model, processor, asked.precision)
    n_known = sum(len(task.heard_windows(run, sound.i)) for sound in sounds)
    if n_known:
        context.emit(Note("note_windows_known", {"n": n_known}))
    context.enter("aligning")
    counter = _Counter(context, sum(len(sound.parts) for sound in sounds))
    pieces: dict[int, list[Piece]] = {}
    for sound in sounds:
        heard = _hear_all(context, sound, listener, counter)
        known = task.read_pieces(run, sound.i)
        if known is None:
            known = _cut(context, sound, heard, listener, asked)
            task.write_pieces(run, sound.i, known)
        pieces[sound.i] = known
    rows = review.begin(run, [pieces.get(i, []) for i in range(len(asked.items))])
    clips = [row for row in rows if row.is_sound and row.text]
    n_sure = sum(row.keep for row in clips)
    context.emit(Note("note_aligned", {"n": len(clips), "sure": n_sure}))
    context.enter("done")


class _Counter:
    """Tells how many stretches of all recordings were heard."""

    def __init__(self, context: WorkerContext, n_total: int) -> None:
        self.context, self.n_done, self.n_total = context, 0, n_total

    def add(self, n: int) -> None:
        """Raises Stopped when asked to stop."""
        self.n_done += n
        self.context.progress("stage_aligning", self.n_done, self.n_total)


def _sounds(context: WorkerContext, asked: task.Task) -> Iterator[_Sound]:
    """The recordings that can be read; what is wrong with another one is noted once.

    Raises AudioError when none can be read.
    """
    run, n_usable, last = context.run, 0, None
    for i, item in enumerate(asked.items):
        problem = task.read_problem(run, i)
        if problem is None:
            try:
                duration_s = decode(run, item.name, i)
            except AudioError as error:
                problem = error
                task.write_problem(run, i, error)
                context.emit(Note(error.code, error.params))
        if problem is None:
            n_usable += 1
            speech = is_speech(levels(task.sound_path(run, i)))
            parts = windows(pauses(speech), duration_s, *WINDOW_S)
            yield _Sound(i, task.sound_path(run, i), duration_s, speech, parts)
        last = problem or last
    if not n_usable:
        raise last


def _hear_all(
    context: WorkerContext, sound: _Sound, listener: _Listener, counter: _Counter
) -> list[Window]:
    """What is heard in a recording; what was heard before is not heard again."""
    heard = task.heard_windows(context.run, sound.i)
    counter.add(len(heard))
    while len(heard) < len(sound.parts):
        batch = sound.parts[len(heard) : len(heard) + listener.n_at_once]
        new = _hear(batch, sound, listener)
        task.add_heard(context.run, new, sound.i)
        heard += new
        counter.add(len(new))
    return heard


def _cut(
    context: WorkerContext,
    sound: _Sound,
    heard: list[Window],
    listener: _Listener,
    asked: task.Task,
) -> list[Piece]:
    found = matched(asked.items[sound.i].text, heard, sound.speech, asked.language)
    followed = []
    for part in doubtful(found):
        context.check_stop()
        window = part.window
        audio = _samples(sound.path, window.start_s, window.end_s)
        times = follow(listener.model, listener.processor, audio, window.text, listener.precision)
        followed.append(replace(part, window=replace(window, times=times)))
    return align_heard(found, sound.duration_s, followed)


def decode(run: Run, name: str, i: int = 0) -> float:
    """Let `task.sound_path` be there, whole; returns its seconds."""
    target = task.sound_path(run, i)
    if not target.exists():
        part = target.with_suffix(".part")
        with Decoder() as decoder:
            decode_whole(task.source_path(run, i), name, part, decoder)
        part.replace(target)
    task.source_path(run, i).unlink(missing_ok=True)
    return soundfile.info(target).duration


def _hear(batch: list[tuple[float, float]], sound: _Sound, listener: _Listener) -> list[Window]:
    audios, spoken = [], []
    for i, (start_s, end_s) in enumerate(batch):
        within = sound.speech[round(start_s / HOP_S) : round(end_s / HOP_S)]
        if within.sum() * HOP_S >= LEAST_SPEECH_S:
            audios.append(_samples(sound.path, start_s, end_s))
            spoken.append(i)
    told = hear(listener.model, listener.processor, audios, listener.precision) if audios else []
    heard = dict(zip(spoken, told, strict=True))
    return [
        Window(*times, heard[i].text, heard[i].times) if i in heard else Window(*times, "", [])
        for i, times in enumerate(batch)
    ]


def _samples(path: Path, start_s: float, end_s: float) -> np.ndarray:
    first, last = round(start_s * SAMPLE_RATE), round(end_s * SAMPLE_RATE)
    return soundfile.read(path, start=first, stop=last, dtype="float32")[0]
