"""What was measured of each clip's sound, beside the clips: `sounds.npz`, by the clip's id.

A dataset without it, of an older version or from a private copy, is measured anew.
"""

import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path

import numpy as np

from whisper_tuner.audio import read_flac
from whisper_tuner.data.clips import Clip
from whisper_tuner.data.likeness import Print
from whisper_tuner.data.sound_checks import Sound, measure

SOUNDS_NAME = "sounds.npz"
Sounds = Mapping[str, Sound]  # by the clip's id
WORDS_HEADER = {"descr": "<u2", "fortran_order": False}
_NUMBERS = [field.name for field in fields(Sound) if field.name != "print"]


def write_sounds(folder: Path, sounds: Sounds) -> None:
    """The same sounds give the same bytes."""
    prints = [sound.print for sound in sounds.values()]
    columns = {name: [getattr(sound, name) for sound in sounds.values()] for name in _NUMBERS}
    with (folder / SOUNDS_NAME).open("wb") as file:
        np.savez(
            file,
            id=np.array(list(sounds), str),
            length=np.array([len(one) for one in prints], np.int32),
            loud=_packed(prints),
            **{name: np.array(column) for name, column in columns.items()},
        )
    # Most of all that is there to write: never all of it at once in memory.
    with zipfile.ZipFile(folder / SOUNDS_NAME, "a") as file, file.open("words.npy", "w") as words:
        shape = (sum(map(len, prints)),)
        np.lib.format.write_array_header_1_0(words, {"shape": shape, **WORDS_HEADER})
        for one in prints:
            words.write(one.words)


def _packed(prints: Sequence[Print]) -> np.ndarray:
    """Which frames are loud, a bit for each, those of all prints behind each other."""
    ends = np.cumsum([0, *map(len, prints)])
    loud = np.empty(ends[-1], bool)
    for one, start, end in zip(prints, ends[:-1], ends[1:], strict=True):
        loud[start:end] = one.loud
    return np.packbits(loud)


def read_sounds(folder: Path) -> dict[str, Sound]:
    """What `write_sounds` wrote; nothing when the folder has none."""
    path = folder / SOUNDS_NAME
    if not path.exists():
        return {}
    with np.load(path, allow_pickle=False) as file:
        data = {name: file[name] for name in file.files}
    ends = np.cumsum(data["length"])
    words = np.split(data["words"], ends[:-1])
    loud = np.split(np.unpackbits(data["loud"], count=len(data["words"])).astype(bool), ends[:-1])
    columns = [data[name].tolist() for name in _NUMBERS]
    return {
        clip_id: Sound(**dict(zip(_NUMBERS, row, strict=True)), print=Print.of(*prints))
        for clip_id, prints, *row in zip(
            data["id"].tolist(), zip(words, loud, strict=False), *columns, strict=False
        )
    }


def read_columns(folder: Path, names: Sequence[str]) -> dict[str, tuple]:
    """Only these numbers of every clip, by its id, which is faster; nothing when there are none."""
    path = folder / SOUNDS_NAME
    if not path.exists():
        return {}
    with np.load(path, allow_pickle=False) as file:
        rows = zip(*(file[name].tolist() for name in names), strict=True)
        return dict(zip(file["id"].tolist(), rows, strict=True))


def sounds_of(folder: Path, clips: Iterable[Clip]) -> dict[str, Sound]:
    """Of every clip, measured now where it was not measured before."""
    known = read_sounds(folder)
    return {
        clip.id: known.get(clip.id) or measure(read_flac(folder / clip.audio)) for clip in clips
    }
