"""Step 2, on a Space that forgets: a private copy of the run in the user's own account."""

import gradio as gr
from gradio.events import Dependency

from whisper_tuner.errors import TunerError
from whisper_tuner.narrate import copy_sentence
from whisper_tuner.publish.copier import Copier
from whisper_tuner.publish.space import loses_runs
from whisper_tuner.runs.folder import Run
from whisper_tuner.ui import views
from whisper_tuner.ui.language import label
from whisper_tuner.ui.session import PRIVATE, Page, Updates, find_run
from whisper_tuner.ui.sign_in import build_sign_in, require_token


class CopyCorner:
    """A box to tick, before the training starts or later. Tokens are in the copiers' memory."""

    def __init__(self, page: Page) -> None:
        self.copiers: dict[str, Copier] = {}  # by the run's id
        with gr.Column(visible=loses_runs(), elem_classes="card") as self.room:
            self.wanted = gr.Checkbox(
                False, label=label("page_copy"), info=label("page_copy_info"), elem_id="copy"
            )
            self.token = build_sign_in("page_copy_token_info")
            self.told = gr.HTML(elem_id="copy-told")
            self.notice = gr.HTML()
        self.asked = [page.lang, page.run_id, self.wanted, self.token]
        self.outputs = [self.wanted, self.told]

    def show(self, lang: str, run: Run, is_started: bool) -> Updates:
        if not is_started:  # the box is read at the start
            return {self.wanted: gr.skip(), self.told: ""}
        copier = self.copiers.get(run.id)
        is_ticked = copier is not None and (copier.is_at_work or not copier.has_problem)
        return {self.wanted: is_ticked, **self.tell(lang, run)}

    def is_at_work(self, run: Run) -> bool:
        return run.id in self.copiers and self.copiers[run.id].is_at_work

    def tell(self, lang: str, run: Run) -> Updates:
        """How the copy stands, in one sentence."""
        copier = self.copiers.get(run.id)
        if copier is None:
            return {self.told: ""}
        kind = "problem" if copier.has_problem else "note"
        return {self.told: views.paragraph(copy_sentence(copier, lang), kind)}

    def wire(self) -> None:
        self.wanted.input(self.obey, self.asked, [self.notice, self.token], **PRIVATE)

    def after(self, event: Dependency) -> Dependency:
        """Behind what starts a training."""
        return event.then(self.obey, self.asked, [self.notice, self.token], **PRIVATE)

    def obey(
        self, lang: str, run_id: str, wanted: bool, typed: str, oauth: gr.OAuthToken | None
    ) -> tuple:
        """Copy, or copy no more. Before the training was started, wait for that."""
        run = find_run(run_id)
        if run is None or not run.spec_path.exists():
            return "", gr.skip()
        copier = self.copiers.get(run.id)
        if not wanted:
            if copier:
                self.copiers.pop(run.id).end()
        elif copier is None or not copier.is_at_work:
            try:
                self.copiers[run.id] = Copier(run, require_token(oauth, typed))
            except TunerError as error:
                return views.paragraph(error.sentence(lang), "problem"), gr.skip()
        return "", ""
