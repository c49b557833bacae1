"""What a dataset repository of the Hugging Face Hub holds: configs, their splits, parquet files.

A repository names them in its card, or by its folders and file names; of one that holds other
kinds of files the Hub keeps a copy as parquet, in the branch refs/convert/parquet. Scripts that
some old datasets consist of are never run.
"""

import re
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

from huggingface_hub import HfApi, constants
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    HTTPError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from whisper_tuner.errors import InputError

CONVERTED = "refs/convert/parquet"
TIMEOUT_S = 30.0
DEFAULT = "default"
SPLIT = re.compile(r"(?:^|[-._])(train|test|validation|valid|val|dev|eval)(?:$|[-._])")
PLAIN_FOLDERS = frozenset({"data", "parquet", "parquet-data"})
ADDRESS = re.compile(r"(?:hf://|https?://[^/]+/)?(?:datasets/)?([^/\s]+(?:/[^/\s]+)?)(?:/.*)?")
TRAIN_NAMES = ("train", "training")
TEST_NAMES = ("test", "validation", "valid", "val", "dev", "eval")
MIRROR = re.compile(r"common[-_ ]?voice", re.IGNORECASE)
REFUSALS = {401: "hub_data_token", 403: "hub_data_gated", 404: "hub_data_unknown"}

Splits = dict[str, tuple[str, ...]]  # name → parquet files, in order


@dataclass(frozen=True)
class Listing:
    """The parquet files at one commit, by config and split."""

    repo_id: str
    commit: str
    configs: dict[str, Splits]

    @property
    def is_common_voice(self) -> bool:
        """Whether these are Mozilla's recordings, in a place that is not Mozilla's."""
        return bool(MIRROR.search(self.repo_id))

    def config(self, wanted: str) -> str:
        """The config meant: by its name, or its language ("sw" → "sw_ke"); "" for the only one.

        Raises: InputError hub_data_config.
        """
        if wanted in self.configs:
            return wanted
        meant = [c for c in self.configs if not wanted or re.split("[-_]", c)[0] == wanted]
        if len(meant) != 1:
            named = ", ".join(list(self.configs)[:200])
            raise InputError("hub_data_config", repo=self.repo_id, wanted=wanted, configs=named)
        return meant[0]

    def default_splits(self, config: str) -> tuple[str, str]:
        """The splits to train on and to test on; the second is "" when there is none for it."""
        splits = list(self.configs[config])
        train = next((s for s in TRAIN_NAMES if s in splits), splits[0])
        return train, next((s for s in TEST_NAMES if s in splits and s != train), "")


def look(repo: str, token: str = "") -> Listing:
    """What is in a repository, given as "owner/name" or by its address.

    `token`: the user's own; without one only what everybody may see is seen. Raises: InputError
    hub_data_unknown, hub_data_gated, hub_data_token, hub_data_busy, hub_data_unreachable,
    hub_data_script, hub_data_no_parquet.
    """
    match = ADDRESS.fullmatch(repo.strip())
    if match is None:
        raise InputError("hub_data_unknown", repo=repo)
    repo_id, api = match[1], HfApi(token=token or False)
    with refusals_named(repo_id):
        info = api.dataset_info(repo_id, timeout=TIMEOUT_S)
        names = [file.rfilename for file in info.siblings or ()]
        card = info.card_data.to_dict() if info.card_data else {}
        configs = _carded(card.get("configs"), names) or _folders(names)
        if configs:
            return Listing(repo_id, info.sha, configs)
        try:
            copy = api.dataset_info(repo_id, revision=CONVERTED, timeout=TIMEOUT_S)
        except RevisionNotFoundError:
            copy = None
    configs = _converted([f.rfilename for f in copy.siblings or ()]) if copy else {}
    if not configs:
        is_script = f"{repo_id.rpartition('/')[2]}.py" in names
        raise InputError("hub_data_script" if is_script else "hub_data_no_parquet", repo=repo_id)
    return Listing(repo_id, copy.sha, configs)


@contextmanager
def refusals_named(repo_id: str) -> Iterator[None]:
    """What the Hub's refusals mean. Its errors name addresses, never a token."""
    url = f"{constants.ENDPOINT}/datasets/{repo_id}"
    try:
        yield
    except GatedRepoError as error:
        raise InputError("hub_data_gated", repo=repo_id, url=url) from error
    except (RepositoryNotFoundError, HFValidationError, FileNotFoundError) as error:
        raise InputError("hub_data_unknown", repo=repo_id) from error
    except HfHubHTTPError as error:
        status = error.response.status_code
        code = REFUSALS.get(status, "hub_data_busy")
        raise InputError(code, repo=repo_id, url=url, status=status) from error
    except (HTTPError, OfflineModeIsEnabled, TimeoutError, ConnectionError) as error:
        raise InputError("hub_data_unreachable") from error


def _carded(configs: object, names: list[str]) -> dict[str, Splits]:
    """As the card says: configs with data_files, each a pattern, or patterns by split."""
    found: dict[str, Splits] = {}
    for config in configs if isinstance(configs, list) else ():
        if not isinstance(config, dict):
            continue
        splits: Splits = {}
        for split, patterns in _patterns(config.get("data_files")):
            files = sorted(n for n in names if _is_parquet(n) and _fits(n, patterns))
            if files:
                splits[split] = tuple(files)
        if splits:
            found[str(config.get("config_name") or DEFAULT)] = splits
    return found


def _patterns(data_files: object) -> Iterator[tuple[str, list[str]]]:
    if isinstance(data_files, str):
        yield "train", [data_files]
    elif isinstance(data_files, dict):
        for split, path in data_files.items():
            yield str(split), _strings(path)
    elif isinstance(data_files, list):
        for entry in data_files:
            if isinstance(entry, dict):
                yield str(entry.get("split") or "train"), _strings(entry.get("path"))
        plain = _strings(data_files)
        if plain:
            yield "train", plain


def _strings(value: object) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [item for item in values if isinstance(item, str)]


def _fits(name: str, patterns: list[str]) -> bool:
    return any(fnmatchcase(name, pattern.removeprefix("./")) for pattern in patterns)


def _folders(names: list[str]) -> dict[str, Splits]:
    """As names say: data/train-00000-of-00002.parquet, sw/test/0.parquet, sw_ke/train-….parquet."""
    found: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for name in sorted(filter(_is_parquet, names)):
        *folders, file = PurePosixPath(name).with_suffix("").parts
        said = [match[1] for match in map(SPLIT.search, [*folders, file]) if match]
        named = (f for f in folders if f not in PLAIN_FOLDERS and not SPLIT.search(f))
        found[next(named, DEFAULT)][said[-1] if said else "train"].append(name)
    return _frozen(found)


def _converted(names: list[str]) -> dict[str, Splits]:
    """As the Hub's own copies are named: sw_ke/train/0000.parquet, sw_ke/partial-train/…"""
    found: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for name in sorted(filter(_is_parquet, names)):
        parts = name.split("/")
        if len(parts) == 3:
            found[parts[0]][parts[1].removeprefix("partial-")].append(name)
    return _frozen(found)


def _frozen(found: dict[str, dict[str, list[str]]]) -> dict[str, Splits]:
    return {c: {split: tuple(files) for split, files in s.items()} for c, s in found.items()}


def _is_parquet(name: str) -> bool:
    return name.endswith(".parquet")
