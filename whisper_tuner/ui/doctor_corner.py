"""Step 1, below the summary: what was found, worst first, each kind with a button that fixes it;
and the recordings as they now are, to take away.
"""

from collections.abc import Mapping
from functools import partial
from html import escape

import gradio as gr

from whisper_tuner import steps
from whisper_tuner.data.clips import COMMON_VOICE, Clip, Finding, Report
from whisper_tuner.data.doctor import HEARD
from whisper_tuner.data.fixes import CUT, can_undo
from whisper_tuner.data.summary import Group, Summary, groups, summarise
from whisper_tuner.errors import TunerError
from whisper_tuner.locales import text
from whisper_tuner.narrate import duration, finding_sentence, kind_sentence
from whisper_tuner.runs.folder import Run
from whisper_tuner.ui import views
from whisper_tuner.ui.language import label
from whisper_tuner.ui.plot import histogram
from whisper_tuner.ui.session import PRIVATE, Page, Redraw, Updates, open_run

MAX_GROUPS = 12  # kinds of findings with a button; of more only the counts are said
N_SHOWN = 3  # findings of a kind


class DoctorCorner:
    def __init__(self, page: Page) -> None:
        self.page = page
        self.summary = gr.HTML(elem_id="doctor-summary")
        self.codes = gr.State([])
        self.rows: list[tuple[gr.Row, gr.HTML, gr.Button]] = []
        for _ in range(MAX_GROUPS):
            with gr.Row(visible=False, elem_classes="finding") as row:
                told = gr.HTML(elem_classes="grow")
                button = gr.Button("", size="sm", scale=0)
            self.rows.append((row, told, button))
        self.rest = gr.HTML(elem_id="doctor-rest")
        with gr.Row():
            self.undo = gr.Button(label("page_undo_fixes"), visible=False, size="sm")
            self.export = gr.Button(label("page_export_data"), visible=False, size="sm")
        self.notice = gr.HTML(elem_id="doctor-notice")
        self.outputs = [self.summary, self.codes, self.rest, self.undo, self.export]
        self.outputs += [part for row in self.rows for part in row]

    def show(self, lang: str, run: Run, clips: list[Clip], report: Report) -> Updates:
        """What the run's folder says; buttons only as long as the recordings may change."""
        every = [group for group in groups(report) if group.fix != CUT]  # `long_corner.py`
        found, rest = every[:MAX_GROUPS], every[MAX_GROUPS:]
        can_share = any(clip.source != COMMON_VOICE for clip in clips)
        is_open = not run.spec_path.exists() and not run.start_dir.exists()
        sounds = {clip.name: f"clip/{run.id}/{clip.id}" for clip in clips}
        updates: Updates = {
            self.summary: summary_html(summarise(run.dataset_dir, clips), lang) if clips else "",
            self.codes: [group.code for group in found],
            self.rest: rest_html(rest, lang),
            self.undo: gr.Button(visible=is_open and can_undo(run.dataset_dir)),
            self.export: gr.Button(visible=can_share, link=f"recordings/{run.id}"),
        }
        for i, (row, told, button) in enumerate(self.rows):
            group = found[i] if i < len(found) else None
            updates[row] = gr.Row(visible=group is not None)
            updates[told] = group_html(group, lang, sounds) if group else ""
            can_fix = bool(group and group.fix and is_open)
            name = text(f"fix_{group.fix}", lang, n=len(group.findings)) if can_fix else ""
            updates[button] = gr.Button(name, visible=can_fix)
        return updates

    def hide(self) -> Updates:
        hidden: Updates = {row: gr.Row(visible=False) for row, _, _ in self.rows}
        buttons = {button: gr.Button(visible=False) for button in (self.undo, self.export)}
        return {**hidden, **buttons, self.summary: "", self.rest: ""}

    def wire(self, then_redraw: Redraw) -> None:
        given = [self.page.lang, self.page.run_id, self.codes]
        for i, (_, _, button) in enumerate(self.rows):
            then_redraw(button.click(partial(fix, i), given, self.notice, **PRIVATE))
        then_redraw(self.undo.click(undo, given[:2], self.notice, **PRIVATE))


def fix(i: int, lang: str, run_id: str, codes: list[str]) -> str:
    """`codes`: of the kinds as they are shown, so that nothing else is fixed than what was seen;
    none where the tab was forgotten meanwhile (`ui/upkeep.py`): the redraw brings them back.
    """
    if i >= len(codes):
        return views.paragraph(text("page_was_left", lang), "note")
    try:
        steps.fix(open_run(run_id), codes[i])
    except TunerError as error:
        return views.paragraph(error.sentence(lang), "problem")
    return ""


def undo(lang: str, run_id: str) -> str:
    try:
        steps.undo_fixes(open_run(run_id))
    except TunerError as error:
        return views.paragraph(error.sentence(lang), "problem")
    return ""


def summary_html(summary: Summary, lang: str) -> str:
    tiles = [
        ("tile_clips", str(summary.n_clips)),
        ("tile_minutes", duration(summary.total_s)),
        ("tile_speakers", str(summary.n_speakers or "–")),
        ("tile_sentences", str(summary.n_sentences)),
        ("tile_words" if summary.has_words else "tile_characters", str(summary.n_words)),
    ]
    figures = (
        histogram(text("plot_seconds", lang), summary.seconds)
        + histogram(text("plot_levels", lang), summary.levels_db)
        + histogram(text("plot_rates", lang), summary.letters_per_s)
    )
    enough = views.paragraph(text(summary.enough, lang))
    return views.tile_list(tiles, lang) + enough + f'<div class="curves">{figures}</div>'


def rest_html(rest: list[Group], lang: str) -> str:
    """The kinds that have no place, with their counts; those that are fixed make place for them."""
    if not rest:
        return ""
    kinds = " · ".join(kind_sentence(group, lang) for group in rest)
    return views.paragraph(text("findings_rest", lang, n=len(rest), kinds=kinds), "note")


def group_html(group: Group, lang: str, sounds: Mapping[str, str]) -> str:
    """How many there are, and what the first few are about; with their sound where its sentence
    asks to listen. `sounds`: the addresses, by the clips' names.
    """
    shown = group.findings[:N_SHOWN]
    more = len(group.findings) - len(shown)
    lines = "".join(
        f"<p>{escape(finding_sentence(finding, lang))}</p>{_players(finding, sounds)}"
        for finding in shown
    )
    if more:
        lines += f'<p class="sentence note">{escape(text("findings_more", lang, n=more))}</p>'
    return f'<p class="count">{escape(kind_sentence(group, lang))}</p>{lines}'


def _players(finding: Finding, sounds: Mapping[str, str]) -> str:
    """Of the clip that the base doubts, and of the one that it takes the transcript to be of."""
    names = [finding.clip, finding.params.get("other", "")] if finding.code in HEARD else []
    players = "".join(
        f'<span class="name">{escape(name)}</span>'
        f'<audio controls preload="none" src="{escape(sounds[name])}" aria-label="{escape(name)}">'
        "</audio>"
        for name in names
        if name in sounds
    )
    return f'<div class="sound">{players}</div>' if players else ""
