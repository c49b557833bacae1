"""Step 1, below the sources: how a download stands, and the button that cancels it.

The browser remembers an id; the download is a thread of the page (`fetcher.py`). So a tab that
comes back finds it at work, or its run when it has ended.
"""

import secrets
import time

import gradio as gr
from gradio.events import Dependency

from whisper_tuner.errors import RunError
from whisper_tuner.fetcher import Fetcher
from whisper_tuner.locales import text
from whisper_tuner.runs import quota
from whisper_tuner.runs.folder import Run, default_root
from whisper_tuner.sources import HubSource, MozillaSource
from whisper_tuner.ui import views
from whisper_tuner.ui.language import label
from whisper_tuner.ui.preparing import new_run
from whisper_tuner.ui.session import PRIVATE, QUIET, Page, Redraw, Updates, browser_state

# How an event is wired that asks another site: one that is slow keeps nobody else waiting.
ASKING = {**PRIVATE, "concurrency_limit": 8}
POLL_S = 1.0
SHOW_JS = """() => document.getElementById("fetch-told")
  ?.scrollIntoView({ behavior: "smooth", block: "nearest" })"""
MAX_AT_WORK = 4  # of all visitors; each is a thread that decodes
REMEMBERED_S = 86_400.0  # an ended one, for a tab that comes back


class FetchCorner:
    """`shown`: what an event that starts a fetch draws; its values come from `begin`.

    `build` puts it into the page, below the sources that know it already.
    """

    def __init__(self, page: Page) -> None:
        self.page = page
        self.fetchers: dict[str, Fetcher] = {}
        self.id = browser_state("fetch")
        self.timer = gr.Timer(POLL_S, active=False)
        self.ended = gr.State(0)  # counts what has ended well: then everything is drawn anew
        self.told = gr.HTML(elem_id="fetch-told", render=False)
        self.cancel = gr.Button(
            label("page_fetch_cancel"), visible=False, elem_id="fetch-cancel", render=False
        )
        self.inputs = [self.id]
        self.shown = [self.id, self.timer, self.told, self.cancel]
        self.outputs = self.shown

    def build(self) -> None:
        self.told.render()
        self.cancel.render()

    def begin(
        self,
        lang: str,
        known: str,
        source: MozillaSource | HubSource,
        name: str,
        language: str,
        into: Run | None,
        person: str,
    ) -> Updates:
        """Start it, unless this browser has one at work. Raises RunError."""
        if known in self.fetchers and self.fetchers[known].is_at_work:
            raise RunError("download_running")
        self._forget_old()
        if sum(fetcher.is_at_work for fetcher in self.fetchers.values()) >= MAX_AT_WORK:
            raise RunError("fetch_busy")
        quota.require(default_root(), person.split(), is_new=into is None)
        run = into or new_run(person)
        id = secrets.token_hex(16)
        self.fetchers[id] = Fetcher(run, source, name, language)
        return self.show(lang, None, id)

    def show(self, lang: str, run: Run | None, id: str) -> Updates:
        """How the fetch stands that this browser remembers."""
        fetcher = self.fetchers.get(id)
        if fetcher is None:
            lost = views.paragraph(text("fetch_lost", lang), "note") if id else gr.skip()
            off = {self.timer: gr.Timer(active=False), self.cancel: gr.Button(visible=False)}
            return {self.id: "", self.told: lost, **off}
        return {
            self.id: id,
            self.timer: gr.Timer(active=True),
            self.told: progress(fetcher, lang),
            self.cancel: gr.Button(visible=fetcher.is_at_work, interactive=not fetcher.is_stopping),
        }

    def after(self, event: Dependency) -> None:
        """Behind what starts a fetch: bring into view how it stands."""
        event.then(None, js=SHOW_JS)

    def wire(self, then_redraw: Redraw) -> None:
        page = self.page
        self.cancel.click(self.stop, [page.lang, self.id], self.shown, **QUIET)
        made = [*self.shown, page.run_id, page.spoken, self.ended]
        self.timer.tick(self.tick, [page.lang, self.id, self.ended], made, **QUIET)
        then_redraw(self.ended.change(lambda: None, None, None, **QUIET))

    def stop(self, lang: str, id: str) -> Updates:
        if id in self.fetchers:
            self.fetchers[id].stop()
        return self.show(lang, None, id)

    def tick(self, lang: str, id: str, n_ended: int) -> Updates:
        """Once a second: how far it is; when it has ended, its run or why there is none."""
        fetcher = self.fetchers.get(id)
        if fetcher is None or fetcher.is_at_work:
            return self.show(lang, None, id)
        del self.fetchers[id]
        gone = self.show(lang, None, "")
        if fetcher.error:
            return {**gone, self.told: problem(fetcher.error.sentence(lang))}
        page = self.page
        made = {page.run_id: fetcher.run.id, self.ended: n_ended + 1}
        return {**gone, self.told: "", page.spoken: fetcher.language, **made}

    def _forget_old(self) -> None:
        limit_s = time.monotonic() - REMEMBERED_S
        for id, fetcher in list(self.fetchers.items()):
            if fetcher.ended_s is not None and fetcher.ended_s < limit_s:
                del self.fetchers[id]


def progress(fetcher: Fetcher, lang: str) -> str:
    """A bar where the size is known, and what has come."""
    if fetcher.is_stopping:
        said = text("fetch_stopping", lang)
    elif fetcher.total:
        sizes = {"have": fetcher.have / 1e9, "total": fetcher.total / 1e9}
        said = text("download_progress", lang, name=fetcher.name, **sizes)
    else:
        said = fetcher.name if fetcher.n_clips else text("fetch_begins", lang, name=fetcher.name)
    if fetcher.n_clips:
        said = f"{said} · {text('data_checking', lang, n=fetcher.n_clips)}"
    size = f' value="{fetcher.have}" max="{fetcher.total}"' if fetcher.total else ""
    return f"<progress{size}></progress>{views.paragraph(said, 'note')}"


def problem(sentence: str) -> str:
    """A refusal whose addresses can be followed."""
    return views.linked(views.paragraph(sentence, "problem"))
