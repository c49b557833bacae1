"""Step 2: the settings of a training, and what it does while it runs."""

import time
from dataclasses import replace

import gradio as gr

from whisper_tuner import steps
from whisper_tuner.config import TrainConfig
from whisper_tuner.data.clips import read_report
from whisper_tuner.errors import TunerError
from whisper_tuner.locales import DEFAULT_LANGUAGE, text
from whisper_tuner.model.catalogue import BASE_MODELS
from whisper_tuner.model.locate import hub_reachable, is_at_hand
from whisper_tuner.narrate import space_sentences
from whisper_tuner.publish.space import find_space
from whisper_tuner.runs import jobs
from whisper_tuner.runs.events import Record, read_events
from whisper_tuner.runs.folder import Run
from whisper_tuner.runs.start import read_origin
from whisper_tuner.ui import fragments, views
from whisper_tuner.ui.copy_corner import CopyCorner
from whisper_tuner.ui.keep_corner import KeepCorner
from whisper_tuner.ui.language import label, static_html
from whisper_tuner.ui.session import (
    PRIVATE,
    QUIET,
    Page,
    Redraw,
    Updates,
    find_run,
    has_dataset,
    is_begun,
    open_run,
    owner_of,
    refuse_second_waiting,
)
from whisper_tuner.ui.train_form import build_form, on_page, to_config, to_values


class TrainStep:
    def __init__(self, page: Page) -> None:
        self.page = page
        self.empty = gr.HTML()
        with gr.Column(visible=False) as self.room:
            self.device = gr.HTML()
            self.goes_on = gr.HTML()
            with gr.Accordion(label("page_settings"), elem_id="settings") as self.settings:
                self.form = build_form(page)
                self.offline = gr.HTML()
                self.size = gr.HTML(elem_id="size")
            self.copy = CopyCorner(page)
            self.keep = KeepCorner()
            self.start = gr.Button(label("page_start"), variant="primary", elem_id="start")
            self.notice = gr.HTML(elem_id="train-notice")
            with gr.Column(visible=False, elem_classes="card") as self.watch:
                self.status = gr.HTML(elem_id="status")
                self.curves = gr.HTML()
                self.stop = gr.Button(label("page_stop"), variant="stop", visible=False)
                self.log = gr.Textbox(
                    label=label("page_log"), lines=8, max_lines=8, elem_classes="log"
                )
                with gr.Accordion(label("page_raw_log"), open=False):
                    self.raw_log = gr.Textbox(
                        show_label=False, lines=12, max_lines=12, elem_classes="log"
                    )
            with gr.Row():
                self.resume = gr.Button(
                    label("page_resume"), variant="primary", visible=False, elem_id="resume"
                )
                self.again = gr.Button(label("page_again"), visible=False)
                self.further = gr.Button(label("page_further"), visible=False, elem_id="further")
                self.forward = gr.Button(
                    label("page_see_comparison"), variant="primary", visible=False
                )
        self.filled = gr.State("")  # id of the run whose earlier settings were put into the form
        self.inputs = [page.spoken, self.filled]
        self.live_outputs = [self.status, self.curves, self.log, self.raw_log, self.stop]
        self.outputs = [
            self.empty,
            self.room,
            self.device,
            self.settings,
            *self.form.dials,
            self.start,
            self.watch,
            self.resume,
            self.again,
            self.further,
            self.forward,
            self.goes_on,
            self.filled,
            *self.copy.outputs,
            *self.keep.outputs,
            *self.live_outputs,
        ]

    def show(self, lang: str, run: Run | None, spoken: str, filled: str) -> Updates:
        """The form, open or locked, and the training as its folder tells it."""
        if not is_begun(run):
            html = views.paragraph(text("train_empty", lang), "empty")
            return {self.empty: html, self.room: gr.Column(visible=False)}
        is_started = run.spec_path.exists()
        origin = None if is_started else read_origin(run)
        device = self.page.device
        key = "train_device" if device.kind == "cuda" else "train_device_cpu"
        updates: Updates = {
            self.empty: "",
            self.room: gr.Column(visible=True),
            self.device: views.paragraph(text(key, lang, device=device.name), "note"),
            self.settings: gr.Accordion(open=not is_started),
            self.start: gr.Button(visible=not is_started),
            self.watch: gr.Column(visible=is_started),
            self.goes_on: views.paragraph(text("train_goes_on", lang), "note") if origin else "",
            self.filled: run.id if origin else "",
        }
        for dial in self.form.dials:
            is_fixed = is_started or (origin and dial in self.form.of_adapter)
            updates[dial] = {"interactive": not is_fixed}
        updates[self.form.language] |= {"choices": views.language_choices(lang)}
        if is_started:
            for dial, value in zip(self.form.dials, to_values(run.read_spec().config), strict=True):
                updates[dial] |= {"value": value}
        else:
            if origin and filled != run.id:  # once: what is chosen since then stays
                values = to_values(on_page(origin.config, device.n_devices))
                for dial, value in zip(self.form.dials, values, strict=True):
                    updates[dial] |= {"value": value}
            earlier_language = origin.config.language if origin else None
            updates[self.form.language] |= {"value": spoken or earlier_language}
        for dial in self.form.dials:
            updates[dial] = gr.update(**updates[dial])
        updates |= self.copy.show(lang, run, is_started)
        updates |= self.keep.show(lang, run, is_started)
        return updates | self.show_run(lang, run, is_started)

    def show_run(self, lang: str, run: Run, is_started: bool) -> Updates:
        if not is_started:
            return {
                self.resume: gr.Button(visible=False),
                self.again: gr.Button(visible=False),
                self.further: gr.Button(visible=False),
                self.forward: gr.Button(visible=False),
            }
        records = read_events(run.events_path)
        status = jobs.status(run, records)
        can_begin_another = has_dataset(run) and not status.alive and not status.goes_on
        return {
            self.resume: gr.Button(visible=jobs.can_resume(status) and not status.goes_on),
            self.again: gr.Button(visible=can_begin_another),
            self.further: gr.Button(visible=can_begin_another and run.has_adapter),
            self.forward: gr.Button(visible=not status.alive and run.has_adapter),
            **self.live(lang, run, status, records),
        }

    def live(self, lang: str, run: Run, status: jobs.Status, records: list[Record]) -> Updates:
        """What changes while a run is at work."""
        can_stop = views.is_at_work(status) and status.state != "stopping"
        return {
            **self.clock(lang, run, status, records),
            self.curves: views.curves(records, lang),
            self.log: views.log_lines(records, lang),
            self.raw_log: "\n".join(jobs.log_tail(run)),
            self.stop: gr.Button(
                visible=can_stop,
                interactive=not jobs.is_stop_asked(run),
                value=label("page_cancel" if status.state == "queued" else "page_stop"),
            ),
        }

    def clock(self, lang: str, run: Run, status: jobs.Status, records: list[Record]) -> Updates:
        """What changes every second, even when nothing happened."""
        html = views.training_status(status, records, lang, time.time())
        then = views.next_sentence(status, run.has_adapter, lang)
        html += views.paragraph(then, "note") if then else ""
        return {self.status: html, **self.copy.tell(lang, run)}

    def wire(self, then_redraw: Redraw) -> None:
        page, form = self.page, self.form
        chosen = [page.lang, page.run_id, *form.dials]
        asked = [page.lang, page.run_id, page.person, self.keep.keep, *form.dials]
        started = self.start.click(self.start_training, asked, [self.notice], **PRIVATE)
        then_redraw(self.copy.after(started))
        asked = [page.lang, page.run_id]
        then_redraw(self.stop.click(self.stop_training, asked, [self.notice], **PRIVATE))
        asked = [page.lang, page.run_id, page.person]
        resumed = self.resume.click(self.resume_training, asked, [self.notice], **PRIVATE)
        then_redraw(self.copy.after(resumed))
        self.copy.wire()
        made = [self.notice, page.run_id, page.spoken]
        then_redraw(self.again.click(self.train_again, [page.lang, page.run_id], made, **PRIVATE))
        then_redraw(
            self.further.click(self.train_further, [page.lang, page.run_id], made, **PRIVATE)
        )
        self.forward.click(lambda: gr.Tabs(selected="compare"), None, page.steps, **QUIET)
        form.language.input(lambda code: code, form.language, page.spoken, **QUIET)
        changed = [part.change for part in (*form.dials, page.run_id, page.lang)]
        gr.on(changed, self.show_plan, chosen, [self.size], trigger_mode="always_last", **QUIET)

    def start_training(
        self,
        lang: str,
        run_id: str,
        person: str,
        keep: bool,
        oauth: gr.OAuthToken | None,
        *values: object,
    ) -> str:
        """Returns at once; the worker tells the rest through the run's folder."""
        try:
            run = open_run(run_id)
            if run.spec_path.exists():  # a second press: it is shown by now
                return ""
            config = replace(_config(run, values), keep_common_voice=keep)
            refuse_second_waiting(run, person)
            self.page.tryout.close()  # its memory is needed
            steps.train(run, config, owner_of(person), oauth and oauth.token)
        except TunerError as error:
            return views.paragraph(error.sentence(lang), "problem")
        return ""

    def stop_training(self, lang: str, run_id: str) -> str:
        try:
            jobs.stop(open_run(run_id))
        except TunerError as error:
            return views.paragraph(error.sentence(lang), "problem")
        return ""

    def resume_training(
        self, lang: str, run_id: str, person: str, oauth: gr.OAuthToken | None
    ) -> str:
        try:
            run = open_run(run_id)
            refuse_second_waiting(run, person)
            self.page.tryout.close()  # its memory is needed
            steps.resume(run, oauth and oauth.token)
        except TunerError as error:
            return views.paragraph(error.sentence(lang), "problem")
        return ""

    def train_further(self, lang: str, run_id: str) -> tuple:
        """A new run that goes on from this one's adapter, to which recordings can be added."""
        try:
            run = open_run(run_id)
            return "", steps.further(run).id, run.read_spec().config.language
        except TunerError as error:
            return views.paragraph(error.sentence(lang), "problem"), gr.skip(), gr.skip()

    def train_again(self, lang: str, run_id: str) -> tuple:
        """A new run on the same recordings; the form keeps the settings to start from."""
        try:
            run = open_run(run_id)
            return "", steps.again(run).id, run.read_spec().config.language
        except TunerError as error:
            return views.paragraph(error.sentence(lang), "problem"), gr.skip(), gr.skip()

    def show_plan(
        self,
        lang: str,
        run_id: str,
        oauth: gr.OAuthToken | None,
        language: str,
        base: str,
        *values: object,
    ) -> str:
        """Whether it fits, how long it takes and what is trained, before it is started."""
        run, device = find_run(run_id), self.page.device
        if not has_dataset(run) or not base:
            return ""
        try:
            # Which language is spoken changes nothing here; there is no plan without one.
            config = _config(run, (language or DEFAULT_LANGUAGE, base, *values))
            config, expected = steps.plan(run, config, device)
        except TunerError as error:
            return views.paragraph(error.sentence(lang), "problem")
        html = views.plan(config, expected, device, read_report(run.dataset_dir), lang)
        space = find_space(oauth and oauth.token)
        return html + "".join(map(views.paragraph, space_sentences(space, expected, lang)))

    def ask_hub(self, run_id: str, base: str) -> Updates:
        """Which base models can be had. Asked when the page stands already: it takes seconds."""
        if hub_reachable():
            return {self.offline: "", self.form.base: gr.skip()}
        run = find_run(run_id)
        is_fixed = run is not None and (run.spec_path.exists() or run.start_dir.exists())
        ids = [i for i in BASE_MODELS if is_at_hand(i) or (is_fixed and i == base)]
        value = base if base in ids else next(iter(ids), None)
        return {
            self.offline: static_html(fragments.offline if ids else fragments.offline_none),
            self.form.base: gr.Dropdown(choices=views.base_choices(ids), value=value),
        }


def _config(run: Run, values: tuple) -> TrainConfig:
    """What the form says. Where a run goes on from an adapter, base and LoRA are that one's: their
    dials are locked, and may still show something else while the form is being filled.
    """
    config, origin = to_config(values), read_origin(run)
    return replace(config, base=origin.config.base, lora=origin.config.lora) if origin else config
