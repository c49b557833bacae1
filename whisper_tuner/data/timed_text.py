"""Timed transcripts of an upload: which recording each is of, and the clips that come of both."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Protocol

from whisper_tuner.data.clips import Candidate
from whisper_tuner.data.cues import Cue, Media, TimedText
from whisper_tuner.data.cutting import cut, decoded
from whisper_tuner.data.elan import read_elan
from whisper_tuner.data.encodings import decode_text
from whisper_tuner.data.labels import (
    are_labels,
    is_whisper_json,
    is_whisper_tsv,
    read_labels,
    read_whisper_json,
    read_whisper_tsv,
)
from whisper_tuner.data.matching import Match, Names, parts_of
from whisper_tuner.data.pieces import pieces
from whisper_tuner.data.split import sentence_key
from whisper_tuner.data.subtitles import read_subtitles
from whisper_tuner.data.textgrid import read_textgrid
from whisper_tuner.data.tiers import Choice, choices, choose
from whisper_tuner.decoder import Decoder
from whisper_tuner.errors import InputError

MAX_BYTES = 32 << 20
READERS: dict[str, Callable[[str, str], TimedText]] = {
    ".srt": lambda text, name: read_subtitles(text),
    ".vtt": lambda text, name: read_subtitles(text),
    ".textgrid": read_textgrid,
    ".json": read_whisper_json,
    ".txt": lambda text, name: read_labels(text),
    ".tsv": lambda text, name: read_whisper_tsv(text),
}
SNIFFED = {".txt": are_labels, ".tsv": is_whisper_tsv, ".json": is_whisper_json}
TIERED = frozenset({".eaf", ".textgrid"})
SUFFIXES = frozenset({".eaf", *READERS})
ADDED = re.compile(r"(.+)\.[^\W\d][^.]*")  # talk.de, talk.corrected; never rec.1
SOUND_FIRST = (".wav", ".flac")  # where a transcript names a video and its sound


class File(Protocol):
    """One file of an upload (`upload.Entry`)."""

    name: str

    @property
    def suffix(self) -> str: ...

    @property
    def folder(self) -> tuple[str, ...]: ...

    def fetch(self) -> Path: ...

    def read(self, max_bytes: int) -> bytes: ...


def read_timed_text(data: bytes, name: str, encoding: str | None = None) -> TimedText:
    """`encoding`: what a person says of files that do not tell it themselves.

    Raises: InputError timed_text_broken, xml_entities, text_encoding_unknown, text_not_text.
    """
    suffix = PurePosixPath(name).suffix.lower()
    if suffix == ".eaf":
        return read_elan(data, name)  # XML says its encoding itself
    text, guessed = _decode(data, name, encoding)
    return replace(READERS[suffix](text, name), guessed=guessed)


def tier_choices(files: Iterable[File]) -> list[Choice]:
    """What the user has to choose from, each once; empty when every file tells by itself."""
    found: dict[str, Choice] = {}
    for file in files:
        if file.suffix in TIERED:
            try:
                timed = read_timed_text(file.read(MAX_BYTES), file.name)
                choose(timed, "", file.name)
            except InputError as error:
                if error.code == "tier_needed":
                    found = {choice.name: choice for choice in choices(timed)} | found
    return list(found.values())


class TimedTexts:
    """The timed transcripts of one upload. `others` are the files that are none.

    `tier`: the tier, or kind of tiers, that the user has chosen; `encoding`: of what does not tell.
    """

    def __init__(
        self,
        files: Sequence[File],
        audio: Sequence[File],
        names: Names,
        tier: str = "",
        encoding: str | None = None,
    ) -> None:
        self.audio, self.names, self.tier, self.encoding = audio, names, tier, encoding
        self.files: list[File] = []
        self.others: list[File] = []
        for file in files:
            (self.files if _is_timed(file) else self.others).append(file)
        self._media: dict[str, list[Media]] = {}  # by a transcript's name
        self._undecided: dict[str, InputError] = {}  # the same: why its tier has to be chosen
        self._spare: dict[int, int] = {}  # recordings that are named beside the one that is cut
        self._notes: list[Candidate] = []
        for file in self.files:
            if file.suffix in TIERED:
                self._look_at(file)

    def candidates(self, used: set[int]) -> Iterator[Candidate]:
        """The clips of every recording with a timed transcript; `used` gets its index.

        Recordings in `used` already have a transcript: that one counts.

        Raises, before the first: InputError tier_needed when no tier was chosen and a transcript
        that counts does not tell by itself.
        """
        files_of: dict[int, list[File]] = defaultdict(list)
        ambiguous: set[int] = set()
        alone: list[Candidate] = []
        for file in self.files:
            match = self._find(file)
            if not match.files:
                alone.append(_problem(file, "timed_text_alone"))
            elif file.name in self._undecided and not used.issuperset(match.files):
                raise self._undecided[file.name]
            for i in match.files:
                files_of[i].append(file)
                ambiguous.update([i] if len(match.files) > 1 else [])
        yield from alone
        for spare, i in self._spare.items():
            if spare not in files_of and spare not in used:
                used.add(spare)
                self._note("media_not_needed", self.audio[spare], recording=self.audio[i].name)
        with Decoder() as decoder:
            for i, files in files_of.items():
                if i in used:
                    self._not_needed(files, self.audio[i])
                    continue
                used.add(i)
                if i in ambiguous:
                    yield _problem(self.audio[i], "name_ambiguous")
                else:
                    yield from self._of_recording(self.audio[i], files, decoder)
        yield from self._notes

    def _look_at(self, file: File) -> None:
        """What has to be known before any sound is decoded; other faults are named later."""
        try:
            timed = read_timed_text(file.read(MAX_BYTES), file.name)
            self._media[file.name] = timed.media
            if not self.tier:
                choose(timed, "", file.name)
        except InputError as error:
            if error.code == "tier_needed":
                self._undecided[file.name] = error

    def _note(self, code: str, file: File, /, **params: object) -> None:
        self._notes.append(_problem(file, code, **params))

    def _not_needed(self, files: Iterable[File], recording: File) -> None:
        for file in files:
            self._note("transcript_not_needed", file, recording=recording.name)

    def _find(self, file: File) -> Match:
        """The recording that the transcript itself names, else the one of the same name without
        what is added behind a dot ("talk.de.srt", "talk.wav.srt").
        """
        named = [self.names.find(m.name, file.folder) for m in self._media.get(file.name, ())]
        found = list(dict.fromkeys(match.files[0] for match in named if len(match.files) == 1))
        if found:
            best = min(found, key=lambda i: self.audio[i].suffix not in SOUND_FIRST)
            self._spare |= {i: best for i in found if i != best}
            return Match((best,))
        folder, slash, last = file.name.rpartition("/")
        last = last[: -len(file.suffix)]
        while True:
            match = self.names.find(f"{folder}{slash}{last}")
            added = ADDED.fullmatch(last)
            if match.files or not added:
                return match
            last = added[1]

    def _of_recording(
        self, recording: File, files: list[File], decoder: Decoder
    ) -> Iterator[Candidate]:
        read: list[tuple[File, TimedText]] = []
        for file in files:
            try:
                read.append((file, self._read(file, recording)))
            except InputError as error:
                yield _problem(file, error.code, **error.params)
        if len({_said(timed.cues) for _, timed in read}) > 1:
            listed = ", ".join(file.name for file, _ in read)
            yield _problem(recording, "timed_texts_differ", files=listed)
            return
        self._not_needed([file for file, _ in read[1:]], recording)
        for file, timed in read[:1]:
            yield from _broken(file, timed)
            yield from _clips(recording, file, timed.cues, decoder)

    def _read(self, file: File, recording: File) -> TimedText:
        """With the cues of the chosen tiers, in the recording's time."""
        timed = read_timed_text(file.read(MAX_BYTES), file.name, self.encoding)
        if timed.guessed:
            raise InputError("timed_encoding_open", file=file.name)
        if timed.point_tiers:
            self._note("point_tiers_ignored", file, tiers=", ".join(timed.point_tiers))
        name = parts_of(recording.name)[-1]
        origin_s = next((media.origin_s for media in timed.media if media.name == name), 0.0)
        cues = timed.cues
        if timed.tiers:
            chosen = {tier.name for tier in choose(timed, self.tier, file.name)}
            others = {cue.tier for cue in cues if sentence_key(cue.text)} - chosen
            if others:
                taken, left = (", ".join(sorted(names)) for names in (chosen, others))
                self._note("tiers_chosen", file, tiers=taken, others=left)
            cues = [cue for cue in cues if cue.tier in chosen]
            if len(chosen) > 1:
                cues = [replace(cue, speaker=cue.speaker or cue.tier) for cue in cues]
        if origin_s:
            moved = ((cue, cue.start_s + origin_s, cue.end_s + origin_s) for cue in cues)
            cues = [replace(cue, start_s=start_s, end_s=end_s) for cue, start_s, end_s in moved]
        return replace(timed, cues=cues)


def _is_timed(file: File) -> bool:
    if file.suffix not in SNIFFED:
        return file.suffix in SUFFIXES
    try:
        text, _ = _decode(file.read(MAX_BYTES), file.name, None)
    except InputError:
        return False
    return SNIFFED[file.suffix](text)


def _decode(data: bytes, name: str, said: str | None) -> tuple[str, bool]:
    """The text of a file, and whether its encoding is a guess."""
    text, _, is_certain = decode_text(data, name, said)
    return text, not is_certain


def _broken(file: File, timed: TimedText) -> Iterator[Candidate]:
    code = "segment_broken" if file.suffix == ".json" else "cue_broken"
    for line in timed.broken:
        problem = _problem(file, code, file=file.name)
        yield replace(problem, name=f"{file.name}:{line}", row=line)


def _clips(
    recording: File, file: File, cues: Sequence[Cue], decoder: Decoder
) -> Iterator[Candidate]:
    if not cues:
        yield _problem(file, "timed_text_empty")
        return
    try:
        with decoded(recording.fetch(), recording.name, decoder) as sound:
            segments = pieces(cues, recording.name, sound.duration_s, file.name)
            yield from cut(sound, segments)
    except InputError as error:
        yield _problem(recording, error.code, **error.params)


def _said(cues: Sequence[Cue]) -> str:
    """The words of all cues; the same transcript in two formats says the same."""
    return "".join("".join(sentence_key(cue.text) for cue in cues).split())


def _problem(of: File, code: str, /, **params: object) -> Candidate:
    return Candidate(of.name, None, None, problem=code, params=params)
