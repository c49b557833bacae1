"""A long recording of real speech with known cuts: right words and right sounds in every format."""

import csv
import zipfile
from collections import Counter
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from tests.sounds import encode, speech, write
from tests.timed_files import HAVE_SPEAKERS, WRITERS, eaf, srt, textgrid, whisper
from whisper_tuner import steps
from whisper_tuner.audio import SAMPLE_RATE, read_flac
from whisper_tuner.data import upload
from whisper_tuner.data.clips import Candidate, Clip, Finding, read_clips
from whisper_tuner.data.cues import Cue
from whisper_tuner.data.prepare import prepare
from whisper_tuner.data.tables import Reading
from whisper_tuner.errors import InputError
from whisper_tuner.locales import LANGUAGES
from whisper_tuner.narrate import finding_sentence

N_CLIPS = 24
GAPS_S = (0.4, 0.9, 2.6, 0.6, 1.2)
MS = SAMPLE_RATE // 1000  # samples


@dataclass(frozen=True)
class Talk:
    """A recording, and what is said when in it: two speakers, six turns each."""

    path: Path
    samples: np.ndarray
    cues: list[Cue]


@pytest.fixture(scope="module")
def talk(tmp_path_factory) -> Talk:
    with (steps.EXAMPLE_DIR / "metadata.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))[10 : 10 + N_CLIPS]
    noise = np.random.default_rng(0).normal(0, 1e-3, 4 * SAMPLE_RATE).astype(np.float32)
    parts, cues, n = [noise[:SAMPLE_RATE]], [], SAMPLE_RATE
    for i, row in enumerate(rows):
        sound = read_flac(steps.EXAMPLE_DIR / row["file_name"])
        sound = sound[: len(sound) // MS * MS]  # the formats count milliseconds
        times = n / SAMPLE_RATE, (n + len(sound)) / SAMPLE_RATE
        cues.append(Cue(*times, row["transcription"], i, speaker=("Anna", "Béla")[i // 2 % 2]))
        gap = noise[: round(GAPS_S[i % len(GAPS_S)] * SAMPLE_RATE)]
        parts += [sound, gap]
        n += len(sound) + len(gap)
    samples = np.concatenate(parts)
    return Talk(write(tmp_path_factory.mktemp("talk") / "talk.flac", samples), samples, cues)


def folder_with(tmp_path: Path, talk: Talk, **texts: str) -> Path:
    """The recording, as `talk.flac`, with files beside it; "__" in a name stands for a dot."""
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "talk.flac").hardlink_to(talk.path)
    for name, content in texts.items():
        (folder / name.replace("__", ".")).write_text(content, encoding="utf-8")
    return folder


def words(text: str) -> int:
    return len(text.split())


def problems(found: list[Candidate]) -> Counter:
    for candidate in found:  # each can be said
        if candidate.problem:
            params = candidate.params
            finding = Finding(candidate.problem, candidate.name, True, candidate.row, params)
            assert all(finding_sentence(finding, lang) for lang in LANGUAGES)
    return Counter(candidate.problem for candidate in found if candidate.problem)


def listed(*args: object, tier: str = "") -> list[Candidate]:
    return list(upload.candidates(*args, reading=Reading(tier=tier)))


def refused(source: Path, **options: str) -> InputError:
    with pytest.raises(InputError) as caught:
        listed([source], **options)
    return caught.value


def offset_in(whole: np.ndarray, part: np.ndarray, near: int) -> int:
    """Where `part` stands in `whole`, at most a quarter of a second from `near`."""
    reach = SAMPLE_RATE // 4
    places = range(max(0, near - reach), near + reach)
    head = part[:400]
    return next(i for i in places if np.abs(whole[i : i + 400] - head).max() < 1e-4)


def require_right_cuts(talk: Talk, clips: list[Clip], folder: Path, with_speakers: bool) -> None:
    """Every cue is in exactly one clip, whole, and no clip has a sound of another's words."""
    rest = list(talk.cues)
    for clip in clips:
        inside = []
        while rest and clip.text.startswith(" ".join(cue.text for cue in [*inside, rest[0]])):
            inside.append(rest.pop(0))
        assert inside, clip
        assert clip.text == " ".join(cue.text for cue in inside)
        assert clip.duration_s <= max(15.4, inside[0].end_s - inside[0].start_s + 0.4)
        if with_speakers:
            assert {cue.speaker for cue in inside} == {clip.speaker}
        pauses = [b.start_s - a.end_s for a, b in pairwise(inside)]
        assert max(pauses, default=0) <= 2.0
        sound = read_flac(folder / clip.audio)
        first = offset_in(talk.samples, sound, round(inside[0].start_s * SAMPLE_RATE))
        assert np.allclose(sound, talk.samples[first : first + len(sound)], atol=1e-4)
        before_s = inside[0].start_s - first / SAMPLE_RATE
        behind_s = (first + len(sound)) / SAMPLE_RATE - inside[-1].end_s
        assert 0.19 < before_s < 0.21 and 0.19 < behind_s < 0.21
    assert rest == []


@pytest.mark.parametrize("name", WRITERS)
def test_every_format_gives_the_right_words_and_sounds(name, talk, tmp_path):
    suffix, write_cues = WRITERS[name]
    source = folder_with(
        tmp_path, talk, **{f"talk{suffix}".replace(".", "__"): write_cues(talk.cues)}
    )
    tier = "utterance" if name == "ELAN" else ""
    report = prepare(
        upload.candidates([source], reading=Reading(tier=tier)), tmp_path / "dataset", words
    )
    clips = read_clips(tmp_path / "dataset")
    notes = {finding.code for finding in report.findings}
    is_long = name == "TextGrid"  # it has a tier of points too
    assert notes == {"recordings_in_both_splits"} | ({"point_tiers_ignored"} if is_long else set())
    assert (report.n_found, report.n_clips) == (len(clips), len(clips)) and len(clips) < N_CLIPS
    assert clips[0].name.startswith("talk.flac 0:00:01.0–0:00:")
    assert {clip.recording for clip in clips} == {"talk.flac"}
    require_right_cuts(talk, clips, tmp_path / "dataset", name in HAVE_SPEAKERS)


def test_a_zip_and_a_recording_that_is_no_flac(talk, tmp_path):
    sound = encode(tmp_path / "talk.m4a", talk.samples, "aac", "ipod", rate=SAMPLE_RATE)
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        packed.write(sound, "audio/talk.m4a")
        packed.writestr("texts/talk.it.srt", srt(talk.cues))
    found = [(c.name, c.text, read_flac(c.audio)) for c in upload.candidates([archive]) if c.audio]
    assert " ".join(text for _, text, _ in found) == " ".join(cue.text for cue in talk.cues)
    assert found[0][0].startswith("audio/talk.m4a 0:00:01.0–")
    for _, _, samples in found:
        assert np.sqrt(np.mean(samples**2)) > 0.01


@pytest.mark.parametrize(
    "name", ["talk.srt", "talk.it.srt", "talk.flac.srt", "talk.it-IT.fixed.srt"]
)
def test_names_that_mean_the_recording(name, talk, tmp_path):
    source = folder_with(tmp_path, talk, **{name.replace(".", "__"): srt(talk.cues)})
    assert problems(listed([source])) == {}


def test_names_that_mean_another_or_several(talk, tmp_path):
    source = folder_with(tmp_path, talk, talk__1__srt=srt(talk.cues))
    assert problems(listed([source])) == {"timed_text_alone": 1, "transcript_missing": 1}
    (source / "talk.1.srt").rename(source / "talk.srt")
    (source / "talk.wav").hardlink_to(talk.path)
    found = listed([source])
    assert problems(found) == {"name_ambiguous": 2} and len(found) == 2


def test_elan_names_its_recording(talk, tmp_path):
    one = [replace(cue, speaker="Anna") for cue in talk.cues]
    source = folder_with(tmp_path, talk, film_final__eaf=eaf(one, media="talk%201.flac"))
    (source / "talk.flac").rename(source / "talk 1.flac")
    assert problems(listed([source])) == {}
    (source / "talk 1.flac").rename(source / "talk.flac")
    descriptors = (
        '<MEDIA_DESCRIPTOR MEDIA_URL="x/film.mp4"/><MEDIA_DESCRIPTOR MEDIA_URL="talk.flac"'
    )
    text = eaf(one, media="talk.flac").replace(
        '<MEDIA_DESCRIPTOR MEDIA_URL="file:///C:/films/talk.flac"',
        f'{descriptors} TIME_ORIGIN="500"',
    )
    (source / "film_final.eaf").write_text(text)
    (source / "film.mp4").write_bytes(b"a film")
    found = listed([source])
    assert problems(found) == {"media_not_needed": 1}
    assert found[0].name.startswith("talk.flac 0:00:01.5–")  # half a second later than its cue


def test_the_same_in_all_of_whispers_formats_is_used_once(talk, tmp_path):
    plain = "\n".join(cue.text for cue in talk.cues)
    files = {
        f"talk__{suffix[1:]}": write_cues(talk.cues)
        for suffix, write_cues in (
            WRITERS[name] for name in ("SubRip", "WebVTT", "Whisper", "Whisper's TSV")
        )
    }
    source = folder_with(tmp_path, talk, talk__txt=plain, **files)
    found = listed([source])
    assert problems(found) == {"transcript_not_needed": 4}
    other = [replace(cue, text=f"{cue.text} ma no") for cue in talk.cues]
    (source / "talk.en.srt").write_text(srt(other))
    found = listed([source])
    assert problems(found) == {"timed_texts_differ": 1, "transcript_not_needed": 1}
    (differing,) = (c for c in found if c.problem == "timed_texts_differ")
    assert "talk.en.srt" in differing.params["files"] and differing.name == "talk.flac"


def test_a_table_counts_more_and_others_are_not_mistaken(talk, tmp_path):
    source = folder_with(
        tmp_path,
        talk,
        talk__srt=srt(talk.cues),
        notes__json='{"segments": 3}',
        words__json="[1, 2]",
        readme__txt="1\t2",
    )
    write(source / "short.wav", speech(1.0))
    (source / "short.txt").write_text("12\t a plain transcript with a tab", encoding="utf-8")
    (source / "list.csv").write_text("file_name,transcription\ntalk.flac,all of it\n")
    found = listed([source])
    assert problems(found) == {"transcript_not_needed": 1, "file_ignored": 3}
    assert [c.name for c in found if c.audio] == ["talk.flac", "short.wav"]


def test_broken_cues_and_broken_files_are_named(talk, tmp_path):
    text = srt(talk.cues).replace(" --> ", " -> ", 2)
    source = folder_with(tmp_path, talk, talk__srt=text)
    report = prepare(upload.candidates([source]), tmp_path / "dataset", words)
    broken = [finding for finding in report.findings if finding.code == "cue_broken"]
    assert [(finding.row, finding.params["file"]) for finding in broken] == [
        (2, "talk.srt"),
        (6, "talk.srt"),
    ]
    said = " ".join(clip.text for clip in read_clips(tmp_path / "dataset"))
    assert said == " ".join(cue.text for cue in talk.cues[2:])
    (source / "talk.srt").unlink()
    for name, content, line in (
        ("talk.eaf", eaf(talk.cues)[:3000], None),
        ("talk.json", whisper(talk.cues)[:-100], None),
        ("talk.TextGrid", "nothing", 1),
    ):
        (source / name).write_text(content)
        (found,) = listed([source])
        assert problems([found]) == {"timed_text_broken": 1} and found.name == name
        assert found.params["line"] == (line or content.count("\n") + 1)
        (source / name).unlink()
    (source / "talk.srt").write_text("")
    assert problems(listed([source])) == {"timed_text_empty": 1}


def test_a_recording_nobody_can_read(tmp_path):
    (tmp_path / "talk.wav").write_bytes(b"no sound " * 99)
    (tmp_path / "talk.srt").write_text("1\n00:00:00,000 --> 00:00:01,000\nHello\n")
    (found,) = listed([tmp_path])
    assert (found.problem, found.name) == ("audio_undecodable", "talk.wav")


def test_the_tier_is_asked_for(talk, tmp_path):
    source = folder_with(tmp_path, talk, talk__eaf=eaf(talk.cues))
    error = refused(source)
    assert error.code == "tier_needed"
    assert error.params["tiers"] == "ut (24), ut@Anna (12), ut@Béla (12)"
    choices = {choice.name: choice for choice in upload.tiers([source])}
    assert list(choices) == ["ut", "ut@Anna", "ut@Béla"]
    assert (choices["ut@Béla"].n_tiers, choices["ut"].n_tiers) == (1, 2)
    assert choices["ut@Béla"].text == talk.cues[2].text
    (source / "list.csv").write_text("file_name,transcription\ntalk.flac,all of it\n")
    assert problems(listed([source])) == {"transcript_not_needed": 1}  # nothing to be asked
    (source / "list.csv").unlink()
    found = listed([source], tier="UT@anna")
    assert problems(found) == {"tiers_chosen": 1}
    assert {c.speaker for c in found if c.audio} == {"Anna"}
    both = listed([source], tier="utterance")
    assert problems(both) == {} and {c.speaker for c in both} == {"Anna", "Béla"}
    assert problems(listed([source], tier="gloss")) == {"tier_unknown": 1}


def test_one_plausible_tier_is_taken_and_said(talk, tmp_path):
    grid = textgrid(talk.cues).replace("TextTier", "IntervalTier").replace("clicks", "phones")
    grid = grid.replace("number = 0.5 \n", "xmin = 0.5\nxmax = 0.6\n").replace("mark", "text")
    source = folder_with(tmp_path, talk, talk__TextGrid=grid)
    assert upload.tiers([source]) == []
    found = listed([source])
    assert problems(found) == {"tiers_chosen": 1}
    assert found[-1].params == {"tiers": "words", "others": "phones"}
    (source / "talk.TextGrid").write_text(
        grid.replace('"words"', '"Anna"').replace("phones", "Ben")
    )
    assert refused(source).params["tiers"].startswith("* (25), Anna (24), Ben (1)")
    found = listed([source], tier="*")
    assert {c.speaker for c in found if c.audio} <= {"Anna", "Ben"}
