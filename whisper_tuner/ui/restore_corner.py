"""Step 1, collapsed: a run comes back from its private copy in the user's own account."""

from pathlib import Path

import gradio as gr

from whisper_tuner import steps
from whisper_tuner.errors import TunerError
from whisper_tuner.locales import text
from whisper_tuner.runs.folder import default_root
from whisper_tuner.ui import fragments, views
from whisper_tuner.ui.language import label, static_html
from whisper_tuner.ui.session import QUIET, SPEAKING, Page, Redraw, owner_of
from whisper_tuner.ui.sign_in import build_sign_in, require_token


class RestoreCorner:
    def __init__(self, page: Page) -> None:
        self.page = page
        with gr.Accordion(label("page_restore"), open=False, elem_id="restore"):
            gr.HTML(static_html(fragments.restore))
            self.repo = gr.Textbox("", label=label("page_restore_repo"), max_length=200)
            self.token = build_sign_in("page_restore_token_info")
            self.button = gr.Button(label("page_restore_button"))
            self.notice = gr.HTML(elem_id="restore-notice")

    def wire(self, then_redraw: Redraw, archive: gr.File) -> None:
        page = self.page
        saying = self.button.click(
            lambda lang: views.paragraph(text("restore_working", lang), "note"),
            page.lang,
            self.notice,
            **QUIET,
        )
        given = [page.lang, page.person, self.repo, self.token, archive]
        made = [self.notice, self.token, page.run_id, page.spoken]
        then_redraw(saying.then(restore, given, made, concurrency_limit=2, **SPEAKING))


def restore(
    lang: str,
    person: str,
    repo: str,
    typed: str,
    archive: str | None,
    oauth: gr.OAuthToken | None,
) -> tuple:
    """The run is shown, or why it could not be; the typed token is forgotten either way."""
    try:
        token = require_token(oauth, typed)
        path = Path(archive) if archive else None
        run = steps.restore(default_root(), repo, token, path, owner_of(person))
    except TunerError as error:
        return views.paragraph(error.sentence(lang), "problem"), "", gr.skip(), gr.skip()
    language = run.read_spec().config.language
    return views.paragraph(text("restore_done", lang), "good"), "", run.id, language
