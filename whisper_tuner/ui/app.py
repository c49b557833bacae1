"""Assembles the page: header, four steps, and the events that redraw them from the run's folder.

Nothing is kept here between two events. A browser remembers the id of its run; whatever is shown
comes from that run's folder, so a reload, a second tab or a restarted page show the same.
"""

import os
from pathlib import Path

import gradio as gr
from gradio.events import Dependency
from gradio.utils import get_upload_folder

from whisper_tuner import steps
from whisper_tuner.locales import LANGUAGES, text
from whisper_tuner.runs import jobs, quota
from whisper_tuner.runs.caretaker import Caretaker
from whisper_tuner.runs.device import find_device
from whisper_tuner.runs.events import read_events
from whisper_tuner.runs.folder import Run, default_root
from whisper_tuner.runs.listening import Listening
from whisper_tuner.runs.tryout import TryOut
from whisper_tuner.ui import files_route, fragments, record_tab, security, views
from whisper_tuner.ui.compare_step import CompareStep
from whisper_tuner.ui.data_step import DataStep
from whisper_tuner.ui.delete_corner import DeleteCorner
from whisper_tuner.ui.language import (
    HEAD,
    ON_LOAD_JS,
    ON_SWITCH_JS,
    TRANSLATIONS,
    label,
    static_html,
)
from whisper_tuner.ui.publish_step import PublishStep
from whisper_tuner.ui.runs_menu import RunsMenu
from whisper_tuner.ui.session import (
    QUIET,
    Page,
    Updates,
    browser_state,
    find_run,
    is_begun,
    is_unreadable,
    person_of,
)
from whisper_tuner.ui.theme import THEME
from whisper_tuner.ui.train_step import TrainStep
from whisper_tuner.ui.upkeep import MAX_TABS, Upkeep, share_heaps

POLL_S = 1.0
CACHE_CHECK_S, CACHE_AGE_S = 600, 3600  # uploads are deleted an hour after they came
MAX_UPLOAD = "4gb"  # one file; larger Common Voice archives are for the command line
TAB_NAMES = ("recordings", "train", "compare", "take")


def build() -> gr.Blocks:
    with gr.Blocks(
        title=fragments.TITLE, analytics_enabled=False, delete_cache=(CACHE_CHECK_S, CACHE_AGE_S)
    ) as blocks:
        with gr.Row(elem_id="header"):
            gr.HTML(static_html(fragments.header), elem_classes="grow")
            lang = gr.Radio(
                [(name, code) for code, name in LANGUAGES.items()],
                value="en",
                label="Language · 语言",
                show_label=False,
                container=False,
                elem_id="language",
            )
        page = Page(
            device=find_device(),
            tryout=TryOut(),
            lang=lang,
            run_id=browser_state("run"),
            person=browser_state("person"),
            spoken=browser_state("spoken"),
            sheet_id=browser_state("sheet"),
            steps=gr.Tabs(elem_id="steps", render=False),
            timer=gr.Timer(POLL_S, active=False),
        )
        PageView(page).wire(blocks)
    return blocks


class PageView:
    """The menu, what is wrong with the run if anything is, and the four steps, drawn together."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.menu = RunsMenu(page)
        self.problem = gr.HTML(elem_id="run-problem")
        page.steps.render()
        self.tabs: dict[str, gr.Tab] = {}
        parts = []
        with page.steps:
            for name, kind in zip(
                TAB_NAMES, (DataStep, TrainStep, CompareStep, PublishStep), strict=True
            ):
                with gr.Tab(label(f"page_step_{name}"), id=name) as self.tabs[name]:
                    parts.append(kind(page))
                    if name == "train":
                        self.delete = DeleteCorner(page)
        _, self.train, self.compare, _ = parts
        data = parts[0]
        self.parts = (
            *(*parts, self.delete, self.menu, data.fetch, data.listen),
            *(data.align, data.review, data.long),
        )
        self.seen = gr.State("")
        self.inputs = [page.lang, page.run_id, *(i for part in self.parts for i in part.inputs)]
        self.outputs = [page.timer, self.problem, *self.tabs.values()]
        self.outputs += [o for part in self.parts for o in part.outputs]

    def wire(self, blocks: gr.Blocks) -> None:
        page, train = self.page, self.train
        for part in self.parts:
            part.wire(self.then_redraw)
        asked = blocks.load(
            self.resume,
            self.inputs,
            [page.lang, page.run_id, page.steps, *self.outputs],
            js=ON_LOAD_JS,
            **QUIET,
        )
        base = [page.run_id, train.form.base]
        asked.then(train.ask_hub, base, [train.offline, train.form.base], **QUIET)
        known = asked.then(self.know_person, page.person, page.person, **QUIET)
        self.parts[0].record.resume(known)
        whose = [page.lang, page.run_id, page.person]
        known.then(self.show_own, whose, self.delete.outputs + self.menu.outputs, **QUIET)
        page.lang.input(self.draw, self.inputs, self.outputs, js=ON_SWITCH_JS, **QUIET)
        page.timer.tick(self.tick, [*self.inputs, self.seen], [*self.outputs, self.seen], **QUIET)

    def then_redraw(self, event: Dependency) -> Dependency:
        return event.then(self.draw, self.inputs, self.outputs, **QUIET)

    def draw(self, lang: str, run_id: str, *values: object) -> Updates:
        """Every step from the run's folder."""
        run = find_run(run_id)
        rest = iter(values)
        is_live = run is not None and (is_moving(run) or self.train.copy.is_at_work(run))
        told = text("run_unreadable", lang, run=run_id) if is_unreadable(run_id) else ""
        updates: Updates = {
            self.page.timer: gr.Timer(active=is_live),
            self.problem: views.paragraph(told, "problem") if told else "",
        }
        for name, tab in self.tabs.items():  # tabs alone do not follow the browser's switch
            updates[tab] = gr.Tab(label=text(f"page_step_{name}", lang))
        for part in self.parts:
            updates |= part.show(lang, run, *(next(rest) for _ in part.inputs))
        return updates

    def resume(self, lang: str, run_id: str, *values: object) -> Updates:
        """A page was opened: find its run again, and the step it is at."""
        run = find_run(run_id)
        return {
            self.page.lang: lang,
            self.page.run_id: run_id if run or is_unreadable(run_id) else "",
            self.page.steps: gr.Tabs(selected=step_of(run)),
            **self.draw(lang, run_id, *values),
        }

    def know_person(self, known: str, account: gr.OAuthProfile | None) -> str:
        return person_of(known, account.username if account else None)

    def show_own(self, lang: str, run_id: str, person: str) -> Updates:
        """What depends on who it is."""
        run = find_run(run_id)
        return self.delete.show(lang, run, person) | self.menu.show(lang, run, person)

    def tick(self, lang: str, run_id: str, *values: object) -> Updates:
        """Once a second while the run is alive or about to be: what is new; everything when it has
        begun or ended."""
        *rest, seen = values
        run = find_run(run_id)
        if run is None:
            return {self.page.timer: gr.Timer(active=False)}
        records = read_events(run.events_path)
        status = jobs.status(run, records)
        if not status.alive:
            if not seen and not status.goes_on and self.train.copy.is_at_work(run):
                return self.train.copy.tell(lang, run)  # the last of it is still being copied
            return {**self.draw(lang, run_id, *rest), self.seen: ""}
        clocks = self.train.clock(lang, run, status, records) | self.compare.clock(
            lang, run, status
        )
        now = f"{run.id} {len(records)} {status.ahead} {lang}"
        if now == seen:
            return clocks
        if not seen:  # it has been started, perhaps by itself
            return {**self.draw(lang, run_id, *rest), self.seen: now}
        return {**clocks, **self.train.live(lang, run, status, records), self.seen: now}


def is_moving(run: Run) -> bool:
    """Whether a look in a second may find something new of its training."""
    is_started = run.spec_path.exists()
    return is_started and (jobs.is_alive(run) or jobs.status(run).goes_on)


def step_of(run: Run | None) -> str:
    """The step that a returning visitor wants to see."""
    if not is_begun(run) or Listening(run.dir).spec_path.exists():
        return "recordings"
    if run.comparison_path.exists() and not jobs.is_alive(run):
        return "compare"
    return "train"


def uploads_folder() -> Path | None:
    """Where uploads come to rest, if it is ours alone: other programs use Gradio's usual folder."""
    is_ours = "SPACE_ID" in os.environ or "GRADIO_TEMP_DIR" in os.environ
    return Path(get_upload_folder()) if is_ours else None


def launch() -> None:
    """Serve the page; host and port as Gradio's own variables say (GRADIO_SERVER_PORT, …).

    Raises InputError when a variable of ours says something impossible.
    """
    quota.limit_bytes()  # a setting that is no number stops the page before anybody comes
    share_heaps()
    blocks = build().queue(max_size=64, api_open=False)
    _, url, _ = blocks.launch(
        quiet=True,
        prevent_thread_lock=True,
        max_threads=80,
        state_session_capacity=MAX_TABS,
        max_file_size=MAX_UPLOAD,
        allowed_paths=[],
        blocked_paths=[str(default_root())],
        show_error=False,
        run_history=False,
        enable_monitoring=False,
        mcp_server=False,
        pwa=False,
        footer_links=[],
        ssr_mode=False,
        app_kwargs={"middleware": security.middleware(), "routes": files_route.ROUTES},
        i18n=TRANSLATIONS,
        theme=THEME,
        css_paths=Path(__file__).parent / "style.css",
        head=HEAD + record_tab.HEAD,
    )
    Upkeep(blocks.state_holder)
    Caretaker(default_root(), uploads_folder(), steps.finish_all_forgetting)
    print(f"{fragments.TITLE}: {url}", flush=True)
    blocks.block_thread()
