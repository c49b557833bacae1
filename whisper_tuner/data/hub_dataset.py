"""Any dataset of the Hugging Face Hub with a column of recordings and one of their texts.

Parquet is read where it lies: `pyarrow` asks for the row groups and columns it needs, and
`huggingface_hub`'s file system fetches these ranges: of a dataset of hundreds of gigabytes a few
row groups, which mostly have a hundred rows. `datasets` is not used: its Audio feature imports
torchcodec even where nothing is to be decoded (datasets 5.2, features/audio.py), and importing it
takes another 0.4 s and 34 MB of the page's process. Audio is decoded by `decoder/`.
"""

import json
import tempfile
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePosixPath

import pyarrow as pa
import pyarrow.parquet as pq
from huggingface_hub import HfFileSystem
from huggingface_hub.errors import HfHubHTTPError

from whisper_tuner.config import TEMP_PREFIX
from whisper_tuner.data.clips import COMMON_VOICE, Candidate
from whisper_tuner.data.hub_listing import Listing, refusals_named
from whisper_tuner.errors import InputError

BUFFER_BYTES = 1 << 20  # of one column, fetched at a time
MAX_GROUP_BYTES = 500_000_000  # of one row group; those of the Hub's own copies have 100 rows
BATCH_ROWS = 8  # recordings in memory at a time
N_SHOWN = 5
FROM_THE_HUB = (HfHubHTTPError, FileNotFoundError, ConnectionError, TimeoutError)
MAX_SHOWN_CHARS = 200
TEXT_NAMES = (
    *("transcription", "transcript", "sentence", "text", "raw_transcription"),
    *("normalized_text", "normalized", "raw_text", "txt"),
)
SPEAKER_NAMES = ("client_id", "speaker_id", "speaker", "user_id", "spk_id")


@dataclass(frozen=True)
class Mapping:
    """Which column is what; `speaker` is "" when none says who speaks."""

    audio: str
    text: str
    speaker: str = ""


@dataclass(frozen=True)
class Columns:
    """What the columns of a config may be, the likeliest, and the texts of its first rows."""

    audio: list[str]
    text: list[str]
    speaker: list[str]
    guess: Mapping
    rows: list[dict[str, str]]


def columns(listing: Listing, config: str, token: str = "") -> Columns:
    """Read off the schema; only texts are fetched. Raises: InputError hub_data_no_audio,
    hub_data_no_text, hub_data_damaged, and those of `hub_listing.look`."""
    split, _ = listing.default_splits(config)
    with _opened(listing, listing.configs[config][split][0], token) as parquet:
        schema = parquet.schema_arrow
        audio, text = _audio_columns(schema), [f.name for f in schema if _is_text(f.type)]
        named = ", ".join(schema.names)
        if not audio:
            raise InputError("hub_data_no_audio", repo=listing.repo_id, columns=named)
        if not text:
            raise InputError("hub_data_no_text", repo=listing.repo_id, columns=named)
        speaker = [f.name for f in schema if _is_text(f.type) or pa.types.is_integer(f.type)]
        guess = Mapping(
            audio[0],
            _first(TEXT_NAMES, text) or text[0],
            _first(SPEAKER_NAMES, speaker),
        )
        batch = next(parquet.iter_batches(N_SHOWN, columns=text, use_threads=False), None)
        shown = batch.to_pylist() if batch else []
    rows = [{name: str(v or "")[:MAX_SHOWN_CHARS] for name, v in row.items()} for row in shown]
    return Columns(audio, text, speaker, guess, rows)


def candidates(
    listing: Listing,
    config: str,
    mapping: Mapping,
    train: str,
    test: str,
    n_train: int,
    n_test: int,
    token: str = "",
    known: Collection[str] = (),
) -> Iterator[Candidate]:
    """The first rows of the splits to train and to test on, but none called as in `known`. Where
    rows are named alike ("audio.wav"), all but the first have their split and number in the name,
    so that a row is called the same whenever it is read.

    Without a split of its own for the test, rows of `train` are left for `split.assign` to split.
    Raises: InputError hub_data_split, hub_data_column, hub_data_damaged, and those of `look`.
    """
    splits = listing.configs[config]
    for split in filter(None, (train, test)):
        if split not in splits:
            raise InputError(
                "hub_data_split", config=config, wanted=split, splits=", ".join(splits)
            )
    if test in ("", train):
        wanted = [(train, "", n_train + n_test)]
    else:
        wanted = [(train, "train", n_train), (test, "test", n_test)]
    with tempfile.TemporaryDirectory(prefix=TEMP_PREFIX) as temp_dir:
        target = Path(temp_dir) / "recording"
        seen: set[str] = set()
        for split, side, n_wanted in wanted:
            with closing(_rows(listing, splits[split], mapping, token)) as rows:
                named = (
                    (_unlike(_name(row[mapping.audio]), f"{split} {n}", seen), row)
                    for n, row in rows
                )
                new = ((name, row) for name, row in named if name not in known)
                for name, row in islice(new, n_wanted):
                    yield _candidate(name, row, mapping, side, target, listing.is_common_voice)


def _candidate(
    name: str, row: dict, mapping: Mapping, side: str, target: Path, is_common_voice: bool
) -> Candidate:
    data = _sound(row[mapping.audio])
    if data is not None:
        target.unlink(missing_ok=True)
        target.write_bytes(data)
    speaker = row.get(mapping.speaker)
    return Candidate(
        name,
        None if data is None else target,
        row[mapping.text],
        side,
        "" if speaker is None else str(speaker),
        source=COMMON_VOICE if is_common_voice else "",
    )


def _rows(
    listing: Listing, files: tuple[str, ...], mapping: Mapping, token: str
) -> Iterator[tuple[int, dict]]:
    """The rows of a split, counted from 1."""
    wanted = list(filter(None, (mapping.audio, mapping.text, mapping.speaker)))
    n = 0
    for file in files:
        with _opened(listing, file, token) as parquet:
            there = parquet.schema_arrow.names
            missing = [name for name in wanted if name not in there]
            if missing:
                named = ", ".join(there)
                raise InputError("hub_data_column", wanted=missing[0], columns=named)
            for group in range(parquet.num_row_groups):
                _check_size(parquet.metadata.row_group(group), listing.repo_id)
                asked = {"row_groups": [group], "columns": wanted, "use_threads": False}
                for batch in parquet.iter_batches(BATCH_ROWS, **asked):
                    for row in batch.to_pylist():
                        n += 1
                        yield n, row


def _check_size(group: pq.RowGroupMetaData, repo_id: str) -> None:
    """Most writers make one page of each row group, and a page is read as a whole."""
    if group.total_byte_size > MAX_GROUP_BYTES:
        size = group.total_byte_size / 1e6
        raise InputError("hub_data_group", repo=repo_id, size=size, limit=MAX_GROUP_BYTES / 1e6)


@contextmanager
def _opened(listing: Listing, file: str, token: str) -> Iterator[pq.ParquetFile]:
    """A parquet file of the repository. The file system is not kept: it would keep the token."""
    with refusals_named(listing.repo_id):
        try:
            system = HfFileSystem(token=token or False, skip_instance_cache=True)
            path = f"datasets/{listing.repo_id}/{file}"
            with (
                system.open(path, revision=listing.commit, cache_type="none") as remote,
                pq.ParquetFile(remote, buffer_size=BUFFER_BYTES, pre_buffer=False) as parquet,
            ):
                yield parquet
        except (pa.ArrowException, OSError) as error:
            if isinstance(error, FROM_THE_HUB):
                raise
            raise InputError("hub_data_damaged", file=file, repo=listing.repo_id) from error


def _audio_columns(schema: pa.Schema) -> list[str]:
    """Columns of recordings: those that `datasets` calls so, then whatever may hold a file."""
    try:
        described = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
        features = described["info"]["features"]
        named = [n for n, f in features.items() if f.get("_type") == "Audio" and n in schema.names]
    except (ValueError, KeyError, TypeError, AttributeError):
        named = []
    bytes_inside = [f.name for f in schema if _holds_file(f.type) and f.name not in named]
    return named or sorted(bytes_inside, key=lambda name: name != "audio")


def _holds_file(kind: pa.DataType) -> bool:
    if pa.types.is_struct(kind):
        names = [kind.field(i).name for i in range(kind.num_fields)]
        return "bytes" in names and _is_bytes(kind.field("bytes").type)
    return _is_bytes(kind)


def _is_bytes(kind: pa.DataType) -> bool:
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind)


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def _first(names: tuple[str, ...], there: list[str]) -> str:
    plain = {name.casefold(): name for name in reversed(there)}
    return next((plain[name] for name in names if name in plain), "")


def _sound(value: object) -> bytes | None:
    """The bytes of a recording; None when a row only says where it lies."""
    data = value.get("bytes") if isinstance(value, dict) else value
    return data or None if isinstance(data, bytes) else None


def _name(value: object) -> str:
    """Of its file; "" when the row does not say."""
    path = value.get("path") if isinstance(value, dict) else None
    return PurePosixPath(path).name if isinstance(path, str) and path else ""


def _unlike(name: str, place: str, seen: set[str]) -> str:
    """A name that no row before it has. `place`: its split and number."""
    if not name:
        return place
    if name in seen:
        return f"{name} ({place})"
    seen.add(name)
    return name
