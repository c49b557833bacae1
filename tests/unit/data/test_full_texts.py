"""Which recording of an upload has its full text beside it."""

from pathlib import Path

import numpy as np
import pytest

from whisper_tuner.audio import write_flac
from whisper_tuner.data.full_texts import find_pair


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
    assert find_pair([talk, text]) == (talk, text)
    assert find_pair([other, talk, text]) == (talk, text)
    assert find_pair([other, text]) == (other, text)


def test_not_without_need(upload):
    short, text, other = upload(short__flac=8, short__txt="Ciao.", other__txt="Ciao.")
    talk, *_ = upload(talk__flac=40)
    assert find_pair([short, text]) is None
    assert find_pair([talk, text, other]) is None  # which of the two?
    cues, *_ = upload(talk__srt="1\n00:00:00,000 --> 00:00:02,000\nCiao\n")
    assert find_pair([talk, other, cues]) is None
    labels, *_ = upload(talk__txt="0.0\t1.5\tCiao\n1.5\t3.0\tMondo\n")
    assert find_pair([talk, labels]) is None
    assert find_pair([]) is None
