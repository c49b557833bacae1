"""A run's checked recordings as a private dataset in the user's own Hugging Face account.

    README.md                           the card; its licence is left for the user to name
    whisper_tuner.json                  our marker
    data/train-00000-of-00002.parquet   audio (FLAC as it is), transcription, speaker, …

Parquet whose schema names an Audio column is what the Hub's viewer plays and `load_dataset` reads
without code of ours; thousands of files beside a table are slow to upload and to list. All of it is
one commit, so the dataset is whole or as it was. Recordings of Common Voice are never in it.
"""

import json
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pyarrow as pa
from huggingface_hub import HfApi
from pyarrow import parquet

from whisper_tuner import __version__
from whisper_tuner.data.clips import SPLITS, Clip
from whisper_tuner.errors import InputError
from whisper_tuner.publish.hub import check_repo_name, verify
from whisper_tuner.publish.package import CARD_NAME, MARKER_NAME
from whisper_tuner.publish.recordings import clips_to_share
from whisper_tuner.publish.repository import Sleep, ask_patiently, claim, commit
from whisper_tuner.runs.folder import Run

KIND = "dataset"  # of repository
SAMPLE_RATE = 16_000  # of every clip (`data/clips.py`)
SHARD_BYTES = 200e6  # the Hub's advice is below 500 MB; one is in memory at a time
ROWS_IN_GROUP = 100  # what a reader fetches at once
MESSAGE = "Upload recordings with Whisper Tuner"
TEXTS = ("transcription", "speaker", "recording", "original_name")
FEATURES = {
    "audio": {"sampling_rate": SAMPLE_RATE, "_type": "Audio"},
    **{name: {"dtype": "string", "_type": "Value"} for name in TEXTS},
}
AUDIO = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
SCHEMA = pa.schema(
    [("audio", AUDIO), *((name, pa.string()) for name in TEXTS)],
    metadata={"huggingface": json.dumps({"info": {"features": FEATURES}})},
)
CARD = """---
# Say here under which licence others may use these recordings, before you make them public:
# license: cc-by-4.0
task_categories:
- automatic-speech-recognition
tags:
- whisper-tuner
configs:
- config_name: default
  data_files:
{files}---

# {name}

Recordings and their transcripts, checked with Whisper Tuner.

| split | clips | minutes |
|---|---|---|
{counts}

Mono FLAC at 16 kHz, at most 30 seconds each. Columns: `audio`, `transcription`, `speaker` (where it
was told), `recording` (the long recording that a clip was cut from) and `original_name`.
{left_out}
No licence is given yet: name one in this card before you share it, and share voices only with
the consent of those who spoke.

```python
from datasets import load_dataset

dataset = load_dataset("{repo}")
```
"""
LEFT_OUT = """
{n} clips of Common Voice are not here: its terms forbid to pass them on.
"""


@dataclass(frozen=True)
class PushedData:
    """What is on the Hub now, read back and found equal; how many of Common Voice are not."""

    repo_id: str
    url: str
    n_clips: int
    n_left_out: int


def push_recordings(
    run: Run,
    token: str,
    repo_name: str,
    endpoint: str | None = None,
    sleep: Sleep = time.sleep,
) -> PushedData:
    """Put the run's recordings into a private dataset of the account that the token belongs to.

    One of ours that is there is replaced, if it is private. Returns when every file was read back
    and is byte for byte what was sent. Raises PublishError with the next step to take, InputError
    dataset_missing, export_nothing, export_common_voice, export_no_room.
    """
    check_repo_name(repo_name)
    clips, n_left_out = clips_to_share(run)
    api = HfApi(endpoint=endpoint, token=token)
    ask = partial(ask_patiently, sleep=sleep)
    repo_id = f"{ask(api.whoami)['name']}/{repo_name}"
    exports = run.dir / "exports"
    exports.mkdir(parents=True, exist_ok=True)
    _require_room(run, clips)
    claim(api, ask, repo_id, private=True, kind=KIND)
    with tempfile.TemporaryDirectory(prefix=".dataset-", dir=exports) as temp:
        files: dict[str, Path | bytes] = dict(shards(run, clips, Path(temp)))
        marker = {"whisper_tuner": __version__, "recordings": len(clips)}
        files[MARKER_NAME] = (json.dumps(marker, indent=1) + "\n").encode()
        files[CARD_NAME] = card(repo_id, clips, n_left_out).encode()
        held = ask(lambda: api.repo_info(repo_id, repo_type=KIND)).siblings or ()
        earlier = {file.rfilename for file in held if file.rfilename.startswith("data/")}
        removed = sorted(earlier - files.keys())
        oid = ask(lambda: commit(api, repo_id, files, MESSAGE, removed, KIND))
        verify(api, ask, repo_id, files, oid, KIND)
    url = f"{api.endpoint}/datasets/{repo_id}"
    return PushedData(repo_id, url, len(clips), n_left_out)


def shards(run: Run, clips: Sequence[Clip], folder: Path) -> Iterator[tuple[str, Path]]:
    """Names in the repository and files, written as they are asked for. The same recordings give
    the same bytes.
    """
    for split in SPLITS:
        parts = _parts(run, [clip for clip in clips if clip.split == split])
        for n, part in enumerate(parts):
            name = f"{split}-{n:05}-of-{len(parts):05}.parquet"
            rows = [_row(run, clip) for clip in part]
            table = pa.Table.from_pylist(rows, schema=SCHEMA)
            parquet.write_table(table, folder / name, row_group_size=ROWS_IN_GROUP)
            yield f"data/{name}", folder / name


def card(repo_id: str, clips: Sequence[Clip], n_left_out: int) -> str:
    """What the dataset is, in counts: no transcript and no name is in it."""
    counts, files = [], ""
    for split in SPLITS:
        seconds = [clip.duration_s for clip in clips if clip.split == split]
        if seconds:
            counts.append(f"| {split} | {len(seconds)} | {sum(seconds) / 60:.1f} |")
            files += f"  - split: {split}\n    path: data/{split}-*\n"
    return CARD.format(
        files=files,
        name=repo_id.rpartition("/")[2],
        counts="\n".join(counts),
        left_out=LEFT_OUT.format(n=n_left_out) if n_left_out else "",
        repo=repo_id,
    )


def _row(run: Run, clip: Clip) -> dict:
    sound = {"bytes": (run.dataset_dir / clip.audio).read_bytes(), "path": Path(clip.audio).name}
    texts = (clip.text, clip.speaker, clip.recording, clip.name)
    return {"audio": sound, **dict(zip(TEXTS, texts, strict=True))}


def _parts(run: Run, clips: Sequence[Clip]) -> list[list[Clip]]:
    """Clips of at most `SHARD_BYTES` together, in their order."""
    parts: list[list[Clip]] = []
    n_bytes = 0.0
    for clip in clips:
        size = (run.dataset_dir / clip.audio).stat().st_size
        if not parts or n_bytes + size > SHARD_BYTES:
            parts.append([])
            n_bytes = 0.0
        parts[-1].append(clip)
        n_bytes += size
    return parts


def _require_room(run: Run, clips: Sequence[Clip]) -> None:
    n_bytes = sum((run.dataset_dir / clip.audio).stat().st_size for clip in clips)
    if shutil.disk_usage(run.dir).free < 2 * n_bytes:
        raise InputError("export_no_room", megabytes=n_bytes / 1e6)
