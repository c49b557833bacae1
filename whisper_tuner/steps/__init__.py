"""The few functions that the page, the command line and the tests share. No torch, no gradio.

    prepare → train → compare → try → push        restore, delete

Each takes a run folder, does one step of the job, and leaves its result in the folder.
"""

from whisper_tuner.restore import restore
from whisper_tuner.steps.alignment import (
    AlignedSource,
    align,
    align_long,
    aligning_base,
    dataset_of,
    is_used,
    resume_alignment,
    use_cuts,
)
from whisper_tuner.steps.checks import has_dataset
from whisper_tuner.steps.forgetting import finish_all_forgetting, finish_forgetting
from whisper_tuner.steps.listening import listen, listening_s
from whisper_tuner.steps.recordings import (
    EXAMPLE_DIR,
    EXAMPLE_LANGUAGE,
    EXAMPLE_PATHS,
    add,
    add_common_voice,
    export_dataset,
    fix,
    prepare,
    prepare_common_voice,
    prepare_from,
    push_dataset,
    tiers,
    undo_fixes,
)
from whisper_tuner.steps.results import Deleted, delete, download, push
from whisper_tuner.steps.sheets import (
    add_sheet,
    begin_sheet,
    check_sentences,
    delete_sheet,
    export_sheet,
    prepare_sheet,
    record,
    sentence_of,
    takes_of,
)
from whisper_tuner.steps.training import again, compare, further, plan, resume, train

__all__ = [
    "EXAMPLE_DIR",
    "EXAMPLE_LANGUAGE",
    "EXAMPLE_PATHS",
    "AlignedSource",
    "Deleted",
    "add",
    "add_common_voice",
    "add_sheet",
    "again",
    "align",
    "align_long",
    "aligning_base",
    "begin_sheet",
    "check_sentences",
    "compare",
    "dataset_of",
    "delete",
    "delete_sheet",
    "download",
    "export_dataset",
    "export_sheet",
    "finish_all_forgetting",
    "finish_forgetting",
    "fix",
    "further",
    "has_dataset",
    "is_used",
    "listen",
    "listening_s",
    "plan",
    "prepare",
    "prepare_common_voice",
    "prepare_from",
    "prepare_sheet",
    "push",
    "push_dataset",
    "record",
    "restore",
    "resume",
    "resume_alignment",
    "sentence_of",
    "takes_of",
    "tiers",
    "train",
    "undo_fixes",
    "use_cuts",
]
