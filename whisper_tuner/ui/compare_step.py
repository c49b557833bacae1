"""Step 3: what the base heard and what the tuned model heard, and a try with one's own voice."""

from pathlib import Path

import gradio as gr

from whisper_tuner import steps
from whisper_tuner.data.clips import read_clips
from whisper_tuner.errors import InputError, RunError, TunerError
from whisper_tuner.locales import text
from whisper_tuner.runs import jobs
from whisper_tuner.runs.events import read_events
from whisper_tuner.runs.folder import Run
from whisper_tuner.ui import comparison_view, fragments, views
from whisper_tuner.ui.language import label, static_html
from whisper_tuner.ui.session import (
    PRIVATE,
    QUIET,
    SPEAKING,
    Page,
    Redraw,
    Updates,
    find_run,
    has_dataset,
    is_training_here,
    open_run,
)


class CompareStep:
    def __init__(self, page: Page) -> None:
        self.page = page
        self.status = gr.HTML(elem_id="compare-status")
        self.compare = gr.Button(label("page_compare_now"), variant="primary", visible=False)
        self.notice = gr.HTML()
        with gr.Column(visible=False) as self.room:
            self.order = gr.Radio(
                [(label(f"page_order_{name}"), name) for name in comparison_view.ORDERS],
                value="improved",
                label=label("page_order"),
                elem_classes="plain",
            )
            self.page_number = gr.State(0)
            self.clips = gr.HTML(elem_id="compared")
            with gr.Row():
                self.previous = gr.Button(label("page_previous"))
                self.next = gr.Button(label("page_next"))
        with gr.Column(visible=False, elem_classes="card") as self.try_room:
            gr.HTML(static_html(fragments.try_out))
            self.audio = gr.Audio(
                sources=["microphone", "upload"],
                type="filepath",
                label=label("page_try_audio"),
                buttons=[],  # one of Gradio's shares the recording with the world
            )
            self.try_button = gr.Button(label("page_try_button"))
            self.try_notice = gr.HTML(elem_id="try-notice")
            with gr.Row():
                self.base_text = _heard("page_try_base")
                self.tuned_text = _heard("page_try_tuned")
        self.forward = gr.Button(label("page_continue_take"), variant="primary", visible=False)
        self.inputs = [self.order, self.page_number]
        self.list_outputs = [self.clips, self.page_number, self.previous, self.next]
        self.outputs = [
            self.status,
            self.compare,
            self.room,
            self.try_room,
            self.forward,
            *self.list_outputs,
        ]

    def show(self, lang: str, run: Run | None, order: str, number: int) -> Updates:
        """The comparison as its file tells it, or why there is none yet."""
        is_started = run is not None and run.spec_path.exists()
        status = jobs.status(run) if is_started else jobs.Status("draft", False)
        has_adapter = run is not None and run.has_adapter
        is_compared = run is not None and run.comparison_path.exists()
        can_compare = run is not None and jobs.can_compare(run, status)
        updates: Updates = {
            self.compare: gr.Button(visible=can_compare and not is_compared),
            self.room: gr.Column(visible=is_compared),
            self.try_room: gr.Column(visible=has_adapter and not status.alive),
            self.forward: gr.Button(visible=has_adapter and not status.alive),
        }
        if is_compared:
            html = comparison_view.headline(run.read_comparison(), lang)
            return {**updates, self.status: html, **self.show_clips(lang, run, order, number)}
        if status.alive:
            return {**updates, **self.clock(lang, run, status)}
        older = "compare_resume_first" if has_adapter else "compare_none"
        key = "compare_possible" if can_compare else older
        return {**updates, self.status: views.paragraph(text(key, lang), "empty")}

    def clock(self, lang: str, run: Run, status: jobs.Status) -> Updates:
        """How far the run is, for who waits here."""
        if run.comparison_path.exists():
            return {}
        html = views.progress(status, read_events(run.events_path), lang)
        told = views.paragraph(text("compare_pending", lang), "note")
        return {self.status: html + told}

    def show_clips(self, lang: str, run: Run, order: str, number: int) -> Updates:
        comparison = run.read_comparison()
        last = comparison_view.n_pages(comparison) - 1
        number = max(0, min(number, last))
        return {
            self.clips: comparison_view.clip_cards(
                comparison, run.id, order, number, lang, silent_clips(run)
            ),
            self.page_number: number,
            self.previous: gr.Button(visible=last > 0, interactive=number > 0),
            self.next: gr.Button(visible=last > 0, interactive=number < last),
        }

    def wire(self, then_redraw: Redraw) -> None:
        page = self.page
        then_redraw(
            self.compare.click(self.compare_now, [page.lang, page.run_id], [self.notice], **PRIVATE)
        )
        turning = [page.lang, page.run_id, self.order, self.page_number]
        for event, shift in (
            (self.order.input, None),
            (self.previous.click, -1),
            (self.next.click, 1),
        ):
            event(self._turn(shift), turning, self.list_outputs, **QUIET)
        tried = [self.try_notice, self.base_text, self.tuned_text]
        saying = self.try_button.click(
            lambda lang: views.paragraph(text("tryout_listening", lang), "note"),
            page.lang,
            self.try_notice,
            **QUIET,
        )
        saying.then(self.try_out, [page.lang, page.run_id, self.audio], tried, **SPEAKING)
        self.forward.click(lambda: gr.Tabs(selected="take"), None, page.steps, **QUIET)

    def _turn(self, shift: int | None):  # noqa: ANN202  a handler, of gradio's own shape
        def turn(lang: str, run_id: str, order: str, number: int) -> Updates:
            run = find_run(run_id)
            if run is None or not run.comparison_path.exists():
                return gr.skip()
            return self.show_clips(lang, run, order, 0 if shift is None else number + shift)

        return turn

    def compare_now(self, lang: str, run_id: str) -> str:
        try:
            self.page.tryout.close()
            steps.compare(open_run(run_id))
        except TunerError as error:
            return views.paragraph(error.sentence(lang), "problem")
        return ""

    def try_out(self, lang: str, run_id: str, audio: str | None) -> tuple[str, str, str]:
        """One recording through both models, in the try-out's own process."""
        try:
            if audio is None:
                raise InputError("tryout_no_audio")
            if is_training_here():
                raise RunError("tryout_while_training")
            run = open_run(run_id)
            if not run.has_adapter:
                raise RunError("adapter_missing", run=run.id)
            heard = self.page.tryout.transcribe(run, Path(audio))
        except TunerError as error:
            return views.paragraph(error.sentence(lang), "problem"), "", ""
        return "", heard["base"], heard["tuned"]


def silent_clips(run: Run) -> set[str]:
    """Ids of clips whose recordings are not here any more."""
    clips = read_clips(run.dataset_dir) if has_dataset(run) else []
    return {clip.id for clip in clips if not (run.dataset_dir / clip.audio).exists()}


def _heard(key: str) -> gr.Textbox:
    return gr.Textbox(label=label(key), lines=2, interactive=False)
