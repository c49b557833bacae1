"""The dials of a training: from the page's form to a configuration and back."""

from dataclasses import dataclass, replace

import gradio as gr

from whisper_tuner.config import PRECISIONS, WINDOWS, LoraSettings, TrainConfig
from whisper_tuner.errors import InputError
from whisper_tuner.model.catalogue import BASE_MODELS
from whisper_tuner.ui import views
from whisper_tuner.ui.language import label
from whisper_tuner.ui.session import Page

MAX_EPOCHS = 30  # on the page; the command line allows more


@dataclass(frozen=True)
class Form:
    """The dials, in the order in which handlers get them."""

    language: gr.Dropdown
    base: gr.Dropdown
    precision: gr.Radio
    epochs: gr.Slider
    learning_rate: gr.Number
    rank: gr.Number
    alpha: gr.Number
    batch_size: gr.Number
    window: gr.Radio
    n_devices: gr.Number

    @property
    def dials(self) -> list:
        return list(vars(self).values())

    @property
    def of_adapter(self) -> list:
        """What cannot change any more when a training goes on from an adapter."""
        return [self.base, self.rank, self.alpha]


def build_form(page: Page) -> Form:
    with gr.Row():
        language = gr.Dropdown(
            views.language_choices("en"),
            value=None,
            label=label("page_language"),
            info=label("page_language_info"),
        )
        base = gr.Dropdown(
            views.base_choices(list(BASE_MODELS)),
            value=page.device.default_base,
            label=label("page_base"),
            info=label("page_base_info"),
        )
    with gr.Row():
        epochs = gr.Slider(
            1,
            MAX_EPOCHS,
            TrainConfig.epochs,
            step=1,
            label=label("page_epochs"),
            info=label("page_epochs_info"),
        )
        precision = gr.Radio(
            [(label(f"page_precision_{name}"), name) for name in PRECISIONS],
            value=page.device.default_precision,
            label=label("page_precision"),
            info=label("page_precision_info"),
        )
        n_devices = gr.Number(
            page.device.n_devices,
            precision=0,
            visible=page.device.n_devices > 1,
            label=label("page_devices"),
            info=label("page_devices_info"),
        )
    with gr.Accordion(label("page_advanced"), open=False):
        with gr.Row():
            learning_rate = gr.Number(TrainConfig.learning_rate, label=label("page_learning_rate"))
            rank = gr.Number(LoraSettings.rank, precision=0, label=label("page_rank"))
            alpha = gr.Number(LoraSettings.alpha, precision=0, label=label("page_alpha"))
            batch_size = gr.Number(
                TrainConfig.batch_size, precision=0, label=label("page_batch_size")
            )
        window = gr.Radio(
            [(label(f"page_window_{name}"), name) for name in WINDOWS],
            value=TrainConfig.window,
            label=label("page_window"),
        )
    return Form(
        language,
        base,
        precision,
        epochs,
        learning_rate,
        rank,
        alpha,
        batch_size,
        window,
        n_devices,
    )


def to_config(values: tuple) -> TrainConfig:
    """The form's values as a configuration. Raises InputError for a value that cannot be."""
    language, base, precision, epochs, rate, rank, alpha, batch_size, window, n_devices = values
    if not language:
        raise InputError("train_choose_language")
    if not base:
        raise InputError("train_choose_base")
    return TrainConfig(
        base=base,
        language=language,
        precision=precision,
        lora=LoraSettings(rank=int(rank or 0), alpha=int(alpha or 0)),
        epochs=int(epochs),
        batch_size=int(batch_size or 0),
        n_devices=int(n_devices or 0),
        learning_rate=rate or 0.0,
        window=window,
    )


def to_values(config: TrainConfig) -> tuple:
    """The form's values for a configuration: the other way round."""
    lora = config.lora
    return (
        config.language,
        config.base,
        config.precision,
        config.epochs,
        config.learning_rate,
        lora.rank,
        lora.alpha,
        config.batch_size,
        config.window,
        config.n_devices,
    )


def on_page(config: TrainConfig, n_devices: int) -> TrainConfig:
    """The same within what the dials allow; the command line, and another machine, allow more."""
    return replace(
        config,
        epochs=min(config.epochs, MAX_EPOCHS),
        n_devices=min(config.n_devices, n_devices),
    )
