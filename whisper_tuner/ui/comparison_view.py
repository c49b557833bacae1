"""`comparison.json` as a person reads it: one sentence, and every held-out clip. Pure functions.

Changed words differ in line as well as in colour, so that colour-blind people see them too.
"""

from collections.abc import Collection
from html import escape

from whisper_tuner.locales import text
from whisper_tuner.publish.card import FEW_CLIPS
from whisper_tuner.ui.views import paragraph

PAGE_SIZE = 20
ORDERS = ("improved", "worsened", "uploaded")
MARKS = {"substitute": "mark", "insert": "ins", "delete": "del"}


def headline(comparison: dict, lang: str) -> str:
    """Word and character error rates of both models on all held-out clips, as HTML.

    The second rate of the tuned model, in the speech window, is there when it was trained in it.
    """
    base, tuned = comparison["base"], comparison["tuned"]
    n = comparison["n_clips"]
    wer = {"base": base["wer"], "tuned": tuned["wer"], "n": n}
    is_worse = tuned["wer"] > base["wer"]
    if base["wer"] and tuned["wer"] != base["wer"]:
        change = abs(tuned["wer"] - base["wer"]) / base["wer"]
        told = text("compare_worse" if is_worse else "compare_better", lang, change=change, **wer)
    else:
        told = text("compare_changed", lang, **wer)
    html = f'<h3 class="headline {"worse" if is_worse else "better"}">{escape(told)}</h3>'
    html += paragraph(text("compare_cer", lang, base=base["cer"], tuned=tuned["cer"]))
    if "tuned_speech_window" in comparison:
        html += paragraph(text("compare_fast", lang, wer=comparison["tuned_speech_window"]["wer"]))
    if is_worse:
        html += paragraph(text("compare_worse_hint", lang), "note")
    if n < FEW_CLIPS:
        html += paragraph(text("compare_rough", lang, n=n), "note")
    return html


def legend(lang: str) -> str:
    marks = " ".join(
        f"<{tag}>{escape(text(f'legend_{op}', lang))}</{tag}>" for op, tag in MARKS.items()
    )
    return f'<p class="legend">{escape(text("compare_legend", lang))} {marks}</p>'


def n_pages(comparison: dict) -> int:
    return max(1, -(-len(comparison["clips"]) // PAGE_SIZE))


def ordered(clips: list[dict], order: str) -> list[dict]:
    """Clips by how much the adapter changed them; "uploaded" keeps their order."""

    def gain(clip: dict) -> float:
        return clip["base_wer"] - clip["tuned_wer"]

    if order == "improved":
        return sorted(clips, key=gain, reverse=True)
    if order == "worsened":
        return sorted(clips, key=gain)
    return clips


def clip_cards(
    comparison: dict,
    run_id: str,
    order: str,
    page: int,
    lang: str,
    silent: Collection[str] = (),
) -> str:
    """One page of clips, each with its sound and three texts, as HTML. `silent`: the ids of those
    whose recordings were deleted.
    """
    clips = ordered(comparison["clips"], order)
    start = PAGE_SIZE * max(0, min(page, n_pages(comparison) - 1))
    shown = clips[start : start + PAGE_SIZE]
    position = {"first": start + 1, "last": start + len(shown), "n": len(clips)}
    spoken = comparison["language"]
    cards = "".join(
        _card(clip, "" if clip["id"] in silent else f"clip/{run_id}/{clip['id']}", spoken, lang)
        for clip in shown
    )
    head = f'<p class="position">{escape(text("compare_shown", lang, **position))}</p>'
    return f'{head}{legend(lang)}<ol class="clips">{cards}</ol>'


def _card(clip: dict, address: str, spoken: str, lang: str) -> str:
    """`address` of its sound; "" when there is none."""
    name, sound = escape(clip["name"]), escape(address)
    player = f'<audio controls preload="none" src="{sound}" aria-label="{name}"></audio>'
    rows = (
        ("reference", "", escape(clip["reference"])),
        ("base", f"{clip['base_wer']:.0%}", _marked(clip["base_edits"], lang)),
        ("tuned", f"{clip['tuned_wer']:.0%}", _marked(clip["tuned_edits"], lang)),
    )
    lines = "".join(
        f"<dt>{escape(text(f'compare_{key}', lang))}</dt>"
        f'<dd><span class="words" dir="auto" lang="{escape(spoken)}">{words}</span>'
        f"{f'<span class=rate>WER {rate}</span>' if rate else ''}</dd>"
        for key, rate, words in rows
    )
    return (
        f'<li><div class="sound"><span class="name">{name}</span>'
        f"{player if address else ''}</div>"
        f'<dl class="{_verdict(clip)}">{lines}</dl></li>'
    )


def _verdict(clip: dict) -> str:
    gain = clip["base_wer"] - clip["tuned_wer"]
    return "better" if gain > 0 else "worse" if gain < 0 else "same"


def _marked(edits: list[dict], lang: str) -> str:
    """What a model heard, with wrong, added and missing words marked; a missing word is shown as
    it was spoken. The spoken word is the tooltip of a wrong one."""
    parts = []
    for edit in edits:
        ref, hyp = edit["ref"], edit["hyp"]
        tag = MARKS.get(edit["op"])
        if tag is None:
            parts.append(escape(hyp))
            continue
        shown = ref if edit["op"] == "delete" else hyp
        word = shown.rstrip()
        title = f' title="{escape(ref.strip())}"' if edit["op"] == "substitute" else ""
        parts.append(f"<{tag}{title}>{escape(word)}</{tag}>{shown[len(word) :]}")
    if not any(edit["hyp"].strip() for edit in edits):
        parts.insert(0, f"<i>{escape(text('compare_nothing_heard', lang))}</i> ")
    return "".join(parts)
