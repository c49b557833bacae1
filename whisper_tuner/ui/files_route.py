"""Addresses beside Gradio's: the sound of a clip, kept or in review; adapter, recordings as a ZIP;
and those of `sheets_route.py`.

All need the id of a run, which cannot be guessed, and give out nothing but what is named here.
Gradio's own file serving would copy every file into a cache that is open to all visitors.
"""

from collections.abc import Callable
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Route

from whisper_tuner import steps
from whisper_tuner.alignment import review
from whisper_tuner.data.clips import read_clips
from whisper_tuner.errors import TunerError
from whisper_tuner.runs.folder import Run
from whisper_tuner.ui import sheets_route
from whisper_tuner.ui.session import find_run, has_dataset

NOT_FOUND = 404


def clip(request: Request) -> Response:
    """The sound of a clip in the run's manifest; parts of it when asked for (Range)."""
    run = find_run(request.path_params["run_id"])
    if has_dataset(run):
        for known in read_clips(run.dataset_dir):
            path = run.dataset_dir / known.audio
            if known.id == request.path_params["clip_id"] and path.exists():
                return FileResponse(path, media_type="audio/flac")
    return PlainTextResponse("There is no such clip.", NOT_FOUND)


def aligned(request: Request) -> Response:
    """The sound of one row of an alignment's review."""
    run = find_run(request.path_params["run_id"])
    if run is not None and review.is_there(run):
        rows, number = review.read(run), request.path_params["row"]
        if number < len(rows) and rows[number].is_sound:
            return Response(review.sound(run, rows[number]), media_type="audio/wav")
    return PlainTextResponse("There is no such clip.", NOT_FOUND)


def adapter(request: Request) -> Response:
    """The finished adapter of a run, packed on demand."""
    return _packed(request, steps.download)


def recordings(request: Request) -> Response:
    """The checked recordings of a run with their table, packed on demand."""
    return _packed(request, lambda run: steps.export_dataset(run).path)


def _packed(request: Request, pack: Callable[[Run], Path]) -> Response:
    run = find_run(request.path_params["run_id"])
    if run is None:
        return PlainTextResponse("There is no such run.", NOT_FOUND)
    try:
        path = pack(run)
    except TunerError as error:
        return PlainTextResponse(error.sentence(), NOT_FOUND)
    return FileResponse(path, media_type="application/zip", filename=path.name)


ROUTES = [
    Route("/clip/{run_id}/{clip_id}", clip),
    Route("/aligned/{run_id}/{row:int}", aligned),
    Route("/adapter/{run_id}", adapter),
    Route("/recordings/{run_id}", recordings),
    *sheets_route.ROUTES,
]
