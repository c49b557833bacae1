"""Which recording of an upload has its full text beside it, and nothing that tells the times."""

from collections.abc import Sequence
from pathlib import Path

from whisper_tuner.audio import AUDIO_SUFFIXES
from whisper_tuner.data.documents import DOCUMENT_SUFFIXES
from whisper_tuner.data.labels import are_labels
from whisper_tuner.data.timed_text import SUFFIXES
from whisper_tuner.decoder import Decoder
from whisper_tuner.errors import TunerError

CUES = SUFFIXES - {".txt", ".tsv", ".json"}
SNIFFED_BYTES = 65_536


def find_pair(paths: Sequence[Path]) -> tuple[Path, Path] | None:
    """A recording of more than 30 seconds and its text: of the same name, else the only one of
    each. None when a timed transcript is among the files: that one counts.
    """
    kinds = [path.suffix.lower() for path in paths]
    if any(kind in CUES for kind in kinds):
        return None
    audio = [path for path, kind in zip(paths, kinds, strict=True) if kind in AUDIO_SUFFIXES]
    texts = [path for path, kind in zip(paths, kinds, strict=True) if _is_text(path, kind)]
    same = [(one, two) for one in audio for two in texts if one.stem == two.stem]
    if not same and len(paths) == 2 and audio and texts:
        same = [(audio[0], texts[0])]
    largest = max(same, key=lambda pair: pair[0].stat().st_size, default=None)
    return largest if largest and _is_long(largest[0]) else None


def _is_long(path: Path) -> bool:
    """Whether it is too long for a clip; False when it cannot be read, which `prepare` tells."""
    try:
        with Decoder() as decoder:
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
