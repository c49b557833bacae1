"""Step 1, Common Voice: a language of the live catalogue, downloaded with the user's own key."""

import time
from functools import lru_cache

import gradio as gr

from whisper_tuner.data import common_voice, mozilla
from whisper_tuner.errors import InputError, TunerError
from whisper_tuner.locales import text
from whisper_tuner.narrate import release_label
from whisper_tuner.sources import MozillaSource
from whisper_tuner.ui import fragments, views
from whisper_tuner.ui.add_to import run_to_add_to
from whisper_tuner.ui.fetch_corner import ASKING, FetchCorner, problem
from whisper_tuner.ui.language import label, static_html
from whisper_tuner.ui.session import Page, Updates

KNOWN_FOR_S = 600.0


class MozillaTab:
    """The key is in its field, for as long as the tab is open, and in the thread that uses it."""

    def __init__(self, page: Page, fetch: FetchCorner) -> None:
        self.page, self.fetch = page, fetch
        gr.HTML(static_html(fragments.mozilla_help))
        with gr.Row(equal_height=True):
            self.release = gr.Dropdown(
                [],
                value=None,
                label=label("page_mozilla_release"),
                filterable=True,
                scale=4,
                min_width=260,
                elem_id="mozilla-release",
            )
            self.refresh = gr.Button(label("page_mozilla_refresh"), scale=0, min_width=120)
        self.terms = gr.HTML(elem_id="mozilla-terms")
        self.key = gr.Textbox(
            "",
            label=label("page_mozilla_key"),
            info=label("page_mozilla_key_info"),
            type="password",
            max_length=4096,
            elem_id="mozilla-key",
        )
        self.start = gr.Button(label("page_mozilla_start"), variant="primary")

    def wire(self, tab: gr.Tab, where: gr.Radio, n_train: gr.Number, n_test: gr.Number) -> None:
        page, fetch = self.page, self.fetch
        listed = [self.release, self.terms]
        tab.select(self.list, [page.lang], listed, **ASKING)
        self.refresh.click(self.list_anew, [page.lang], listed, **ASKING)
        self.release.input(show_terms, [page.lang, self.release], self.terms, **ASKING)
        given = [page.lang, page.run_id, where, page.person, fetch.id]
        chosen = [self.release, self.key, n_train, n_test]
        fetch.after(self.start.click(self.begin, [*given, *chosen], fetch.shown, **ASKING))

    def list(self, lang: str) -> Updates:
        """The languages; when there is no catalogue, why, and that the upload remains."""
        try:
            releases = _catalogue(int(time.monotonic() // KNOWN_FOR_S))
        except TunerError as error:
            return {self.terms: problem(error.sentence(lang))}
        choices = [(release_label(release, lang), release.id) for release in releases]
        said = views.paragraph(text("mozilla_listed", lang, n=len(releases)), "note")
        return {self.release: gr.Dropdown(choices=choices), self.terms: said}

    def list_anew(self, lang: str) -> Updates:
        _catalogue.cache_clear()
        return self.list(lang)

    def begin(
        self,
        lang: str,
        run_id: str,
        where: str,
        person: str,
        known: str,
        release_id: str | None,
        key: str,
        n_train: float,
        n_test: float,
    ) -> Updates:
        try:
            if not release_id or not key.strip():
                raise InputError("mozilla_nothing_chosen", page=mozilla.KEY_PAGE)
            release = _release(release_id)
            source = MozillaSource(release, key, int(n_train), int(n_test), owner=person)
            into = run_to_add_to(run_id, where)
            language = common_voice.whisper_language(release.locale) or ""
            name = release_label(release, lang)
            return self.fetch.begin(lang, known, source, name, language, into, person)
        except TunerError as error:
            return {self.fetch.told: problem(error.sentence(lang))}


def show_terms(lang: str, release_id: str | None) -> str:
    """Where the terms of a release are accepted, and whether Whisper knows its language."""
    if not release_id:
        return ""
    try:
        release = _release(release_id)
    except TunerError as error:
        return problem(error.sentence(lang))
    said = views.linked(views.paragraph(text("mozilla_terms_at", lang, url=release.url)))
    if common_voice.whisper_language(release.locale) is None:
        unknown = text("data_language_unsupported", lang, locale=release.locale)
        said += views.paragraph(unknown, "note")
    return said


@lru_cache(maxsize=1)
def _catalogue(moment: int) -> list[mozilla.Release]:
    return mozilla.catalogue()


def _release(id: str) -> mozilla.Release:
    releases = _catalogue(int(time.monotonic() // KNOWN_FOR_S))
    found = next((release for release in releases if release.id == id), None)
    if found is None:
        raise InputError("mozilla_gone", url=mozilla.terms_url(id))
    return found
