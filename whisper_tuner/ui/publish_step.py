"""Step 4: the adapter leaves, as a ZIP or into the user's own Hugging Face account."""

from html import escape

import gradio as gr

from whisper_tuner import steps
from whisper_tuner.errors import TunerError
from whisper_tuner.locales import text
from whisper_tuner.publish.card import USE
from whisper_tuner.publish.package import adapter_name
from whisper_tuner.runs import jobs
from whisper_tuner.runs.folder import Run
from whisper_tuner.ui import fragments, views
from whisper_tuner.ui.language import label, static_html
from whisper_tuner.ui.session import QUIET, SPEAKING, Page, Redraw, Updates, open_run
from whisper_tuner.ui.sign_in import build_sign_in, require_token


class PublishStep:
    def __init__(self, page: Page) -> None:
        self.page = page
        self.empty = gr.HTML()
        with gr.Column(visible=False) as self.room:
            with gr.Column(elem_classes="card"):
                gr.HTML(static_html(fragments.download))
                self.download = gr.Button(label("page_download"), variant="primary")
            with gr.Column(elem_classes="card"):
                gr.HTML(static_html(fragments.push))
                self.name = gr.Textbox("", label=label("page_push_name"), max_length=96)
                self.private = gr.Checkbox(True, label=label("page_push_private"))
                self.named_for = gr.State("")
                self.token = build_sign_in("page_token_info")
                self.push = gr.Button(label("page_push_button"), elem_id="push")
                self.notice = gr.HTML(elem_id="push-notice")
            with gr.Column(elem_classes="card"):
                gr.HTML(static_html(fragments.use))
                self.use = gr.Code(language="python", interactive=False, show_label=False)
        self.inputs = [self.name, self.named_for]
        self.outputs = [self.empty, self.room, self.download, self.name, self.named_for, self.use]

    def show(self, lang: str, run: Run | None, name: str, named_for: str) -> Updates:
        has_adapter = run is not None and run.has_adapter
        if not has_adapter or jobs.is_alive(run):
            key = "take_busy" if has_adapter else "take_none"
            html = views.paragraph(text(key, lang), "empty")
            return {self.empty: html, self.room: gr.Column(visible=False)}
        config = run.read_spec().config
        default = adapter_name(config)
        return {
            self.empty: "",
            self.room: gr.Column(visible=True),
            self.download: gr.Button(link=f"adapter/{run.id}"),
            self.name: name if named_for == run.id else default,
            self.named_for: run.id,
            self.use: USE.format(adapter=default, base=config.base),
        }

    def wire(self, then_redraw: Redraw) -> None:
        chosen = [self.page.lang, self.page.run_id, self.name, self.private, self.token]
        saying = self.push.click(
            lambda lang: views.paragraph(text("push_working", lang), "note"),
            self.page.lang,
            self.notice,
            **QUIET,
        )
        saying.then(push, chosen, [self.notice, self.token], concurrency_limit=4, **SPEAKING)


def push(
    lang: str,
    run_id: str,
    name: str,
    private: bool,
    typed_token: str,
    oauth: gr.OAuthToken | None,
) -> tuple[str, str]:
    """The link, or why it could not be; the typed token is forgotten either way."""
    try:
        token = require_token(oauth, typed_token)
        result = steps.push(open_run(run_id), token, name.strip(), private)
    except TunerError as error:
        return views.paragraph(error.sentence(lang), "problem"), ""
    url = escape(result.url)
    link = f'<a href="{url}" target="_blank" rel="noopener">{url}</a>'
    return f'<p class="sentence good">{escape(text("push_done", lang, url=""))}{link}</p>', ""
