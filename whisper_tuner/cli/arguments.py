"""The command line's arguments."""

import argparse
from collections.abc import Callable
from pathlib import Path

from whisper_tuner import __version__
from whisper_tuner.cli import commands, keeping
from whisper_tuner.cli.aligning import align
from whisper_tuner.cli.doctor import check, export_data
from whisper_tuner.cli.further import further
from whisper_tuner.cli.reading import reading_arguments
from whisper_tuner.cli.sources import KEY_VARIABLE, catalogue, look, prompts
from whisper_tuner.config import METRICS, PRECISIONS, WINDOWS, LoraSettings, TrainConfig
from whisper_tuner.data.encodings import ENCODINGS
from whisper_tuner.data.fixes import FIXES
from whisper_tuner.model.catalogue import BASE_MODELS

Command = Callable[[argparse.Namespace], int]
NewCommand = Callable[[str, Command, str], argparse.ArgumentParser]


def parser() -> argparse.ArgumentParser:
    root = argparse.ArgumentParser(
        prog="python -m whisper_tuner",
        description="Teach OpenAI's Whisper your voices and words.",
        epilog="Runs are kept in the folder named by WHISPER_TUNER_RUNS, else in your data folder.",
    )
    root.add_argument("--version", action="version", version=__version__)
    subparsers = root.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, function: Command, summary: str) -> argparse.ArgumentParser:
        sub = subparsers.add_parser(name, help=summary, description=summary)
        sub.set_defaults(function=function)
        if name != "demo":
            sub.add_argument("--json", action="store_true", help="print JSON for programs")
        return sub

    command("demo", commands.demo, "do the whole job on the bundled recordings")
    _recording_commands(command)
    _doctor_commands(command)
    _training_commands(command)
    _keeping_commands(command)
    return root


def _recording_commands(command: NewCommand) -> None:
    sub = command("prepare", commands.prepare, "read, check and split recordings into a new run")
    _source_arguments(sub)

    _listing_commands(command)

    _align_arguments(
        command("align", align, "cut long recordings by their full texts into clips to review")
    )


def _doctor_commands(command: NewCommand) -> None:
    sub = command("check", check, "say what is worth a look in a run's recordings, and fix it")
    sub.add_argument("run", help="a run's id or folder")
    changing = sub.add_mutually_exclusive_group()
    changing.add_argument(
        "--fix", choices=FIXES, metavar="CODE", help="put all clips with this finding right"
    )
    changing.add_argument("--undo", action="store_true", help="take all fixes back")
    changing.add_argument(
        "--listen",
        action="store_true",
        help="let a base model hear every clip first, and say which transcripts it did not hear",
    )
    sub.add_argument("--language", help="with --listen: language code, such as it, sw or yue")
    sub.add_argument(
        "--base", choices=BASE_MODELS, metavar="ID", help=f"with --listen: {', '.join(BASE_MODELS)}"
    )
    sub.add_argument("--precision", choices=PRECISIONS, help="with --listen: as of `train`")

    sub = command(
        "export-data",
        export_data,
        "write a run's checked recordings into a ZIP, or a private dataset of your account",
    )
    sub.add_argument("run", help="a run's id or folder")
    target = sub.add_mutually_exclusive_group(required=True)
    target.add_argument("file", type=Path, nargs="?", help="the ZIP to write")
    target.add_argument(
        "--push",
        metavar="NAME",
        help="instead, a private dataset of this name in your Hugging Face account, signed in by"
        " `hf auth login` or HF_TOKEN; recordings of Common Voice are never pushed",
    )


def _training_commands(command: NewCommand) -> None:
    _train_arguments(command("train", commands.train, "train a prepared run and measure it"))

    sub = command(
        "further",
        further,
        "make a new run that goes on from a trained one, with more recordings if any are given",
    )
    sub.add_argument("run", help="the trained run's id or folder")
    _source_arguments(sub)

    summaries = (
        ("stop", commands.stop, "end a training and keep what was learned"),
        ("resume", commands.resume, "go on with a training that stopped or broke off"),
        (
            "compare",
            commands.compare,
            "base and tuned texts of the held-out clips, with WER and CER",
        ),
        (
            "try",
            commands.try_out,
            "transcribe one recording with the base and with the tuned model",
        ),
        ("push", commands.push, "put the adapter into your own Hugging Face account"),
    )
    for name, function, summary in summaries:
        sub = command(name, function, summary)
        sub.add_argument("run", help="a run's id or folder")
        if name == "try":
            sub.add_argument("audio", type=Path, help="a recording of at most 30 seconds")
        if name == "push":
            sub.add_argument("--name", required=True, help="the repository's name")
            sub.add_argument("--public", action="store_true", help="public instead of private")


def _keeping_commands(command: NewCommand) -> None:
    sub = command("status", keeping.status, "say how a run, or every run, stands")
    sub.add_argument("run", nargs="?", help="a run's id or folder")

    sub = command(
        "copy", keeping.copy, "bring a run's private copy in your account up to date, to its end"
    )
    sub.add_argument("run", help="a run's id or folder")

    sub = command("delete", keeping.delete, "delete a run: recordings, adapter, everything")
    sub.add_argument("run", help="a run's id or folder")
    sub.add_argument("--yes", action="store_true", help="do not ask")

    sub = command("restore", commands.restore, "get a run back from its private copy")
    sub.add_argument("repo", help="the copy's name in your account: whisper-tuner-copy-…")
    sub.add_argument(
        "--archive", type=Path, help="Common Voice: the tar.gz the recordings came from"
    )


def _listing_commands(command: NewCommand) -> None:
    sub = command("catalogue", catalogue, "list the Common Voice datasets of Mozilla")
    sub.add_argument("words", nargs="*", help="only those with these words, such as Welsh")

    sub = command("look", look, "say what a dataset of the Hugging Face Hub holds")
    sub.add_argument("dataset", help="owner/name, such as google/fleurs")
    sub.add_argument("--config", default="", help="show the columns of this part")

    sub = command("prompts", prompts, "print sentences to read aloud for a recording")
    sub.add_argument(
        "--language", metavar="CODE", help="such as it; without it, list the languages"
    )


def _align_arguments(sub: argparse.ArgumentParser) -> None:
    sub.add_argument(
        "files",
        type=Path,
        nargs="*",
        help="a recording (audio or video, up to 12 hours) and what is said in it (.txt or .docx);"
        " or a folder, or more files, where each recording has a text of the same name",
    )
    sub.add_argument(
        "--long",
        metavar="RUN",
        help="instead of files, the recordings of a prepared run that last over 30 seconds;"
        " prepare --aligned then puts their clips in their place",
    )
    sub.add_argument("--language", help="language code, such as it, sw or yue")
    sub.add_argument(
        "--base",
        choices=BASE_MODELS,
        metavar="ID",
        help="the model that listens; default: openai/whisper-base without a GPU",
    )
    sub.add_argument(
        "--encoding", choices=ENCODINGS, metavar="NAME", help="of a .txt that is not Unicode"
    )
    sub.add_argument(
        "--table",
        type=Path,
        metavar="CSV",
        help="the clips to review: edit keep (yes, no) and text, then prepare --aligned",
    )
    sub.add_argument("--resume", metavar="RUN", help="go on with one that stopped or broke off")


def _source_arguments(sub: argparse.ArgumentParser) -> None:
    sub.add_argument(
        "source",
        type=Path,
        nargs="*",
        help="a ZIP, a folder, or audio files, with a table (CSV, TSV, JSONL, Excel, Parquet), .txt"
        " files, or Kaldi's text and wav.scp; long recordings with timed transcripts (SRT, VTT,"
        " TextGrid, .eaf, Audacity labels, Whisper JSON or TSV); or a Common Voice tar.gz",
    )
    n_clips = "of Common Voice or a Hugging Face dataset: clips to"
    sub.add_argument("--clips", type=int, default=200, help=f"{n_clips} train on (200)")
    sub.add_argument("--test-clips", type=int, default=50, help=f"{n_clips} hold out (50)")
    sub.add_argument("--seed", type=int, default=42, help="seed of the split")
    sub.add_argument(
        "--common-voice",
        metavar="LANGUAGE",
        help="instead of files, download Common Voice from Mozilla Data Collective: a language code"
        f" or an id that `catalogue` names. The key is read from {KEY_VARIABLE}, else asked for",
    )
    sub.add_argument(
        "--hub-dataset",
        metavar="ID",
        help="instead of files, read a dataset of the Hugging Face Hub: owner/name; `look` shows"
        " what is in it. A private one with the token of `hf auth login` or HF_TOKEN",
    )
    sub.add_argument(
        "--aligned",
        metavar="RUN",
        help="instead of files, the clips that `align` cut; those of `align --long` are put into"
        " the run that they are of",
    )
    sub.add_argument(
        "--table", type=Path, metavar="CSV", help="of --aligned: the clips as you reviewed them"
    )
    group = sub.add_argument_group(
        "what to read of a --hub-dataset; the likeliest unless said, as are its columns"
    )
    group.add_argument("--config", default="", help="its part, such as sw_ke of google/fleurs")
    group.add_argument("--train-split", metavar="SPLIT")
    group.add_argument("--test-split", metavar="SPLIT", help='"" divides the other one')
    group.add_argument("--speaker-column", metavar="COLUMN")
    reading_arguments(sub)


def _train_arguments(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("run", help="a run's id or folder")
    sub.add_argument("--language", required=True, help="language code, such as it, sw or yue")
    sub.add_argument("--base", choices=BASE_MODELS, metavar="ID", help=", ".join(BASE_MODELS))
    sub.add_argument("--precision", choices=PRECISIONS, help="default: 8bit on CUDA, else 32bit")
    sub.add_argument("--epochs", type=int, default=TrainConfig.epochs)
    sub.add_argument("--batch-size", type=int, default=TrainConfig.batch_size)
    sub.add_argument("--gradient-accumulation", type=int, default=TrainConfig.gradient_accumulation)
    sub.add_argument("--learning-rate", type=float, default=TrainConfig.learning_rate)
    sub.add_argument(
        "--rank",
        type=int,
        help=f"LoRA rank; default: {LoraSettings.rank}. Base, rank and alpha of a run made by"
        " `further` are those of the adapter that it goes on from",
    )
    sub.add_argument("--alpha", type=int, help="LoRA alpha; default: twice the rank")
    sub.add_argument("--window", choices=WINDOWS, default=TrainConfig.window)
    sub.add_argument("--devices", type=int, metavar="N", help="GPUs to use; default: all")
    sub.add_argument(
        "--no-early-stop",
        action="store_true",
        help="train all epochs, even when the error no longer falls",
    )
    sub.add_argument(
        "--same-speed",
        action="store_true",
        help="always hear recordings as they are, not up to a tenth slower or faster",
    )
    sub.add_argument(
        "--metrics",
        choices=METRICS,
        default=TrainConfig.metrics,
        help="write losses and error rates for this package too, into the run folder",
    )
    sub.add_argument(
        "--keep-recordings",
        action="store_true",
        help="keep recordings of Common Voice; else they are deleted when the training has ended",
    )
    sub.add_argument("--max-steps", type=int, default=0, help="end early after so many steps")
    sub.add_argument("--seed", type=int, default=TrainConfig.seed)
    sub.add_argument(
        "--plan", action="store_true", help="only say whether it fits and how long it takes"
    )
    watching = sub.add_mutually_exclusive_group()
    watching.add_argument(
        "--detach", action="store_true", help="return at once; see status and stop"
    )
    watching.add_argument(
        "--copy",
        action="store_true",
        help="keep a private copy (recordings, last checkpoint) in your Hugging Face account",
    )
