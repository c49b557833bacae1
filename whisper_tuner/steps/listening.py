"""Before a training: the base listens to the recordings, and says which are not what they say."""

import time

from whisper_tuner.config import TrainConfig
from whisper_tuner.data.clips import read_clips
from whisper_tuner.errors import InputError
from whisper_tuner.model import planner
from whisper_tuner.model.catalogue import check_language
from whisper_tuner.runs import disk, jobs, queue
from whisper_tuner.runs.device import Device, find_device
from whisper_tuner.runs.folder import Run, Spec
from whisper_tuner.runs.listening import STAGE, Listening
from whisper_tuner.steps.checks import changing_data, refuse_new_data, require_dataset
from whisper_tuner.steps.training import refuse_place, versions


def listening_s(run: Run, config: TrainConfig, device: Device) -> float:
    """About how many seconds it takes; less where the base has heard clips before.

    Raises InputError when the base does not know the language, or there are no recordings.
    """
    check_language(config.base, config.language)
    require_dataset(run)
    clips = read_clips(run.dataset_dir)
    if not clips:
        raise InputError("dataset_not_usable", run=run.id)
    return planner.listening_s(config, clips, device)


def listen(run: Run, config: TrainConfig, owner: str = "") -> Listening:
    """Start the worker that lets the base of `config` listen; returns at once.

    Of `config` only base, language and precision count. What is found is in the dataset's report
    when the worker ends (`evaluation/listen.py`). Raises as `listening_s`, and RunError when the
    recordings are there to stay, are being changed or listened to, or the owner has work waiting.
    """
    refuse_place(run, None)
    refuse_new_data(run)
    expected_s = listening_s(run, config, find_device())
    work = Listening(run.dir)
    with disk.told_when_full(), queue.place(run, owner) as now_s, changing_data(run):
        work.spec_path.unlink(missing_ok=True)  # of an earlier one, which has ended
        work.write_spec(Spec(config, time.time(), versions(), owner, expected_s))
        jobs.start(work, STAGE, ticket_s=now_s)
    return work
