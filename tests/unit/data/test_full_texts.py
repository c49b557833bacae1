"""Which recordings of an upload have their full text beside them."""

from pathlib import Path

import numpy as np
import pytest

from whisper_tuner.audio import write_flac
from whisper_tuner.data.full_texts import find_pairs


@pytest.fixture
def upload(tmp_path):
    def make(**seconds_or_text: float | str) -> list[Path]:
        paths = []
        for name, content in seconds_or_text.items():
            path = tmp_path / name.replace("__", ".")
            if isinstance(content, str):
                path.write_text(content, encoding="utf-8")
            else:
                write_flac(path, np.zeros(round(16_000 * content), np.float32))
            paths.append(path)
        return paths

    return make


def test_by_name_or_as_the_only_ones(upload):
    talk, text = upload(talk__flac=40, talk__txt="Buongiorno a tutti.")
    other, *_ = upload(other__flac=40)
    assert find_pairs([talk, text]).pairs == [(talk, text)]
    found = find_pairs([other, talk, text])
    assert (found.pairs, found.alone) == ([(talk, text)], [other])
    assert find_pairs([other, text]).pairs == [(other, text)]


def test_several_and_what_is_a_clip_already_or_has_no_text(upload):
    files = upload(
        one__flac=40, one__txt="Uno.", two__wav=35, two__docx="Due.", three__flac=50, three__txt="3"
    )
    short = upload(short__flac=8, short__txt="Ciao.", hm__flac=4, hm__txt="Hm.")
    lonely = upload(lonely__flac=60)
    found = find_pairs([*files, *short, *lonely])
    assert found.pairs == [(files[0], files[1]), (files[2], files[3]), (files[4], files[5])]
    assert (found.short, found.alone) == ([short[0], short[2]], lonely)


def test_the_text_in_the_same_folder_else_in_another(tmp_path, upload):
    talk, text = upload(talk__flac=40, talk__txt="Buongiorno.")
    (tmp_path / "b").mkdir()
    other = talk.rename(tmp_path / "b" / talk.name)  # every upload has a folder of its own
    assert find_pairs([other, text]).pairs == [(other, text)]
    third, lonely = upload(talk__flac=40, lonely__flac=31)
    assert find_pairs([other, third, text, lonely]).alone == [other, third, lonely]
    copy = tmp_path / "b" / text.name
    copy.write_text("Buonasera.", encoding="utf-8")
    assert find_pairs([other, third, text, copy]).pairs == [(other, copy), (third, text)]


def test_not_without_need(upload):
    short, text, other = upload(short__flac=8, short__txt="Ciao.", other__txt="Ciao.")
    talk, *_ = upload(talk__flac=40)
    assert find_pairs([short, text]).pairs == []
    assert find_pairs([talk, text, other]).pairs == []  # which of the two?
    cues, *_ = upload(talk__srt="1\n00:00:00,000 --> 00:00:02,000\nCiao\n")
    assert find_pairs([talk, other, cues]).pairs == []
    labels, *_ = upload(talk__txt="0.0\t1.5\tCiao\n1.5\t3.0\tMondo\n")
    assert find_pairs([talk, labels]).pairs == []
    assert find_pairs([]).pairs == []
