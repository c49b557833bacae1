"""Step 2, before Start: what happens to recordings of Common Voice when the training has ended."""

import gradio as gr

from whisper_tuner.data.clips import COMMON_VOICE, read_clips
from whisper_tuner.locales import text
from whisper_tuner.runs.folder import Run
from whisper_tuner.ui import views
from whisper_tuner.ui.language import label
from whisper_tuner.ui.session import Updates, has_dataset


class KeepCorner:
    """Shown only where there are any."""

    def __init__(self) -> None:
        self.told = gr.HTML(elem_id="keep-told")
        self.keep = gr.Checkbox(False, label=label("page_keep"), visible=False, elem_id="keep")
        self.outputs = [self.told, self.keep]

    def show(self, lang: str, run: Run, is_started: bool) -> Updates:
        clips = read_clips(run.dataset_dir) if has_dataset(run) and not is_started else []
        n = sum(clip.source == COMMON_VOICE for clip in clips)
        told = views.paragraph(text("keep_told", lang, n=n), "note") if n else ""
        return {self.told: told, self.keep: gr.Checkbox(visible=n > 0)}
