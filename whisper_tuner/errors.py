"""The whole error tree. Only these errors may be shown to a user; anything else is a bug.

TunerError
├── InputError          what the user gave cannot be used: a file, a row, a setting
│   └── AudioError      one audio file cannot be used
├── ModelError          the base model or the adapter cannot be had or loaded
├── RunError            the run is not in a state where this can be done
├── TrainingError       training had to end: numbers not finite, out of memory
└── PublishError        the Hub refused or cannot be reached

Each carries a `code`, which is a key of `locales/*.json`, and the parameters of that sentence.
"""

from whisper_tuner.locales import text


class TunerError(Exception):
    """An error whose sentence says what is wrong and what to do."""

    def __init__(self, code: str, **params: object) -> None:
        super().__init__(code)
        self.code = code
        self.params = params

    def sentence(self, lang: str = "en") -> str:
        return text(self.code, lang, **self.params)

    def __str__(self) -> str:
        return self.sentence()


class InputError(TunerError):
    """What the user gave cannot be used."""


class AudioError(InputError):
    """One audio file cannot be used."""


class ModelError(TunerError):
    """The base model or the adapter cannot be had or loaded."""


class RunError(TunerError):
    """The run is not in a state where this can be done."""


class TrainingError(TunerError):
    """Training had to end."""


class PublishError(TunerError):
    """The Hub refused or cannot be reached."""
