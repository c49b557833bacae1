"""Step 1: the checked clips, with what was found about each."""

import gradio as gr

from whisper_tuner.data.clips import read_clips, read_report
from whisper_tuner.runs.folder import Run
from whisper_tuner.ui import views
from whisper_tuner.ui.language import label
from whisper_tuner.ui.session import QUIET, Page, find_run, has_dataset

COLUMN_WIDTHS = ["190px", "95px", "275px", "100px", "310px"]  # a telephone scrolls inside the table
FILTERS = ("all", "problems", "train", "test")


class ClipsTable:
    def __init__(self, page: Page) -> None:
        self.page = page
        with gr.Row():
            choices = [(label(f"page_filter_{name}"), name) for name in FILTERS]
            self.filter = gr.Radio(
                choices, value="all", label=label("page_filter"), scale=2, min_width=300
            )
            self.search = gr.Textbox("", label=label("page_search"))
        self.rows = gr.Dataframe(
            headers=views.columns("en"),
            datatype="str",
            interactive=False,
            wrap=True,
            max_height=420,
            column_widths=COLUMN_WIDTHS,
            elem_id="clips",
        )
        self.inputs = [self.filter, self.search]

    def wire(self) -> None:
        gr.on(
            [self.filter.input, self.search.change],
            self.choose,
            [self.page.lang, self.page.run_id, *self.inputs],
            [self.rows],
            trigger_mode="always_last",
            **QUIET,
        )

    def choose(self, lang: str, run_id: str, shown: str, sought: str) -> object:
        run = find_run(run_id)
        return table(lang, run, shown, sought) if has_dataset(run) else gr.skip()


def table(lang: str, run: Run, shown: str, sought: str) -> gr.Dataframe:
    """The clips that are asked for, and what was found about each."""
    clips, report = read_clips(run.dataset_dir), read_report(run.dataset_dir)
    rows = views.clip_rows(clips, report, lang, shown, sought)
    return gr.Dataframe(value=rows, headers=views.columns(lang))
