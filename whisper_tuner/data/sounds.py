"""What was measured of each clip's sound, beside the clips: `sounds.npz`, by the clip's id.

A dataset without it, of an older version or from a private copy, is measured anew.
"""

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
            words=np.concatenate([np.zeros(0, np.uint16), *(one.words for one in prints)]),
            loud=np.packbits(np.concatenate([np.zeros(0, bool), *(one.loud for one in prints)])),
            **{name: np.array(column) for name, column in columns.items()},
        )


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
