"""Addresses of a recording sheet: what is to be read, a take to keep or to hear, all as a ZIP.

A browser sends a take as soon as it is spoken, past Gradio's queue. All need the id of a sheet,
which cannot be guessed.
"""

import tempfile
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from whisper_tuner import steps
from whisper_tuner.config import TEMP_PREFIX
from whisper_tuner.data.takes import Take
from whisper_tuner.errors import AudioError, InputError, TunerError
from whisper_tuner.locales import sentences, text
from whisper_tuner.runs.folder import default_root
from whisper_tuner.runs.sheets import Sheet

MAX_TAKE_BYTES = 24 << 20  # 31 seconds at 384 kHz, 16 bit
NOT_FOUND, REFUSED, LEFT = 404, 422, 400
FRESH = {"Cache-Control": "no-store"}  # the next take of a sentence has the same address
WORDS = (
    *("again", "all", "asking", "back", "good", "keys", "level", "list", "mic_busy"),
    *("mic_denied", "mic_insecure", "mic_lost", "mic_none", "next", "open", "record", "retry"),
    *("saving", "speak_up", "stop", "too_loud", "unsaved"),
)


def sheet(request: Request) -> Response:
    """What the recorder shows (`recorder.js`)."""
    lang = request.query_params.get("lang", "")
    try:
        opened = _sheet(request)
        script, takes = opened.read_script(), steps.takes_of(opened)
        state = {
            "sentences": script.sentences,
            "language": script.language,
            "takes": {n: _told(take, lang) for n, take in takes.items()},
            "progress": progress(opened, lang, takes),
            "words": {word: text(f"recorder_{word}", lang) for word in WORDS},
        }
        return JSONResponse(state, headers=FRESH)
    except TunerError as error:
        return JSONResponse({"problem": error.sentence(lang)}, NOT_FOUND)


def progress(opened: Sheet, lang: str, takes: dict[int, Take] | None = None) -> str:
    """How many sentences are recorded, and how much sound that is."""
    takes = steps.takes_of(opened) if takes is None else takes
    minutes = sum(take.duration_s for take in takes.values()) / 60
    total = len(opened.read_script().sentences)
    return text("sheet_progress", lang, n=len(takes), total=total, minutes=minutes)


def _told(take: Take, lang: str) -> dict:
    told = text(f"take_{take.told}", lang, **take.params) if take.told else ""
    return {"told": told, "seconds": take.duration_s}


def _refusal(error: AudioError, lang: str) -> str:
    """Without a file's name, which nobody has given."""
    if f"take_{error.code}" in sentences(lang):
        return text(f"take_{error.code}", lang, **error.params)
    return error.sentence(lang)


async def keep_take(request: Request) -> Response:
    """Keep the sound in the request as the take of a sentence, and say what is heard in it."""
    lang = request.query_params.get("lang", "")
    try:
        opened, n = _sheet(request), request.path_params["n"]
        with tempfile.TemporaryDirectory(prefix=TEMP_PREFIX) as folder:
            path = Path(folder) / "take.wav"
            await _receive(request, path)
            answer = await run_in_threadpool(_keep, opened, n, path, lang)
        return JSONResponse(answer)
    except ClientDisconnect:
        return Response(status_code=LEFT)
    except AudioError as error:
        return JSONResponse({"problem": _refusal(error, lang)}, REFUSED)
    except TunerError as error:
        return JSONResponse({"problem": error.sentence(lang)}, REFUSED)


async def _receive(request: Request, path: Path) -> None:
    n_bytes = 0
    with path.open("wb") as file:
        async for chunk in request.stream():
            n_bytes += len(chunk)
            if n_bytes > MAX_TAKE_BYTES:
                raise InputError("take_too_large", limit_mb=MAX_TAKE_BYTES >> 20)
            file.write(chunk)


def _keep(opened: Sheet, n: int, path: Path, lang: str) -> dict:
    take = steps.record(opened, n, path)
    return {"take": _told(take, lang), "progress": progress(opened, lang)}


def take(request: Request) -> Response:
    """The sound of a take; parts of it when asked for (Range)."""
    try:
        opened, n = _sheet(request), request.path_params["n"]
        steps.sentence_of(opened, n)
    except TunerError as error:
        return PlainTextResponse(error.sentence(), NOT_FOUND)
    path = opened.take_path(n)
    if not path.is_file():
        return PlainTextResponse("There is no such take.", NOT_FOUND)
    return FileResponse(path, media_type="audio/flac", headers=FRESH)


def packed(request: Request) -> Response:
    """What was recorded with its table, packed on demand."""
    try:
        path = steps.export_sheet(_sheet(request)).path
    except TunerError as error:
        return PlainTextResponse(error.sentence(), NOT_FOUND)
    return FileResponse(path, media_type="application/zip", filename=path.name)


def _sheet(request: Request) -> Sheet:
    return Sheet.open(default_root(), request.path_params["sheet_id"])


ROUTES = [
    Route("/sheet/{sheet_id}", sheet),
    Route("/sheet/{sheet_id}/recordings", packed),
    Route("/take/{sheet_id}/{n:int}", take, methods=["GET"]),
    Route("/take/{sheet_id}/{n:int}", keep_take, methods=["POST"]),
]
