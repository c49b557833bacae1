"""Step 1, beside the ZIP: the checked recordings as a private dataset of the user's own account."""

from html import escape

import gradio as gr

from whisper_tuner import steps
from whisper_tuner.data.clips import COMMON_VOICE, Clip
from whisper_tuner.errors import TunerError
from whisper_tuner.locales import text
from whisper_tuner.runs.folder import Run
from whisper_tuner.ui import fragments, views
from whisper_tuner.ui.language import label, static_html
from whisper_tuner.ui.session import QUIET, SPEAKING, Page, Updates, open_run
from whisper_tuner.ui.sign_in import build_sign_in, require_token


class PushDataCorner:
    def __init__(self, page: Page) -> None:
        self.page = page
        with gr.Accordion(
            label("page_push_data"), open=False, visible=False, elem_id="push-data"
        ) as self.room:
            gr.HTML(static_html(fragments.push_data))
            self.withheld = gr.HTML()
            self.name = gr.Textbox("", label=label("page_push_data_name"), max_length=96)
            self.token = build_sign_in("page_token_info")
            self.button = gr.Button(label("page_push_data_button"))
            self.notice = gr.HTML(elem_id="push-data-notice")
        self.outputs = [self.room, self.withheld]

    def show(self, lang: str, run: Run, clips: list[Clip]) -> Updates:
        """Only where there is something to push; with what would stay here."""
        n_withheld = sum(clip.source == COMMON_VOICE for clip in clips)
        told = text("push_data_withheld", lang, n=n_withheld) if n_withheld else ""
        return {
            self.room: gr.Accordion(visible=n_withheld < len(clips)),
            self.withheld: views.paragraph(told, "note") if told else "",
        }

    def hide(self) -> Updates:
        return {self.room: gr.Accordion(visible=False), self.withheld: ""}

    def wire(self) -> None:
        page = self.page
        saying = self.button.click(
            lambda lang: views.paragraph(text("push_working", lang), "note"),
            page.lang,
            self.notice,
            **QUIET,
        )
        given = [page.lang, page.run_id, self.name, self.token]
        saying.then(push, given, [self.notice, self.token], concurrency_limit=2, **SPEAKING)


def push(
    lang: str, run_id: str, name: str, typed: str, oauth: gr.OAuthToken | None
) -> tuple[str, str]:
    """The link, or why it could not be; the typed token is forgotten either way."""
    try:
        token = require_token(oauth, typed)
        pushed = steps.push_dataset(open_run(run_id), token, name.strip())
    except TunerError as error:
        return views.paragraph(error.sentence(lang), "problem"), ""
    said = escape(text("push_data_done", lang, n=pushed.n_clips, url=pushed.url))
    html = f'<p class="sentence good">{views.linked(said)}</p>'
    if pushed.n_left_out:
        html += views.paragraph(text("export_left_out", lang, n=pushed.n_left_out), "note")
    return html, ""
