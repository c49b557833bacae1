"""The stage that lets the base listen to all clips, to find those that are not what they say."""

from whisper_tuner.data.clips import Clip, read_clips
from whisper_tuner.data.listened import put_findings
from whisper_tuner.evaluation.base_cache import BaseCache
from whisper_tuner.evaluation.compare import Listener
from whisper_tuner.evaluation.doubts import Heard, judge
from whisper_tuner.evaluation.hearing import hear
from whisper_tuner.model.load import find_torch_device, load_base, load_processor
from whisper_tuner.runs.context import WorkerContext
from whisper_tuner.runs.events import Note


def listen(context: WorkerContext) -> None:
    """Hear every clip of the dataset and put what is doubted into its report.

    What was heard is kept batch by batch, so one that was stopped or killed goes on from there, and
    measuring the held-out clips later does not hear them again. Raises Stopped when asked to stop.
    """
    context.enter("preparing")
    config = context.run.read_spec().config
    clips = read_clips(context.run.dataset_dir)
    context.emit(Note("note_loading_base", {"base": config.base}))
    with context.patient():  # the base may be downloaded
        processor = load_processor(config.base, config.language)
        base = load_base(config.base, config.language, config.precision, find_torch_device())
    heard = heard_of(context, Listener(base, processor, context.run, config.precision), clips)
    findings = judge(clips, heard, config.language)
    put_findings(context.run.dataset_dir, findings)
    n_doubted = sum(bool(finding.clip) for finding in findings)
    context.emit(Note("note_listened", {"n": len(clips), "n_doubted": n_doubted}))
    context.enter("done")


def heard_of(context: WorkerContext, listener: Listener, clips: list[Clip]) -> dict[str, Heard]:
    """What the base hears in each clip, by the clips' ids."""
    cache, folder = BaseCache.of(listener), context.run.dataset_dir
    cache.drop_unused()
    kept = {clip.id: cache.read_heard(folder / clip.audio) for clip in clips}
    heard = {id: known for id, known in kept.items() if known}
    missing = [clip for clip in clips if clip.id not in heard]
    if heard:
        context.emit(Note("note_heard_before", {"n": len(heard)}))
    context.progress("stage_listening", len(heard), len(clips))
    for batch in hear(listener, missing):
        for clip, told in batch:
            cache.write(folder / clip.audio, told)
            heard[clip.id] = told
        context.progress("stage_listening", len(heard), len(clips))
    return heard
