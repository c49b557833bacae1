"""The page of a run that goes on from another: what the form shows and locks, where uploads go."""

from collections.abc import Iterator
from pathlib import Path

import gradio as gr
import pytest

from whisper_tuner import steps
from whisper_tuner.config import LoraSettings, TrainConfig
from whisper_tuner.data.clips import read_clips
from whisper_tuner.runs.device import Device
from whisper_tuner.runs.events import EventWriter, StateChanged
from whisper_tuner.runs.folder import Run, Spec
from whisper_tuner.runs.tryout import TryOut
from whisper_tuner.ui.data_step import ADD, ANEW, DataStep
from whisper_tuner.ui.session import Page, browser_state
from whisper_tuner.ui.train_step import TrainStep

CONFIG = TrainConfig(
    "openai/whisper-small",
    "it",
    "8bit",
    lora=LoraSettings(rank=8, alpha=12, target_modules=("q_proj",)),
    epochs=90,
    learning_rate=2e-4,
    n_devices=4,
)


@pytest.fixture
def page(loops) -> Iterator[Page]:
    with gr.Blocks():
        yield Page(
            device=Device("cpu", "2 CPU cores", 16.0),
            tryout=TryOut(),
            lang=gr.Radio(["en"], value="en"),
            run_id=browser_state("run"),
            person=browser_state("person"),
            spoken=browser_state("spoken"),
            sheet_id=browser_state("sheet"),
            steps=gr.Tabs(),
            timer=gr.Timer(1, active=False),
        )


@pytest.fixture
def ended(prepared, monkeypatch) -> Run:
    """A run that was trained with `CONFIG`, as far as the page can tell."""
    monkeypatch.setenv("WHISPER_TUNER_RUNS", str(prepared.dir.parent))
    prepared.write_spec(Spec(CONFIG, 1.0, {}))
    prepared.adapter_dir.mkdir()
    for name in ("adapter_model.safetensors", "adapter_config.json"):
        (prepared.adapter_dir / name).write_bytes(b"an adapter")
    writer = EventWriter(prepared.events_path)
    writer.append(StateChanged("done"))
    writer.close()
    return prepared


def shown(update: object) -> dict:
    return update if isinstance(update, dict) else update.get_config()


def test_only_a_run_with_an_adapter_can_be_trained_further(page, ended):
    step = TrainStep(page)
    assert shown(step.show("en", ended, "it", "")[step.further])["visible"]
    (ended.adapter_dir / "adapter_model.safetensors").unlink()
    assert not shown(step.show("en", ended, "it", "")[step.further])["visible"]


def test_the_form_has_the_earlier_settings_and_keeps_the_adapters(page, ended):
    step = TrainStep(page)
    notice, run_id, language = step.train_further("en", ended.id)
    assert (notice, language) == ("", "it") and run_id != ended.id
    updates = step.show("en", Run(ended.dir.parent / run_id), "it", "")
    form = step.form
    locked = [dial for dial in form.dials if not updates[dial]["interactive"]]
    assert locked == [form.base, form.rank, form.alpha]
    values = {name: updates[dial].get("value") for name, dial in vars(form).items()}
    assert (values["base"], values["rank"], values["alpha"]) == ("openai/whisper-small", 8, 12)
    assert (values["learning_rate"], values["precision"]) == (2e-4, "8bit")
    assert (values["epochs"], values["n_devices"]) == (30, 1)  # what the page has dials for
    assert "cannot be changed" in updates[step.goes_on]
    assert shown(updates[step.start])["visible"]

    again = step.show("en", Run(ended.dir.parent / run_id), "it", updates[step.filled])
    assert "value" not in again[form.learning_rate]  # it may have been changed meanwhile
    assert not again[form.rank]["interactive"]


def test_another_run_has_a_free_form(page, ended, tmp_path):
    step = TrainStep(page)
    run = steps.again(ended)
    updates = step.show("en", run, "it", "")
    assert all(updates[dial]["interactive"] for dial in step.form.dials)
    assert (updates[step.goes_on], updates[step.filled]) == ("", "")


def test_base_and_lora_are_the_adapters_whatever_the_form_says(page, ended):
    """It has no dial for target modules, and may still be being filled."""
    step = TrainStep(page)
    _, run_id, _ = step.train_further("en", ended.id)
    filled = ("it", "openai/whisper-small", "8bit", 3, 1e-4, 8, 12, 4, "speech", 1)
    fresh = ("it", "openai/whisper-base", "8bit", 3, 1e-4, 32, 64, 4, "speech", 1)
    planned = step.show_plan("en", run_id, None, *filled)
    assert "weights are trained" in planned
    assert step.show_plan("en", run_id, None, *fresh) == planned


def files_of(folder: Path) -> list[str]:
    return [str(path) for path in sorted(folder.rglob("*.*"))]


def test_an_upload_is_added_unless_something_else_is_chosen(page, ended, tmp_path):
    data, train = DataStep(page), TrainStep(page)
    _, run_id, _ = train.train_further("en", ended.id)
    run = Run(ended.dir.parent / run_id)
    assert shown(data.show("en", run, "all", "")[data.more])["visible"]
    more = tmp_path / "more"
    more.mkdir()
    clip = read_clips(ended.dataset_dir, "train")[0]
    (more / "more.flac").write_bytes((ended.dataset_dir / clip.audio).read_bytes())
    (more / "more.txt").write_text("Altre parole.")

    quiet = gr.Progress()
    added = data.prepare_files("en", run_id, "", ADD, files_of(more), None, quiet)
    assert added[:2] == ("", run_id)
    assert len(read_clips(run.dataset_dir)) == 11
    anew = data.prepare_files("en", run_id, "", ANEW, files_of(more), None, quiet)
    assert anew[1] not in (run_id, ended.id)
    assert len(read_clips(run.dataset_dir)) == 11

    refused = data.prepare_files("en", run_id, "", ADD, [], None, quiet)
    assert "Nothing was uploaded" in refused[0] and run.dir.exists()
    run.write_spec(Spec(CONFIG, 2.0, {}))
    assert not shown(data.show("en", run, "all", "")[data.more])["visible"]
    assert data.prepare_files("en", run_id, "", ADD, files_of(more), None, quiet)[1] != run_id
