"""The measuring stage: what the base heard, what the tuned model heard, and the comparison."""

import json

from whisper_tuner.data.clips import Clip, read_clips
from whisper_tuner.evaluation.compare import Listener, write_comparison
from whisper_tuner.model.load import find_torch_device, load_adapter, load_base, load_processor
from whisper_tuner.runs.context import WorkerContext
from whisper_tuner.runs.events import Note
from whisper_tuner.runs.folder import Run

BASE_TRANSCRIPTS_NAME = "base_transcripts.json"


def load_listener(run: Run) -> Listener:
    """Base and adapter of a run that has been trained, as saved in its folder."""
    config = run.read_spec().config
    processor = load_processor(config.base, config.language)
    base = load_base(config.base, config.language, config.precision, find_torch_device())
    return Listener(load_adapter(base, run.adapter_dir), processor, run, config.precision)


def base_transcripts(context: WorkerContext, listener: Listener, clips: list[Clip]) -> list[str]:
    """What the base hears in `clips`; measured once a run and kept in its folder."""
    path = context.run.dir / BASE_TRANSCRIPTS_NAME
    if path.exists():
        known = json.loads(path.read_text(encoding="utf-8"))
        return [known[clip.id] for clip in clips]
    context.emit(Note("note_transcribing_base", {"n": len(clips)}))
    texts = listener.base(clips, lambda *n: context.progress("stage_base_transcripts", *n))
    by_id = {clip.id: text for clip, text in zip(clips, texts, strict=True)}
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(by_id, ensure_ascii=False, indent=1), encoding="utf-8")
    temporary.replace(path)
    return texts


def measure(
    context: WorkerContext, listener: Listener, clips: list[Clip], base_texts: list[str]
) -> None:
    """Transcribe with the adapter, write `comparison.json`, and say the result."""
    context.enter("evaluating")
    context.emit(Note("note_transcribing_tuned", {"n": len(clips)}))
    tuned_texts = listener.tuned(clips, lambda *n: context.progress("stage_tuned_transcripts", *n))
    language = context.run.read_spec().config.language
    result = write_comparison(context.run, language, clips, base_texts, tuned_texts)
    rates = {"base_wer": result["base"]["wer"], "tuned_wer": result["tuned"]["wer"]}
    context.emit(Note("note_result", {**rates, "n": len(clips)}))


def compare(context: WorkerContext) -> None:
    """Measure a run that has an adapter but no comparison, such as a stopped one."""
    context.enter("evaluating")
    listener = load_listener(context.run)
    clips = read_clips(context.run.dataset_dir, "test")
    measure(context, listener, clips, base_transcripts(context, listener, clips))
    context.enter("done")
