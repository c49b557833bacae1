"""All trainings of one person, to go back to: shown above the steps when there is another one."""

import time

import gradio as gr

from whisper_tuner.locales import text
from whisper_tuner.runs import jobs, quota
from whisper_tuner.runs.folder import Run, default_root
from whisper_tuner.ui.language import label
from whisper_tuner.ui.session import QUIET, Page, Redraw, Updates, runs_of


class RunsMenu:
    def __init__(self, page: Page) -> None:
        self.page = page
        self.menu = gr.Dropdown(
            [], label=label("page_trainings"), visible=False, elem_id="trainings", filterable=False
        )
        self.inputs = [page.person]
        self.outputs = [self.menu]

    def show(self, lang: str, run: Run | None, person: str) -> Updates:
        """The newest first, then recordings that were never trained on, where a person may not keep
        more than so many. Hidden where it could only lead to what is shown already.
        """
        runs = runs_of(person)
        if quota.limit_bytes():
            runs += quota.unused(default_root(), person.split())
        shown = run.id if run in runs else None
        return {
            self.menu: gr.Dropdown(
                [(_name(each, lang), each.id) for each in runs],
                value=shown,
                visible=len(runs) > (shown is not None),
            )
        }

    def wire(self, then_redraw: Redraw) -> None:
        page = self.page
        chosen = self.menu.input(lambda run_id: run_id, self.menu, page.run_id, **QUIET)
        then_redraw(chosen).then(lambda: gr.Tabs(selected="train"), None, page.steps, **QUIET)


def _name(run: Run, lang: str) -> str:
    if not run.spec_path.exists():
        began = time.strptime(run.id[:15], "%Y%m%d-%H%M%S")
        return f"{text('page_unused', lang)} · {time.strftime('%Y-%m-%d %H:%M', began)}"
    spec = run.read_spec()
    began = time.strftime("%Y-%m-%d %H:%M", time.localtime(spec.created_s))
    language = text(f"language_{spec.config.language}", lang)
    base = spec.config.base.rpartition("/")[2]
    state = text(f"state_{jobs.status(run).state}", lang).rstrip(".。")
    return f"{language} · {state} · {began} · {base}"
