"""Step 1: recordings in, and what was found wrong with them."""

import shutil
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import gradio as gr

from whisper_tuner import steps
from whisper_tuner.audio import AUDIO_SUFFIXES
from whisper_tuner.data import common_voice
from whisper_tuner.data.clips import Report, read_clips, read_report
from whisper_tuner.data.tables import Reading
from whisper_tuner.errors import TunerError
from whisper_tuner.locales import text
from whisper_tuner.runs.folder import Run, default_root
from whisper_tuner.ui import fragments, views
from whisper_tuner.ui.add_to import ADD, ANEW, can_be_added_to, run_to_add_to
from whisper_tuner.ui.doctor_corner import DoctorCorner
from whisper_tuner.ui.fetch_corner import FetchCorner
from whisper_tuner.ui.hub_tab import HubTab
from whisper_tuner.ui.language import label, static_html
from whisper_tuner.ui.mozilla_tab import MozillaTab
from whisper_tuner.ui.restore_corner import RestoreCorner
from whisper_tuner.ui.session import (
    PRIVATE,
    QUIET,
    Page,
    Redraw,
    Updates,
    find_run,
    has_dataset,
    is_begun,
)
from whisper_tuner.ui.table_corner import TableCorner, reading_of
from whisper_tuner.ui.tier_corner import TierCorner

N_TRAIN_CLIPS, N_TEST_CLIPS, MAX_CLIPS = 200, 50, 10_000
COLUMN_WIDTHS = ["190px", "95px", "275px", "100px", "310px"]  # a telephone scrolls inside the table
# The result of a check stands below the fold; bring it, or the reason why there is none, into view.
SHOW_RESULT_JS = """() => (
  document.querySelector("#data-notice p") ?? document.getElementById("data-summary")
)?.scrollIntoView({ behavior: "smooth", block: "nearest" })"""
FILTERS = ("all", "problems", "train", "test")
PROGRESS = gr.Progress()  # Gradio gives every call a tracker of its own in its place
Prepare = Callable[[Run, Callable[[int], None]], Report]


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
        with gr.Tabs():
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
                self.check = gr.Button(label("page_check_button"), variant="primary")
            with gr.Tab(label("page_cv_tab")) as archive_tab:
                with gr.Row():
                    self.n_train = _count(N_TRAIN_CLIPS, "page_cv_train")
                    self.n_test = _count(N_TEST_CLIPS, "page_cv_test")
                self.mozilla = MozillaTab(page, self.fetch)
                with gr.Accordion(label("page_cv_upload"), open=False):
                    gr.HTML(static_html(fragments.archive_help))
                    self.archive = gr.File(
                        label=label("page_cv_file"), height=150, elem_classes="drop"
                    )
                    self.archive_language = gr.HTML()
                    self.choose = gr.Button(label("page_cv_button"), variant="primary")
            with gr.Tab(label("page_hub_tab")) as hub_tab:
                self.hub = HubTab(page, self.fetch, N_TRAIN_CLIPS, N_TEST_CLIPS)
        self.fetch.build()
        self.restore = RestoreCorner(page)
        self.notice = gr.HTML(elem_id="data-notice")
        self.summary = gr.HTML(elem_id="data-summary")
        self.doctor = DoctorCorner(page)
        with gr.Column(visible=False) as self.found:
            with gr.Row():
                choices = [(label(f"page_filter_{name}"), name) for name in FILTERS]
                self.filter = gr.Radio(
                    choices, value="all", label=label("page_filter"), scale=2, min_width=300
                )
                self.search = gr.Textbox("", label=label("page_search"))
            self.table = gr.Dataframe(
                headers=views.columns("en"),
                datatype="str",
                interactive=False,
                wrap=True,
                max_height=420,
                column_widths=COLUMN_WIDTHS,
                elem_id="clips",
            )
            self.forward = gr.Button(label("page_continue_train"), variant="primary")
        self.inputs = [self.filter, self.search]
        self.tabs = {"page_own_tab": own_tab, "page_cv_tab": archive_tab, "page_hub_tab": hub_tab}
        self.outputs = [
            *self.tabs.values(),
            self.more,
            self.more_text,
            self.summary,
            self.found,
            self.table,
            self.forward,
            *self.doctor.outputs,
        ]

    def show(self, lang: str, run: Run | None, shown: str, sought: str) -> Updates:
        """What the run's folder says about its recordings."""
        tabs = {tab: gr.Tab(label=text(key, lang)) for key, tab in self.tabs.items()}
        if not has_dataset(run):
            key = "dataset_vanished" if is_begun(run) else "data_empty"
            html = views.paragraph(text(key, lang), "empty")
            hidden = gr.Column(visible=False)
            shut = {self.found: hidden, self.more: hidden, **self.doctor.hide()}
            return {**tabs, self.summary: html, **shut}
        clips, report = read_clips(run.dataset_dir), read_report(run.dataset_dir)
        html = views.data_summary(clips, report, lang)
        if run.spec_path.exists():
            html += views.paragraph(text("data_locked", lang), "note")
        return {
            **tabs,
            **self.doctor.show(lang, run, clips, report),
            self.more: gr.Column(visible=can_be_added_to(run)),
            self.more_text: views.paragraph(text("data_add", lang), "note"),
            self.summary: html,
            self.found: gr.Column(visible=True),
            self.table: table(lang, run, shown, sought),
            self.forward: gr.Button(visible=bool(report.n_train and report.n_test)),
        }

    def wire(self, then_redraw: Redraw) -> None:
        page = self.page
        made = [self.notice, page.run_id, page.spoken]
        # Preparing keeps a core busy: two at a time leave the page usable for everybody.
        busy = {
            **PRIVATE,
            "concurrency_limit": 2,
            "concurrency_id": "prepare",
            "show_progress": "full",
            "show_progress_on": self.notice,
        }
        target = [page.lang, page.run_id, self.where]
        own = [*target, self.files, self.tiers.chosen, *self.table_corner.inputs]
        chosen = [*target, self.archive, self.n_train, self.n_test]
        for prepared in (
            self.example.click(self.prepare_example, [page.lang], made, **busy),
            self.check.click(self.prepare_files, own, made, **busy),
            self.choose.click(self.prepare_archive, chosen, made, **busy),
        ):
            then_redraw(prepared).then(None, js=SHOW_RESULT_JS)
        self.table_corner.wire(self.files)
        self.mozilla.wire(self.tabs["page_cv_tab"], self.where, self.n_train, self.n_test)
        self.hub.wire(self.where)
        self.restore.wire(then_redraw, self.archive)
        self.doctor.wire(then_redraw)
        self.tiers.wire()
        self.archive.upload(
            self.find_language, [page.lang, self.archive], [self.archive_language], **PRIVATE
        )
        gr.on(
            [self.filter.input, self.search.change],
            self.filter_clips,
            [page.lang, page.run_id, *self.inputs],
            [self.table],
            trigger_mode="always_last",
            **QUIET,
        )
        self.forward.click(lambda: gr.Tabs(selected="train"), None, page.steps, **QUIET)

    def prepare_example(self, lang: str, progress: gr.Progress = PROGRESS) -> tuple:
        paths = [steps.EXAMPLE_DIR / "metadata.csv", steps.EXAMPLE_DIR / "clips"]

        def prepare(run: Run, tell: Callable[[int], None]) -> Report:
            return steps.prepare(run, paths, on_progress=tell)

        return _prepare(lang, prepare, progress, n_recordings(paths), steps.EXAMPLE_LANGUAGE)

    def prepare_files(
        self,
        lang: str,
        run_id: str,
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

        return _prepare(lang, prepare, progress, n_recordings(paths), into=into)

    def prepare_archive(
        self,
        lang: str,
        run_id: str,
        where: str,
        archive: str | None,
        n_train: float,
        n_test: float,
        progress: gr.Progress = PROGRESS,
    ) -> tuple:
        if archive is None:
            return views.paragraph(text("cv_no_file", lang), "problem"), gr.skip(), gr.skip()
        path, into = Path(archive), run_to_add_to(run_id, where)

        def prepare(run: Run, tell: Callable[[int], None]) -> Report:
            read = steps.add_common_voice if into else steps.prepare_common_voice
            return read(run, path, int(n_train), int(n_test), on_progress=tell)

        n_asked = int(n_train) + int(n_test)
        return _prepare(lang, prepare, progress, n_asked, _archive_language(path), into)

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

    def filter_clips(self, lang: str, run_id: str, shown: str, sought: str) -> object:
        run = find_run(run_id)
        return table(lang, run, shown, sought) if has_dataset(run) else gr.skip()


def table(lang: str, run: Run, shown: str, sought: str) -> gr.Dataframe:
    """The clips that are asked for, and what was found about each."""
    clips, report = read_clips(run.dataset_dir), read_report(run.dataset_dir)
    rows = views.clip_rows(clips, report, lang, shown, sought)
    return gr.Dataframe(value=rows, headers=views.columns(lang))


def _prepare(
    lang: str,
    prepare: Prepare,
    progress: gr.Progress,
    n_total: int,
    language: str | None = None,
    into: Run | None = None,
) -> tuple:
    """Prepare a new run, or add to `into`; a source that cannot be read changes nothing."""

    def tell(n: int) -> None:
        progress(n / max(n, n_total, 1), desc=text("data_checking", lang, n=n))

    tell(0)

    run = into
    try:
        run = into or Run.create(default_root())
        prepare(run, tell)
    except TunerError as error:
        if run and not into:
            shutil.rmtree(run.dir)
        return views.paragraph(error.sentence(lang), "problem"), gr.skip(), gr.skip()
    if into:
        return "", run.id, gr.skip()
    return "", run.id, language or ""  # a language left over from before would be a silent mistake


def n_recordings(paths: list[Path]) -> int:
    """About how many recordings an upload holds, to show how far the check is."""
    names: list[str] = []
    for path in paths:
        if path.is_dir():
            names += [file.name for file in path.rglob("*")]
        elif zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                names += archive.namelist()
        else:
            names.append(path.name)
    return sum(Path(name).suffix.lower() in AUDIO_SUFFIXES for name in names)


def _archive_language(path: Path) -> str | None:
    try:
        return common_voice.whisper_language(common_voice.locales(path)[0])
    except TunerError:
        return None  # preparing says the same, with its reason


def _count(value: int, key: str) -> gr.Number:
    return gr.Number(value, label=label(key), precision=0, minimum=1, maximum=MAX_CLIPS)
