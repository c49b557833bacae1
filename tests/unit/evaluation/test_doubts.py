"""Which transcripts are doubted, with a hearing that is made up."""

import random
from dataclasses import replace

import pytest

from whisper_tuner.data.clips import Clip
from whisper_tuner.evaluation.doubts import Heard, judge

SYLLABLES = ("ba", "ce", "di", "fo", "gu", "la", "me", "ni", "po", "ru", "sa", "te", "tra", "sti")
N_CLIPS = 60


def make(n: int = N_CLIPS, seed: int = 1) -> list[Clip]:
    rng = random.Random(seed)

    def word() -> str:
        return "".join(rng.choice(SYLLABLES) for _ in range(rng.randint(2, 4)))

    texts = [" ".join(word() for _ in range(rng.randint(3, 9))) for _ in range(n)]
    return [Clip(f"{i}", "", text, f"{i}.wav", 4.0, 9, "train") for i, text in enumerate(texts)]


def misheard(text: str, share: float, seed: str) -> str:
    """With this share of its letters replaced."""
    rng = random.Random(seed + text)
    return "".join(
        rng.choice("aeioubcdfglm") if c != " " and rng.random() < share else c for c in text
    )


def hear(clips: list[Clip], share: float) -> dict[str, Heard]:
    """All in Italian, and surely speech."""
    sure = {"it": 0.98, "es": 0.01}
    return {clip.id: Heard(misheard(clip.text, share, clip.id), sure, 0.01) for clip in clips}


def swap(clips: list[Clip], *pairs: tuple[int, int]) -> list[Clip]:
    swapped = list(clips)
    for i, j in pairs:
        swapped[i] = replace(clips[i], text=clips[j].text)
        swapped[j] = replace(clips[j], text=clips[i].text)
    return swapped


def codes(findings) -> dict[str, str]:
    return {finding.clip: finding.code for finding in findings if finding.clip}


@pytest.mark.parametrize("share", [0.0, 0.1, 0.2, 0.3])
def test_swapped_transcripts_are_named_and_no_others_however_badly_it_hears(share):
    clips = make()
    heard = hear(clips, share)
    wrong = swap(clips, (3, 40), (11, 50))
    wrong[20] = replace(wrong[20], text="parliamo adesso soltanto del tempo che fa")
    findings = judge(wrong, heard, "it")
    assert codes(findings).keys() == {"3.wav", "40.wav", "11.wav", "50.wav", "20.wav"}
    assert codes(findings)["20.wav"] == "text_not_heard"
    assert findings[-1].code == "listened"
    assert findings[-1].params == {"n": 60, "n_judged": 60, "n_doubted": 5, "language": "it"}
    named = next(finding for finding in findings if finding.clip == "3.wav")
    assert (named.code, named.params["other"]) == ("text_of_another", "40.wav")
    assert named.params["text"] == clips[40].text
    assert named.params["heard"] == heard["3"].text
    assert 0.5 < named.params["distance"] <= 1


@pytest.mark.parametrize("share", [0.4, 0.5, 0.6, 0.8])
def test_no_right_transcript_is_doubted_where_half_of_all_letters_is_heard_wrong(share):
    clips = make()
    wrong = swap(clips, (3, 40), (11, 50))
    named = codes(judge(wrong, hear(clips, share), "sw")).keys()
    assert named <= {"3.wav", "40.wav", "11.wav", "50.wav"}


def test_a_base_that_repeats_itself_blames_no_transcript():
    clips = make()
    heard = hear(clips, 0.2)
    heard["9"] = replace(heard["9"], text=f"{heard['9'].text} " * 12)
    assert codes(judge(clips, heard, "it")) == {}
    wrong = swap(clips, (9, 40))
    finding = next(f for f in judge(wrong, heard, "it") if f.clip == "9.wav")
    assert len(finding.params["heard"]) < 250


def test_nobody_is_accused_by_a_base_that_knows_nothing_of_the_language():
    clips = make()
    findings = judge(clips, hear(clips, 1.0), "sw")
    assert codes(findings) == {}
    assert findings[-1].code == "listened_in_vain"


def test_nor_where_every_transcript_is_wrong():
    clips = make()
    moved = [replace(c, text=clips[i - 1].text) for i, c in enumerate(clips)]
    assert [f.code for f in judge(moved, hear(clips, 0.1), "it")] == ["listened_in_vain"]


def test_nor_among_a_few_clips():
    clips = make(12)
    findings = judge(swap(clips, (3, 4)), hear(clips, 0.1), "it")
    assert [finding.code for finding in findings] == ["listened_too_few"]


def test_numbers_and_words_of_a_few_letters_are_not_judged():
    clips = make()
    clips[5] = replace(clips[5], text="sessantotto")
    clips[6] = replace(clips[6], text="sì")
    heard = hear(clips, 0.1) | {
        "5": Heard("68.", {"it": 1.0}, 0.0),
        "6": Heard("She's", {"it": 1.0}, 0.0),
    }
    findings = judge(clips, heard, "it")
    assert codes(findings) == {}
    assert findings[-1].params["n_judged"] == 58


def test_two_clips_with_one_sentence_are_no_strangers():
    clips = make()
    clips = [replace(clip, text=clips[i % 3].text) for i, clip in enumerate(clips)]
    assert codes(judge(clips, hear(clips, 0.1), "it")) == {}


def test_another_language_stands_out_among_the_others_only():
    clips = make()
    heard = hear(clips, 0.1)
    heard["7"] = replace(heard["7"], languages={"de": 0.97, "it": 0.01})
    heard["8"] = replace(heard["8"], languages={"es": 0.6, "it": 0.39})  # unsure
    heard["9"] = replace(heard["9"], languages={"nn": 0.5, "en": 0.2})
    findings = judge(clips, heard, "it")
    assert codes(findings) == {"7.wav": "heard_language"}
    params = findings[0].params
    assert params == {"heard_as": "de", "percent": 97, "usual_language": "it"}


def test_a_language_taken_for_many_accuses_nobody():
    clips = make()
    heard = hear(clips, 0.3)
    taken = ["sw", "ln", "sn", "yo", "ar", "mi", "so", "haw", "ha", "fr", "en", "jw"]
    for i, clip in enumerate(clips):
        heard[clip.id] = replace(heard[clip.id], languages={taken[i % len(taken)]: 0.9})
    assert codes(judge(clips, heard, "sw")) == {}


def test_no_speech_is_named_unless_the_words_were_heard():
    clips = make()
    heard = hear(clips, 0.1)
    heard["9"] = Heard("Sottotitoli e revisione a cura di QTSS", {"en": 0.3}, 0.92)
    heard["10"] = replace(heard["10"], no_speech=0.92)
    heard["11"] = Heard("e", {"en": 0.6}, 0.0)  # so whisper-base hears chords
    findings = judge(clips, heard, "it")
    assert codes(findings) == {"9.wav": "heard_no_speech", "11.wav": "heard_no_speech"}
    assert findings[1].params == {"heard": "e", "seconds": 4.0}


def test_where_all_clips_sound_like_no_speech_none_is_named():
    clips = make()
    heard = {id: Heard("", {"en": 0.3}, 0.9) for id in hear(clips, 0)}
    assert codes(judge(clips, heard, "it")) == {}
