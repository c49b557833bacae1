"""How much a dataset holds, and what for that is enough, as a person would ask."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from whisper_tuner.data.checking import NOTES
from whisper_tuner.data.clips import Clip, Finding, Report
from whisper_tuner.data.doctor import CODES
from whisper_tuner.data.fixes import FIXES
from whisper_tuner.data.sounds import read_columns
from whisper_tuner.data.split import sentence_key
from whisper_tuner.data.text_checks import script, speech_length

# Seconds to learn from, and what one may expect of them. The bundled example, 6 minutes of one
# voice, halves its errors; commercial services ask for half an hour, and use ten hours and more.
ENOUGH = ((2 * 60, "enough_try"), (30 * 60, "enough_voice"), (10 * 3600, "enough_words"))
MOST = "enough_language"
UNSPACED = {"CJK", "THAI", "LAO", "KHMER", "MYANMAR", "TIBETAN"}  # no spaces between words


@dataclass(frozen=True)
class Summary:
    """Counts, and for each clip: seconds, level in dB and letters a second; the last two are empty
    where nothing was measured. `n_speakers`: 0 when nobody is named. `n_words`: different ones;
    different characters where `has_words` is False.
    """

    n_clips: int
    total_s: float
    n_speakers: int
    n_sentences: int
    n_words: int
    has_words: bool
    enough: str
    seconds: list[float]
    levels_db: list[float]
    letters_per_s: list[float]


@dataclass(frozen=True)
class Group:
    """All findings of one kind. `fix`: how one click puts them right, "" when none does."""

    code: str
    findings: list[Finding]
    fix: str


def summarise(folder: Path, clips: Sequence[Clip]) -> Summary:
    """`folder`: the dataset's, for what was measured."""
    train_s = sum(clip.duration_s for clip in clips if clip.split == "train")
    sentences = {sentence_key(clip.text) for clip in clips}
    scripts = Counter(script(char) for text in sentences for char in text if char.isalpha())
    has_words = not scripts or scripts.most_common(1)[0][0] not in UNSPACED
    units = (text.split() if has_words else text.replace(" ", "") for text in sentences)
    measured = read_columns(folder, ("level_db", "lead_s", "tail_s"))
    sounds = [measured[clip.id] for clip in clips] if measured else []
    return Summary(
        n_clips=len(clips),
        total_s=sum(clip.duration_s for clip in clips),
        n_speakers=len({clip.speaker for clip in clips if clip.speaker}),
        n_sentences=len(sentences),
        n_words=len({unit for text in units for unit in text}),
        has_words=has_words,
        enough=next((code for limit_s, code in ENOUGH if train_s < limit_s), MOST),
        seconds=[clip.duration_s for clip in clips],
        levels_db=[level for level, _, _ in sounds],
        letters_per_s=[
            speech_length(clip.text) / max(clip.duration_s - lead - tail, 0.1)
            for clip, (_, lead, tail) in zip(clips, sounds, strict=False)
        ],
    )


def groups(report: Report) -> list[Group]:
    """Findings about clips by kind: refused ones first, most of them first, then the worst."""
    by_code: dict[str, list[Finding]] = {}
    for finding in report.findings:
        if is_about_clip(finding):
            by_code.setdefault(finding.code, []).append(finding)
    found = [Group(code, same, FIXES.get(code, "")) for code, same in by_code.items()]
    return sorted(found, key=_severity)


def is_about_clip(finding: Finding) -> bool:
    """Else it is about the source as a whole, or a file that is no clip."""
    return bool(finding.clip) and finding.code not in NOTES


def _severity(group: Group) -> tuple[int, int]:
    """What was left out by the user, and what is only for information, comes last."""
    if group.findings[0].refused:
        return (3, 0) if group.code == "left_out" else (0, -len(group.findings))
    return (1, CODES.index(group.code)) if group.code in CODES else (2, 0)
