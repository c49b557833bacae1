"""Where a base model's files come from: the Hub, its cache, or the embedded copy. No torch."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from pathlib import Path

import httpx
from huggingface_hub import constants, hf_hub_download, try_to_load_from_cache
from huggingface_hub.errors import HTTPError, LocalEntryNotFoundError
from tokenizers import Tokenizer

from whisper_tuner.errors import ModelError
from whisper_tuner.model import offline
from whisper_tuner.model.catalogue import base_model

HUB_TIMEOUT_S = 4.0  # a page that waits longer than five seconds for "offline" looks broken
N_LABEL_SPECIALS = 4  # language, task and no-timestamps before the text, end-of-text behind it


def cache_dir() -> Path:
    """Where the converted embedded model is kept: `WHISPER_TUNER_CACHE` or the user's cache."""
    default = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "whisper-tuner"
    return Path(os.environ.get("WHISPER_TUNER_CACHE") or default)


def hub_reachable(timeout_s: float = HUB_TIMEOUT_S) -> bool:
    """Whether the Hub answers, known within `timeout_s` even when a name look-up hangs."""
    if constants.is_offline_mode():
        return False

    def ask() -> bool:
        try:
            url = f"{constants.ENDPOINT}/api/models/openai/whisper-base"
            return httpx.head(url, timeout=timeout_s, follow_redirects=True).status_code < 500
        except httpx.HTTPError:
            return False

    pool = ThreadPoolExecutor(1)
    try:
        return pool.submit(ask).result(timeout_s)
    except FutureTimeoutError:
        return False
    finally:
        pool.shutdown(wait=False)


def _cached_snapshot(base_id: str) -> Path | None:
    found = try_to_load_from_cache(base_id, "config.json")
    return Path(found).parent if isinstance(found, str) else None


def is_at_hand(base_id: str) -> bool:
    """Whether this base can be loaded with no network."""
    embedded = base_id == offline.BASE_ID and offline.is_installed()
    return embedded or _cached_snapshot(base_id) is not None


def model_source(base_id: str) -> str | Path:
    """What `from_pretrained` is to be given: the Hub id when the Hub answers, else a local folder.

    Raises InputError for a base that is not in the catalogue, ModelError when neither the Hub nor
    a local copy can be had.
    """
    base_model(base_id)
    if hub_reachable():
        return base_id
    if snapshot := _cached_snapshot(base_id):
        return snapshot
    if base_id == offline.BASE_ID:
        return offline.checkpoint(cache_dir())
    raise ModelError("base_unreachable", base=base_id)


def _tokenizer_file() -> Path:
    """A Whisper `tokenizer.json`. The text tokens of all multilingual bases are the same."""
    if offline.is_installed():
        return offline.tokenizer_file()
    cached = try_to_load_from_cache(offline.BASE_ID, "tokenizer.json")
    if isinstance(cached, str):
        return Path(cached)
    try:
        return Path(hf_hub_download(offline.BASE_ID, "tokenizer.json"))
    except (HTTPError, LocalEntryNotFoundError) as error:
        raise ModelError("base_unreachable", base=offline.BASE_ID) from error


def token_counter() -> Callable[[str], int]:
    """A function text → number of label tokens, special tokens included, by the real tokenizer."""
    tokenizer = Tokenizer.from_file(str(_tokenizer_file()))

    def count(text: str) -> int:
        return len(tokenizer.encode(text, add_special_tokens=False).ids) + N_LABEL_SPECIALS

    return count
