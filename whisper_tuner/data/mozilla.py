"""Mozilla Data Collective, the only home of Common Voice: its public catalogue, and downloads.

Mozilla's own Python client keeps its key in the process environment, where every visitor of a page
would share it, so this speaks the API itself (mozilladatacollective.com/api-reference). The key is
the user's own: it goes into one request header and is in no file, message or error of ours.
"""

import os
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx

from whisper_tuner.errors import InputError

API_VARIABLE = "MDC_API_URL"
DEFAULT_API = "https://mozilladatacollective.com/api"
SITE = "https://mozilladatacollective.com"
KEY_PAGE = f"{SITE}/api-reference"
TIMEOUT = httpx.Timeout(20.0, connect=10.0)  # seconds without one byte
PAGE_SIZE, MAX_PAGES = 100, 50
LONGEST_LOCALE = 16  # characters; ids are longer
NAME = re.compile(
    r"Common Voice (?P<kind>Scripted|Spontaneous) Speech (?P<version>\d+(?:\.\d+)*) - (?P<lang>.+)"
)
KEY = re.compile(r"[!-~]{1,4096}")  # what a header can carry
SAFE_URL = re.compile(r"https?://[\w.:/%~-]+")
SCRIPTED, SPONTANEOUS = "scripted", "spontaneous"
REFUSALS = {
    401: "mozilla_key",
    403: "mozilla_terms",
    404: "mozilla_gone",
    410: "mozilla_gone",
    429: "mozilla_busy",
}


@dataclass(frozen=True)
class Release:
    """One dataset of the catalogue: one language, one kind of speech, one release."""

    id: str
    language: str  # its English name
    locale: str
    kind: str  # SCRIPTED or SPONTANEOUS
    version: str
    n_bytes: int
    licence: str
    url: str  # its page, where its terms are accepted


@dataclass(frozen=True)
class Ticket:
    """Where an archive can be had for a while, without the key."""

    url: str
    n_bytes: int
    checksum: str  # "" when Mozilla does not say


def catalogue() -> list[Release]:
    """The newest release of every language and kind, by language. Needs no key.

    Raises: InputError mozilla_unreachable, mozilla_busy, mozilla_answer.
    """
    newest: dict[tuple[str, str], Release] = {}
    n_seen = 0
    with _client() as client:
        for page in range(1, MAX_PAGES + 1):
            asked = {"q": "Common Voice", "limit": PAGE_SIZE, "page": page}
            answer = _ask(client, "GET", "/datasets", params=asked)
            items = answer.get("items") or []
            n_seen += len(items)
            for release in filter(None, map(_release, items)):
                key = (release.locale or release.language, release.kind)
                if key not in newest or _order(release) > _order(newest[key]):
                    newest[key] = release
            if not items or n_seen >= int(answer.get("total") or 0):
                break
    return sorted(newest.values(), key=lambda r: (r.language.casefold(), r.kind, r.locale))


def find(wanted: str) -> Release:
    """A release by its id, or the newest one of a locale: of Scripted Speech, if there is any.

    Raises: InputError mozilla_unknown, and those of `catalogue`.
    """
    releases = catalogue()
    named = [r for r in releases if r.id == wanted]
    named += [r for r in releases if r.locale.casefold() == wanted.casefold()]
    if not named and len(wanted) > LONGEST_LOCALE:  # an older release
        named = [release for release in [details(wanted)] if release]
    if not named:
        raise InputError("mozilla_unknown", wanted=wanted)
    return named[0]


def details(dataset: str) -> Release | None:
    """What Mozilla says of one dataset, in any release; None when it is not Common Voice's.

    Raises: InputError mozilla_gone, mozilla_unreachable, mozilla_busy, mozilla_answer.
    """
    with _client() as client:
        return _release(_ask(client, "GET", f"/datasets/{quote(dataset, safe='')}", dataset))


def open_ticket(dataset: str, key: str, url: str = "") -> Ticket:
    """Ask for an archive with the user's key. `url`: the page of its terms, named in refusals.

    Raises: InputError mozilla_key, mozilla_terms, mozilla_gone, mozilla_busy, mozilla_unreachable,
    mozilla_answer.
    """
    key = key.strip()
    if not KEY.fullmatch(key):
        raise InputError("mozilla_key", page=KEY_PAGE, url=url or terms_url(dataset))
    headers = {"Authorization": f"Bearer {key}"}
    with _client() as client:
        path = f"/datasets/{quote(dataset, safe='')}/download"
        answer = _ask(client, "POST", path, dataset, url, headers=headers)
    try:
        found = Ticket(
            str(answer["downloadUrl"]),
            int(str(answer["sizeBytes"])),
            str(answer.get("checksum") or ""),
        )
    except (KeyError, ValueError) as error:
        raise InputError("mozilla_answer", status="200") from error
    if not found.url.startswith(("https://", "http://")) or found.n_bytes <= 0:
        raise InputError("mozilla_answer", status="200")
    return found


def terms_url(dataset: str) -> str:
    return f"{SITE}/datasets/{quote(dataset, safe='')}"


def _client() -> httpx.Client:
    return httpx.Client(timeout=TIMEOUT, follow_redirects=True)


def _ask(
    client: httpx.Client, method: str, path: str, dataset: str = "", url: str = "", **asked: Any
) -> dict:
    base = os.environ.get(API_VARIABLE, DEFAULT_API).rstrip("/")
    try:
        answer = client.request(method, base + path, **asked)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise InputError("mozilla_unreachable") from error
    if answer.is_success:
        try:
            return dict(answer.json())
        except (ValueError, TypeError) as error:
            raise InputError("mozilla_answer", status=answer.status_code) from error
    status = answer.status_code
    code = REFUSALS.get(status, "mozilla_unreachable" if status >= 500 else "mozilla_answer")
    page = url or (terms_url(dataset) if dataset else SITE)
    wait = answer.headers.get("Retry-After", "")
    minutes = max(1, -(-int(wait) // 60)) if wait.isdecimal() else 10
    raise InputError(code, status=status, url=page, page=KEY_PAGE, minutes=minutes)


def _release(item: object) -> Release | None:
    """One entry of the catalogue; None for what is not Common Voice, or makes no sense."""
    if not isinstance(item, dict) or not isinstance(item.get("id"), str):
        return None
    match = NAME.fullmatch(str(item.get("name") or "").strip())
    if match is None:
        return None
    url = str(item.get("datasetUrl") or "")
    size = str(item.get("sizeBytes") or "0").split(".")[0]
    return Release(
        id=item["id"],
        language=match["lang"],
        locale=str(item.get("locale") or ""),
        kind=SCRIPTED if match["kind"] == "Scripted" else SPONTANEOUS,
        version=match["version"],
        n_bytes=int(size) if size.isdecimal() else 0,
        licence=str(item.get("licenseAbbreviation") or item.get("license") or ""),
        url=url if SAFE_URL.fullmatch(url) else terms_url(item["id"]),
    )


def _order(release: Release) -> list[int]:
    return [int(number) for number in release.version.split(".")]
