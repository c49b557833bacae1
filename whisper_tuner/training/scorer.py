"""How well a training is doing, measured while it runs."""

from dataclasses import dataclass, field

from whisper_tuner.config import TrainConfig
from whisper_tuner.data.clips import Clip
from whisper_tuner.evaluation.compare import Listener
from whisper_tuner.evaluation.metrics import score
from whisper_tuner.evaluation.stage import base_transcripts
from whisper_tuner.runs.context import Stopped, WorkerContext
from whisper_tuner.runs.events import Note, Score
from whisper_tuner.training.early_stop import BestAdapter


@dataclass
class Scorer:
    """Measures WER while a training runs, and says when it should end.

    On the dev clips when there are some: then it decides, and the best weights are kept. Else on a
    few held-out clips, only to be shown. The model is heard in the window it learns in.
    """

    context: WorkerContext
    config: TrainConfig
    listener: Listener
    held_out: list[Clip]
    dev: list[Clip]
    best: BestAdapter = field(init=False)
    scores: list[Score] = field(default_factory=list, init=False)  # for `training/metrics.py`

    def __post_init__(self) -> None:
        self.best = BestAdapter(self.listener.model)
        self.clips = self.dev or _spread(self.held_out, self.config.n_score_clips)

    def score_start(self, held_out_texts: list[str], has_learnt: bool) -> None:
        """The curve's first point. `held_out_texts`: what the base heard in all held-out clips;
        `has_learnt`: it begins with an adapter of an earlier run, so that one is measured.
        """
        if self.dev:
            self.context.emit(Note("note_dev", {"n": len(self.dev)}))
        if has_learnt and self.clips:
            rate = self._score(0, self._heard())
            if self.dev:
                self.best.saw(0, rate)  # when nothing is better, it is kept as it was
        elif self.dev:
            self._score(0, base_transcripts(self.context, self.listener, self.dev))
        elif self.clips:
            heard = dict(zip((c.id for c in self.held_out), held_out_texts, strict=True))
            self._score(0, [heard[clip.id] for clip in self.clips])

    def __call__(self, step: int, is_last: bool) -> bool:
        """Whether to end the training. Without dev clips the last score is left to `measure`.

        Asked to stop meanwhile it gives up the measuring; the next step sees to the rest.
        """
        if not self.context.is_first or not self.clips or (is_last and not self.dev):
            return False
        try:
            rate = self._score(step, self._heard())
        except Stopped:
            return False
        return bool(self.dev) and self.best.saw(step, rate)

    def _heard(self) -> list[str]:
        """Raises Stopped between two batches when asked to stop."""

        def on_batch(*_: int) -> None:
            self.context.check_stop()

        return self.listener.tuned(self.clips, on_batch, self.config.window)

    def _score(self, step: int, texts: list[str]) -> float:
        result = score([clip.text for clip in self.clips], texts, self.config.language)
        self.scores.append(Score(step, result.wer, result.cer, len(self.clips)))
        self.context.emit(self.scores[-1])
        return result.wer


def _spread(clips: list[Clip], n: int) -> list[Clip]:
    """`n` clips, evenly spread over the list; all of them when there are fewer."""
    if len(clips) <= n:
        return clips
    return [clips[i * len(clips) // n] for i in range(n)]
