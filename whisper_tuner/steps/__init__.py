"""The few functions that the page, the command line and the tests share. No torch, no gradio.

    prepare → train → compare → try → push        restore, delete

Each takes a run folder, does one step of the job, and leaves its result in the folder.
"""

from whisper_tuner.restore import restore
from whisper_tuner.steps.alignment import (
    AlignedSource,
    align,
    aligning_base,
    resume_alignment,
)
from whisper_tuner.steps.checks import has_dataset
from whisper_tuner.steps.recordings import (
    EXAMPLE_DIR,
    EXAMPLE_LANGUAGE,
    add,
    add_common_voice,
    export_dataset,
    fix,
    prepare,
    prepare_common_voice,
    prepare_from,
    tiers,
    undo_fixes,
)
from whisper_tuner.steps.results import Deleted, delete, download, push
from whisper_tuner.steps.training import again, compare, further, plan, resume, train

__all__ = [
    "EXAMPLE_DIR",
    "EXAMPLE_LANGUAGE",
    "AlignedSource",
    "Deleted",
    "add",
    "add_common_voice",
    "again",
    "align",
    "aligning_base",
    "compare",
    "delete",
    "download",
    "export_dataset",
    "fix",
    "further",
    "has_dataset",
    "plan",
    "prepare",
    "prepare_common_voice",
    "prepare_from",
    "push",
    "restore",
    "resume",
    "resume_alignment",
    "tiers",
    "train",
    "undo_fixes",
]
