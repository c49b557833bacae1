"""Step 1, a dataset of the Hugging Face Hub: looked at, its columns confirmed, then read."""

import gradio as gr

from whisper_tuner.data import common_voice, hub_dataset
from whisper_tuner.data.hub_dataset import Mapping
from whisper_tuner.data.hub_listing import Listing, look
from whisper_tuner.errors import InputError, TunerError
from whisper_tuner.locales import text
from whisper_tuner.sources import HubSource
from whisper_tuner.ui import fragments, views
from whisper_tuner.ui.add_to import run_to_add_to
from whisper_tuner.ui.fetch_corner import ASKING, FetchCorner, problem
from whisper_tuner.ui.language import label, static_html
from whisper_tuner.ui.session import Page, Updates
from whisper_tuner.ui.sign_in import build_sign_in, optional_token

NONE = ""  # no speakers are told; no split for the test


class HubTab:
    def __init__(self, page: Page, fetch: FetchCorner, n_train: int, n_test: int) -> None:
        self.page, self.fetch = page, fetch
        gr.HTML(static_html(fragments.hub_help))
        with gr.Row(equal_height=True):
            self.repo = gr.Textbox(
                "",
                label=label("page_hub_repo"),
                placeholder="google/fleurs",
                max_length=200,
                scale=4,
                min_width=260,
                elem_id="hub-repo",
            )
            self.look = gr.Button(label("page_hub_look"), scale=0, min_width=120)
        self.token = build_sign_in("page_hub_token_info", "page_hub_token")
        self.notice = gr.HTML(elem_id="hub-notice")
        with gr.Column(visible=False) as self.parts:
            self.config = _choice("page_hub_config")
        with gr.Column(visible=False) as self.room:
            with gr.Row():
                self.columns = {
                    "audio": _choice("page_hub_audio"),
                    "text": _choice("page_hub_text"),
                    "speaker": _choice("page_hub_speaker"),
                }
            with gr.Row():
                self.train, self.test = _choice("page_hub_train"), _choice("page_hub_test")
                self.n_train = gr.Number(n_train, label=label("page_cv_train"), precision=0)
                self.n_test = gr.Number(n_test, label=label("page_cv_test"), precision=0)
            self.rows = gr.Dataframe(
                datatype="str",
                interactive=False,
                wrap=True,
                label=label("page_hub_rows"),
                elem_id="hub-rows",
            )
            self.start = gr.Button(label("page_hub_start"), variant="primary")
        self.looked = [self.notice, self.parts, self.config, self.room, *self.columns.values()]
        self.looked += [self.train, self.test, self.rows]

    def wire(self, where: gr.Radio) -> None:
        page, fetch = self.page, self.fetch
        asked = [page.lang, self.repo, self.token]
        gr.on([self.look.click, self.repo.submit], self.show_configs, asked, self.looked, **ASKING)
        self.config.input(self.show_columns, [*asked, self.config], self.looked, **ASKING)
        given = [page.lang, page.run_id, page.person, where, fetch.id]
        given += [self.repo, self.token, self.config]
        chosen = [*self.columns.values(), self.train, self.test, self.n_train, self.n_test]
        begun = [*fetch.shown, self.notice]
        fetch.after(self.start.click(self.begin, [*given, *chosen], begun, **ASKING))

    def show_configs(
        self, lang: str, repo: str, typed: str, oauth: gr.OAuthToken | None = None
    ) -> Updates:
        """The parts of a dataset; when there is only one, what it holds."""
        hidden = {self.parts: gr.Column(visible=False), self.room: gr.Column(visible=False)}
        try:
            listing = look(repo, optional_token(oauth, typed))
            configs = list(listing.configs)
            only = configs[0] if len(configs) == 1 else None
            choice = {
                self.parts: gr.Column(visible=only is None),
                self.config: gr.Dropdown(choices=configs, value=only),
            }
            if only is None:
                said = views.paragraph(text("hub_data_choose", lang, n=len(configs)), "note")
                return {**hidden, **choice, self.notice: said}
            return {**choice, **self._columns(lang, listing, only, optional_token(oauth, typed))}
        except TunerError as error:
            return {**hidden, self.notice: problem(error.sentence(lang))}

    def show_columns(
        self,
        lang: str,
        repo: str,
        typed: str,
        config: str | None,
        oauth: gr.OAuthToken | None = None,
    ) -> Updates:
        try:
            token = optional_token(oauth, typed)
            listing = look(repo, token)
            return self._columns(lang, listing, listing.config(config or ""), token)
        except TunerError as error:
            hidden = gr.Column(visible=False)
            return {self.room: hidden, self.notice: problem(error.sentence(lang))}

    def _columns(self, lang: str, listing: Listing, config: str, token: str) -> Updates:
        found = hub_dataset.columns(listing, config, token)
        splits = list(listing.configs[config])
        train, test = listing.default_splits(config)
        guess = found.guess
        kinds = {"audio": found.audio, "text": found.text, "speaker": found.speaker}
        none = {"speaker": [(text("hub_data_no_speaker", lang), NONE)]}
        said = text("hub_data_mirror", lang) if listing.is_common_voice else ""
        return {
            self.notice: views.paragraph(said, "note") if said else "",
            self.room: gr.Column(visible=True),
            **{
                self.columns[kind]: gr.Dropdown(
                    choices=[*none.get(kind, []), *((name, name) for name in names)],
                    value=getattr(guess, kind),
                )
                for kind, names in kinds.items()
            },
            self.train: gr.Dropdown(choices=splits, value=train),
            self.test: gr.Dropdown(
                choices=[(text("hub_data_no_test", lang), NONE), *((s, s) for s in splits)],
                value=test,
            ),
            self.rows: gr.Dataframe(
                value=[list(row.values()) for row in found.rows], headers=found.text
            ),
        }

    def begin(
        self,
        lang: str,
        run_id: str,
        person: str,
        where: str,
        known: str,
        repo: str,
        typed: str,
        config: str | None,
        audio: str,
        words: str,
        speaker: str | None,
        train: str,
        test: str | None,
        n_train: float,
        n_test: float,
        oauth: gr.OAuthToken | None = None,
    ) -> Updates:
        try:
            if not config or min(n_train or 0, n_test or 0) < 1:
                raise InputError("hub_data_nothing_chosen")
            source = HubSource(
                repo,
                config,
                int(n_train),
                int(n_test),
                Mapping(audio, words, speaker or NONE),
                train,
                test or NONE,
                optional_token(oauth, typed),
            )
            language = common_voice.whisper_language(config) or ""
            into = run_to_add_to(run_id, where)
            name = f"{repo.strip()} · {config}"
            begun = self.fetch.begin(lang, known, source, name, language, into, person)
            return {**begun, self.notice: ""}
        except TunerError as error:
            return {self.fetch.told: problem(error.sentence(lang))}


def _choice(key: str) -> gr.Dropdown:
    return gr.Dropdown([], value=None, label=label(key), filterable=True, min_width=160)
