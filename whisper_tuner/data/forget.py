"""The recordings of Common Voice do not stay longer than they are needed.

Mozilla's terms ask that they be had from Mozilla alone, so when a training has ended they are
deleted unless somebody asked to keep them. Transcripts, findings and what was measured stay.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from whisper_tuner.data.clips import COMMON_VOICE, MANIFEST_NAME, Clip, read_clips
from whisper_tuner.data.prepare import before_dir

FORGOTTEN = "note_common_voice_deleted"  # said with how many clips it was of


def forget_common_voice(dataset_dir: Path) -> int:
    """Delete their sound, also where `fixes.undo` goes back to; how many clips of the dataset it
    was of. Where another run has the same clips, they stay there.
    """
    n_deleted = 0
    for sounds in _sounds(dataset_dir):
        for path in sounds:
            path.unlink(missing_ok=True)
        n_deleted = len(sounds)
    return n_deleted


def is_any_left(dataset_dir: Path) -> bool:
    """Whether any of their sound is there."""
    return any(path.exists() for sounds in _sounds(dataset_dir) for path in sounds)


def _sounds(dataset_dir: Path) -> Iterator[list[Path]]:
    """The files of their sound: where `fixes.undo` goes back to, then of the dataset itself."""
    for folder in (before_dir(dataset_dir), dataset_dir):
        if (folder / MANIFEST_NAME).exists():
            clips = read_clips(folder)
            yield [folder / clip.audio for clip in clips if clip.source == COMMON_VOICE]


def are_forgotten(dataset_dir: Path, clips: Sequence[Clip]) -> bool:
    """Whether the sound of its clips of Common Voice was deleted: that of all, or of none."""
    first = next((clip for clip in clips if clip.source == COMMON_VOICE), None)
    return first is not None and not (dataset_dir / first.audio).exists()
