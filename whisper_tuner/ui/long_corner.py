"""Step 1, below the summary: the recordings that last too long for a clip, and the button that has
them cut at their pauses.
"""

import gradio as gr

from whisper_tuner import steps
from whisper_tuner.alignment import task
from whisper_tuner.data.clips import read_report
from whisper_tuner.data.fixes import CUT
from whisper_tuner.data.long_recordings import read_long
from whisper_tuner.data.summary import groups
from whisper_tuner.locales import text
from whisper_tuner.runs.folder import Run
from whisper_tuner.ui import views
from whisper_tuner.ui.align_corner import language_and_base
from whisper_tuner.ui.doctor_corner import group_html
from whisper_tuner.ui.language import label
from whisper_tuner.ui.review_corner import SHOW_WORK_JS, ReviewCorner
from whisper_tuner.ui.session import (
    PRIVATE,
    QUIET,
    Page,
    Redraw,
    Updates,
    find_run,
    has_dataset,
    open_run,
)


class LongCorner:
    def __init__(self, page: Page, review: ReviewCorner) -> None:
        self.page, self.review = page, review
        with gr.Column(visible=False, elem_classes="card", elem_id="long") as self.room:
            self.told = gr.HTML()
            with gr.Column(visible=False) as self.how:
                self.language, self.base = language_and_base(page)
                self.button = gr.Button(label("page_long_button"), variant="primary")
        self.inputs = [review.id, page.spoken, self.language]
        self.outputs = [self.room, self.told, self.how, self.language, self.button]

    def show(
        self, lang: str, run: Run | None, id: str, spoken: str, language: str | None
    ) -> Updates:
        """What the run's folder says; a button as long as the recordings may change."""
        report = read_report(run.dataset_dir) if has_dataset(run) else None
        found = report and next((group for group in groups(report) if group.fix == CUT), None)
        choices = views.language_choices(lang)
        named = {self.language: gr.Dropdown(choices=choices, value=language or spoken or None)}
        if not found:
            return named | {self.room: gr.Column(visible=False)}
        long = read_long(run.dataset_dir)
        is_open = bool(long) and not run.spec_path.exists() and not is_in_work(run, id)
        advice = text("long_advice", lang) if is_open else ""
        return named | {
            self.room: gr.Column(visible=True),
            self.told: group_html(found, lang, {}) + (views.paragraph(advice) if advice else ""),
            self.how: gr.Column(visible=is_open),
            self.button: gr.Button(text(f"fix_{CUT}", lang, n=len(long))),
        }

    def wire(self, then_redraw: Redraw) -> None:
        page = self.page
        asked = [page.lang, self.review.id, page.person, page.run_id, self.language, self.base]
        begin = self.button.click(self.begin, asked, self.review.drawn, **PRIVATE)
        then_redraw(begin).then(None, js=SHOW_WORK_JS)
        self.language.input(lambda code: code, self.language, page.spoken, **QUIET)

    def begin(
        self, lang: str, id: str, person: str, run_id: str, language: str | None, base: str
    ) -> Updates:
        def start(run: Run, owner: str) -> None:
            steps.align_long(run, open_run(run_id), language, base, owner)

        return self.review.begin(lang, id, person, language, start)


def is_in_work(run: Run, id: str) -> bool:
    """Whether the alignment that this browser remembers is of this run, and not yet used."""
    aligned = find_run(id)
    is_known = aligned is not None and task.is_alignment(aligned)
    return is_known and task.read(aligned).dataset == run.id and not steps.is_used(aligned)
