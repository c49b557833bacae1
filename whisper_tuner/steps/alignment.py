"""Long recordings and their full texts → clips: begun, gone on with, and made a dataset."""

import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import soundfile

from whisper_tuner.alignment import review, task
from whisper_tuner.config import TEMP_PREFIX, TrainConfig
from whisper_tuner.data.add import add as add_to_dataset
from whisper_tuner.data.clips import Candidate, Report, free_name
from whisper_tuner.data.cutting import Recording, cut
from whisper_tuner.data.documents import read_document
from whisper_tuner.data.full_texts import Pair
from whisper_tuner.data.long_recordings import read_long
from whisper_tuner.errors import InputError, RunError
from whisper_tuner.model.catalogue import check_language
from whisper_tuner.model.locate import token_counter
from whisper_tuner.runs import disk, jobs, queue
from whisper_tuner.runs.aligning import Aligning
from whisper_tuner.runs.device import Device, find_device
from whisper_tuner.runs.folder import Run, Spec
from whisper_tuner.steps.checks import (
    changing_data,
    has_dataset,
    refuse_started,
    require_dataset,
    room_for_long,
)
from whisper_tuner.steps.training import refuse_place, versions

SMALL_BASE = "openai/whisper-base"  # hears ten times as fast as the recording lasts, on a CPU
SECONDS_PER_S = {"cpu": 0.15, "cuda": 0.03}  # of work for a second of sound


def aligning_base(device: Device) -> str:
    """The base that aligns unless a person says another one."""
    return device.default_base if device.kind == "cuda" else SMALL_BASE


def align(
    run: Run,
    pairs: Sequence[Pair],
    language: str,
    base: str = "",
    encoding: str | None = None,
    owner: str = "",
) -> None:
    """Start a worker that aligns recordings, each with the text of its document; returns at once.

    `run` is a new one, for this only. `owner`: as of `steps.train`. Raises: InputError
    file_missing, RunError queue_one_waiting, and as `read_document`, `check_language` and
    `disk.require_download` do.
    """
    for path in (path for pair in pairs for path in pair):
        if not path.is_file():
            raise InputError("file_missing", file=str(path))
    base = base or aligning_base(find_device())
    check_language(base, language)
    items, names = [], set()
    for recording, document in pairs:
        text = read_document(document, document.name, encoding)
        items.append(task.Item(free_name(recording.name, names), text))
        names.add(items[-1].name)
    recordings = [recording for recording, _ in pairs]
    disk.require_download(run.dir, 2 * sum(path.stat().st_size for path in recordings))
    asked = task.Task(tuple(items), language, base, _precision())
    with disk.told_when_full():
        task.create(run, asked, recordings)
    _start(run, owner)


def align_long(run: Run, dataset: Run, language: str, base: str = "", owner: str = "") -> None:
    """The same with the recordings of a run that last too long for a clip, which are linked.

    Raises: InputError no_long_recordings, and as `align`; RunError run_has_started.
    """
    require_dataset(dataset)
    refuse_started(dataset)
    long = read_long(dataset.dataset_dir)
    if not long:
        raise InputError("no_long_recordings", run=dataset.id)
    base = base or aligning_base(find_device())
    check_language(base, language)
    items = tuple(task.Item(clip.name, clip.text, clip.speaker, clip.split) for clip in long)
    asked = task.Task(items, language, base, _precision(), dataset.id)
    paths = [dataset.dataset_dir / clip.audio for clip in long]
    expected_s = sum(clip.duration_s for clip in long) * SECONDS_PER_S[find_device().kind]
    with disk.told_when_full():
        task.create(run, asked, paths, are_ours=True)
    _start(run, owner, expected_s)


def resume_alignment(run: Run, owner: str = "") -> bool:
    """Go on with one that was stopped or broke off; what was heard is not heard again. False when
    it is at work. Raises RunError when it has come to its end, or `run` is no alignment.
    """
    task.read(run)
    if review.is_there(run):
        raise RunError("alignment_is_done", run=run.id)
    return not jobs.is_alive(run) and _start(run, owner)


def _precision() -> str:
    return "32bit" if find_device().kind == "cpu" else "16bit"


def _start(run: Run, owner: str, expected_s: float = 0.0) -> bool:
    refuse_place(run, None)
    asked, work = task.read(run), Aligning(run.dir)
    with disk.told_when_full(), queue.place(run, owner) as now_s:
        if not work.spec_path.exists():
            config = TrainConfig(asked.base, asked.language, asked.precision)
            work.write_spec(Spec(config, time.time(), versions(), owner, expected_s))
        return jobs.start(run, "align", ticket_s=now_s)


def dataset_of(aligned: Run) -> Run | None:
    """The run whose long recordings were aligned; None for uploads, or when it is gone."""
    run_id = task.read(aligned).dataset
    try:
        run = Run.open(aligned.dir.parent, run_id) if run_id else None
    except RunError:
        return None
    return run if run and has_dataset(run) else None


def is_used(aligned: Run) -> bool:
    """Whether the clips of all its recordings have taken their place in the dataset."""
    run = dataset_of(aligned)
    return run is not None and not _open_items(aligned, run)


def _open_items(aligned: Run, run: Run) -> list[int]:
    """Numbers of the recordings that wait in the run's dataset to be cut."""
    waiting = {clip.name for clip in read_long(run.dataset_dir)}
    return [i for i, item in enumerate(task.read(aligned).items) if item.name in waiting]


def use_cuts(
    aligned: Run, seed: int = 42, on_progress: Callable[[int], None] | None = None
) -> Report:
    """Put the clips that are kept beside those of the dataset whose long recordings they are of
    (`data/join.py`), in the place of these. `undo_fixes` takes it back.

    Raises: InputError alignment_used, alignment_nothing_kept; RunError when the run was started.
    """
    run = dataset_of(aligned)
    if run is None:
        raise RunError("run_unknown", run=task.read(aligned).dataset)
    with changing_data(run):
        chosen = _open_items(aligned, run)
        if not chosen:
            raise InputError("alignment_used")
        names = [task.read(aligned).items[i].name for i in chosen]
        with AlignedSource(aligned, chosen).open(run, ()) as candidates:
            count_tokens = token_counter()
            return add_to_dataset(
                candidates,
                run.dataset_dir,
                count_tokens,
                seed,
                on_progress,
                room_for_long(run),
                names,
            )


@dataclass(frozen=True)
class AlignedSource:
    """The clips that are kept of an alignment, as a `sources.Source`. `chosen`: numbers of its
    recordings; None for all.
    """

    aligned: Run
    chosen: Collection[int] | None = None

    @contextmanager
    def open(self, run: Run, known: Collection[str]) -> Iterator[Iterator[Candidate]]:
        """Raises: RunError alignment_not_done; InputError alignment_nothing_kept."""
        items = task.read(self.aligned).items
        chosen = range(len(items)) if self.chosen is None else self.chosen
        kept = {row.recording for row in review.read(self.aligned) if row.keep}
        if not kept.intersection(chosen):
            raise InputError("alignment_nothing_kept")
        with closing(self._candidates(items, chosen, kept)) as candidates:
            yield candidates

    def _candidates(
        self, items: Sequence[task.Item], chosen: Collection[int], kept: Collection[int]
    ) -> Iterator[Candidate]:
        for i in (i for i in chosen if i in kept):
            path = task.sound_path(self.aligned, i)
            with tempfile.TemporaryDirectory(prefix=TEMP_PREFIX) as folder:
                sound = Path(folder) / "recording.flac"  # `cut` writes beside it
                sound.symlink_to(path.resolve())
                recording = Recording(sound, soundfile.info(path).duration)
                for clip in cut(recording, review.segments(self.aligned, i)):
                    yield replace(clip, speaker=items[i].speaker, split=items[i].split)
        for segment in review.unused(self.aligned, chosen):
            yield Candidate(
                segment.name, None, None, problem=segment.problem, params=segment.params
            )
