"""The measuring stage: what the base heard, what the tuned model heard, and the comparison."""

from whisper_tuner.data.clips import Clip, read_clips
from whisper_tuner.evaluation.base_cache import BaseCache
from whisper_tuner.evaluation.compare import Listener, write_comparison
from whisper_tuner.model.load import find_torch_device, load_adapter, load_base, load_processor
from whisper_tuner.runs.context import WorkerContext
from whisper_tuner.runs.events import Note, StateChanged, read_events
from whisper_tuner.runs.folder import Run

ENDS = (StateChanged("stopped"), StateChanged("done"))  # of a training that has an adapter


def load_listener(run: Run) -> Listener:
    """Base and adapter of a run that has been trained, as saved in its folder."""
    config = run.read_spec().config
    processor = load_processor(config.base, config.language)
    base = load_base(config.base, config.language, config.precision, find_torch_device())
    return Listener(load_adapter(base, run.adapter_dir), processor, run, config.precision)


def base_transcripts(context: WorkerContext, listener: Listener, clips: list[Clip]) -> list[str]:
    """What the base hears in `clips`; those it heard in an earlier run are not heard again."""
    cache, folder = BaseCache.of(listener), context.run.dataset_dir
    cache.drop_unused()
    texts = {clip.id: cache.read(folder / clip.audio) for clip in clips}
    missing = [clip for clip in clips if texts[clip.id] is None]
    if len(missing) < len(clips):
        context.emit(Note("note_base_known", {"n": len(clips) - len(missing)}))
    if missing:
        context.emit(Note("note_transcribing_base", {"n": len(missing)}))
        heard = listener.base(missing, lambda *n: context.progress("stage_base_transcripts", *n))
        for clip, text in zip(missing, heard, strict=True):
            cache.write(folder / clip.audio, text)
            texts[clip.id] = text
    return [texts[clip.id] for clip in clips]


def measure(
    context: WorkerContext, listener: Listener, clips: list[Clip], base_texts: list[str]
) -> None:
    """Transcribe with the adapter, write `comparison.json`, and say the result.

    The rates are of 30-second inference; the speech window's is given beside them.
    """
    context.enter("evaluating")
    config = context.run.read_spec().config
    context.emit(Note("note_transcribing_tuned", {"n": len(clips)}))
    tuned = listener.tuned(clips, lambda *n: context.progress("stage_tuned_transcripts", *n))
    context.emit(Note("note_transcribing_fast", {"n": len(clips)}))
    fast = listener.tuned(clips, lambda *n: context.progress("stage_fast", *n), "speech")
    result = write_comparison(context.run, config.language, clips, base_texts, tuned, fast)
    rates = {"base_wer": result["base"]["wer"], "tuned_wer": result["tuned"]["wer"]}
    context.emit(Note("note_result", {**rates, "n": len(clips)}))


def compare(context: WorkerContext) -> None:
    """Measure a run that has an adapter but no comparison, such as a stopped one.

    It ends in the state that the training ended in: one that was stopped can still be resumed.
    """
    events = [record.event for record in read_events(context.run.events_path)]
    ends = [event for event in events if event in ENDS]
    context.enter("evaluating")
    with context.patient():  # the base may be downloaded
        listener = load_listener(context.run)
    clips = read_clips(context.run.dataset_dir, "test")
    measure(context, listener, clips, base_transcripts(context, listener, clips))
    context.enter((ends or ENDS)[-1].state)
