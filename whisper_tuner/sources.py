"""Recordings that are read while they are downloaded. No torch, no gradio."""

import hashlib
import os
import shutil
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from whisper_tuner.data import common_voice, hub_dataset, mozilla
from whisper_tuner.data.clips import Candidate
from whisper_tuner.data.download import Download
from whisper_tuner.data.hub_dataset import Mapping
from whisper_tuner.data.hub_listing import look
from whisper_tuner.errors import InputError, RunError
from whisper_tuner.runs import disk, locks
from whisper_tuner.runs.delete import DOWNLOADS_NAME, HELD_NAME
from whisper_tuner.runs.folder import Run


class Source(Protocol):
    """Opened for a run; `known` are the names of recordings that it has already."""

    def open(
        self, run: Run, known: Collection[str]
    ) -> AbstractContextManager[Iterator[Candidate]]: ...


def never() -> bool:
    return False


def tell_nobody(have: int, total: int) -> None:
    pass


@dataclass(frozen=True)
class MozillaSource:
    """An archive of Mozilla Data Collective, downloaded with the user's own key.

    `owner`: whose download it is, as far as a page can tell people apart. `on_bytes` hears how many
    bytes are here, and of how many. When `is_stopped`, what came is kept for the next time.
    """

    release: mozilla.Release
    key: str = field(repr=False)
    n_train: int
    n_test: int
    seed: int = 42
    owner: str = ""
    on_bytes: Callable[[int, int], None] = tell_nobody
    is_stopped: Callable[[], bool] = never

    @contextmanager
    def open(self, run: Run, known: Collection[str]) -> Iterator[Iterator[Candidate]]:
        """Raises RunError download_running, download_stopped; InputError as `mozilla`, `Download`
        and `common_voice` do, and disk_no_download. The archive is deleted when all went well."""
        folder = self.folder(run.dir.parent)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = locks.acquire(folder / HELD_NAME)
        if lock is None:
            raise RunError("download_running")
        try:
            try:
                with self._download(folder) as download:
                    found = common_voice.candidates(
                        download,
                        self.n_train,
                        self.n_test,
                        self.seed,
                        known=known,
                        is_coming=lambda: download.is_coming,
                    )
                    with closing(found), closing(self._until_stopped(download, found)) as taken:
                        yield taken
            except InputError as error:
                if error.code.startswith("cv_"):  # to read it again would say the same
                    shutil.rmtree(folder)
                raise
            shutil.rmtree(folder)
        finally:
            os.close(lock)

    def folder(self, root: Path) -> Path:
        """Where what came of it lies between two attempts."""
        name = hashlib.sha256(f"{self.owner}\n{self.release.id}".encode()).hexdigest()[:32]
        return root / DOWNLOADS_NAME / name

    @contextmanager
    def _download(self, folder: Path) -> Iterator[Download]:
        release = self.release
        download = Download(
            folder,
            f"{release.locale or release.language}.tar.gz",
            ask=lambda: mozilla.open_ticket(release.id, self.key, release.url),
            check_room=lambda n_bytes: disk.require_download(folder, n_bytes),
            on_bytes=self._on_bytes,
        )
        try:
            yield download
        finally:
            download.close()

    def _until_stopped(
        self, download: Download, candidates: Iterator[Candidate]
    ) -> Iterator[Candidate]:
        for candidate in candidates:
            self._on_bytes(download.have, download.total)
            yield candidate

    def _on_bytes(self, have: int, total: int) -> None:
        if self.is_stopped():
            raise RunError("download_stopped", have=have / 1e9, total=total / 1e9)
        self.on_bytes(have, total)


@dataclass(frozen=True)
class HubSource:
    """Rows of a dataset of the Hugging Face Hub, read in ranges; nothing of it is kept.

    `token`: of the user's own account, "" for what everybody may see. `mapping`, `train`, `test`:
    None for the likeliest columns and splits; `test` "" when `train` is to be split.
    """

    repo: str
    config: str
    n_train: int
    n_test: int
    mapping: Mapping | None = None
    train: str | None = None
    test: str | None = None
    token: str = field(default="", repr=False)
    is_stopped: Callable[[], bool] = never

    @contextmanager
    def open(self, run: Run, known: Collection[str]) -> Iterator[Iterator[Candidate]]:
        """Raises InputError as `hub_listing` and `hub_dataset` do; RunError hub_data_stopped."""
        listing = look(self.repo, self.token)
        config = listing.config(self.config)
        train, test = listing.default_splits(config)
        found = hub_dataset.candidates(
            listing,
            config,
            self.mapping or hub_dataset.columns(listing, config, self.token).guess,
            train if self.train is None else self.train,
            test if self.test is None else self.test,
            self.n_train,
            self.n_test,
            self.token,
            known,
        )
        with closing(found), closing(self._until_stopped(found)) as taken:
            yield taken

    def _until_stopped(self, candidates: Iterator[Candidate]) -> Iterator[Candidate]:
        for candidate in candidates:
            if self.is_stopped():
                raise RunError("hub_data_stopped")
            yield candidate
