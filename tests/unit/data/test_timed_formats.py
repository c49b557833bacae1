"""Every format of timed text as programs write it, and what is broken in it named by its line."""

import json
import time

import pytest

from tests.timed_files import WRITERS, audacity, eaf, short_textgrid, srt, textgrid, vtt
from whisper_tuner.data.cues import Cue, TimedText, join_texts
from whisper_tuner.data.labels import are_labels, is_whisper_json, is_whisper_tsv
from whisper_tuner.data.tiers import choose
from whisper_tuner.data.timed_text import read_timed_text
from whisper_tuner.errors import InputError

CUES = [
    Cue(0.5, 2.25, "Buongiorno a tutti.", 1, "Anna"),
    Cue(3.0, 4.5, 'Così "è" 你好 – ok', 2, "Ben"),
    Cue(3661.123, 3663.0, "Là-bas <3 & co", 3, "Anna"),
]
PLAIN = CUES[:2]


def read(text: str, name: str) -> TimedText:
    return read_timed_text(text.encode(), name)


def times_and_texts(timed: TimedText) -> list[tuple]:
    return [(cue.start_s, cue.end_s, cue.text.strip()) for cue in timed.cues]


def said(timed: TimedText) -> list[str]:
    return [cue.text for cue in timed.cues]


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_what_was_written_is_read(name, ends):
    suffix, write = WRITERS[name]
    timed = read(write(PLAIN).replace("\n", ends), f"a{suffix}")
    expected = [(cue.start_s, cue.end_s, cue.text) for cue in PLAIN]
    assert times_and_texts(timed) == expected and timed.broken == []


def test_hours_and_marks():
    for suffix, write in ((".srt", srt), (".TextGrid", textgrid), (".txt", audacity)):
        assert times_and_texts(read(write(CUES), f"a{suffix}"))[2] == (
            3661.123,
            3663.0,
            "Là-bas <3 & co",
        )
    plain = [Cue(1, 2, "a &amp; b &lt;c&gt;", 1, "Anna &amp; Co")]
    assert said(read(vtt(plain), "a.vtt")) == ["a & b <c>"]
    assert read(vtt(plain), "a.vtt").cues[0].speaker == "Anna & Co"
    assert said(read(eaf(plain), "a.eaf")) == ["a & b <c>"]


SRT = """1
00:00:01,000 --> 00:00:02,500 X1:40 X2:600
{\\an8}<font color="#fff">Hello</font>,
- you <b>there</b>

2

0:03.5 --> 0:04.5
no hours
3
00:00:05,000 --> 00:00:06,000
no empty line before

4
00:00:07,000 -> 00:00:08,000
one dash

5
00:00:79,000 --> 00:00:80,000
no such second

a line that belongs to nothing

6
00:00:09,000 --> 00:00:10,000
"""


def test_srt_as_people_write_it():
    timed = read(SRT, "a.srt")
    texts = ["Hello,\nyou there", "no hours", "no empty line before", ""]
    assert said(timed) == texts
    assert [cue.start_s for cue in timed.cues] == [1.0, 3.5, 5.0, 9.0]
    assert [cue.line for cue in timed.cues] == [2, 8, 11, 25]
    assert timed.broken == [15, 19, 22]


def test_webvtt_without_what_is_not_spoken():
    text = (
        "WEBVTT\nKind: captions\n\nNOTE\n00:00 --> nothing\n\nREGION\nid:fred\n\nan identifier\n"
        "00:01.000 --> 00:02.000 line:0 position:20%\n<v.loud Mary Ann>Hi <c.red>there</c>\n"
        "<00:00:01.500><lang en>friend</lang>\n\n"
        "00:03.000 --> 00:04.000\n<v A>One</v>\n<v B>Two</v>\n"
    )
    timed = read(text, "a.vtt")
    assert said(timed) == ["Hi there\nfriend", "One\nTwo"] and timed.broken == []
    assert [cue.speaker for cue in timed.cues] == ["Mary Ann", ""]


def test_captions_that_roll_up():
    text = (
        "WEBVTT\n\n00:00:00.000 --> 00:00:02.000 align:start\n \nso<00:00:00.500><c> today</c>\n\n"
        "00:00:02.000 --> 00:00:02.010\nso today\n \n\n"
        "00:00:02.010 --> 00:00:04.000\nso today\nwe<00:00:02.500><c> go</c>\n\n"
        "00:00:04.000 --> 00:00:04.010\nwe go\n \n"
    )
    timed = read(text, "a.vtt")
    assert said(timed) == ["so today", "we go"] and timed.broken == []
    assert [cue.start_s for cue in timed.cues] == [0.0, 2.01]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("write", [textgrid, short_textgrid])
def test_textgrid_in_its_encodings(write, encoding):
    timed = read_timed_text(write(PLAIN).encode(encoding), "a.TextGrid")
    assert said(timed) == [cue.text for cue in PLAIN]
    assert [tier.name for tier in timed.tiers] == ["words"]
    assert timed.point_tiers == (["clicks"] if write is textgrid else [])


def test_textgrid_broken_in_one_place():
    text = textgrid([Cue(i, i + 1, f"word {i}", i) for i in range(4)])
    lines = text.split("\n")

    def changed(number: int, line: str) -> TimedText:
        return read("\n".join([*lines[: number - 1], line, *lines[number:]]), "a.TextGrid")

    number = next(i for i, line in enumerate(lines, start=1) if "word 1" in line)
    timed = changed(number, "            text = ")
    assert said(timed) == ["word 0", "word 2", "word 3"] and len(timed.broken) == 1
    assert abs(timed.broken[0] - number) <= 2
    timed = changed(number - 1, "            xmax = later ")
    assert said(timed) == ["word 0", "word 2", "word 3"] and len(timed.broken) == 1
    timed = changed(number, '            text = "word 1')
    assert said(timed) == ["word 0"] and abs(timed.broken[0] - number) <= 2


def test_textgrid_tiers_of_an_aligner():
    text = textgrid(PLAIN).replace('"words"', '"Anna - words"')
    tier = read(text, "a.TextGrid").tiers[0]
    assert (tier.speaker, tier.kinds) == ("Anna", ("words",))
    assert read(text, "a.TextGrid").cues[0].speaker == "Anna"


EAF = """<?xml version="1.0" encoding="UTF-8"?>
<ANNOTATION_DOCUMENT><HEADER/><TIME_ORDER>
<TIME_SLOT TIME_SLOT_ID="ts1" TIME_VALUE="1000"/><TIME_SLOT TIME_SLOT_ID="ts2" TIME_VALUE="3000"/>
<TIME_SLOT TIME_SLOT_ID="ts3"/><TIME_SLOT TIME_SLOT_ID="ts4" TIME_VALUE="5000"/>
</TIME_ORDER>
<TIER TIER_ID="ref" PARTICIPANT="Anna" LINGUISTIC_TYPE_REF="default-lt">
<ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a1" TIME_SLOT_REF1="ts1" TIME_SLOT_REF2="ts2">
<ANNOTATION_VALUE></ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION></TIER>
<TIER TIER_ID="tx" PARENT_REF="ref"><ANNOTATION>
<REF_ANNOTATION ANNOTATION_ID="a2" ANNOTATION_REF="a1"><ANNOTATION_VALUE>one two</ANNOTATION_VALUE>
</REF_ANNOTATION></ANNOTATION></TIER>
<TIER TIER_ID="mb" PARENT_REF="tx">
<ANNOTATION><REF_ANNOTATION ANNOTATION_ID="a4" ANNOTATION_REF="a2" PREVIOUS_ANNOTATION="a3">
<ANNOTATION_VALUE>two</ANNOTATION_VALUE></REF_ANNOTATION></ANNOTATION>
<ANNOTATION><REF_ANNOTATION ANNOTATION_ID="a3" ANNOTATION_REF="a2">
<ANNOTATION_VALUE>one</ANNOTATION_VALUE></REF_ANNOTATION></ANNOTATION>
<ANNOTATION><REF_ANNOTATION ANNOTATION_ID="a9" ANNOTATION_REF="gone">
<ANNOTATION_VALUE>lost</ANNOTATION_VALUE></REF_ANNOTATION></ANNOTATION></TIER>
<TIER TIER_ID="sub"><ANNOTATION>
<ALIGNABLE_ANNOTATION ANNOTATION_ID="a5" TIME_SLOT_REF1="ts2" TIME_SLOT_REF2="ts3">
<ANNOTATION_VALUE>left</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION><ANNOTATION>
<ALIGNABLE_ANNOTATION ANNOTATION_ID="a6" TIME_SLOT_REF1="ts3" TIME_SLOT_REF2="ts4">
<ANNOTATION_VALUE>right</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION></TIER>
</ANNOTATION_DOCUMENT>
"""


def test_elan_tiers_that_refer_to_others():
    timed = read(EAF, "a.eaf")
    found = {cue.tier: (cue.start_s, cue.end_s, cue.text, cue.speaker) for cue in timed.cues}
    assert found["tx"] == (1.0, 3.0, "one two", "Anna")
    assert found["mb"] == (1.0, 3.0, "one two", "Anna")  # in the order that they say they have
    assert found["sub"] == (3.0, 5.0, "left right", "")  # nobody said where it is divided
    lost = EAF.split("\n").index(next(line for line in EAF.split("\n") if "a9" in line)) + 1
    assert timed.broken == [lost]
    assert [tier.name for tier in choose(timed, "", "a.eaf")] == ["tx"]


BOMB = (
    '<?xml version="1.0"?>\n<!DOCTYPE a [<!ENTITY x0 "ha">'
    + "".join(f'<!ENTITY x{i + 1} "{f"&x{i};" * 10}">' for i in range(12))
    + "]>\n<ANNOTATION_DOCUMENT>&x12;</ANNOTATION_DOCUMENT>"
)


@pytest.mark.parametrize(
    "text",
    [BOMB, '<!DOCTYPE a SYSTEM "file:///etc/passwd"><ANNOTATION_DOCUMENT/>'],
    ids=["bomb", "foreign file"],
)
def test_entities_are_refused(text):
    began_s = time.process_time()
    with pytest.raises(InputError) as caught:
        read(text, "a.eaf")
    assert caught.value.code == "xml_entities" and time.process_time() - began_s < 1


def test_circles_and_chains_end():
    loop = EAF.replace('ANNOTATION_REF="gone"', 'ANNOTATION_REF="a9"')
    loop = loop.replace('TIER_ID="sub"', 'TIER_ID="sub" PARENT_REF="sub"')
    assert len(read(loop, "a.eaf").broken) == 1
    chain = "\n".join(
        f'<ANNOTATION><REF_ANNOTATION ANNOTATION_ID="r{i}" ANNOTATION_REF="r{i + 1}"/></ANNOTATION>'
        for i in range(50_000)
    )
    began_s = time.process_time()
    timed = read(
        f'<ANNOTATION_DOCUMENT><TIER TIER_ID="t">{chain}</TIER></ANNOTATION_DOCUMENT>', "a.eaf"
    )
    assert len(timed.broken) == 50_000 and time.process_time() - began_s < 3


def test_whisperx_words_divide_a_long_segment():
    words = [{"word": f"w{i}", "start": 2.0 * i, "end": 2.0 * i + 1} for i in range(20)]
    words[3] = {"word": "2024"}  # without times, as WhisperX leaves numbers
    text = " ".join(word["word"] for word in words)
    segment = {"start": 0, "end": 39, "text": text, "speaker": "S0", "words": words}
    timed = read(
        json.dumps({"segments": [segment, 5, {"start": 1, "end": "x", "text": "y"}]}), "a.json"
    )
    assert len(timed.cues) == 19 and timed.cues[2].text == "w2 2024"
    assert {cue.speaker for cue in timed.cues} == {"S0"} and timed.broken == [2, 3]
    segment["words"].pop()
    assert said(read(json.dumps({"segments": [segment]}), "a.json")) == [text]


def test_labels_in_any_country():
    timed = read("0,5\t1,25\tuno\n\\\t100,0\t200,0\n1.5\t1.5\tpoint\n2.0\tx\tbad\n", "a.txt")
    assert times_and_texts(timed) == [(0.5, 1.25, "uno"), (1.5, 1.5, "point")]
    assert timed.broken == [4]


def test_what_is_no_timed_text():
    assert not any(map(are_labels, ["", "Hello\tyou", "3 apples", "1\t2", "1 2 3", "0.5\tone\tx"]))
    assert are_labels("0.0\t1.5\tHello") and are_labels("\\\t1\t2\n0\t1\t")
    assert not any(map(is_whisper_json, ["[]", "{}", '{"segments": {}}', "no", '{"a": [}']))
    assert is_whisper_json('{"segments": []}') and is_whisper_json('{"segments": [')
    assert is_whisper_tsv("start\tend\ttext\n") and not is_whisper_tsv("file\ttext\n")


def test_texts_are_joined_as_their_script_is_written():
    assert join_texts(["one", " two ", "", "three"]) == "one two three"
    assert (
        join_texts(["你好。", "再见"]) == "你好。再见" and join_texts(["ok", "你好"]) == "ok 你好"
    )
    assert join_texts(["안녕", "하세요"]) == "안녕 하세요"
