"""The clips of an alignment as a person reviews them. Pure functions: rows → HTML and tables."""

from html import escape

from whisper_tuner.alignment.review import Row
from whisper_tuner.locales import text
from whisper_tuner.ui.views import paragraph

COLUMNS = {"number": 70, "time": 180, "confidence": 95, "keep": 115, "text": 510}  # pixels
OF_SEVERAL = {"number": 70, "recording": 160, **COLUMNS, "text": 350}
MAX_SHOWN = 500  # rows in the table; the doubtful ones come first
MAX_TEXT = 120


def order(rows: list[Row]) -> list[int]:
    """Indices: what nobody has looked at and is not sure, the least sure first; then the rest."""

    def place(i: int) -> tuple[bool, float, int]:
        row = rows[i]
        is_open = not row.is_looked_at and not row.keep
        return not is_open, row.confidence if is_open else 0.0, i

    return sorted(range(len(rows)), key=place)


def columns(lang: str, of_several: bool = False) -> list[str]:
    """`of_several`: whether there are clips of more than one recording."""
    return [text(f"review_{name}", lang) for name in (OF_SEVERAL if of_several else COLUMNS)]


def widths(of_several: bool) -> list[str]:
    return [f"{width}px" for width in (OF_SEVERAL if of_several else COLUMNS).values()]


def table(rows: list[Row], lang: str, names: list[str] | None = None) -> list[list[str]]:
    """`names`: of the recordings, where there are several."""
    return [_cells(i, rows[i], lang, names) for i in order(rows)[:MAX_SHOWN]]


def _cells(i: int, row: Row, lang: str, names: list[str] | None) -> list[str]:
    shown = row.text if len(row.text) <= MAX_TEXT else row.text[: MAX_TEXT - 1] + "…"
    if not row.is_sound:
        state = text("review_not_heard", lang)
    elif not row.text:
        state = text("review_no_text", lang)
    else:
        state = text("review_kept" if row.keep else "review_dropped", lang)
    confidence = f"{row.confidence:.0%}" if row.is_sound and row.text else "–"
    recording = [names[row.recording]] if names else []
    return [str(i + 1), *recording, row.time if row.is_sound else "–", confidence, state, shown]


def summary(rows: list[Row], lang: str) -> str:
    kept = [row for row in rows if row.keep]
    minutes = sum(row.end_s - row.start_s for row in kept) / 60
    n_open = sum(not (row.keep or row.is_looked_at) for row in rows)
    told = text("review_summary", lang, n=len(kept), minutes=minutes, open=n_open)
    return paragraph(told)


def player(run_id: str, i: int, row: Row, lang: str) -> str:
    """What a chosen row sounds like; the browser asks for it only when it is played."""
    if not row.is_sound:
        return paragraph(text("review_not_heard_long", lang), "note")
    told = text("review_playing", lang, n=i + 1, time=row.time, confidence=row.confidence)
    sound = f"aligned/{escape(run_id)}/{i}"
    return (
        f'<div class="sound"><span class="name">{escape(told)}</span>'
        f'<audio controls preload="none" src="{sound}" aria-label="{escape(told)}"></audio></div>'
    )
