"""Where `prepare` and `further` take recordings from, and the commands that list what there is."""

import argparse
import getpass
import os
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from whisper_tuner import steps
from whisper_tuner.cli.aligning import aligned_run
from whisper_tuner.cli.reading import reading_from
from whisper_tuner.cli.telling import say, say_json
from whisper_tuner.data import hub_dataset, hub_listing, mozilla
from whisper_tuner.data import prompts as built_in_prompts
from whisper_tuner.data.clips import Report
from whisper_tuner.errors import InputError, RunError
from whisper_tuner.locales import text
from whisper_tuner.narrate import release_label
from whisper_tuner.publish.hub import local_token
from whisper_tuner.runs.folder import Run
from whisper_tuner.sources import HubSource, MozillaSource, Source

KEY_VARIABLE = "MDC_API_KEY"  # as Mozilla's own client calls it
SAID_EVERY_S = 5.0

Reader = Callable[[Run], Report]


def names_source(options: argparse.Namespace) -> bool:
    return any(_sources(options))


def reader(options: argparse.Namespace) -> Reader:
    """What fills a run, new or going on from another, with the recordings that were asked for.

    Raises InputError when none or several sources are named, a file is not there, there is no key,
    or Mozilla has no such dataset.
    """
    n_train, n_test, seed = options.clips, options.test_clips, options.seed
    check_sources(options)
    if options.aligned:
        aligned = steps.AlignedSource(aligned_run(options))
        return lambda run: steps.prepare_from(run, aligned, seed)
    if options.common_voice:
        release = mozilla.find(options.common_voice)
        teller = _Teller(release)
        source = MozillaSource(release, _mozilla_key(), n_train, n_test, seed, on_bytes=teller.tell)
        return lambda run: _read(run, source, seed)
    if options.hub_dataset:
        source = _hub_source(options)
        return lambda run: _read(run, source, seed)
    if not is_archive(options.source):
        reading = reading_from(options)
        return lambda run: (steps.add if _goes_on(run) else steps.prepare)(
            run, options.source, seed, reading=reading
        )
    return lambda run: (steps.add_common_voice if _goes_on(run) else steps.prepare_common_voice)(
        run, options.source[0], n_train, n_test, seed
    )


def check_sources(options: argparse.Namespace) -> None:
    """Raises InputError unless exactly one source is named, with no table that is not its own."""
    if options.table and not options.aligned:
        raise InputError("cli_table_alone", file=str(options.table))
    if sum(map(bool, _sources(options))) != 1:
        raise InputError("cli_one_source")


def _sources(options: argparse.Namespace) -> tuple:
    return options.source, options.common_voice, options.hub_dataset, options.aligned


def is_archive(paths: list[Path]) -> bool:
    """Whether the source is a Common Voice archive. Raises InputError for a file not there."""
    for path in paths:
        if not path.exists():
            raise InputError("file_missing", file=str(path))
    return len(paths) == 1 and paths[0].name.endswith((".tar.gz", ".tgz", ".tar"))


def catalogue(options: argparse.Namespace) -> int:
    """Every language of Common Voice that Mozilla has, or those with all of the words."""
    words = [word.casefold() for word in options.words]
    for release in mozilla.catalogue():
        about = f"{release.language} {release.locale} {release.kind} {release.id}".casefold()
        if all(word in about for word in words):
            if options.json:
                say_json(asdict(release))
            else:
                say(f"{release.locale:<10} {release.id}  {release_label(release)}")
    return 0


def look(options: argparse.Namespace) -> int:
    """The parts of a dataset; of one of them the splits, the columns and the first texts."""
    token = _hub_token()
    listing = hub_listing.look(options.dataset, token)
    if not options.config and len(listing.configs) > 1:
        if options.json:
            say_json({"dataset": listing.repo_id, "configs": list(listing.configs)})
        else:
            for config, splits in listing.configs.items():
                say(f"{config}: {', '.join(splits)}")
        return 0
    config = listing.config(options.config)
    found = hub_dataset.columns(listing, config, token)
    splits = list(listing.configs[config])
    if options.json:
        say_json({"dataset": listing.repo_id, "config": config, "splits": splits, **asdict(found)})
        return 0
    said = {"config": config, "splits": ", ".join(splits), **asdict(found.guess)}
    say(text("cli_hub_columns", **said, texts=", ".join(found.text)))
    if listing.is_common_voice:
        say(text("hub_data_mirror"))
    for row in found.rows:
        say(f"  {row[found.guess.text]}")
    return 0


def prompts(options: argparse.Namespace) -> int:
    """The built-in sentences of a language, one a line; without one, the languages there are."""
    if options.language:
        sentences = built_in_prompts.built_in(options.language).splitlines()
        known = {"language": options.language, "sentences": sentences}
        lines = sentences
    else:
        codes = built_in_prompts.languages()
        known = {"languages": codes}
        lines = [f"{code}  {text(f'language_{code}')}" for code in codes]
    if options.json:
        say_json(known)
    else:
        say("\n".join(lines))
    return 0


def _hub_source(options: argparse.Namespace) -> Source:
    token = _hub_token()
    listing = hub_listing.look(options.hub_dataset, token)
    config = listing.config(options.config)
    guess = hub_dataset.columns(listing, config, token).guess
    if listing.is_common_voice:
        print(text("hub_data_mirror"), file=sys.stderr)
    mapping = hub_dataset.Mapping(
        options.audio_column or guess.audio,
        options.text_column or guess.text,
        guess.speaker if options.speaker_column is None else options.speaker_column,
    )
    return HubSource(
        listing.repo_id,
        config,
        options.clips,
        options.test_clips,
        mapping,
        options.train_split,
        options.test_split,
        token,
    )


def _read(run: Run, source: Source, seed: int) -> Report:
    try:
        return steps.prepare_from(run, source, seed)
    except KeyboardInterrupt as error:
        raise RunError("cli_download_stopped") from error


def _goes_on(run: Run) -> bool:
    return run.start_dir.exists()


class _Teller:
    """Says every few seconds on stderr how much has come."""

    def __init__(self, release: mozilla.Release) -> None:
        self._label, self._said_s = release_label(release), 0.0

    def tell(self, have: int, total: int) -> None:
        if time.monotonic() >= self._said_s + SAID_EVERY_S:
            self._said_s = time.monotonic()
            sizes = {"have": have / 1e9, "total": total / 1e9}
            said = text("download_progress", name=self._label, **sizes)
            print(said, file=sys.stderr, flush=True)


def _mozilla_key() -> str:
    """The user's own. No child process inherits it."""
    key = os.environ.pop(KEY_VARIABLE, "")
    if not key and sys.stdin.isatty():
        key = getpass.getpass(text("cli_key_prompt", page=mozilla.KEY_PAGE) + " ")
    if not key:
        raise InputError("cli_no_key", variable=KEY_VARIABLE, page=mozilla.KEY_PAGE)
    return key


def _hub_token() -> str:
    """The token of this machine's user, if there is one."""
    return os.environ.get("HF_TOKEN") or local_token() or ""
