"""A dataset on disk: `manifest.jsonl` (one clip a line), `report.json`, and `clips/*.flac`."""

import json
from collections.abc import Container, Iterable
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

MANIFEST_NAME = "manifest.jsonl"
REPORT_NAME = "report.json"
CLIPS_DIR_NAME = "clips"
SPLITS = ("train", "test")
COMMON_VOICE = "common_voice"  # a source whose recordings Mozilla's terms forbid to pass on


@dataclass(frozen=True)
class Candidate:
    """One clip as the user gave it, before any check.

    `name` is the name the user knows. `audio` may be a temporary file that is only there until the
    next candidate is asked for; None when a table row names a file that is not there. `text` is
    None when no transcript was found. `split` is "train", "test" or "" (not said); `row` counts as
    a spreadsheet does, the header being row 1. `problem` is the code of a finding known already
    ("two_rows"), with the `params` of its sentence; it may be about a file that is no clip
    ("file_ignored", `checking.NOTES`). `recording`: the long recording that it was cut from.
    """

    name: str
    audio: Path | None
    text: str | None
    split: str = ""
    speaker: str = ""
    row: int | None = None
    problem: str = ""
    source: str = ""
    params: dict = field(default_factory=dict)
    recording: str = ""


@dataclass(frozen=True, slots=True)
class Clip:
    """One usable clip: 16 kHz mono FLAC of at most 30 s, and its transcript."""

    id: str
    audio: str  # relative to the dataset folder: clips/<id>.flac
    text: str
    name: str  # the user's own file name
    duration_s: float
    n_tokens: int
    split: str
    speaker: str = ""
    source: str = ""  # COMMON_VOICE, or "" for the user's own recordings
    recording: str = ""  # the long recording it was cut from; "" for one that was a clip already
    row: int | None = None  # of the user's table

    def finding(self, code: str, **params: object) -> "Finding":
        """What is worth a look about this clip, which is used all the same."""
        return Finding(code, self.name, refused=False, row=self.row, params=params)


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with one clip; `code` is a locale key, refused clips are not trained on."""

    code: str
    clip: str
    refused: bool
    row: int | None = None
    params: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Report:
    """What was found in a source: counts, minutes of usable speech, and every finding.

    `changes`: what fixes have changed about clips that are used (`fixes.py`).
    """

    n_found: int
    n_train: int
    n_test: int
    train_s: float
    test_s: float
    findings: list[Finding]
    changes: list[Finding] = field(default_factory=list)

    @property
    def n_clips(self) -> int:
        return self.n_train + self.n_test


def free_name(name: str, taken: Container[str]) -> str:
    """`name`, or with a number when another file is called so: findings tell clips by name."""
    n, free = 1, name
    while free in taken:
        n += 1
        free = f"{name} ({n})"
    return free


def write_dataset(folder: Path, clips: Iterable[Clip], report: Report) -> None:
    with (folder / MANIFEST_NAME).open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(asdict(clip), ensure_ascii=False) + "\n" for clip in clips)
    write_report(folder, report)


def write_report(folder: Path, report: Report) -> None:
    """In one step, and as a file of its own: the one before may have links elsewhere."""
    part = folder / f".{REPORT_NAME}"
    encoder = json.JSONEncoder(ensure_ascii=False, indent=1, default=_as_dict)
    with part.open("w", encoding="utf-8") as file:
        file.writelines(encoder.iterencode(report))  # a finding at a time: there may be thousands
    part.replace(folder / REPORT_NAME)


def _as_dict(item: Report | Finding) -> dict:
    return {name.name: getattr(item, name.name) for name in fields(item)}


def read_clips(folder: Path, split: str | None = None) -> list[Clip]:
    """The clips of a dataset folder, in manifest order; only those of `split` when given."""
    lines = (folder / MANIFEST_NAME).read_text(encoding="utf-8").splitlines()
    clips = [Clip(**json.loads(line)) for line in lines]
    return [clip for clip in clips if split is None or clip.split == split]


def is_complete(folder: Path) -> bool:
    """Whether the dataset and the sound of all its clips are there."""
    try:
        return all((folder / clip.audio).exists() for clip in read_clips(folder))
    except OSError:
        return False


def read_report(folder: Path) -> Report:
    data = json.loads((folder / REPORT_NAME).read_text(encoding="utf-8"))
    lists = ("findings", "changes")
    found = {name: [Finding(**item) for item in data.get(name, [])] for name in lists}
    return Report(**{**data, **found})
