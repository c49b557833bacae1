"""Recordings with a text that last too long for a clip: kept to be cut at their pauses.

`long/*.flac` of a dataset's folder, and `long.jsonl` with a `Clip` a line that none of the dataset
is. They are refused as long as nobody has them cut (`alignment/`); then clips take their place.
"""

import json
import os
import secrets
import shutil
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import BinaryIO

from whisper_tuner.audio import MAX_CLIP_S, SAMPLE_RATE
from whisper_tuner.data.clips import Clip, Finding, free_name
from whisper_tuner.data.cutting import MAX_RECORDING_S, RecordingTooLongError, decode_file
from whisper_tuner.decoder import Decoder
from whisper_tuner.errors import AudioError

LIST_NAME = "long.jsonl"
FOLDER_NAME = "long"
MAX_KEPT_S = MAX_RECORDING_S  # of all of a dataset: 1.4 GB at most, mostly half of that
PCM_BYTES = 2  # a sample; FLAC is never much larger
KEPT, NO_ROOM, CUT = "recording_long", "recording_long_no_room", "recording_cut"

Room = Callable[[], float]  # bytes that may still be written


def any_amount() -> float:
    return float("inf")


class Shelf:
    """Where the long recordings of a dataset on its way are put, as many as there is room for."""

    def __init__(self, folder: Path, room: Room, kept: Sequence[Clip] = ()) -> None:
        """`kept`: those that lie there already."""
        self.folder, self.room, self.clips = folder, room, list(kept)
        self._names = {clip.name for clip in kept}
        self._decoder = Decoder()

    def keep(self, clip: Clip, file: BinaryIO, seconds: float) -> Finding:
        """Decode `file`, which seems to last so many seconds, and keep it; what is to be said.

        Raises AudioError as `decode_file`: then nothing is kept.
        """
        clip = replace(clip, id=secrets.token_hex(8), name=free_name(clip.name, self._names))
        clip = replace(clip, audio=f"{FOLDER_NAME}/{clip.id}.flac")
        left_s = MAX_KEPT_S - sum(kept.duration_s for kept in self.clips)
        max_s = min(left_s, self.room() / PCM_BYTES / SAMPLE_RATE)
        if seconds > min(max_s, MAX_RECORDING_S) and seconds <= MAX_RECORDING_S:
            return _told(clip, NO_ROOM, seconds)
        path = self.folder / clip.audio
        path.parent.mkdir(exist_ok=True)
        try:
            sound = decode_file(file, clip.name, path, self._decoder, max_s)
        except RecordingTooLongError:
            path.unlink()
            if max_s < MAX_RECORDING_S:
                return _told(clip, NO_ROOM, max(seconds, max_s))
            raise
        except AudioError:
            path.unlink()
            raise
        clip = replace(clip, duration_s=round(sound.duration_s, 3))
        self._names.add(clip.name)
        self.clips.append(clip)
        return _told(clip, KEPT, clip.duration_s)

    def close(self) -> None:
        """Write the list, and end the decoder."""
        self._decoder.close()
        write_long(self.folder, self.clips)


def _told(clip: Clip, code: str, seconds: float) -> Finding:
    params = {"seconds": round(seconds, 1), "limit": round(MAX_CLIP_S)}
    if code == NO_ROOM:
        params["hours"] = round(MAX_KEPT_S / 3600)
    return Finding(code, clip.name, True, clip.row, params)


def read_long(dataset_dir: Path) -> list[Clip]:
    """Those that wait to be cut; of a dataset that was restored from a copy, none."""
    try:
        lines = (dataset_dir / LIST_NAME).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    return [Clip(**json.loads(line)) for line in lines]


def write_long(dataset_dir: Path, clips: Iterable[Clip]) -> None:
    """As a file of its own, in the place of one that may have links elsewhere; none for none."""
    path = dataset_dir / LIST_NAME
    path.unlink(missing_ok=True)
    lines = [json.dumps(asdict(clip), ensure_ascii=False) + "\n" for clip in clips]
    if lines:
        path.write_text("".join(lines), encoding="utf-8")
    else:
        with suppress(FileNotFoundError):
            (dataset_dir / FOLDER_NAME).rmdir()


def link_long(source: Path, target: Path) -> list[Clip]:
    """Let the long recordings of one dataset be those of another folder too, as hard links."""
    clips = read_long(source)
    if clips:
        shutil.copytree(source / FOLDER_NAME, target / FOLDER_NAME, copy_function=os.link)
        write_long(target, clips)
    return clips


def settle(
    dataset_dir: Path, clips: Iterable[Clip], findings: Iterable[Finding], cut: Collection[str]
) -> list[Finding]:
    """Let go of the long recordings called as in `cut` of which there are `clips` now; the findings
    with what is to be said of these in the place of their refusals.
    """
    n_clips = Counter(clip.recording for clip in clips if clip.recording in cut)
    kept = []
    for recording in read_long(dataset_dir):
        if recording.name in n_clips:
            (dataset_dir / recording.audio).unlink()
        else:
            kept.append(recording)
    write_long(dataset_dir, kept)
    return [
        replace(finding, code=CUT, refused=False, params={"n": n_clips[finding.clip]})
        if finding.code == KEPT and finding.clip in n_clips
        else finding
        for finding in findings
    ]
