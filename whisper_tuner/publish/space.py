"""What a training should know of the Hugging Face Space it is to run on, before it starts."""

import hashlib
import os
import time
from dataclasses import dataclass
from typing import Literal

from huggingface_hub import SpaceRuntime, constants, get_session
from huggingface_hub.utils import build_hf_headers, hf_raise_for_status

from whisper_tuner.publish.repository import HUB_ERRORS
from whisper_tuner.runs.disk import is_lasting
from whisper_tuner.runs.folder import default_root

TIMEOUT_S = 3.0
KNOWN_FOR_S = 60.0  # the page asks again at every change of its form
FREE_HARDWARE = "cpu-basic"
FREE_SLEEP_S = 48 * 3600.0  # huggingface.co/docs/hub/spaces-gpus#sleep-time
_answers: dict[bytes, tuple[int, SpaceRuntime | None]] = {}  # who asked → when, what was told


@dataclass(frozen=True)
class Space:
    """`loses_runs`: a restart loses them. `sleep_s`: seconds after the last visit, None for never
    or not known. `n_replicas`: how many of it run, or are to run; None when not known.
    `is_known`: whether the Hub told anything of it."""

    loses_runs: bool
    sleep_s: float | None = None
    n_replicas: int | None = None
    is_known: bool = True


def loses_runs() -> bool:
    """Whether this is a Space whose runs are gone when it restarts, stops or goes to sleep."""
    return "SPACE_ID" in os.environ and not is_lasting(default_root())


def find_space(token: str | None = None) -> Space | None:
    """The Space this runs on; None elsewhere. What cannot be learnt in seconds is not known.

    `token`: a visitor's; of a private Space nothing is told without one that may read it.
    """
    space_id = os.environ.get("SPACE_ID")
    if not space_id:
        return None
    runtime = _runtime(space_id, False) or (_runtime(space_id, token) if token else None)
    if runtime is None:
        return Space(loses_runs(), is_known=False)
    return Space(loses_runs(), _sleep_s(runtime), _n_replicas(runtime))


def _runtime(space_id: str, token: str | Literal[False]) -> SpaceRuntime | None:
    """As asked for at most once in `KNOWN_FOR_S` with each token, of which a digest is kept."""
    who = hashlib.sha256(f"{constants.ENDPOINT} {space_id} {token}".encode()).digest()
    moment = int(time.monotonic() // KNOWN_FOR_S)
    for old in [key for key, (then, _) in list(_answers.items()) if then != moment]:
        _answers.pop(old, None)
    known = _answers.get(who)
    if known is None:
        known = _answers[who] = moment, _ask(space_id, token)
    return known[1]


def _ask(space_id: str, token: str | Literal[False]) -> SpaceRuntime | None:
    """As `HfApi.get_space_runtime`, which has no time limit."""
    url = f"{constants.ENDPOINT}/api/spaces/{space_id}/runtime"
    try:
        headers = build_hf_headers(token=token)
        answer = get_session().get(url, headers=headers, timeout=TIMEOUT_S)
        hf_raise_for_status(answer)
        return SpaceRuntime(answer.json())
    except (*HUB_ERRORS, KeyError, TypeError, AttributeError):  # no answer, or none of this kind
        return None


def _sleep_s(runtime: SpaceRuntime) -> float | None:
    seconds = runtime.sleep_time
    if seconds is None and runtime.hardware == FREE_HARDWARE:
        return FREE_SLEEP_S
    is_set = isinstance(seconds, int | float) and seconds > 0  # -1: never
    return float(seconds) if is_set else None


def _n_replicas(runtime: SpaceRuntime) -> int | None:
    replicas = runtime.raw.get("replicas")
    numbers = replicas.values() if isinstance(replicas, dict) else ()
    return max((n for n in numbers if isinstance(n, int)), default=None)
