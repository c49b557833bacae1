"""Step 1, Common Voice: from Mozilla's catalogue, or an official archive that is uploaded."""

from collections.abc import Callable
from pathlib import Path

import gradio as gr
from gradio.events import Dependency

from whisper_tuner import steps
from whisper_tuner.data import common_voice
from whisper_tuner.data.clips import Report
from whisper_tuner.errors import TunerError
from whisper_tuner.locales import text
from whisper_tuner.runs.folder import Run
from whisper_tuner.ui import fragments, views
from whisper_tuner.ui.add_to import run_to_add_to
from whisper_tuner.ui.fetch_corner import FetchCorner
from whisper_tuner.ui.language import label, static_html
from whisper_tuner.ui.mozilla_tab import MozillaTab
from whisper_tuner.ui.preparing import BUSY, PROGRESS, prepare_run
from whisper_tuner.ui.session import PRIVATE, Page

MAX_CLIPS = 10_000


class ArchiveTab:
    def __init__(self, page: Page, fetch: FetchCorner, n_train: int, n_test: int) -> None:
        self.page = page
        with gr.Row():
            self.n_train = _count(n_train, "page_cv_train")
            self.n_test = _count(n_test, "page_cv_test")
        self.mozilla = MozillaTab(page, fetch)
        with gr.Accordion(label("page_cv_upload"), open=False):
            gr.HTML(static_html(fragments.archive_help))
            self.archive = gr.File(label=label("page_cv_file"), height=150, elem_classes="drop")
            self.language = gr.HTML()
            self.choose = gr.Button(label("page_cv_button"), variant="primary")

    def wire(self, tab: gr.Tab, where: gr.Radio, made: list, notice: gr.HTML) -> Dependency:
        page, numbers = self.page, [self.n_train, self.n_test]
        self.mozilla.wire(tab, where, *numbers)
        asked = [page.lang, self.archive]
        self.archive.upload(self.find_language, asked, [self.language], **PRIVATE)
        chosen = [page.lang, page.run_id, page.person, where, self.archive, *numbers]
        return self.choose.click(self.prepare, chosen, made, show_progress_on=notice, **BUSY)

    def prepare(
        self,
        lang: str,
        run_id: str,
        person: str,
        where: str,
        archive: str | None,
        n_train: float,
        n_test: float,
        progress: gr.Progress = PROGRESS,
    ) -> tuple:
        if archive is None:
            return views.paragraph(text("cv_no_file", lang), "problem"), gr.skip(), gr.skip()
        path, into = Path(archive), run_to_add_to(run_id, where)

        def read(run: Run, tell: Callable[[int], None]) -> Report:
            begin = steps.add_common_voice if into else steps.prepare_common_voice
            return begin(run, path, int(n_train), int(n_test), on_progress=tell)

        n_asked = int(n_train) + int(n_test)
        language = _archive_language(path)
        return prepare_run(lang, read, progress, n_asked, language, into, person)

    def find_language(self, lang: str, archive: str | None) -> str:
        """Which language an archive holds, said as soon as it is uploaded."""
        if archive is None:
            return ""
        try:
            locales = common_voice.locales(Path(archive))
        except TunerError as error:
            return views.paragraph(error.sentence(lang), "problem")
        code = common_voice.whisper_language(locales[0])
        if code is None:
            told = text("data_language_unsupported", lang, locale=locales[0])
            return views.paragraph(told, "note")
        name = text(f"language_{code}", lang)
        return views.paragraph(text("data_language_found", lang, language=name))


def _archive_language(path: Path) -> str | None:
    try:
        return common_voice.whisper_language(common_voice.locales(path)[0])
    except TunerError:
        return None  # preparing says the same, with its reason


def _count(value: int, key: str) -> gr.Number:
    return gr.Number(value, label=label(key), precision=0, minimum=1, maximum=MAX_CLIPS)
