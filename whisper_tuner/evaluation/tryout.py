"""The try-out process: reads one JSON line a request, answers with base and tuned texts.

It ends when its input does, or after `IDLE_S` without a request, so that its memory is free again.
"""

import json
import os
import select
import sys
from pathlib import Path
from typing import TextIO

from whisper_tuner.audio import decode
from whisper_tuner.errors import TunerError
from whisper_tuner.evaluation.compare import Listener
from whisper_tuner.evaluation.stage import load_listener
from whisper_tuner.evaluation.transcribe import transcribe_arrays
from whisper_tuner.runs.folder import Run

IDLE_S = 300.0


def try_clip(listener: Listener, audio: Path, name: str) -> dict[str, str]:
    """Both texts of one recording of at most 30 s. Raises AudioError when it cannot be read."""
    samples = [decode(audio, name)]
    tuned = transcribe_arrays(listener.model, listener.processor, samples, listener.precision)
    with listener.model.disable_adapter():
        base = transcribe_arrays(listener.model, listener.processor, samples, listener.precision)
    return {"base": base[0], "tuned": tuned[0]}


def serve(run: Run) -> None:
    """Answer requests `{"audio": path, "name": text}` on standard input until idle or closed."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # whatever a library prints goes to the log
    listener = None
    while select.select([sys.stdin], [], [], IDLE_S)[0] and (line := sys.stdin.readline()):
        request = json.loads(line)
        try:
            listener = listener or load_listener(run)
            answer = try_clip(listener, Path(request["audio"]), request["name"])
        except TunerError as error:
            answer = {"code": error.code, "params": error.params}
        _say(answers, answer)


def _say(answers: TextIO, answer: dict) -> None:
    answers.write(json.dumps(answer, ensure_ascii=False) + "\n")
    answers.flush()
