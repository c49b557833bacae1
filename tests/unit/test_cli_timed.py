"""`prepare` with a long recording and its timed transcript; `--tier` where it has several."""

import json

import numpy as np
import pytest

from tests.timed_files import eaf, srt
from tests.unit.test_cli import call, runs  # noqa: F401
from whisper_tuner import steps
from whisper_tuner.audio import read_flac, write_flac
from whisper_tuner.data.cues import Cue


@pytest.fixture
def talk(tmp_path):
    """Four recorded clips as one recording, two of each speaker, with a pause between."""
    folder, cues, parts, n_s = tmp_path / "talk", [], [], 0.0
    folder.mkdir()
    for i, path in enumerate(sorted((steps.EXAMPLE_DIR / "clips").glob("conf-*.flac"))[:4]):
        parts.append(read_flac(path))
        length_s = len(parts[-1]) / 16_000
        cues.append(Cue(n_s, n_s + length_s, f"frase numero {i}.", i, "Anna" if i < 2 else "Ben"))
        n_s += length_s + 3 * (i == 1)
        parts.append(np.zeros(48_000 * (i == 1), np.float32))
    write_flac(folder / "talk.flac", np.concatenate(parts))
    return folder, cues


def test_a_recording_with_subtitles(capsys, hub_cache, talk, runs):  # noqa: F811
    folder, cues = talk
    (folder / "talk.srt").write_text(srt([*cues, Cue(500, 501, "dopo", 9)]), encoding="utf-8")
    code, out, err = call(capsys, "prepare", folder)
    assert (code, err) == (0, "")
    assert "2 of 3 clips" in out
    assert "talk.flac 0:08:20.0–0:08:21.0 lies behind the end of the recording" in out


def test_the_tier_is_an_argument(capsys, hub_cache, talk, runs):  # noqa: F811
    folder, cues = talk
    (folder / "talk.eaf").write_text(eaf(cues), encoding="utf-8")
    code, out, err = call(capsys, "prepare", folder)
    assert (code, out) == (2, "") and "--tier NAME" in err and "ut@Anna (2)" in err
    code, out, _ = call(capsys, "prepare", folder, "--tier", "ut", "--json")
    answer = json.loads(out)
    assert (code, answer["n_train"], answer["n_test"]) == (0, 1, 1)
    code, out, _ = call(capsys, "prepare", folder, "--tier", "glosses")
    assert code == 2 and "no tier “glosses”" in out


def test_help_names_the_formats(capsys):
    with pytest.raises(SystemExit):
        call(capsys, "prepare", "--help")
    told = " ".join(capsys.readouterr().out.split())
    assert "TextGrid, .eaf: the tier" in told and "SRT" in told
