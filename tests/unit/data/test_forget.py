"""The sound of Common Voice goes, everywhere in a run; all else stays."""

import os
import shutil

from tests.sounds import speech
from whisper_tuner.audio import write_flac
from whisper_tuner.data.clips import COMMON_VOICE, Clip, read_clips, write_dataset
from whisper_tuner.data.fixes import fix
from whisper_tuner.data.forget import are_forgotten, forget_common_voice
from whisper_tuner.data.prepare import before_dir, report_of


def make(folder, sources) -> list[Clip]:
    (folder / "clips").mkdir(parents=True)
    clips = []
    for i, source in enumerate(sources):
        audio, split = f"clips/{i}.flac", "train" if i % 2 else "test"
        samples = speech(1.5, seed=i)
        if i == 0:
            samples[: 16000 // 2] *= 3
        write_flac(folder / audio, samples)
        name = f"{i}.mp3"
        clips.append(Clip(f"{i}", audio, f"Frase {i}.", name, 1.5, 9, split, source=source))
    findings = [clips[-1].finding("audio_quiet", level=-60)]
    write_dataset(folder, clips, report_of(len(clips), clips, findings))
    return clips


def test_only_its_sound_is_deleted_also_where_undo_goes_back_to(tmp_path):
    folder = tmp_path / "run" / "dataset"
    make(folder, [COMMON_VOICE, "", COMMON_VOICE, "", "", COMMON_VOICE])
    fix(folder, "audio_quiet", lambda text: 9)  # leaves the last one out
    other = tmp_path / "other"
    shutil.copytree(folder, other, copy_function=os.link)
    assert not are_forgotten(folder, read_clips(folder))

    assert forget_common_voice(folder) == 2
    assert sorted(p.stem for p in (folder / "clips").iterdir()) == ["1", "3", "4"]
    assert sorted(p.stem for p in (before_dir(folder) / "clips").iterdir()) == ["1", "3", "4"]
    assert len(list((other / "clips").iterdir())) == 5  # another run's
    assert len(read_clips(folder)) == 5 and are_forgotten(folder, read_clips(folder))
    assert forget_common_voice(folder) == 2  # again is harmless


def test_one_s_own_recordings_stay(tmp_path):
    clips = make(tmp_path / "dataset", ["", "", "", ""])
    assert forget_common_voice(tmp_path / "dataset") == 0
    assert not are_forgotten(tmp_path / "dataset", clips)
    assert not are_forgotten(tmp_path / "dataset", [])
    assert all((tmp_path / "dataset" / clip.audio).exists() for clip in clips)
