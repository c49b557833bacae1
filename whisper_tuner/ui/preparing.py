"""Step 1: a run is made, or one is added to, while a bar shows how far the check is."""

import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import gradio as gr

from whisper_tuner.audio import AUDIO_SUFFIXES
from whisper_tuner.data.clips import Report
from whisper_tuner.errors import TunerError
from whisper_tuner.locales import text
from whisper_tuner.runs import quota
from whisper_tuner.runs.folder import Run, default_root
from whisper_tuner.ui import views
from whisper_tuner.ui.session import PRIVATE, owner_of

PROGRESS = gr.Progress()  # Gradio gives every call a tracker of its own in its place
# Preparing keeps a core busy: two at a time leave the page usable for everybody.
BUSY = {
    **PRIVATE,
    "concurrency_limit": 2,
    "concurrency_id": "prepare",
    "show_progress": "full",
}
Prepare = Callable[[Run, Callable[[int], None]], Report]


def prepare_run(
    lang: str,
    prepare: Prepare,
    progress: gr.Progress,
    n_total: int,
    language: str | None = None,
    into: Run | None = None,
    person: str = "",
) -> tuple:
    """Prepare a new run, or add to `into`; a source that cannot be read changes nothing."""

    def tell(n: int) -> None:
        progress(n / max(n, n_total, 1), desc=text("data_checking", lang, n=n))

    tell(0)

    run = into
    try:
        quota.require(default_root(), person.split(), is_new=into is None)
        run = into or new_run(person)
        prepare(run, tell)
    except TunerError as error:
        if run and not into:
            shutil.rmtree(run.dir)
        return views.paragraph(error.sentence(lang), "problem"), gr.skip(), gr.skip()
    if into:
        return "", run.id, gr.skip()
    return "", run.id, language or ""  # a language left over from before would be a silent mistake


def new_run(person: str) -> Run:
    """An empty run of this person."""
    run = Run.create(default_root())
    quota.claim(run, owner_of(person))
    return run


def n_recordings(paths: list[Path]) -> int:
    """About how many recordings an upload holds, to show how far the check is."""
    names: list[str] = []
    for path in paths:
        if path.is_dir():
            names += [file.name for file in path.rglob("*")]
        elif zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                names += archive.namelist()
        else:
            names.append(path.name)
    return sum(Path(name).suffix.lower() in AUDIO_SUFFIXES for name in names)
