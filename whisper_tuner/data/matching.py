"""Which audio file a table row or a .txt file means: by name, never by order.

Names are compared in NFC and without case, because macOS writes "é" as two characters and Windows
does not tell A.wav from a.wav.
"""

import unicodedata
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from posixpath import splitext

from whisper_tuner.audio import AUDIO_SUFFIXES

NONE = -1


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


def _plain(name: str) -> str:
    """The parts as one string, which is the name itself where that is one already."""
    plain = "/".join(parts_of(name))
    return name if plain == name else plain


def _folder(path: str) -> str:
    return path.rpartition("/")[0]


def _last(path: str) -> str:
    return path.rpartition("/")[2]


def stem_of(part: str) -> str:
    """A file name without its audio or text suffix: "rec.1.WAV" → "rec.1", "rec.1" stays."""
    stem, suffix = splitext(part)
    return stem if suffix.lower() in AUDIO_SUFFIXES | {".txt"} else part


class Names:
    """The names of the audio files of one upload, ready to be looked up.

    Files with the same stem are linked from the first one on: a list for each takes more memory.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._paths = list(map(_plain, names))
        self._folders = {_folder(path) for path in self._paths}
        self._first: dict[str, int] = {}  # by the stem
        self._next = array("l", [NONE]) * len(names)
        for i in reversed(range(len(names))):
            stem = stem_of(_last(self._paths[i]))
            self._next[i] = self._first.get(stem, NONE)
            self._first[stem] = i

    def find(self, name: str, folder: Sequence[str] = ()) -> Match:
        """The file that `name`, written in a file that lies in `folder`, means.

        First the full path, seen from `folder` or from the top; then the files of the same last
        part, with its suffix or else without, that have most folders in common with `name`. When
        the very folder was uploaded without that file, no file of another folder is meant.
        """
        wanted = parts_of(name)
        if not wanted:
            return Match(())
        same = self._called(wanted[-1]) or self._called(stem_of(wanted[-1]))
        folders = ["/".join(path[:-1]) for path in ((*folder, *wanted), wanted)]
        for path in folders:
            exact = [i for i in same if _folder(self._paths[i]) == path]
            if exact:
                return Match(tuple(exact), whole=True)
        if len(wanted) > 1 and not self._folders.isdisjoint(folders):
            return Match(())
        best = max((self._common(i, wanted) for i in same), default=0)
        files = tuple(i for i in same if self._common(i, wanted) == best)
        return Match(files, whole=best == len(wanted))

    def _called(self, last: str) -> list[int]:
        """The files with this last part, or with this and a suffix."""
        stem = stem_of(last)
        named = [i for i in self._of_stem(stem) if _last(self._paths[i]) == last]
        return sorted({*named, *self._of_stem(last)})

    def _of_stem(self, stem: str) -> Iterator[int]:
        i = self._first.get(stem, NONE)
        while i != NONE:
            yield i
            i = self._next[i]

    def _common(self, i: int, wanted: Sequence[str]) -> int:
        """How many last parts file `i` and `wanted` share; the very last is known to fit."""
        n_common = 1
        parts = self._paths[i].split("/")
        for ours, theirs in zip(parts[-2::-1], wanted[-2::-1], strict=False):
            if ours != theirs:
                break
            n_common += 1
        return n_common
