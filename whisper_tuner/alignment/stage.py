"""The worker stage `align`: hears a long recording window by window, then cuts it by its text.

What was heard is kept in the run folder at once: whoever goes on after a stop or a kill hears only
the rest. The recording is never in memory as a whole.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import soundfile
from transformers import WhisperForConditionalGeneration, WhisperProcessor

from whisper_tuner.alignment import review, task
from whisper_tuner.alignment.align import align as align_heard
from whisper_tuner.alignment.align import doubtful, matched
from whisper_tuner.alignment.hearing import follow, hear
from whisper_tuner.alignment.letters import Window
from whisper_tuner.alignment.pauses import HOP_S, is_speech, levels, pauses, windows
from whisper_tuner.audio import SAMPLE_RATE
from whisper_tuner.data.cutting import decode_whole
from whisper_tuner.decoder import Decoder
from whisper_tuner.evaluation.transcribe import clips_at_once
from whisper_tuner.model.load import find_torch_device, load_base, load_processor
from whisper_tuner.runs.context import WorkerContext
from whisper_tuner.runs.events import Note
from whisper_tuner.runs.folder import Run

WINDOW_S = (15.0, 29.0)  # the shortest and the longest; the base hears 30 s
ON_CPU = 2  # windows at once: Stop is obeyed behind each batch
LEAST_SPEECH_S = 0.3  # in a window, to be heard at all: a base makes words up in silence


def align(context: WorkerContext) -> None:
    run = context.run
    asked = task.read(run)
    context.enter("preparing")
    with context.patient():  # decoding hours of video, downloading the base
        duration_s = decode(run, asked.recording)
        speech = is_speech(levels(task.sound_path(run)))
        model = load_base(asked.base, asked.language, asked.precision, find_torch_device())
        processor = load_processor(asked.base, asked.language)
    parts = windows(pauses(speech), duration_s, *WINDOW_S)
    heard = task.heard_windows(run)
    if heard:
        context.emit(Note("note_windows_known", {"n": len(heard)}))
    context.enter("aligning")
    is_cuda = model.get_encoder().conv1.weight.device.type == "cuda"
    n_at_once = clips_at_once(model) if is_cuda else ON_CPU
    context.progress("stage_aligning", len(heard), len(parts))
    while len(heard) < len(parts):
        batch = parts[len(heard) : len(heard) + n_at_once]
        new = _hear(batch, task.sound_path(run), speech, model, processor, asked.precision)
        task.add_heard(run, new)
        heard += new
        context.progress("stage_aligning", len(heard), len(parts))
    found = matched(asked.text, heard, speech, asked.language)
    followed = []
    for part in doubtful(found):
        context.check_stop()
        window = part.window
        audio = _sound(task.sound_path(run), window.start_s, window.end_s)
        times = follow(model, processor, audio, window.text, asked.precision)
        followed.append(replace(part, window=replace(window, times=times)))
    pieces = align_heard(found, duration_s, followed)
    rows = review.begin(run, pieces)
    clips = [row for row in rows if row.is_sound and row.text]
    n_sure = sum(row.keep for row in clips)
    context.emit(Note("note_aligned", {"n": len(clips), "sure": n_sure}))
    context.enter("done")


def decode(run: Run, name: str) -> float:
    """Let `task.sound_path` be there, whole; returns its seconds."""
    target = task.sound_path(run)
    if not target.exists():
        part = target.with_suffix(".part")
        with Decoder() as decoder:
            decode_whole(task.source_path(run), name, part, decoder)
        part.replace(target)
    task.source_path(run).unlink(missing_ok=True)
    return soundfile.info(target).duration


def _hear(
    batch: list[tuple[float, float]],
    path: Path,
    speech: np.ndarray,
    model: WhisperForConditionalGeneration,
    processor: WhisperProcessor,
    precision: str,
) -> list[Window]:
    audios, spoken = [], []
    for i, (start_s, end_s) in enumerate(batch):
        if speech[round(start_s / HOP_S) : round(end_s / HOP_S)].sum() * HOP_S >= LEAST_SPEECH_S:
            audios.append(_sound(path, start_s, end_s))
            spoken.append(i)
    heard = dict(
        zip(spoken, hear(model, processor, audios, precision) if audios else [], strict=True)
    )
    return [
        Window(*times, heard[i].text, heard[i].times) if i in heard else Window(*times, "", [])
        for i, times in enumerate(batch)
    ]


def _sound(path: Path, start_s: float, end_s: float) -> np.ndarray:
    first, last = round(start_s * SAMPLE_RATE), round(end_s * SAMPLE_RATE)
    return soundfile.read(path, start=first, stop=last, dtype="float32")[0]
