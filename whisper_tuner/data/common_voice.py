"""Mozilla's Common Voice archives (`<language>.tar.gz`), Scripted and Spontaneous Speech.

The archive is read once for its tables and once more, as far as needed, for the chosen clips. One
that is still being downloaded (`download.py`) comes only as far as that: clips are then taken as
they pass, and the download ends when there are enough.
"""

import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from heapq import nsmallest
from itertools import islice
from pathlib import Path, PurePosixPath

from whisper_tuner.config import TEMP_PREFIX
from whisper_tuner.data.clips import COMMON_VOICE, Candidate
from whisper_tuner.data.cv_archive import (
    CLIP,
    SPOKEN_TABLE,
    Member,
    Openable,
    Row,
    members,
    named_damage,
    rows,
)
from whisper_tuner.data.cv_choice import Drawn, FirstToCome
from whisper_tuner.data.split import TEST_SHARE, shuffle_key
from whisper_tuner.errors import InputError
from whisper_tuner.model.languages import LANGUAGES

OFFICIAL_TABLES = {"train": "train", "dev": "train", "test": "test"}
ALL_TABLES = {*OFFICIAL_TABLES, "validated"}
N_LOOKED_AT = 2_000  # members read to learn the language; reading all of English takes minutes
MAX_POOL = 50_000  # rows of one table kept to choose from; English has two million
MAX_CLIP_BYTES = 16 << 20  # half an hour at 64 kbit/s

# Common Voice locales whose first part is not what Whisper calls the language. zh-HK is Cantonese,
# as is yue, but only large-v3 and its turbo have a token for yue: zh, under which the older models
# heard Cantonese, works everywhere. Min Nan (nan-tw) and Irish (ga-IE) have no token at all.
WHISPER_NAMES = {"jv": "jw", "nb": "no", "fil": "tl", "iw": "he", "mo": "ro"}


def whisper_language(locale: str) -> str | None:
    """Whisper's code for a Common Voice locale ("sv-SE" → "sv"); None when Whisper has none."""
    language = re.split("[-_]", locale.lower())[0]
    language = WHISPER_NAMES.get(language, language)
    return language if language in LANGUAGES else None


def locales(path: Path, name: str | None = None) -> list[str]:
    """The locales inside an archive, normally one, told by its first members.

    Raises: InputError cv_not_an_archive, cv_damaged, cv_no_tsv.
    """
    name = name or path.name
    with named_damage(name):
        found = {member.locale for member in islice(members(path, name), N_LOOKED_AT)} - {""}
    if not found:
        raise InputError("cv_no_tsv", file=name)
    return sorted(found)


def candidates(
    source: Openable,
    n_train: int,
    n_test: int,
    seed: int = 42,
    locale: str | None = None,
    name: str | None = None,
    known: Collection[str] = (),
    is_coming: Callable[[], bool] = lambda: False,
) -> Iterator[Candidate]:
    """At most `n_train` clips to train on and `n_test` to test on, in the order of the archive.

    Mozilla's own split is used when the archive has one (train and dev are for training). Without,
    whole speakers with about a fifth of the clips are for the test; the clips of a single speaker
    are left for `split.assign` to split. The same seed chooses the same clips, but none of those
    called as in `known`. `is_coming`: whether the archive is still being downloaded; if so when
    its tables have been read, the first clips that will do are taken instead.

    Raises: InputError cv_not_an_archive, cv_damaged, cv_no_tsv, cv_no_column, cv_all_known,
    cv_several_languages (then name a `locale`).
    """
    name = name or source.name
    with named_damage(name), tempfile.TemporaryDirectory(prefix=TEMP_PREFIX) as temp_dir:
        locale, tables = _read_tables(source, name, locale, seed)
        pools = _pools(tables, seed, known)
        if not any(pools.values()):
            raise InputError("cv_all_known" if known else "cv_no_tsv", file=name)
        choice = (FirstToCome if is_coming() else Drawn)(pools, n_train, n_test)
        target = Path(temp_dir) / "clip.mp3"
        for member in members(source, name):
            is_here = member.kind == CLIP and member.locale in ("", locale)
            chosen = choice.take(member.name) if is_here and _is_small(member) else None
            if chosen:
                target.unlink(missing_ok=True)
                with target.open("wb") as file:
                    shutil.copyfileobj(member.open(), file)
                yield _candidate(*chosen, target)
            if choice.is_made:
                return
        for row, split in choice.missing:
            yield _candidate(row, split, None)


def recordings(path: Path, names: set[str]) -> Iterator[tuple[str, Path]]:
    """The recordings of these names, each in a file that is there until the next is asked for.

    Raises: InputError cv_not_an_archive, cv_damaged.
    """
    with named_damage(path.name), tempfile.TemporaryDirectory(prefix=TEMP_PREFIX) as temp_dir:
        target = Path(temp_dir) / "clip.mp3"
        for member in members(path, path.name):
            if member.kind == CLIP and member.name in names and _is_small(member):
                with target.open("wb") as file:
                    shutil.copyfileobj(member.open(), file)
                yield member.name, target


def _is_small(member: Member) -> bool:
    return member.info.size <= MAX_CLIP_BYTES


def _candidate(row: Row, split: str, audio: Path | None) -> Candidate:
    return Candidate(
        row.clip, audio, row.sentence, split, row.speaker, row.number, source=COMMON_VOICE
    )


def _read_tables(
    source: Openable, name: str, locale: str | None, seed: int
) -> tuple[str, dict[str, list[Row]]]:
    """The locale and, of each of its tables, `MAX_POOL` rows at most, in an order of the seed."""
    tables: dict[str, list[Row]] = {}
    found: set[str] = set()
    for member in members(source, name):
        found |= {member.locale} - {""}
        if len(found) > 1 and locale is None:
            raise InputError("cv_several_languages", file=name, locales=", ".join(sorted(found)))
        if member.kind != CLIP and member.locale == (locale or member.locale):
            tables |= _pooled(member, f"{name}: {PurePosixPath(member.info.name).name}", seed)
            if all(map(tables.get, OFFICIAL_TABLES)) or tables.keys() >= ALL_TABLES:
                break
    if not tables:
        raise InputError("cv_no_tsv", file=name)
    return locale or found.pop(), tables


def _pooled(member: Member, name: str, seed: int) -> dict[str, list[Row]]:
    """A table by its name; that of Spontaneous Speech as the tables that Scripted Speech has.

    What nobody has transcribed is not there. Rows without a split are "validated", which is only
    used when there are no splits.
    """

    def key(row: Row) -> str:
        return shuffle_key(seed, row.clip)

    if member.kind != SPOKEN_TABLE:
        return {member.kind: nsmallest(MAX_POOL, rows(member, name), key=key)}
    tables: dict[str, list[Row]] = {table: [] for table in sorted(ALL_TABLES)}
    written = (row for row in rows(member, name) if row.sentence.strip())
    for row in nsmallest(MAX_POOL, written, key=key):
        tables["validated"].append(row)
        if row.split in OFFICIAL_TABLES:
            tables[row.split].append(row)
    return tables


def _pools(tables: dict[str, list[Row]], seed: int, known: Collection[str]) -> dict[str, list[Row]]:
    """The rows by split, in an order of the seed; the split is "" when there is no telling."""
    pools: dict[str, list[Row]] = {"train": [], "test": []}
    for table, split in OFFICIAL_TABLES.items():
        pools[split] += tables.get(table, [])
    pools["train"].sort(key=lambda row: shuffle_key(seed, row.clip))
    if not all(pools.values()):
        pools = _split_speakers(tables.get("validated", []), seed)
    return {split: [row for row in rows if row.clip not in known] for split, rows in pools.items()}


def _split_speakers(rows: list[Row], seed: int) -> dict[str, list[Row]]:
    """Rows by split, no speaker in both; the split is "" when there are not two speakers."""
    n_clips = Counter(row.speaker for row in rows)
    if len(n_clips) < 2:
        return {"": rows}
    shuffled = sorted(n_clips, key=lambda speaker: shuffle_key(seed, speaker))
    test: set[str] = set()
    n_test = 0
    for speaker in shuffled:
        if n_test + n_clips[speaker] <= TEST_SHARE * len(rows):
            test.add(speaker)
            n_test += n_clips[speaker]
    test = test or {min(shuffled, key=n_clips.__getitem__)}
    return {
        "train": [row for row in rows if row.speaker not in test],
        "test": [row for row in rows if row.speaker in test],
    }
