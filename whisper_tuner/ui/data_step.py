"""Step 1: recordings in, and what was found wrong with them."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import gradio as gr

from whisper_tuner import steps
from whisper_tuner.data.clips import Report, read_clips, read_report
from whisper_tuner.data.forget import are_forgotten
from whisper_tuner.data.tables import Reading
from whisper_tuner.locales import text
from whisper_tuner.runs.folder import Run
from whisper_tuner.ui import fragments, views
from whisper_tuner.ui.add_to import ADD, ANEW, can_be_added_to, run_to_add_to
from whisper_tuner.ui.align_corner import AlignCorner
from whisper_tuner.ui.archive_tab import ArchiveTab
from whisper_tuner.ui.clips_table import ClipsTable, table
from whisper_tuner.ui.doctor_corner import DoctorCorner
from whisper_tuner.ui.fetch_corner import FetchCorner
from whisper_tuner.ui.hub_tab import HubTab
from whisper_tuner.ui.language import label, static_html
from whisper_tuner.ui.listen_corner import ListenCorner
from whisper_tuner.ui.long_corner import LongCorner
from whisper_tuner.ui.preparing import BUSY, PROGRESS, n_recordings, prepare_run
from whisper_tuner.ui.push_data_corner import PushDataCorner
from whisper_tuner.ui.record_tab import RecordTab
from whisper_tuner.ui.restore_corner import RestoreCorner
from whisper_tuner.ui.review_corner import ReviewCorner
from whisper_tuner.ui.session import QUIET, Page, Redraw, Updates, has_dataset, is_begun
from whisper_tuner.ui.table_corner import TableCorner, reading_of
from whisper_tuner.ui.tier_corner import TierCorner

N_TRAIN_CLIPS, N_TEST_CLIPS = 200, 50
# The result of a check stands below the fold; bring it, or the reason why there is none, into view.
SHOW_RESULT_JS = """() => (
  document.querySelector("#data-notice p") ?? document.getElementById("data-summary")
)?.scrollIntoView({ behavior: "smooth", block: "nearest" })"""


class DataStep:
    def __init__(self, page: Page) -> None:
        self.page = page
        with gr.Row(elem_classes="card example", equal_height=True):
            gr.HTML(static_html(fragments.example), elem_classes="grow")
            self.example = gr.Button(label("page_example_button"), variant="primary", scale=0)
        with gr.Column(visible=False) as self.more:
            self.more_text = gr.HTML()
            self.where = gr.Radio(
                [(label(f"page_add_{name}"), name) for name in (ADD, ANEW)],
                value=ADD,
                label=label("page_add"),
            )
        self.fetch = FetchCorner(page)
        self.review = ReviewCorner(page, self.where)
        with gr.Tabs() as sources:
            with gr.Tab(label("page_own_tab")) as own_tab:
                gr.HTML(static_html(fragments.own_help))
                self.files = gr.File(
                    label=label("page_own_files"),
                    file_count="multiple",
                    height=150,
                    elem_classes="drop",
                )
                self.table_corner = TableCorner(page)
                self.tiers = TierCorner(page, self.files)
                self.align = AlignCorner(page, self.files, self.review)
                self.check = gr.Button(label("page_check_button"), variant="primary")
            with gr.Tab(label("page_record_tab"), id="record") as record_tab:
                self.record = RecordTab(page, sources)
            with gr.Tab(label("page_cv_tab")) as archive_tab:
                self.archive_tab = ArchiveTab(page, self.fetch, N_TRAIN_CLIPS, N_TEST_CLIPS)
            with gr.Tab(label("page_hub_tab")) as hub_tab:
                self.hub = HubTab(page, self.fetch, N_TRAIN_CLIPS, N_TEST_CLIPS)
        self.fetch.build()
        self.restore = RestoreCorner(page)
        self.notice = gr.HTML(elem_id="data-notice")
        self.summary = gr.HTML(elem_id="data-summary")
        self.long = LongCorner(page, self.review)
        self.review.build()
        self.doctor = DoctorCorner(page)
        self.listen = ListenCorner(page)
        self.push_data = PushDataCorner(page)
        with gr.Column(visible=False) as self.found:
            self.table = ClipsTable(page)
            self.forward = gr.Button(label("page_continue_train"), variant="primary")
        self.inputs = self.table.inputs
        self.tabs = {"page_own_tab": own_tab, "page_record_tab": record_tab}
        self.tabs |= {"page_cv_tab": archive_tab, "page_hub_tab": hub_tab}
        self.outputs = [
            *self.tabs.values(),
            self.more,
            self.more_text,
            self.summary,
            self.found,
            self.table.rows,
            self.forward,
            *self.doctor.outputs,
            *self.push_data.outputs,
        ]

    def show(self, lang: str, run: Run | None, shown: str, sought: str) -> Updates:
        """What the run's folder says about its recordings."""
        tabs = {tab: gr.Tab(label=text(key, lang)) for key, tab in self.tabs.items()}
        if not has_dataset(run):
            key = "dataset_vanished" if is_begun(run) else "data_empty"
            html = views.paragraph(text(key, lang), "empty")
            hidden = gr.Column(visible=False)
            shut = {self.found: hidden, self.more: hidden}
            shut |= {**self.doctor.hide(), **self.push_data.hide()}
            return {**tabs, self.summary: html, **shut}
        clips, report = read_clips(run.dataset_dir), read_report(run.dataset_dir)
        html = views.data_summary(clips, report, lang)
        if run.spec_path.exists():
            html += views.paragraph(text("data_locked", lang), "note")
        if are_forgotten(run.dataset_dir, clips):
            html += views.paragraph(text("common_voice_deleted", lang), "note")
        return {
            **tabs,
            **self.doctor.show(lang, run, clips, report),
            **self.push_data.show(lang, run, clips),
            self.more: gr.Column(visible=can_be_added_to(run)),
            self.more_text: views.paragraph(text("data_add", lang), "note"),
            self.summary: html,
            self.found: gr.Column(visible=True),
            self.table.rows: table(lang, run, shown, sought),
            self.forward: gr.Button(visible=bool(report.n_train and report.n_test)),
        }

    def wire(self, then_redraw: Redraw) -> None:
        page = self.page
        made = [self.notice, page.run_id, page.spoken]
        target = [page.lang, page.run_id, page.person, self.where]
        own = [*target, self.files, self.tiers.chosen, *self.table_corner.inputs]
        busy = {**BUSY, "show_progress_on": self.notice}
        for prepared in (
            self.example.click(self.prepare_example, [page.lang, page.person], made, **busy),
            self.check.click(self.prepare_files, own, made, **busy),
            self.archive_tab.wire(self.tabs["page_cv_tab"], self.where, made, self.notice),
            self.record.wire(self.tabs["page_record_tab"], self.where, made, busy),
        ):
            then_redraw(prepared).then(None, js=SHOW_RESULT_JS)
        self.table_corner.wire(self.files)
        self.hub.wire(self.where)
        self.restore.wire(then_redraw, self.archive_tab.archive)
        self.doctor.wire(then_redraw)
        self.push_data.wire()
        self.tiers.wire()
        self.table.wire()
        self.forward.click(lambda: gr.Tabs(selected="train"), None, page.steps, **QUIET)

    def prepare_example(self, lang: str, person: str, progress: gr.Progress = PROGRESS) -> tuple:
        def prepare(run: Run, tell: Callable[[int], None]) -> Report:
            return steps.prepare(run, steps.EXAMPLE_PATHS, on_progress=tell)

        n, language = n_recordings(steps.EXAMPLE_PATHS), steps.EXAMPLE_LANGUAGE
        return prepare_run(lang, prepare, progress, n, language, person=person)

    def prepare_files(
        self,
        lang: str,
        run_id: str,
        person: str,
        where: str,
        files: list[str] | None,
        tier: str | None,
        progress: gr.Progress = PROGRESS,
        *table: object,
    ) -> tuple:
        paths = [Path(file) for file in files or []]
        into = run_to_add_to(run_id, where)
        reading = replace(reading_of(*table) or Reading(), tier=tier or "")

        def prepare(run: Run, tell: Callable[[int], None]) -> Report:
            begin = steps.add if into else steps.prepare
            return begin(run, paths, on_progress=tell, reading=reading)

        return prepare_run(lang, prepare, progress, n_recordings(paths), None, into, person)
