"""The recordings of a run that goes on from another: added, never replaced, set aside again."""

from dataclasses import replace

import pytest

from tests.unit.data.archives_of_cv import mp3_of, pack, rows_of, table
from tests.unit.training.test_early_stop import clips
from whisper_tuner import steps
from whisper_tuner.data.clips import read_clips
from whisper_tuner.errors import RunError
from whisper_tuner.runs import locks, start
from whisper_tuner.runs.folder import Spec
from whisper_tuner.steps.checks import DATA_LOCK_NAME
from whisper_tuner.training.early_stop import set_aside


def test_recordings_are_added_not_replaced_and_not_once_it_was_started(
    learnt, tiny_config, small_source
):
    run = steps.further(learnt)
    with pytest.raises(RunError) as refused:
        steps.prepare(run, [small_source])
    assert refused.value.code == "run_goes_on"
    report = steps.add(run, [small_source])
    assert [f.code for f in report.findings[:-1]] == ["clip_already_there"] * 10
    run.write_spec(Spec(tiny_config, 2.0, {}))
    with pytest.raises(RunError) as refused:
        steps.add(run, [small_source])
    assert refused.value.code == "run_has_started"


def test_start_and_adding_do_not_cross(learnt, tiny_config, small_source):
    run = steps.further(learnt)
    held = locks.acquire(run.dir / DATA_LOCK_NAME)
    assert held is not None
    for crossing in (
        lambda: steps.add(run, [small_source]),
        lambda: steps.train(run, tiny_config),
    ):
        with pytest.raises(RunError) as refused:
            crossing()
        assert refused.value.code == "data_being_added"
    assert not run.spec_path.exists()


def test_more_of_a_common_voice_archive(learnt, tmp_path):
    rows = rows_of(30, 6)
    sounds = {f"cy/clips/{file}": mp3_of(1.0, i) for i, (_, file, _) in enumerate(rows)}
    archive = pack(tmp_path / "cy.tar.gz", {"cy/validated.tsv": table(rows), **sounds})
    run = steps.further(learnt)
    first = steps.add_common_voice(run, archive, 8, 2)
    assert (first.n_train, first.n_test) == (8 + 8, 2 + 2)
    second = steps.add_common_voice(run, archive, 8, 2)
    assert (second.n_train, second.n_test) == (8 + 16, 2 + 4)
    assert not any(finding.refused for finding in second.findings)


def test_what_an_earlier_run_learnt_does_not_decide_when_to_stop():
    old = clips(400, 400)
    learnt, dev = set_aside(old, seed=1)
    new = [replace(c, id=f"n{c.id}", text=f"new {c.text}") for c in clips(200, 200)]
    learnt_ids, dev_ids = ({clip.id for clip in part} for part in (learnt, dev))
    still, again = set_aside([*old, *new], 1, learnt_ids, dev_ids)
    assert {clip.id for clip in again} >= dev_ids
    assert not {clip.id for clip in again} & learnt_ids
    assert len(again) == len(dev) + 20  # a tenth of what is new
    assert len(still) + len(again) == 600


def test_too_few_that_are_new_set_nothing_aside():
    old = clips(290, 290)
    new = [replace(c, id=f"n{c.id}", text=f"new {c.text}") for c in clips(100, 100)]
    ids = {clip.id for clip in old}
    assert set_aside([*old, *new], 1, ids) == ([*old, *new], [])


def test_the_clips_set_aside_are_known_to_the_next_run(learnt):
    ids = [clip.id for clip in read_clips(learnt.dataset_dir, "train")]
    start.write_set_aside(learnt, ids[:2])
    origin = start.read_origin(steps.further(learnt))
    assert (origin.learnt, origin.set_aside) == (tuple(ids[2:]), tuple(ids[:2]))
