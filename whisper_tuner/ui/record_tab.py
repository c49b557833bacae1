"""Step 1, record here: sentences are chosen, then read one by one into the microphone.

The browser remembers which sheet it looks at; sentences and takes are in the sheet's folder, so
another day goes on where this one ended.
"""

import json
import time
from collections.abc import Callable
from dataclasses import asdict
from html import escape
from pathlib import Path

import gradio as gr
from gradio.events import Dependency

from whisper_tuner import steps
from whisper_tuner.data import prompts
from whisper_tuner.data.checking import clean_text
from whisper_tuner.data.clips import Report
from whisper_tuner.errors import RunError, TunerError
from whisper_tuner.locales import text
from whisper_tuner.narrate import finding_sentence, rough_duration
from whisper_tuner.publish.space import loses_runs
from whisper_tuner.runs.folder import Run, default_root
from whisper_tuner.runs.sheets import Script, Sheet, sheets_in
from whisper_tuner.ui import fragments, views
from whisper_tuner.ui.add_to import run_to_add_to
from whisper_tuner.ui.language import label, static_html
from whisper_tuner.ui.preparing import PROGRESS, prepare_run
from whisper_tuner.ui.session import (
    PRIVATE,
    QUIET,
    Page,
    Updates,
    find_run,
    is_begun,
    owner_of,
)

FILE_TYPES = [".txt", ".csv", ".tsv", ".xlsx", ".xls", ".ods", ".jsonl", ".parquet"]
MAX_SPEAKER = 80  # characters of a name
N_TOLD = 3  # findings about lines; more are folded up
N_SHOWN = 40  # characters of a sheet's first sentence in the list
HERE = Path(__file__).parent
HEAD = "".join(
    f"<script>{script}</script>"
    for script in (
        f"window.tunerRecorder = {json.dumps((HERE / 'recorder.html').read_text('utf-8'))};",
        (HERE / "microphone.js").read_text("utf-8"),
        (HERE / "recorder.js").read_text("utf-8"),
    )
)


class RecordTab:
    """`outputs` are drawn by `show`; `tabs` are those that this one is in."""

    def __init__(self, page: Page, tabs: gr.Tabs) -> None:
        self.page, self.tabs = page, tabs
        self.sheet_id = page.sheet_id
        gr.HTML(static_html(fragments.record_help))
        self.place = gr.HTML(elem_id="sheet-place")
        with gr.Row(visible=False, equal_height=True) as self.choosing:
            self.sheets = gr.Dropdown(
                [], label=label("page_sheets"), filterable=False, scale=4, elem_id="sheets"
            )
            self.new = gr.Button(label("page_sheet_new"), scale=0, min_width=160)
        with gr.Column() as self.begin_room:
            with gr.Row(equal_height=True):
                self.built_in = gr.Dropdown(
                    [], value=None, label=label("page_prompts"), min_width=200
                )
                self.upload = gr.UploadButton(
                    label("page_sentences_upload"), file_types=FILE_TYPES, min_width=200
                )
            self.text = gr.Textbox(
                "", label=label("page_sentences"), lines=7, max_lines=14, elem_id="sentences"
            )
            self.found = gr.HTML(elem_id="sentences-found")
            with gr.Row():
                self.speaker = gr.Textbox(
                    "", label=label("page_speaker"), max_length=MAX_SPEAKER, min_width=200
                )
                self.language = gr.Dropdown(
                    [], value=None, label=label("page_sheet_language"), min_width=200
                )
            self.begin = gr.Button(label("page_sheet_begin"), variant="primary")
        with gr.Column(visible=False) as self.sheet_room:
            self.recorder = gr.HTML(elem_id="recorder")
            with gr.Row():
                self.use = gr.Button(label("page_sheet_use"), variant="primary")
                self.export = gr.Button(label("page_sheet_export"))
            with gr.Accordion(label("page_sheet_delete"), open=False):
                gr.HTML(static_html(fragments.sheet_delete))
                self.sure = gr.Checkbox(False, label=label("page_sheet_sure"))
                self.delete = gr.Button(label("page_delete_button"), variant="stop")
        self.notice = gr.HTML(elem_id="sheet-notice")
        self.asked = [page.lang, page.person, self.sheet_id]
        self.outputs = [self.sheet_id, self.choosing, self.sheets, self.built_in, self.language]
        self.outputs += [self.begin_room, self.sheet_room, self.recorder, self.export, self.place]

    def show(self, lang: str, person: str, sheet_id: str) -> Updates:
        """This person's sheets and the one that is looked at; else, a new one is begun."""
        own = {sheet.id: sheet for sheet in sheets_in(default_root()) if is_own(sheet, person)}
        sheet = own.get(sheet_id)
        known = views.language_choices(lang)
        with_prompts = [(name, code) for name, code in known if code in prompts.languages()]
        tag = f'<tuner-recorder sheet="{sheet.id}" lang="{lang}"></tuner-recorder>' if sheet else ""
        place = views.paragraph(text("sheet_on_no_disk", lang), "note") if loses_runs() else ""
        choices = [(sheet_label(each, lang), each.id) for each in own.values()]
        return {
            self.sheet_id: sheet.id if sheet else "",
            self.place: place,
            self.choosing: gr.Row(visible=bool(own)),
            self.sheets: gr.Dropdown(choices=choices, value=sheet.id if sheet else None),
            self.built_in: gr.Dropdown(choices=with_prompts),
            self.language: gr.Dropdown(choices=known),
            self.begin_room: gr.Column(visible=sheet is None),
            self.sheet_room: gr.Column(visible=sheet is not None),
            self.recorder: tag,
            self.export: gr.Button(link=f"sheet/{sheet.id}/recordings" if sheet else None),
        }

    def wire(self, tab: gr.Tab, where: gr.Radio, made: list, busy: dict) -> Dependency:
        page, shown = self.page, [self.asked, self.outputs]
        tab.select(self.show, *shown, **QUIET)
        page.lang.input(self.show, *shown, **QUIET)
        chosen = self.sheets.input(lambda id: id, self.sheets, self.sheet_id, **QUIET)
        left = self.new.click(lambda: "", None, self.sheet_id, **QUIET)
        for event in (chosen, left):
            event.then(self.show, *shown, **QUIET).then(lambda: "", None, self.notice, **QUIET)
        filled = [self.text, self.language]
        self.built_in.input(fill, self.built_in, filled, **QUIET)
        read = [page.lang, self.upload]
        self.upload.upload(read_file, read, [self.text, self.notice], **PRIVATE)
        looked = [page.lang, self.text]
        self.text.change(look, looked, self.found, trigger_mode="always_last", **QUIET)
        given = [*self.asked[:2], self.text, self.speaker, self.language]
        begun = self.begin.click(begin, given, [self.sheet_id, self.notice, self.text], **PRIVATE)
        begun.then(self.show, *shown, **QUIET)
        doomed = [*self.asked, self.sure]
        gone = self.delete.click(delete, doomed, [self.sheet_id, self.notice, self.sure], **PRIVATE)
        gone.then(self.show, *shown, **QUIET)
        used = [page.lang, page.run_id, where, page.person, self.sheet_id]
        return self.use.click(self.prepare, used, made, **busy)

    def resume(self, known: Dependency) -> None:
        """Behind the event that tells whose page this is: go on with the sheet that was left."""
        asked = [*self.asked, self.page.run_id]
        known.then(self.find, asked, [self.tabs, *self.outputs], **QUIET)

    def find(self, lang: str, person: str, sheet_id: str, run_id: str) -> Updates:
        updates = self.show(lang, person, sheet_id)
        is_left = bool(updates[self.sheet_id]) and not is_begun(find_run(run_id))
        return {**updates, self.tabs: gr.Tabs(selected="record") if is_left else gr.skip()}

    def prepare(
        self,
        lang: str,
        run_id: str,
        where: str,
        person: str,
        sheet_id: str,
        progress: gr.Progress = PROGRESS,
    ) -> tuple:
        into = run_to_add_to(run_id, where)
        try:
            sheet = open_sheet(sheet_id, person)
            n, language = len(sheet.recorded()), sheet.read_script().language
        except TunerError as error:
            return views.paragraph(error.sentence(lang), "problem"), gr.skip(), gr.skip()

        def read(run: Run, tell: Callable[[int], None]) -> Report:
            take_in = steps.add_sheet if into else steps.prepare_sheet
            return take_in(run, sheet, on_progress=tell)

        return prepare_run(lang, read, progress, n, language, into, person)


def is_own(sheet: Sheet, person: str) -> bool:
    return sheet.read_script().owner in person.split()


def open_sheet(sheet_id: str, person: str) -> Sheet:
    """Raises RunError when there is none, or it is somebody else's."""
    sheet = Sheet.open(default_root(), sheet_id)
    if not is_own(sheet, person):
        raise RunError("sheet_unknown")
    return sheet


def sheet_label(sheet: Sheet, lang: str) -> str:
    """A sheet as the list shows it."""
    script = sheet.read_script()
    day = time.strftime("%Y-%m-%d", time.localtime(script.created_s))
    size = text("sheet_size", lang, n=len(script.sentences))
    parts = (script.sentences[0][:N_SHOWN], script.speaker, size, day)
    return " · ".join(filter(None, parts))


def fill(language: str | None) -> tuple:
    """The sentences of a built-in sheet, to be read or changed first."""
    return (prompts.built_in(language), language) if language else (gr.skip(), gr.skip())


def read_file(lang: str, path: str) -> tuple:
    """The sentences of a file, and how its letters were read where that is a guess."""
    try:
        sentences, guess = prompts.read_file(Path(path), Path(path).name)
    except TunerError as error:
        return gr.skip(), views.paragraph(error.sentence(lang), "problem")
    told = (
        text("sentences_guessed", lang, encoding=text(f"encoding_{guess}", lang)) if guess else ""
    )
    return sentences, views.paragraph(told, "note") if told else ""


def look(lang: str, given: str) -> str:
    """How many sentences there are, how long reading them takes, and what is left out."""
    if not given.strip():
        return ""
    try:
        found = steps.check_sentences(given)
    except TunerError as error:
        return views.paragraph(error.sentence(lang), "problem")
    time = rough_duration(found.seconds, lang)
    html = views.paragraph(text("sentences_found", lang, n=len(found.sentences), time=time))
    told = [views.paragraph(finding_sentence(f, lang), "note") for f in found.findings]
    if len(told) > N_TOLD:
        summary = escape(text("sentences_left_out", lang, n=len(told)))
        return f"{html}<details><summary>{summary}</summary>{''.join(told)}</details>"
    return html + "".join(told)


def begin(lang: str, person: str, given: str, speaker: str, language: str | None) -> tuple:
    """A new sheet; what was left out of it stays said."""
    script = Script(
        (), language or "", clean_text(speaker)[:MAX_SPEAKER], owner_of(person), time.time()
    )
    try:
        sheet = steps.begin_sheet(default_root(), given, script)
    except TunerError as error:
        return gr.skip(), views.paragraph(error.sentence(lang), "problem"), gr.skip()
    findings = steps.check_sentences(given).findings
    return sheet.id, look(lang, given) if findings else "", ""


def delete(lang: str, person: str, sheet_id: str, is_sure: bool) -> tuple:
    """What was deleted, or why nothing was."""
    try:
        sheet = open_sheet(sheet_id, person)
        if not is_sure:
            raise RunError("run_delete_not_sure")
        deleted = steps.delete_sheet(sheet)
    except TunerError as error:
        return gr.skip(), views.paragraph(error.sentence(lang), "problem"), gr.skip()
    return "", views.paragraph(text("sheet_deleted", lang, **asdict(deleted)), "good"), False
