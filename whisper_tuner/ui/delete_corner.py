"""Step 2, collapsed: a training leaves this machine."""

from dataclasses import asdict

import gradio as gr

from whisper_tuner import steps
from whisper_tuner.errors import RunError, TunerError
from whisper_tuner.locales import text
from whisper_tuner.runs.folder import Run
from whisper_tuner.ui import fragments, views
from whisper_tuner.ui.language import label, static_html
from whisper_tuner.ui.session import PRIVATE, Page, Redraw, Updates, is_own, open_run


class DeleteCorner:
    def __init__(self, page: Page) -> None:
        self.page = page
        with gr.Accordion(
            label("page_delete"), open=False, visible=False, elem_id="delete"
        ) as self.room:
            gr.HTML(static_html(fragments.delete))
            self.sure = gr.Checkbox(False, label=label("page_delete_sure"))
            self.button = gr.Button(label("page_delete_button"), variant="stop")
            self.notice = gr.HTML(elem_id="delete-notice")
        self.receipt = gr.HTML(elem_id="delete-receipt")  # until another run is shown
        self.inputs = [page.person]
        self.outputs = [self.room, self.receipt]

    def show(self, lang: str, run: Run | None, person: str) -> Updates:
        return {
            self.room: gr.Accordion(visible=run is not None and is_own(run, person)),
            self.receipt: "" if run else gr.skip(),
        }

    def wire(self, then_redraw: Redraw) -> None:
        page = self.page
        asked = [page.lang, page.run_id, page.person, self.sure]
        done = [self.notice, self.receipt, self.sure, page.run_id]
        then_redraw(self.button.click(delete, asked, done, **PRIVATE))


def delete(lang: str, run_id: str, person: str, is_sure: bool) -> tuple:
    """What was deleted, or why nothing was; the browser forgets the run then."""
    try:
        run = open_run(run_id)
        if not is_own(run, person):
            raise RunError("run_delete_not_yours")
        if not is_sure:
            raise RunError("run_delete_not_sure")
        deleted = steps.delete(run)
    except TunerError as error:
        return views.paragraph(error.sentence(lang), "problem"), gr.skip(), gr.skip(), gr.skip()
    receipt = views.paragraph(text("delete_done", lang, **asdict(deleted)), "good")
    return "", receipt, False, ""
