"""Which audio file a table row or a .txt file means: by name, never by order.

Names are compared in NFC and without case, because macOS writes "é" as two characters and Windows
does not tell A.wav from a.wav.
"""

import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from whisper_tuner.audio import AUDIO_SUFFIXES


@dataclass(frozen=True, slots=True)
class Match:
    """The files a name may mean, by index: none, the one, or several equally good ones.

    `whole`: all that was written (folders too) agrees with the file, not only its last part.
    """

    files: tuple[int, ...]
    whole: bool = False


def parts_of(name: str) -> tuple[str, ...]:
    """The folders and the file of a name in comparable form; "\\" counts as "/"."""
    plain = unicodedata.normalize("NFC", name.strip().replace("\\", "/")).casefold()
    return tuple(part for part in plain.split("/") if part not in ("", "."))


def stem_of(part: str) -> str:
    """A file name without its audio or text suffix: "rec.1.WAV" → "rec.1", "rec.1" stays."""
    path = PurePosixPath(part)
    return path.stem if path.suffix.lower() in AUDIO_SUFFIXES | {".txt"} else part


class Names:
    """The names of the audio files of one upload, ready to be looked up."""

    def __init__(self, names: Iterable[str]) -> None:
        self._parts = [parts_of(name) for name in names]
        self._folders = {parts[:-1] for parts in self._parts}
        self._by_last: dict[str, list[int]] = defaultdict(list)
        for i, parts in enumerate(self._parts):
            self._by_last[parts[-1]].append(i)
            if stem_of(parts[-1]) != parts[-1]:
                self._by_last[stem_of(parts[-1])].append(i)

    def find(self, name: str, folder: Sequence[str] = ()) -> Match:
        """The file that `name`, written in a file that lies in `folder`, means.

        First the full path, seen from `folder` or from the top; then the files of the same last
        part, with its suffix or else without, that have most folders in common with `name`. When
        the very folder was uploaded without that file, no file of another folder is meant.
        """
        wanted = parts_of(name)
        if not wanted:
            return Match(())
        same = self._by_last.get(wanted[-1]) or self._by_last.get(stem_of(wanted[-1]), [])
        paths = ((*folder, *wanted), wanted)
        for path in paths:
            exact = [i for i in same if self._common(i, path) == len(path) == len(self._parts[i])]
            if exact:
                return Match(tuple(exact), whole=True)
        if len(wanted) > 1 and any(path[:-1] in self._folders for path in paths):
            return Match(())
        best = max((self._common(i, wanted) for i in same), default=0)
        files = tuple(i for i in same if self._common(i, wanted) == best)
        return Match(files, whole=best == len(wanted))

    def _common(self, i: int, wanted: Sequence[str]) -> int:
        """How many last parts file `i` and `wanted` share; the very last is known to fit."""
        n_common = 1
        for ours, theirs in zip(self._parts[i][-2::-1], wanted[-2::-1], strict=False):
            if ours != theirs:
                break
            n_common += 1
        return n_common
