"""A run folder out of its private copy (`private_copy.py`), checked as if it came from a stranger.

A checkpoint holds pickles (`optimizer.pt`, `rng_state.pth`). The Trainer loads them as weights
only, which runs no code of theirs; that is the second wall. The first one is here: nothing is taken
from a repository of anybody but the token's own user. Only files with expected names are read, at
most as many bytes as announced, and the checkpoint must be the one that its manifest describes.
"""

import hashlib
import json
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from huggingface_hub import HfApi
from huggingface_hub.hf_api import ModelInfo, RepoSibling

from whisper_tuner.data.archives import open_archive
from whisper_tuner.data.clips import COMMON_VOICE, Clip, read_clips, read_report
from whisper_tuner.errors import InputError, PublishError, RunError
from whisper_tuner.publish.hub import check_repo_name
from whisper_tuner.publish.package import ADAPTER_FILES, MARKER_NAME
from whisper_tuner.publish.private_copy import COPY_OF
from whisper_tuner.publish.repository import Ask, Sleep, ask_patiently, read
from whisper_tuner.runs import checkpoints
from whisper_tuner.runs.folder import ID_PATTERN, Run
from whisper_tuner.runs.start import ADAPTER_FILES as START_FILES
from whisper_tuner.runs.start import ORIGIN_NAME

MIB = 1 << 20
LIMITS = {  # names of the files that are read → bytes, at most
    rf"{re.escape(MARKER_NAME)}|run\.json": MIB,
    r"dataset/(manifest\.jsonl|report\.json)": 64 * MIB,
    r"(events\.jsonl|comparison\.json)": 256 * MIB,
    r"dataset-\d{3}\.zip": 2048 * MIB,
    r"checkpoints/step-\d{1,9}/\w+\.(safetensors|json|pt|pth|md)": 4096 * MIB,
    rf"start/({'|'.join(map(re.escape, (*START_FILES, ORIGIN_NAME)))})": 4096 * MIB,
    rf"adapter/({'|'.join(map(re.escape, ADAPTER_FILES))})": 4096 * MIB,
}
MAX_FILES = 200
ZIP_NAME = re.compile(r"dataset-\d{3}\.zip")
CLIP_NAME = re.compile(r"clips/[\w-]+\.flac", re.ASCII)


def fetch(
    repo: str, token: str, run: Run, endpoint: str | None = None, sleep: Sleep = time.sleep
) -> tuple[str, str]:
    """Fill the empty folder of `run`; returns the repository's full name and the copied run's id.

    `repo`: its name, with or without the account's or the address. The clips of Common Voice are
    in no copy: then `dataset/clips` stays empty.

    Raises PublishError, or RunError when the disk is too small. What is in `run` then is of no use.
    """
    api = HfApi(endpoint=endpoint, token=token)
    ask = partial(ask_patiently, sleep=sleep)
    info = _find_own(api, ask, repo.strip().removeprefix(f"{api.endpoint}/").strip("/"))
    files = _expected(info)
    _require_room(run.dir, files)
    for file in files:
        ask(partial(_download, api, info, file, run.dir))
    run_id = _run_id(run.dir / MARKER_NAME)
    _unpack(run)
    _check_checkpoint(run)
    return info.id, run_id


@contextmanager
def damage_named(file: str) -> Iterator[None]:
    """Whatever goes wrong in reading a file that was copied. Raises PublishError."""
    try:
        yield
    except FileNotFoundError as error:
        raise PublishError("restore_incomplete", file=file) from error
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise PublishError("restore_damaged", file=file) from error


def _find_own(api: HfApi, ask: Ask, repo: str) -> ModelInfo:
    """Raises PublishError when it is not there, or not the token's own user's."""
    own = ask(api.whoami)["name"]
    owner, _, name = repo.rpartition("/")
    check_repo_name(name)
    if owner not in ("", own):
        raise PublishError("restore_not_yours", repo=repo, name=own)
    repo_id = f"{own}/{name}"
    try:
        info = ask(lambda: api.model_info(repo_id, files_metadata=True))
    except PublishError as error:
        if error.code == "hub_forbidden":
            raise PublishError("restore_not_found", repo=repo_id) from error
        raise
    if info.id != repo_id:  # moved: the Hub answers with the new owner's
        raise PublishError("restore_not_yours", repo=info.id, name=own)
    return info


def _expected(info: ModelInfo) -> list[RepoSibling]:
    """The files to read. Raises PublishError for what is no copy, or cannot be one of ours."""
    limits = {file.rfilename: _limit(file.rfilename) for file in info.siblings or ()}
    files = [file for file in info.siblings or () if limits[file.rfilename]]
    if MARKER_NAME not in limits:
        raise PublishError("restore_not_a_copy", repo=info.id)
    for file in files:
        if file.size is None or file.size > limits[file.rfilename]:
            raise PublishError("restore_too_large", file=file.rfilename)
    if len(files) > MAX_FILES:
        raise PublishError("restore_too_large", file=info.id)
    return files


def _limit(name: str) -> int:
    """Bytes that a file of this name may have; 0 when it is none of a copy's."""
    return next((n for pattern, n in LIMITS.items() if re.fullmatch(pattern, name, re.ASCII)), 0)


def _require_room(folder: Path, files: list[RepoSibling]) -> None:
    """The ZIPs are on the disk twice for a moment."""
    need = sum(f.size * (2 if ZIP_NAME.fullmatch(f.rfilename) else 1) for f in files)
    free = shutil.disk_usage(folder).free
    if need > free:
        raise RunError("restore_no_room", need=need / 1e9, have=free / 1e9)


def _download(api: HfApi, info: ModelInfo, file: RepoSibling, folder: Path) -> None:
    path = folder / file.rfilename  # its name is one of LIMITS
    path.parent.mkdir(parents=True, exist_ok=True)
    digest, n_bytes = hashlib.sha256(), 0
    with path.open("wb") as target:
        for block in read(api, info.id, file.rfilename, info.sha):
            n_bytes += len(block)
            if n_bytes > file.size:
                break
            digest.update(block)
            target.write(block)
    is_large = file.lfs is not None
    if n_bytes != file.size or (is_large and digest.hexdigest() != file.lfs.sha256):
        raise PublishError("restore_damaged", file=file.rfilename)


def _run_id(marker: Path) -> str:
    with damage_named(MARKER_NAME):
        run_id = json.loads(marker.read_text(encoding="utf-8")).get(COPY_OF, "")
        if not ID_PATTERN.fullmatch(run_id):
            raise ValueError(run_id)
    marker.unlink()
    return run_id


def _unpack(run: Run) -> None:
    """The clips out of their ZIPs; all that the manifest names must be there, and no other."""
    with damage_named("dataset"):
        clips = read_clips(run.dataset_dir)
        read_report(run.dataset_dir)
        if not all(CLIP_NAME.fullmatch(clip.audio) for clip in clips):
            raise ValueError
    (run.dataset_dir / "clips").mkdir()
    for path in sorted(run.dir.glob("dataset-*.zip")):
        _extract(path, {clip.audio for clip in clips}, run.dataset_dir)
        path.unlink()
    if any(clip.source != COMMON_VOICE for clip in missing_clips(run)):
        raise PublishError("restore_incomplete", file="dataset")


def missing_clips(run: Run) -> list[Clip]:
    """Clips of the manifest without their recording."""
    folder = run.dataset_dir
    return [clip for clip in read_clips(folder) if not (folder / clip.audio).exists()]


def _extract(path: Path, names: set[str], folder: Path) -> None:
    """A ZIP of ours holds clips only, and nothing in it is compressed."""
    try:
        with open_archive(path, path.name) as archive:
            n_bytes = sum(member.file_size for member in archive.members.values())
            if not names.issuperset(archive.names) or n_bytes > path.stat().st_size:
                raise PublishError("restore_damaged", file=path.name)
            for name in archive.names:
                archive.extract(name, folder / name)
    except InputError as error:
        raise PublishError("restore_damaged", file=path.name) from error


def _check_checkpoint(run: Run) -> None:
    for path in checkpoints.by_step(run.checkpoints_dir):
        if not checkpoints.is_whole(path):
            raise PublishError("restore_damaged", file=f"checkpoints/{path.name}")
