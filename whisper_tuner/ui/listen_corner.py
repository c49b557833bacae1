"""Step 1, below what the doctor found: the base model listens, and says which transcripts it did
not hear. What happens is read from the run's folder, so a tab that comes back sees it too.
"""

import gradio as gr

from whisper_tuner import steps
from whisper_tuner.config import TrainConfig
from whisper_tuner.errors import InputError, TunerError
from whisper_tuner.locales import text
from whisper_tuner.model.catalogue import BASE_MODELS
from whisper_tuner.narrate import event_sentence, rough_duration, status_sentence
from whisper_tuner.runs import jobs
from whisper_tuner.runs.events import Progress, Record, read_events
from whisper_tuner.runs.folder import Run
from whisper_tuner.runs.listening import Listening
from whisper_tuner.ui import fragments, views
from whisper_tuner.ui.language import label, static_html
from whisper_tuner.ui.session import (
    PRIVATE,
    QUIET,
    Page,
    Redraw,
    Updates,
    find_run,
    has_dataset,
    open_run,
    owner_of,
    refuse_second_waiting,
)

POLL_S = 1.0


class ListenCorner:
    """Drawn beside the steps, for it needs the language that is remembered for a training."""

    def __init__(self, page: Page) -> None:
        self.page = page
        with gr.Accordion(
            label("page_listen"), open=False, visible=False, elem_id="listen"
        ) as self.room:
            gr.HTML(static_html(fragments.listen))
            with gr.Row():
                self.language = gr.Dropdown(
                    views.language_choices("en"), value=None, label=label("page_listen_language")
                )
                self.base = gr.Dropdown(
                    views.base_choices(list(BASE_MODELS)),
                    value=page.device.default_base,
                    label=label("page_base"),
                )
            self.time = gr.HTML()
            self.start = gr.Button(label("page_listen_button"), elem_id="listen-start")
        self.told = gr.HTML(elem_id="listen-told")
        self.stop = gr.Button(label("page_listen_stop"), visible=False, size="sm")
        self.notice = gr.HTML(elem_id="listen-notice")
        self.timer = gr.Timer(POLL_S, active=False)
        self.ended = gr.State(0)  # counts those that have ended: then everything is drawn anew
        self.inputs = [page.spoken, self.language]
        self.live = [self.told, self.stop, self.start, self.timer]
        self.outputs = [self.room, self.language, *self.live]

    def show(self, lang: str, run: Run | None, spoken: str, language: str | None) -> Updates:
        """Open as long as the recordings may change."""
        is_open = has_dataset(run) and not run.spec_path.exists() and not run.start_dir.exists()
        choices = views.language_choices(lang)
        return {
            self.room: gr.Accordion(visible=is_open),
            self.language: gr.Dropdown(choices=choices, value=language or spoken or None),
            **self.tell(lang, run if is_open else None),
        }

    def tell(self, lang: str, run: Run | None) -> Updates:
        """How the listening stands."""
        work = Listening(run.dir) if run else None
        if work is None or not work.spec_path.exists():
            hidden = {self.stop: gr.Button(visible=False), self.timer: gr.Timer(active=False)}
            return {self.told: "", self.start: gr.Button(interactive=True), **hidden}
        records = read_events(work.events_path)
        status = jobs.status(work, records)
        is_at_work = views.is_at_work(status)
        can_stop = is_at_work and not jobs.is_stop_asked(work)
        return {
            self.told: progress(status, records, lang),
            self.stop: gr.Button(visible=is_at_work, interactive=can_stop),
            self.start: gr.Button(interactive=not is_at_work and not status.goes_on),
            self.timer: gr.Timer(active=status.alive or status.goes_on),
        }

    def wire(self, then_redraw: Redraw) -> None:
        page = self.page
        given = [page.lang, page.run_id]
        chosen = [*given, self.language, self.base]
        asked = [page.lang, page.run_id, page.person, self.language, self.base]
        then_redraw(self.start.click(self.begin, asked, self.notice, **PRIVATE))
        then_redraw(self.stop.click(stop, given, self.notice, **PRIVATE))
        self.language.input(lambda code: code, self.language, page.spoken, **QUIET)
        changed = [part.change for part in (self.language, self.base, page.run_id, page.lang)]
        gr.on(changed, self.estimate, chosen, self.time, trigger_mode="always_last", **QUIET)
        self.timer.tick(self.tick, [*given, self.ended], [*self.live, self.ended], **QUIET)
        then_redraw(self.ended.change(lambda: None, None, None, **QUIET))

    def begin(
        self, lang: str, run_id: str, person: str, language: str | None, base: str | None
    ) -> str:
        """Returns at once; the worker tells the rest through the run's folder."""
        try:
            run = open_run(run_id)
            refuse_second_waiting(run, person)
            self.page.tryout.close()  # its memory is needed
            steps.listen(run, self._config(language, base), owner_of(person))
        except TunerError as error:
            return views.paragraph(error.sentence(lang), "problem")
        return ""

    def estimate(self, lang: str, run_id: str, language: str | None, base: str | None) -> str:
        run = find_run(run_id)
        if not has_dataset(run) or not language or not base:
            return ""
        try:
            seconds = steps.listening_s(run, self._config(language, base), self.page.device)
        except TunerError as error:
            return views.paragraph(error.sentence(lang), "problem")
        time = rough_duration(seconds, lang)
        return views.paragraph(text("listen_time", lang, time=time), "note")

    def tick(self, lang: str, run_id: str, n_ended: int) -> Updates:
        """Once a second while it listens, and once when it has ended."""
        run = find_run(run_id)
        status = jobs.status(Listening(run.dir)) if run else None
        is_over = status is None or not (status.alive or status.goes_on)
        return {**self.tell(lang, run), self.ended: n_ended + is_over}

    def _config(self, language: str | None, base: str | None) -> TrainConfig:
        if not language or not base:
            raise InputError("train_choose_language" if base else "train_choose_base")
        return TrainConfig(base, language, self.page.device.default_precision)


def stop(lang: str, run_id: str) -> str:
    try:
        jobs.stop(open_run(run_id))
    except TunerError as error:
        return views.paragraph(error.sentence(lang), "problem")
    return ""


def progress(status: jobs.Status, records: list[Record], lang: str) -> str:
    """A bar while it listens, or why it does not; nothing more when it has come to its end."""
    if status.state == "stopped":
        return views.paragraph(text("listening_stopped", lang), "note")
    if not views.is_at_work(status):
        kind = "note" if status.goes_on else "problem"
        is_told = status.state in ("failed", "interrupted")
        return views.paragraph(status_sentence(status, lang), kind) if is_told else ""
    if status.state in ("queued", "paused"):
        said = status_sentence(status, lang)
        return f"<progress></progress>{views.paragraph(said, 'note')}"
    event = records[-1].event
    bar = f' max="{event.total}" value="{event.done}"' if isinstance(event, Progress) else ""
    said = views.paragraph(event_sentence(event, lang))
    safe = views.paragraph(text("listening_safe", lang), "note")
    return f"<progress{bar}></progress>{said}{safe}"
