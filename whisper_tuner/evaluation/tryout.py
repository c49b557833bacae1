"""The try-out process: reads one JSON line a request, answers with base and tuned texts.

It ends when its input does, or after `IDLE_S` without a request, so that its memory is free again.
"""

import json
import os
import select
import sys
from pathlib import Path
from typing import TextIO

import numpy as np

from whisper_tuner.decoder import Decoder
from whisper_tuner.errors import TunerError
from whisper_tuner.evaluation.compare import Listener
from whisper_tuner.evaluation.stage import load_listener
from whisper_tuner.evaluation.transcribe import transcribe_arrays
from whisper_tuner.runs.folder import Run

IDLE_S = 300.0


def try_clip(listener: Listener, samples: np.ndarray) -> dict[str, str]:
    """Both texts of one recording: float32, shape = (n_samples,), 16 kHz, at most 30 s."""
    clips = [samples]
    tuned = transcribe_arrays(listener.model, listener.processor, clips, listener.precision)
    with listener.model.disable_adapter():
        base = transcribe_arrays(listener.model, listener.processor, clips, listener.precision)
    return {"base": base[0], "tuned": tuned[0]}


def serve(run: Run) -> None:
    """Answer requests `{"audio": path, "name": text}` on standard input until idle or closed."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # whatever a library prints goes to the log
    listener = None
    with Decoder() as decoder:
        while select.select([sys.stdin], [], [], IDLE_S)[0] and (line := sys.stdin.readline()):
            request = json.loads(line)
            try:
                samples = decoder.decode(Path(request["audio"]), request["name"])
                listener = listener or load_listener(run)
                answer = try_clip(listener, samples)
            except TunerError as error:
                answer = {"code": error.code, "params": error.params}
            _say(answers, answer)


def _say(answers: TextIO, answer: dict) -> None:
    answers.write(json.dumps(answer, ensure_ascii=False) + "\n")
    answers.flush()
