"""Texts of a base are kept by sound and setting, and by nothing less."""

import os
import time

import pytest

from tests.sounds import speech
from tests.tiny import LARGE_V3_ID, TINY_ID
from tests.unit.evaluation.conftest import listener_for, make_run
from whisper_tuner.audio import write_flac
from whisper_tuner.data.clips import read_clips
from whisper_tuner.evaluation.base_cache import KEPT_S, BaseCache


@pytest.fixture
def cache(tmp_path):
    return BaseCache(tmp_path / "cache", "setting")


@pytest.fixture
def audio(tmp_path):
    path = tmp_path / "a.flac"
    write_flac(path, speech(0.2))
    return path


def test_a_text_is_known_by_its_sound_not_its_name(cache, audio, tmp_path):
    cache.write(audio, "perché «sì»")
    again = tmp_path / "elsewhere.flac"
    write_flac(again, speech(0.2))
    assert cache.read(again) == "perché «sì»"


def test_another_sound_or_setting_is_not_known(cache, audio, tmp_path):
    cache.write(audio, "uno")
    other = tmp_path / "b.flac"
    write_flac(other, speech(0.2, seed=1))
    assert cache.read(other) is None
    assert BaseCache(cache.folder, "another").read(audio) is None


def test_nothing_heard_is_a_text_too(cache, audio):
    cache.write(audio, "")
    assert cache.read(audio) == ""


@pytest.mark.parametrize("content", [b"", b'"half a te', b"\xff\xfe", b"null", b'{"text": "uno"}'])
def test_a_damaged_file_is_unknown_and_written_anew(cache, audio, content):
    cache.write(audio, "uno")
    (file,) = cache.folder.iterdir()
    file.write_bytes(content)
    assert cache.read(audio) is None
    cache.write(audio, "uno")
    assert cache.read(audio) == "uno"
    assert list(cache.folder.iterdir()) == [file]


def test_texts_are_for_their_owner_only_and_names_tell_nothing(cache, audio):
    cache.write(audio, "uno")
    (file,) = cache.folder.iterdir()
    assert cache.folder.stat().st_mode & 0o777 == 0o700
    assert file.stat().st_mode & 0o777 == 0o600
    assert len(bytes.fromhex(file.stem)) == 32


def test_what_no_run_asks_for_is_dropped(cache, audio, tmp_path):
    cache.drop_unused()  # there is no folder yet
    other = tmp_path / "b.flac"
    write_flac(other, speech(0.2, seed=1))
    cache.write(audio, "asked for")
    cache.write(other, "forgotten")
    long_ago = time.time() - KEPT_S - 60
    for file in cache.folder.iterdir():
        os.utime(file, (long_ago, long_ago))
    assert cache.read(audio) == "asked for"
    cache.drop_unused()
    assert cache.read(audio) == "asked for"
    assert cache.read(other) is None


def test_every_setting_a_text_follows_from_is_in_its_name(hub_cache, tmp_path):
    settings = [
        {},
        {"base": LARGE_V3_ID},
        {"precision": "8bit"},
        {"precision": "4bit"},
        {"language": "de"},
    ]
    caches = []
    for changed in settings:
        run = make_run(tmp_path, (0.2,), **changed)
        caches.append(BaseCache.of(listener_for(run)))
    assert len({cache.setting for cache in caches}) == len(settings)
    assert {cache.folder for cache in caches} == {tmp_path / "cache" / "base_transcripts"}
    audio = run.dataset_dir / read_clips(run.dataset_dir)[0].audio
    caches[0].write(audio, "uno")
    assert [cache.read(audio) for cache in caches] == ["uno", None, None, None, None]


def test_how_the_adapter_is_trained_is_not(hub_cache, tmp_path):
    runs = [make_run(tmp_path, (0.2,), **changed) for changed in ({}, {"epochs": 9, "seed": 1})]
    first, second = (BaseCache.of(listener_for(run)) for run in runs)
    assert first == second
    assert TINY_ID in first.setting
