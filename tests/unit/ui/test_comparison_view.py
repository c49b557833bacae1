"""The comparison as a person reads it."""

import pytest

from whisper_tuner.ui import comparison_view as view

HOSTILE = '<img src=x onerror="alert(1)">'


def edit(op: str, ref: str, hyp: str) -> dict:
    return {"op": op, "ref": ref, "hyp": hyp}


def clip(n: int, base_wer: float = 0.5, tuned_wer: float = 0.5, **changed) -> dict:
    return {
        "id": f"{n:06d}",
        "name": f"clip-{n}.wav",
        "duration_s": 1.0,
        "reference": "uno due",
        "base": "uno tre",
        "tuned": "uno due",
        "base_wer": base_wer,
        "tuned_wer": tuned_wer,
        "base_edits": [edit("equal", "uno ", "uno "), edit("substitute", "due", "tre")],
        "tuned_edits": [edit("equal", "uno due", "uno due")],
        **changed,
    }


def comparison(*clips: dict, base: float = 0.182, tuned: float = 0.129) -> dict:
    return {
        "language": "it",
        "n_clips": len(clips),
        "n_words": 100,
        "base": {"wer": base, "cer": 0.1},
        "tuned": {"wer": tuned, "cer": 0.05},
        "clips": list(clips),
    }


def test_headline_says_how_many_fewer_words_are_wrong():
    html = view.headline(comparison(*map(clip, range(40))), "en")
    assert "WER 18.2% → 12.9% (29% fewer wrong words) on 40 held-out clips" in html
    assert "CER 10.0% → 5.0%" in html
    assert "With 40 clips these figures are rough" in html


def test_headline_is_as_plain_when_it_got_worse():
    html = view.headline(comparison(clip(1), base=0.1, tuned=0.2), "en")
    assert "(100% more wrong words)" in html and "does worse here" in html


@pytest.mark.parametrize(("base", "tuned"), [(0.0, 0.0), (0.0, 0.3), (0.2, 0.2)])
def test_headline_has_no_share_where_there_is_none(base, tuned):
    html = view.headline(comparison(clip(1), base=base, tuned=tuned), "en")
    assert f"WER {base:.1%} → {tuned:.1%} on 1 held-out clips" in html


def test_headline_tells_fast_mode_where_it_was_measured():
    compared = comparison(clip(1))
    assert "fast mode" not in view.headline(compared, "en")
    compared["tuned_speech_window"] = {"wer": 0.141, "cer": 0.06}
    html = view.headline(compared, "en")
    assert "In fast mode" in html and "WER 14.1%" in html
    assert "快速模式" in view.headline(compared, "zh")


def test_orders():
    clips = [clip(1, 0.5, 0.5), clip(2, 0.2, 0.9), clip(3, 0.9, 0.1)]
    for order, ids in (("improved", [3, 1, 2]), ("worsened", [2, 1, 3]), ("uploaded", [1, 2, 3])):
        assert [int(c["id"]) for c in view.ordered(clips, order)] == ids


def test_pages_of_twenty():
    clips = comparison(*(clip(n) for n in range(45)))
    assert view.n_pages(clips) == 3
    last = view.clip_cards(clips, "run", "uploaded", 2, "en")
    assert last.count("<li>") == 5 and "Clips 41–45 of 45" in last
    assert view.clip_cards(clips, "run", "uploaded", 99, "en") == last


def test_a_clip_has_its_sound_and_three_texts():
    html = view.clip_cards(comparison(clip(7, 0.5, 0.0)), "20260101-000000-ab", "improved", 0, "en")
    assert '<audio controls preload="none" src="clip/20260101-000000-ab/000007"' in html
    assert '<mark title="due">tre</mark>' in html
    assert "WER 50%" in html and "WER 0%" in html
    assert '<dl class="better">' in html


def test_words_added_and_missing_are_marked_each_in_their_way():
    edits = [edit("insert", "", "ehm "), edit("equal", "uno ", "uno "), edit("delete", "due", "")]
    html = view.clip_cards(comparison(clip(1, base_edits=edits)), "run", "improved", 0, "en")
    assert "<ins>ehm</ins> uno <del>due</del>" in html


def test_silence_is_said():
    edits = [edit("delete", "uno due", "")]
    html = view.clip_cards(comparison(clip(1, tuned_edits=edits)), "run", "improved", 0, "en")
    assert "<i>(nothing)</i> <del>uno due</del>" in html


def test_texts_and_names_are_escaped():
    hostile = [edit("substitute", HOSTILE, HOSTILE), edit("equal", HOSTILE, HOSTILE)]
    bad = clip(1, name=HOSTILE, reference=HOSTILE, base_edits=hostile, tuned_edits=hostile)
    html = view.clip_cards(comparison(bad), "run", "improved", 0, "en")
    assert "<img" not in html and 'onerror="' not in html
