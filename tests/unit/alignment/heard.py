"""A recording that is described, not recorded: sentences with pauses between, and what a base may
have heard of them.
"""

import random
from dataclasses import dataclass, field

import numpy as np

from whisper_tuner.alignment.letters import Window
from whisper_tuner.alignment.pauses import HOP_S

LETTER_S = 0.07


@dataclass
class Told:
    """`say` sentences one after the other; a window for each 20 to 30 seconds."""

    share_wrong: float = 0.0
    pause_s: float = 0.7
    spoken: list[tuple[str, float, float]] = field(default_factory=list)
    speech: list[bool] = field(default_factory=list)
    windows: list[Window] = field(default_factory=list)
    _text: str = ""
    _times: list[tuple[int, float]] = field(default_factory=list)
    _start_s: float = 0.0

    def say(self, sentence: str) -> None:
        self._silence(self.pause_s / 2)
        start_s = self.now_s
        if start_s - self._start_s > 20:
            self.close()
        if self._text:
            self._text += " "
        draw = random.Random(sentence)
        for letter in sentence:
            self._times.append((len(self._text), round(self.now_s - self._start_s, 2)))
            wrong = letter.isalpha() and draw.random() < self.share_wrong
            self._text += draw.choice("abcdefghijklmnopqrstuvwxyz") if wrong else letter
            self.speech += [True] * round(LETTER_S / HOP_S)
        self.spoken.append((sentence, start_s, self.now_s))
        self._silence(self.pause_s / 2)

    @property
    def now_s(self) -> float:
        return len(self.speech) * HOP_S

    def close(self) -> None:
        self.windows.append(Window(self._start_s, self.now_s, self._text, self._times))
        self._text, self._times, self._start_s = "", [], self.now_s

    def levels(self) -> np.ndarray:
        return np.array(self.speech)

    def _silence(self, seconds: float) -> None:
        self.speech += [False] * round(seconds / HOP_S)


def sentences(n: int, seed: int = 1) -> list[str]:
    """Made of made-up words, no two alike."""
    draw = random.Random(seed)
    syllables = [c + v for c in "bdfgklmnprstvz" for v in "aeiou"]

    def word() -> str:
        return "".join(draw.choices(syllables, k=draw.randint(1, 4)))

    listed = [" ".join(word() for _ in range(draw.randint(5, 14))) for _ in range(n)]
    return [f"{sentence.capitalize()}." for sentence in listed]
