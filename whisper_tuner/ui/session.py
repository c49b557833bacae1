"""What the four steps share: the page's own components, and the run that a browser looks at."""

import hmac
import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import gradio as gr
from gradio.components import Component
from gradio.events import Dependency

from whisper_tuner import steps
from whisper_tuner.errors import RunError
from whisper_tuner.runs import jobs
from whisper_tuner.runs.device import Device
from whisper_tuner.runs.folder import Run, default_root
from whisper_tuner.runs.tryout import TryOut

Updates = dict[Component | gr.Tabs | gr.Column | gr.Timer, object]
Redraw = Callable[[Dependency], Dependency]  # draws all steps when an event has ended

# BrowserState encrypts with this; a random one would forget every run when the page restarts.
STORAGE_SECRET = "whisper-tuner"
SECRET_NAME = "owner.secret"

# How an event is wired: one that only reads; one that acts; one that says itself what it does.
QUIET = {"show_progress": "hidden", "api_visibility": "private", "concurrency_limit": None}
PRIVATE = {"show_progress": "minimal", "api_visibility": "private"}
SPEAKING = {"show_progress": "hidden", "api_visibility": "private"}


@dataclass
class Page:
    """Made once for all visitors; who looks at which run is in `run_id`, in their browser.

    `person`: whose trainings are whose: the id of this browser and, while somebody is signed in,
    that of the account. Secrets, for they open them.
    """

    device: Device
    tryout: TryOut
    lang: gr.Radio
    run_id: gr.BrowserState
    person: gr.BrowserState
    spoken: gr.BrowserState  # language of the recordings, until a training keeps it in its run
    sheet_id: gr.BrowserState  # of sentences to read aloud
    steps: gr.Tabs
    timer: gr.Timer


def browser_state(name: str) -> gr.BrowserState:
    return gr.BrowserState("", storage_key=f"whisper-tuner-{name}", secret=STORAGE_SECRET)


def person_of(known: str, account: str | None) -> str:
    """This browser's id, that of `known` or a new one, and the account's behind it.

    The account's is the same in every browser. Its name is mixed with a secret of this
    installation: names can be guessed.
    """
    browser = next(iter(known.split()), "") or secrets.token_hex(16)
    if account is None:
        return browser
    path = default_root() / SECRET_NAME
    with suppress(FileExistsError):
        path.parent.mkdir(parents=True, exist_ok=True)
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(fd, "w") as file:
            file.write(secrets.token_hex(32))
    signed_in = hmac.new(path.read_bytes(), account.encode(), "sha256").hexdigest()[:32]
    return f"{browser} {signed_in}"


def owner_of(person: str) -> str:
    """Whose a new training is: the account's, else the browser's."""
    return next(reversed(person.split()), "")


def runs_of(person: str) -> list[Run]:
    """The trainings begun in this browser or by this account, the newest first; none that cannot
    be read.
    """
    runs = [Run(path.parent) for path in default_root().glob("*/run.json")]
    specs = [(run.read_spec(), run) for run in runs if run.is_readable]
    own = [(spec.created_s, run) for spec, run in specs if spec.owner in person.split()]
    return [run for _, run in sorted(own, key=lambda item: item[0], reverse=True)]


def is_own(run: Run, person: str) -> bool:
    """Whether this person has begun it; of one that was not started, whoever knows its id."""
    return not run.spec_path.exists() or run.read_spec().owner in person.split()


def refuse_second_waiting(run: Run, person: str) -> None:
    """The queue knows one id of a person, and there may be two. Raises RunError when another
    training of either waits already.
    """
    for other in runs_of(person):
        if other.id != run.id and jobs.is_alive(other) and jobs.status(other).ahead:
            raise RunError("queue_one_waiting")


def find_run(run_id: str | None) -> Run | None:
    """The run a browser remembers, None when it remembers none, or one that is gone or cannot be
    read.
    """
    try:
        run = Run.open(default_root(), run_id or "")
    except RunError:
        return None
    return run if run.is_readable else None


def is_unreadable(run_id: str | None) -> bool:
    """Whether a browser remembers a run that is there, and that cannot be shown."""
    try:
        return not Run.open(default_root(), run_id or "").is_readable
    except RunError:
        return False


def open_run(run_id: str | None) -> Run:
    """The same for an action. Raises RunError when there is none."""
    return Run.open(default_root(), run_id or "")


def has_dataset(run: Run | None) -> bool:
    return run is not None and steps.has_dataset(run)


def is_begun(run: Run | None) -> bool:
    """Whether there is something to show of a run: its recordings, or its training."""
    return has_dataset(run) or (run is not None and run.spec_path.exists())


def is_training_here() -> bool:
    """Whether any run's worker is alive on this machine."""
    return any(jobs.is_alive(Run(lock.parent)) for lock in default_root().glob("*/worker.lock"))
