"""Step 1, where long recordings came with their full texts: they are aligned (`review_corner.py`
shows how that goes).
"""

from pathlib import Path

import gradio as gr

from whisper_tuner import steps
from whisper_tuner.data.full_texts import find_pairs
from whisper_tuner.locales import text
from whisper_tuner.model.catalogue import BASE_MODELS
from whisper_tuner.runs.folder import Run
from whisper_tuner.ui import views
from whisper_tuner.ui.language import label
from whisper_tuner.ui.review_corner import SHOW_WORK_JS, ReviewCorner
from whisper_tuner.ui.session import PRIVATE, QUIET, Page, Redraw, Updates

N_NAMED = 3


class AlignCorner:
    def __init__(self, page: Page, files: gr.File, review: ReviewCorner) -> None:
        self.page, self.files, self.review = page, files, review
        with gr.Column(visible=False, elem_id="align") as self.room:
            self.found = gr.HTML()
            self.language, self.base = language_and_base(page)
            self.button = gr.Button(label("page_align_button"), variant="primary")
        self.inputs = []
        self.outputs = [self.language]

    def show(self, lang: str, run: Run | None) -> Updates:
        return {self.language: gr.Dropdown(choices=views.language_choices(lang))}

    def wire(self, then_redraw: Redraw) -> None:
        page, said = self.page, [self.room, self.found]
        looked_at = [page.lang, self.files]
        gr.on([self.files.change, page.lang.input], self.look, looked_at, said, **QUIET)
        begun = [page.lang, self.review.id, page.person, self.files, self.language, self.base]
        begin = self.button.click(self.begin, begun, self.review.drawn, **PRIVATE)
        then_redraw(begin).then(None, js=SHOW_WORK_JS)

    def look(self, lang: str, files: list[str] | None) -> tuple:
        """Whether there are long recordings with their texts among the files."""
        pairs = find_pairs([Path(file) for file in files or []]).pairs
        if not pairs:
            return gr.Column(visible=False), ""
        if len(pairs) == 1:
            names = {"recording": pairs[0][0].name, "text": pairs[0][1].name}
            return gr.Column(visible=True), views.paragraph(text("align_found", lang, **names))
        named = ", ".join(recording.name for recording, _ in pairs[:N_NAMED])
        named += "…" if len(pairs) > N_NAMED else ""
        told = text("align_found_many", lang, n=len(pairs), names=named)
        return gr.Column(visible=True), views.paragraph(told)

    def begin(
        self,
        lang: str,
        id: str,
        person: str,
        files: list[str] | None,
        language: str | None,
        base: str,
    ) -> Updates:
        pairs = find_pairs([Path(file) for file in files or []]).pairs
        if not pairs:
            return self.review.stand(lang, id)

        def start(run: Run, owner: str) -> None:
            steps.align(run, pairs, language, base, owner=owner)

        return self.review.begin(lang, id, person, language, start)


def language_and_base(page: Page) -> tuple[gr.Dropdown, gr.Dropdown]:
    """What has to be known to align recordings."""
    with gr.Row():
        language = gr.Dropdown(
            views.language_choices("en"), value=None, label=label("page_language")
        )
        base = gr.Dropdown(
            views.base_choices(list(BASE_MODELS)),
            value=steps.aligning_base(page.device),
            label=label("page_align_base"),
            info=label("page_align_base_info"),
        )
    return language, base
