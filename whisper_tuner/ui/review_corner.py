"""Step 1, while long recordings are aligned and when their clips are reviewed.

The browser remembers the alignment's id; everything else is in its folder, so a reload or a
restart loses nothing.
"""

from collections.abc import Callable

import gradio as gr

from whisper_tuner import steps
from whisper_tuner.alignment import review, task
from whisper_tuner.data.clips import Report
from whisper_tuner.errors import TunerError
from whisper_tuner.locales import text
from whisper_tuner.narrate import rough_duration, status_sentence
from whisper_tuner.runs import jobs, queue, quota
from whisper_tuner.runs.events import Progress, StateChanged, read_events
from whisper_tuner.runs.folder import Run, default_root
from whisper_tuner.ui import review_view, views
from whisper_tuner.ui.add_to import run_to_add_to
from whisper_tuner.ui.language import label
from whisper_tuner.ui.preparing import PROGRESS, new_run, prepare_run
from whisper_tuner.ui.session import (
    PRIVATE,
    QUIET,
    Page,
    Redraw,
    Updates,
    browser_state,
    find_run,
    open_run,
    owner_of,
    refuse_second_waiting,
)

POLL_S = 2.0
SHOW_WORK_JS = """() => document.getElementById("align-told")?.scrollIntoView(
  { behavior: "smooth", block: "nearest" })"""


class ReviewCorner:
    def __init__(self, page: Page, where: gr.Radio) -> None:
        self.page, self.where = page, where
        self.id = browser_state("alignment")
        self.inputs = [self.id]

    def build(self) -> None:
        """Draw it here."""
        self.timer = gr.Timer(POLL_S, active=False)
        self.told = gr.HTML(elem_id="align-told")
        with gr.Row():
            self.stop = gr.Button(label("page_align_stop"), visible=False, size="sm")
            self.go_on = gr.Button(label("page_align_go_on"), visible=False, size="sm")
        with gr.Column(visible=False, elem_id="review") as self.review:
            self.rows = gr.Dataframe(
                headers=review_view.columns("en"),
                datatype="str",
                interactive=False,
                wrap=True,
                max_height=360,
                column_widths=review_view.widths(False),
                elem_id="review-rows",
            )
            self.chosen = gr.State(None)
            self.player = gr.HTML(elem_id="review-player")
            self.text = gr.Textbox(label=label("page_review_text"), lines=2, visible=False)
            with gr.Row():
                self.keep = gr.Button(label("page_review_keep"), visible=False, size="sm")
                self.drop = gr.Button(label("page_review_drop"), visible=False, size="sm")
            with gr.Row():
                self.keep_sure = gr.Button(label("page_review_keep_sure"), size="sm")
                self.use = gr.Button(label("page_review_use"), variant="primary", size="sm")
        self.discard = gr.Button(label("page_align_discard"), visible=False, size="sm")
        self.row = [self.chosen, self.player, self.text, self.keep, self.drop]
        self.outputs = [self.id, self.timer, self.told, self.stop, self.go_on, self.review]
        self.outputs += [self.rows, self.discard, *self.row]
        self.drawn = self.outputs

    def show(self, lang: str, run: Run | None, id: str) -> Updates:
        """How the alignment stands that this browser remembers; another language closes the row."""
        return self.stand(lang, id) | self.no_row()

    def stand(self, lang: str, id: str) -> Updates:
        aligned = find_run(id)
        is_known = aligned is not None and task.is_alignment(aligned)
        is_done = is_known and review.is_there(aligned)
        is_used = is_done and steps.is_used(aligned)
        is_alive = is_known and jobs.is_alive(aligned)
        updates: Updates = {
            self.id: id if is_known else "",
            self.timer: gr.Timer(active=is_alive),
            self.told: told(aligned, lang) if is_known else "",
            self.stop: gr.Button(visible=is_alive and not is_done),
            self.go_on: gr.Button(visible=is_known and not is_done and not is_alive),
            self.review: gr.Column(visible=is_done and not is_used),
            self.discard: gr.Button(visible=is_known and not is_alive),
        }
        if is_used:
            return updates | {self.told: views.paragraph(text("align_used", lang), "note")}
        return updates | (self.listed(lang, aligned) if is_done else {})

    def listed(self, lang: str, aligned: Run) -> Updates:
        rows, items = review.read(aligned), task.read(aligned).items
        names = [item.name for item in items] if len(items) > 1 else []
        widths, headers = review_view.widths(bool(names)), review_view.columns(lang, bool(names))
        shown = review_view.table(rows, lang, names)
        return {
            self.rows: gr.Dataframe(value=shown, headers=headers, column_widths=widths),
            self.told: review_view.summary(rows, lang),
        }

    def no_row(self) -> Updates:
        hidden = {part: gr.update(visible=False) for part in (self.text, self.keep, self.drop)}
        return {self.chosen: None, self.player: "", **hidden}

    def wire(self, then_redraw: Redraw) -> None:
        page, drawn = self.page, self.drawn
        known = [page.lang, self.id]
        self.timer.tick(self.stand, known, drawn, **QUIET)
        self.stop.click(self.end, known, drawn, **PRIVATE)
        self.go_on.click(self.resume, [*known, page.person], drawn, **PRIVATE)
        then_redraw(self.discard.click(self.forget, known, drawn, **PRIVATE))
        self.rows.select(self.choose, [*known, self.rows], self.row, **QUIET)
        decided = [*known, self.chosen, self.text]
        self.keep.click(self.decide_keep, decided, drawn, **QUIET)
        self.drop.click(self.decide_drop, decided, drawn, **QUIET)
        self.keep_sure.click(self.keep_all_sure, known, drawn, **PRIVATE)
        given = [*known, page.run_id, page.person, self.where]
        made = [self.told, page.run_id, page.spoken]
        then_redraw(self.use.click(self.use_clips, given, made, concurrency_limit=2, **PRIVATE))

    def begin(
        self,
        lang: str,
        id: str,
        person: str,
        language: str | None,
        start: Callable[[Run, str], None],
    ) -> Updates:
        """`start` is given a new run and whose it is."""
        before = find_run(id)
        if before and jobs.is_alive(before):
            return self.stand(lang, id)
        if not language:
            return {self.told: views.paragraph(text("train_choose_language", lang), "problem")}
        run = None
        try:
            quota.require(default_root(), person.split(), is_new=True)
            run = new_run(person)
            refuse_second_waiting(run, person)
            self.page.tryout.close()  # its memory is needed
            start(run, owner_of(person))
        except TunerError as error:
            if run:
                steps.delete(run)
            return {self.told: views.paragraph(error.sentence(lang), "problem")}
        return self.stand(lang, run.id) | self.no_row()

    def end(self, lang: str, id: str) -> Updates:
        return self._do(lang, id, jobs.stop)

    def resume(self, lang: str, id: str, person: str) -> Updates:
        return self._do(lang, id, lambda run: steps.resume_alignment(run, owner_of(person)))

    def forget(self, lang: str, id: str) -> Updates:
        """The recordings, what was heard and the review are deleted; datasets made of it stay."""
        return self._do(lang, id, steps.delete) | self.no_row()

    def keep_all_sure(self, lang: str, id: str) -> Updates:
        return self._do(lang, id, review.keep_sure) | self.no_row()

    def _do(self, lang: str, id: str, act: Callable[[Run], object]) -> Updates:
        try:
            act(open_run(id))
        except TunerError as error:
            return {self.told: views.paragraph(error.sentence(lang), "problem")}
        return self.stand(lang, id)

    def choose(self, lang: str, id: str, shown: object, event: gr.SelectData) -> Updates:
        """Play a row and let its text be changed."""
        aligned = find_run(id)
        if aligned is None or not review.is_there(aligned):
            return self.no_row()
        return self.row_shown(lang, aligned, int(event.row_value[0]) - 1)

    def row_shown(self, lang: str, aligned: Run, i: int) -> Updates:
        row = review.read(aligned)[i]
        return {
            self.chosen: i,
            self.player: review_view.player(aligned.id, i, row, lang),
            self.text: gr.Textbox(value=row.text, visible=True, interactive=row.is_sound),
            self.keep: gr.Button(visible=row.is_sound),
            self.drop: gr.Button(visible=True),
        }

    def decide_keep(self, lang: str, id: str, chosen: int | None, words: str) -> Updates:
        return self._decide(lang, id, chosen, words, keep=True)

    def decide_drop(self, lang: str, id: str, chosen: int | None, words: str) -> Updates:
        return self._decide(lang, id, chosen, words, keep=False)

    def _decide(self, lang: str, id: str, chosen: int | None, words: str, keep: bool) -> Updates:
        """On the disk at once; then the next row that waits is shown."""
        aligned = find_run(id)
        if aligned is None or chosen is None:
            return self.stand(lang, id) | self.no_row()
        review.decide(aligned, chosen, keep, words)
        rows = review.read(aligned)
        following = review_view.order(rows)[0]
        is_open = not (rows[following].keep or rows[following].is_looked_at)
        after = self.row_shown(lang, aligned, following) if is_open else self.no_row()
        return self.stand(lang, id) | after

    def use_clips(
        self,
        lang: str,
        id: str,
        run_id: str,
        person: str,
        where: str,
        progress: gr.Progress = PROGRESS,
    ) -> tuple:
        try:
            aligned = open_run(id)
            language, n_rows = task.read(aligned).language, len(review.read(aligned))
            cut_from = steps.dataset_of(aligned)
        except TunerError as error:
            return views.paragraph(error.sentence(lang), "problem"), gr.skip(), gr.skip()

        def prepare(run: Run, tell: Callable[[int], None]) -> Report:
            if cut_from:
                return steps.use_cuts(aligned, on_progress=tell)
            return steps.prepare_from(run, steps.AlignedSource(aligned), on_progress=tell)

        into = cut_from or run_to_add_to(run_id, where)
        return prepare_run(lang, prepare, progress, n_rows, language, into, person)


def told(aligned: Run, lang: str) -> str:
    """How an alignment stands that has no review yet: a bar, and about how long it will take."""
    records = read_events(aligned.events_path)
    status = jobs.status(aligned, records)
    begun = [i for i, record in enumerate(records) if record.event == StateChanged("aligning")]
    since = records[begun[-1] :] if begun else []
    heard = [record.event for record in since if isinstance(record.event, Progress)]
    if not status.alive or not heard:
        return views.paragraph(status_sentence(status, lang), "note")
    last = heard[-1]
    said = text(last.stage, lang, done=last.done, total=last.total)
    rest_s = queue.progress_rest_s(records)
    if rest_s is not None:
        said += text("align_rest", lang, time=rough_duration(rest_s, lang))
    bar = f'<progress value="{last.done}" max="{last.total}"></progress>'
    return bar + views.paragraph(said, "note")
