"""Step 1, below the files: how their table will be read; with choices where that is not certain."""

from html import escape
from pathlib import Path

import gradio as gr

from whisper_tuner.data.delimited import DELIMITERS
from whisper_tuner.data.preview import Preview, preview
from whisper_tuner.data.tables import Reading
from whisper_tuner.errors import TunerError
from whisper_tuner.locales import text
from whisper_tuner.ui import views
from whisper_tuner.ui.language import label
from whisper_tuner.ui.session import QUIET, Page

DELIMITER_NAMES = dict(zip(DELIMITERS, ("comma", "semicolon", "tab", "bar"), strict=True))
KINDS = ("audio", "text", "speaker", "split")
MAX_CELL = 120  # characters shown of one
Choices = list[tuple[str, str | int]]


def table_html(shown: Preview, lang: str) -> str:
    """The first rows, with what each column is taken for above it."""
    kinds = {i: text(f"column_is_{kind}", lang) for kind, i in shown.columns.items()}
    has_names = shown.has_header is not False
    names = [name if has_names else _numbered(i, lang) for i, name in enumerate(shown.labels)]
    head = "".join(
        f'<th class="{"used" if i in kinds else ""}">{escape(_short(name))}'
        f"<small>{escape(kinds.get(i, ''))}</small></th>"
        for i, name in enumerate(names)
    )
    rows = "".join(
        f"<tr>{''.join(f'<td>{escape(_short(cell))}</td>' for cell in row)}</tr>"
        for row in shown.rows
    )
    told = text("tables_ask" if shown.questions else "tables_certain", lang, file=shown.file)
    kind = "problem" if shown.questions else "note"
    return (
        views.paragraph(told, kind) + f'<div class="preview"><table class="sample"><thead>'
        f"<tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _short(cell: str) -> str:
    return cell if len(cell) <= MAX_CELL else cell[: MAX_CELL - 1] + "…"


def _numbered(i: int, lang: str) -> str:
    return text("table_column_number", lang, n=i + 1)


def column_choices(shown: Preview, lang: str) -> Choices:
    """The columns by what their header says, which holds for a second table too; else by number."""
    choices: Choices = []
    for i, name in enumerate(shown.labels):
        is_name = shown.has_header and name and shown.labels.count(name) == 1
        told = name if shown.has_header and name else _numbered(i, lang)
        choices.append((_short(told), name if is_name and not name.isdecimal() else i + 1))
    return choices


def reading_of(
    encoding: str | None = None,
    delimiter: str | None = None,
    no_header: bool = False,
    audio: str | int | None = None,
    spoken: str | int | None = None,
    speaker: str | int | None = None,
    split: str | int | None = None,
) -> Reading | None:
    """What the choices say, in the order of `TableCorner.inputs`; None when nothing was asked."""
    if encoding is None and audio is None and spoken is None:
        return None
    has_header = None if audio is None and spoken is None else not no_header
    return Reading(encoding, delimiter, has_header, audio, spoken, split, speaker)


class TableCorner:
    def __init__(self, page: Page) -> None:
        self.page = page
        self.shown = gr.HTML(elem_id="table-preview")
        with gr.Column(visible=False, elem_id="table-choices") as self.room:
            with gr.Row():
                self.encoding = gr.Dropdown([], label=label("page_table_encoding"))
                self.delimiter = gr.Dropdown([], label=label("page_table_delimiter"))
            self.no_header = gr.Checkbox(False, label=label("page_table_no_header"))
            with gr.Row():
                self.columns = [
                    gr.Dropdown([], label=label(f"page_table_{kind}"), min_width=180)
                    for kind in KINDS
                ]
        self.form = [self.encoding, self.delimiter, self.no_header]
        self.inputs = [*self.form, *self.columns]
        self.outputs = [self.shown, self.room, *self.inputs]

    def wire(self, files: gr.File) -> None:
        given = [self.page.lang, files]
        files.change(self.look, given, self.outputs, **QUIET)
        # Another encoding or delimiter makes other columns; what was chosen among them is void.
        gr.on(
            [part.input for part in self.form],
            self.look_anew,
            [*given, *self.form],
            self.outputs,
            **QUIET,
        )
        gr.on(
            [*(part.input for part in self.columns), self.page.lang.input],
            self.look_again,
            [*given, *self.inputs],
            self.outputs,
            **QUIET,
        )

    def look(self, lang: str, files: list[str] | None) -> list:
        return self._show(lang, files, None)

    def look_anew(self, lang: str, files: list[str] | None, *form: object) -> list:
        encoding, delimiter, no_header = form
        return self._show(lang, files, Reading(encoding, delimiter, not no_header))

    def look_again(self, lang: str, files: list[str] | None, *chosen: object) -> list:
        return self._show(lang, files, reading_of(*chosen))

    def _show(self, lang: str, files: list[str] | None, reading: Reading | None) -> list:
        """`reading`: what was chosen already; then the choices stay, though nothing is open."""
        try:
            shown = preview([Path(file) for file in files or []], reading=reading)
        except TunerError as error:
            if reading is None:  # the check of the recordings says what is wrong with them
                return self._nothing()
            return [views.paragraph(error.sentence(lang), "problem"), *_unchanged(self.outputs[1:])]
        if shown is None:
            return self._nothing()
        html = table_html(shown, lang)
        if not shown.questions and reading is None:
            return [html, *self._nothing()[1:]]
        return [html, gr.Column(visible=True), *self._choices(shown, lang)]

    def _nothing(self) -> list:
        empty = gr.Dropdown(choices=[], value=None, visible=False)
        without = [empty] * len(KINDS)
        return ["", gr.Column(visible=False), empty, empty, gr.Checkbox(value=False), *without]

    def _choices(self, shown: Preview, lang: str) -> list:
        encodings = [(text(f"encoding_{name}", lang), name) for name in shown.encodings]
        encoding = shown.encoding if encodings else None
        delimiters = [(text(f"delimiter_{n}", lang), sign) for sign, n in DELIMITER_NAMES.items()]
        delimiter = shown.delimiter or None
        of_columns = column_choices(shown, lang)
        is_table = shown.has_header is not None
        columns = []
        for kind in KINDS:
            choices = list(of_columns)
            value = of_columns[shown.columns[kind]][1] if kind in shown.columns else None
            if kind in ("speaker", "split"):
                choices.insert(0, (text("table_column_none", lang), 0))
                value = value or 0
            value = value if is_table else None
            columns.append(gr.Dropdown(choices=choices, value=value, visible=is_table))
        return [
            gr.Dropdown(choices=encodings, value=encoding, visible=bool(encodings)),
            gr.Dropdown(choices=delimiters, value=delimiter, visible=bool(delimiter)),
            gr.Checkbox(value=shown.has_header is False, visible=is_table),
            *columns,
        ]


def _unchanged(outputs: list) -> list:
    return [gr.skip() for _ in outputs]
