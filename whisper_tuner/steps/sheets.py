"""Sentences read aloud on the page: begun, recorded one by one, used and taken away."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from whisper_tuner.data import prompts, takes
from whisper_tuner.data.add import add as add_to_dataset
from whisper_tuner.data.clips import Candidate, Clip, Report
from whisper_tuner.data.prepare import prepare as prepare_dataset
from whisper_tuner.data.takes import Take
from whisper_tuner.errors import InputError
from whisper_tuner.model.locate import token_counter
from whisper_tuner.publish.recordings import Exported, zip_clips
from whisper_tuner.runs.folder import Run
from whisper_tuner.runs.sheets import SCRIPT_NAME, Script, Sheet
from whisper_tuner.steps.checks import changing_data, refuse_new_data

EXPORT_NAME = "recordings.zip"


@dataclass(frozen=True)
class DeletedSheet:
    """What a deletion took away: recordings, and megabytes of disk that are free now."""

    n_takes: int
    megabytes: float


def check_sentences(text: str) -> prompts.Prompts:
    """The sentences of a text, one a line, and what is wrong with its other lines."""
    counter = cache(token_counter)  # takes a while, and most sentences are too short to need it
    return prompts.check(text, lambda sentence: counter()(sentence))


def begin_sheet(root: Path, text: str, script: Script) -> Sheet:
    """A sheet with the sentences of `text`; `script`: all else that is known.

    Raises InputError when there is no sentence, or sheets cannot be kept in `root`.
    """
    found = check_sentences(text)
    if not found.sentences:
        raise InputError("sentences_none")
    return Sheet.create(root, replace(script, sentences=tuple(found.sentences)))


def record(sheet: Sheet, n: int, path: Path) -> Take:
    """Keep a recording of sentence `n`, from 1, in the place of an earlier one; what is worth
    saying of it is told.

    Raises: AudioError, a recording that cannot be used, which leaves the earlier one; InputError
    or RunError as `Sheet.keep`; RunError when there is no such sentence.
    """
    sentence = sentence_of(sheet, n)
    samples, take = takes.examine(path, sentence)
    sheet.keep(n, takes.to_flac(samples, take))
    return take


def sentence_of(sheet: Sheet, n: int) -> str:
    """Raises InputError when there is no such sentence."""
    sentences = sheet.read_script().sentences
    if not 1 <= n <= len(sentences):
        raise InputError("sheet_no_sentence", n=n, total=len(sentences))
    return sentences[n - 1]


def takes_of(sheet: Sheet) -> dict[int, Take]:
    """Every take there is, by its sentence."""
    return {n: takes.read_take(sheet.take_path(n)) for n in sheet.recorded()}


def prepare_sheet(
    run: Run, sheet: Sheet, seed: int = 42, on_progress: Callable[[int], None] | None = None
) -> Report:
    """What was recorded as the dataset of a run, as `steps.prepare` does it."""
    refuse_new_data(run)
    candidates = sheet_candidates(sheet)
    return prepare_dataset(candidates, run.dataset_dir, token_counter(), seed, on_progress)


def add_sheet(
    run: Run, sheet: Sheet, seed: int = 42, on_progress: Callable[[int], None] | None = None
) -> Report:
    """What was recorded beside the recordings of a run, as `steps.add` does it."""
    with changing_data(run):
        candidates = sheet_candidates(sheet)
        return add_to_dataset(candidates, run.dataset_dir, token_counter(), seed, on_progress)


def sheet_candidates(sheet: Sheet) -> Iterator[Candidate]:
    """Every take with its sentence; how many sentences have none is said.

    Raises: InputError sheet_nothing_recorded.
    """
    script, recorded = sheet.read_script(), sheet.recorded()
    if not recorded:
        raise InputError("sheet_nothing_recorded")
    for n in recorded:
        path, sentence = sheet.take_path(n), script.sentences[n - 1]
        audio = path if path.exists() else None  # the sheet may be deleted meanwhile
        yield Candidate(path.name, audio, sentence, speaker=script.speaker)
    n_left = len(script.sentences) - len(recorded)
    if n_left:
        told = {"n": n_left, "total": len(script.sentences)}
        yield Candidate(SCRIPT_NAME, None, None, problem="sentences_not_read", params=told)


def export_sheet(sheet: Sheet, target: Path | None = None) -> Exported:
    """What was recorded and its table as one ZIP, which `prepare` reads; in the sheet's folder
    when no target is given.

    Raises: InputError sheet_nothing_recorded, export_no_room.
    """
    script, clips = sheet.read_script(), []
    for n, take in takes_of(sheet).items():
        audio = sheet.take_path(n).relative_to(sheet.dir).as_posix()
        clips.append(
            Clip(
                id=f"{n:04d}",
                audio=audio,
                text=script.sentences[n - 1],
                name=sheet.take_path(n).name,
                duration_s=take.duration_s,
                n_tokens=0,
                split="",
                speaker=script.speaker,
            )
        )
    if not clips:
        raise InputError("sheet_nothing_recorded")
    target = target or sheet.dir / EXPORT_NAME
    zip_clips(clips, sheet.dir, target)
    return Exported(target, len(clips), 0)


def delete_sheet(sheet: Sheet) -> DeletedSheet:
    """Delete a sheet: sentences and recordings. Runs that were made of it have copies."""
    n_takes = len(sheet.recorded())
    return DeletedSheet(n_takes, sheet.delete() / 1e6)
