"""Forty kinds of defects in one dataset, and copies of recordings: does the doctor name them all?

    python -m benchmarks.fuzz_parts.defects --clean 2000 --json FILE

A defect counts as named when a finding about its clip has one of the codes that fit; a clean row
that is refused counts against it. For the copies see `leaks.py`.
"""

import argparse
import io
import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import soundfile

from benchmarks.fuzz_parts.clean import Row, clean_rows, saved_as, sources, write
from benchmarks.fuzz_parts.leaks import count_leaks
from whisper_tuner.audio import SAMPLE_RATE
from whisper_tuner.data import upload
from whisper_tuner.data.clips import Finding, Report
from whisper_tuner.data.prepare import prepare

N_CLEAN = 2000
NOT_BLAME = frozenset({"texts_repeat", "given_speakers_cross"})


@dataclass(frozen=True)
class Defect:
    """One planted defect: its row, the codes that name it, and how its file is written when not
    as a recording (None: not at all).
    """

    kind: str
    codes: tuple[str, ...]
    row: Row | None
    name: str
    data: bytes | None = None
    more_rows: list[Row] = field(default_factory=list)
    hint: str = ""  # what a finding about the whole dataset must mention


def plant(clean: list[Row], rng: np.random.Generator) -> list[Defect]:
    """The forty, made of other speech than the clean rows'."""
    voice = _Voice(rng)
    return [
        *_of_files(voice),
        *_of_sounds(voice, clean),
        *_of_texts(voice),
        *_of_splits(voice, clean),
    ]


class _Voice:
    """Speech at a speed of its own, so that no planted clip is a copy of a clean one."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self._long = [s for s in sources() if len(s[0]) > 1.5 * SAMPLE_RATE]
        self._next = 0

    def take(self) -> tuple[np.ndarray, str]:
        samples, text = self._long[self._next % len(self._long)]
        self._next += 1
        x = np.arange(0, len(samples) - 1, 1.36)  # 36 % faster, with its pitch: another voice
        faster = np.interp(x, np.arange(len(samples)), samples).astype(np.float32)
        return faster, f"Poi {text[0].lower()}{text[1:]}"  # no sentence of a clean row

    def row(self, name: str, text: str | None = None) -> Row:
        samples, own = self.take()
        return Row(name, own if text is None else text, "train", "trainer", samples)


def _of_files(voice: _Voice) -> list[Defect]:
    def broken(kind: str, code: str, data: bytes | None, suffix: str = "wav") -> Defect:
        name = f"bad_{kind}.{suffix}"
        row = replace(voice.row(name), samples=None)
        return Defect(kind, (code,), row, name, data)

    def sounding(kind: str, code: str, samples: np.ndarray) -> Defect:
        row = replace(voice.row(f"bad_{kind}.flac"), samples=samples)
        return Defect(kind, (code,), row, row.name)

    def texted(kind: str, code: str, text: str) -> Defect:
        row = voice.row(f"bad_{kind}.flac", text)
        return Defect(kind, (code,), row, row.name)

    long = np.concatenate([voice.take()[0] for _ in range(40)])[: 31 * SAMPLE_RATE]
    nan = voice.take()[0]
    nan[100:200] = np.nan
    two = voice.row("bad_two_rows.flac")
    alone = voice.row("bad_no_row.flac")
    return [
        broken("missing", "audio_missing", None),
        broken("zero", "audio_empty", b""),
        broken("junk", "audio_undecodable", voice.rng.bytes(4000)),
        broken("not_finite", "audio_not_finite", _wav(nan)),
        sounding("silent", "audio_silent", np.zeros(2 * SAMPLE_RATE)),
        sounding("too_long", "recording_long", np.resize(long, 31 * SAMPLE_RATE)),
        sounding("blip", "audio_empty", voice.take()[0][: SAMPLE_RATE // 20]),
        texted("no_text", "transcript_empty", ""),
        texted("only_marks", "transcript_empty", " … !? -"),
        texted("only_markup", "transcript_only_markup", "[noise] (laughs)"),
        texted("too_many_tokens", "transcript_too_long", "parola " * 460),
        Defect("two_rows", ("two_rows",), two, two.name, more_rows=[_other(two)]),
        Defect("no_row", ("transcript_missing",), None, alone.name, _wav(alone.samples)),
    ]


def _other(row: Row) -> Row:
    return replace(row, text="Un testo del tutto diverso.", samples=None)


def _of_sounds(voice: _Voice, clean: list[Row]) -> list[Defect]:
    def sounding(kind: str, code: str, samples: np.ndarray, text: str | None = None) -> Defect:
        row = replace(voice.row(f"odd_{kind}.flac", text), samples=samples)
        return Defect(kind, (code,), row, row.name)

    time_s = np.arange(4 * SAMPLE_RATE) / SAMPLE_RATE
    chord = sum(np.sin(2 * np.pi * hertz * time_s) for hertz in (196, 246.9, 293.7, 392)) / 8
    tune = chord * (0.7 + 0.3 * np.sin(2 * np.pi * time_s))
    noisy = voice.take()[0]
    noisy = noisy + voice.rng.standard_normal(len(noisy)) * np.sqrt(np.mean(noisy**2))
    pause = voice.rng.standard_normal(3 * SAMPLE_RATE) * 1e-5
    trains = [row for row in clean if row.split == "train" and len(row.samples) > SAMPLE_RATE]
    copied, near, disagreed = trains[:3]
    trimmed = near.samples[SAMPLE_RATE // 8 :] * 0.6
    slow = np.concatenate([voice.take()[0] for _ in range(6)])
    return [
        sounding("clipped", "audio_clipped", np.clip(voice.take()[0] * 30, -1, 1)),
        sounding("noisy", "audio_noisy", 0.5 * noisy),
        sounding("hum", "audio_no_speech", 0.2 * np.sin(2 * np.pi * 50 * time_s)),
        sounding("music", "audio_no_speech", tune),
        sounding("quiet", "audio_quiet", _at_level(voice.take()[0], -55)),
        sounding("silent_end", "audio_silent_ends", np.append(voice.take()[0], pause)),
        sounding("cut_off", "audio_very_short", voice.take()[0][: SAMPLE_RATE // 3]),
        sounding("too_fast", "speech_rate_odd", voice.take()[0], "Una frase lunga. " * 20),
        sounding("too_slow", "speech_rate_slow", slow, "Sì."),
        sounding("copy", "audio_duplicate", copied.samples, copied.text),
        sounding("near_copy", "audio_near_duplicate", saved_as(trimmed, "MP3"), near.text),
        sounding("disagreeing", "copies_disagree", disagreed.samples, "Ho detto altro."),
    ]


def _at_level(samples: np.ndarray, level_db: float) -> np.ndarray:
    return samples * 10 ** (level_db / 20) / np.sqrt(np.mean(samples**2))


def _of_texts(voice: _Voice) -> list[Defect]:
    def texted(kind: str, code: str, change: Callable[[str], str]) -> Defect:
        row = voice.row(f"text_{kind}.flac")
        row = replace(row, text=change(row.text))
        return Defect(kind, (code,), row, row.name)

    garbled = "Perché è così.".encode().decode("cp1252")
    return [
        texted("tags", "transcript_markup", lambda text: f"<i>{text}</i>"),
        texted("subtitle", "transcript_markup", lambda text: rf"{{\an8}}{text}"),
        texted("times", "transcript_markup", lambda text: f"00:00:01,200 --> {text}"),
        texted("script", "script_unlike", lambda text: "Καλημέρα σας, τι κάνετε."),
        texted("look_alike", "scripts_mixed", lambda text: text + " C\u0430s\u0430."),
        texted("lost", "characters_lost", lambda text: "Perch\ufffd " + text),
        texted("garbled", "characters_garbled", lambda text: garbled),
        texted("ligature", "characters_odd", lambda text: "La ﬁne. " + text),
        texted("capitals", "casing_upper", str.upper),
        texted("small", "casing_lower", lambda text: "il " + text.lower()),
        texted("no_stop", "punctuation_open", lambda text: f"Questa qui {text[:-1].lower()}"),
        texted("quotes", "quotes_curly", lambda text: "L’altro c’è. " + text),
        texted("invisible", "characters_removed", lambda text: "\u200b" + text),
    ]


def _of_splits(voice: _Voice, clean: list[Row]) -> list[Defect]:
    held_out = next(row for row in clean if row.split == "test")
    known = replace(voice.row("leak_sentence.flac"), text=held_out.text.upper())
    both = replace(voice.row("leak_speaker.flac"), speaker="Anna")
    other = replace(voice.row("leak_speaker_2.flac"), speaker="Anna", split="test")
    return [
        Defect("sentence_leak", ("sentence_in_both_splits",), known, known.name),
        Defect("speaker_leak", ("given_speakers_cross",), both, "", None, [other], hint="Anna"),
    ]


def _wav(samples: np.ndarray) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, SAMPLE_RATE, format="WAV", subtype="FLOAT")
    return file.getvalue()


def named(defect: Defect, findings: list[Finding]) -> bool:
    return any(
        finding.code in defect.codes
        and finding.clip == defect.name
        and defect.hint in str(finding.params)
        for finding in findings
    )


def count_defects(
    folder: Path, count_tokens: Callable[[str], int], n_clean: int = N_CLEAN, seed: int = 42
) -> dict:
    """Plant all defects beside `n_clean` clean rows in `folder`, prepare it, and count."""
    rng = np.random.default_rng(seed)
    clean = clean_rows(n_clean, seed)
    planted = plant(clean, rng)
    rows = [*clean, *(d.row for d in planted if d.row), *(r for d in planted for r in d.more_rows)]
    source = write(folder / "source", rows)
    for defect in planted:
        if defect.data is not None:
            (source / defect.name).write_bytes(defect.data)
    began_s = time.perf_counter()
    report = prepare(upload.candidates([source]), folder / "dataset", count_tokens)
    seconds = time.perf_counter() - began_s
    missed = [defect.kind for defect in planted if not named(defect, report.findings)]
    is_clean = {row.name for row in clean}
    blamed = [f for f in report.findings if f.clip in is_clean and f.code not in NOT_BLAME]
    return {
        "defects": len(planted),
        "defects_named": len(planted) - len(missed),
        "missed": missed,
        "clean_rows": len(clean),
        "false_refusals": len({f.clip for f in blamed if f.refused}),
        "false_warnings": len({f.clip for f in blamed}),
        "real_time_factor": _speed(report, seconds),
    }


def _speed(report: Report, seconds: float) -> float:
    return round((report.train_s + report.test_s) / seconds, 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clean", type=int, default=N_CLEAN)
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    figures = {}
    for count in (count_defects, count_leaks):
        with tempfile.TemporaryDirectory() as temp:
            figures |= count(Path(temp), words, n_clean=options.clean, seed=options.seed)
    print(json.dumps(figures, indent=1))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


def words(text: str) -> int:
    """Stands in for the tokenizer: one token a word."""
    return len(text.split())


if __name__ == "__main__":
    main()
