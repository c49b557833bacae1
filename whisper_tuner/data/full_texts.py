"""Which recordings of an upload have their full text beside them, and no times in it."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from whisper_tuner.audio import AUDIO_SUFFIXES
from whisper_tuner.data.documents import DOCUMENT_SUFFIXES
from whisper_tuner.data.labels import are_labels
from whisper_tuner.data.timed_text import SUFFIXES
from whisper_tuner.decoder import Decoder
from whisper_tuner.errors import TunerError

CUES = SUFFIXES - {".txt", ".tsv", ".json"}
SNIFFED_BYTES = 65_536

Pair = tuple[Path, Path]  # a recording and its text


@dataclass(frozen=True)
class Found:
    """`pairs`: long recordings with their texts; `short`: recordings with a text that are clips as
    they are; `alone`: recordings without a text, or with several.
    """

    pairs: list[Pair]
    short: list[Path]
    alone: list[Path]


def find_pairs(paths: Sequence[Path]) -> Found:
    """Recordings of more than 30 seconds and their texts: of the same name, else the only one of
    each. Nothing when a timed transcript is among the files: that one counts.
    """
    kinds = [path.suffix.lower() for path in paths]
    if any(kind in CUES for kind in kinds):
        return Found([], [], [])
    audio = [path for path, kind in zip(paths, kinds, strict=True) if kind in AUDIO_SUFFIXES]
    texts = [path for path, kind in zip(paths, kinds, strict=True) if _is_text(path, kind)]
    texts_of = _texts_of(audio, texts)
    if len(paths) == 2 and audio and texts:
        texts_of = {audio[0]: texts}
    same = [(one, found[0]) for one, found in texts_of.items() if len(found) == 1]
    n_of = Counter(text for _, text in same)
    same = [pair for pair in same if n_of[pair[1]] == 1]
    with Decoder() as decoder:
        long = _long(same, decoder)
    known = {one for one, _ in same}
    return Found(
        [pair for pair in same if pair in long],
        [one for one, text in same if (one, text) not in long],
        [one for one in audio if one not in known],
    )


def _texts_of(audio: Iterable[Path], texts: Iterable[Path]) -> dict[Path, list[Path]]:
    """Texts of the same name, in the same folder if there are any: uploads have one each."""
    by_name: dict[str, list[Path]] = defaultdict(list)
    for text in texts:
        by_name[text.stem].append(text)
    found = {}
    for one in audio:
        named = by_name[one.stem]
        found[one] = [text for text in named if text.parent == one.parent] or named
    return found


def _long(pairs: Sequence[Pair], decoder: Decoder) -> set[Pair]:
    """Those that last too long for a clip. Of each kind of file the largest are looked at first,
    and none behind the first one that is short: there may be thousands.
    """
    by_kind: dict[str, list[Pair]] = defaultdict(list)
    for pair in pairs:
        by_kind[pair[0].suffix.lower()].append(pair)
    long: set[Pair] = set()
    for same in by_kind.values():
        same.sort(key=lambda pair: pair[0].stat().st_size, reverse=True)
        long.update(takewhile(lambda pair: _is_long(pair[0], decoder), same))
    return long


def _is_long(path: Path, decoder: Decoder) -> bool:
    """Whether it is too long for a clip; False when it cannot be read, which `prepare` tells."""
    try:
        decoder.decode(path)
    except TunerError as error:
        return error.code == "audio_too_long"
    return False


def _is_text(path: Path, kind: str) -> bool:
    if kind not in DOCUMENT_SUFFIXES:
        return False
    if kind != ".txt":
        return True
    with path.open("rb") as file:
        return not are_labels(file.read(SNIFFED_BYTES).decode("utf-8", "replace"))
