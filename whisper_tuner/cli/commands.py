"""The command line's commands. They import no torch: workers do the heavy work."""

import argparse
import getpass
import os
import shutil
import sys
import time
from dataclasses import asdict, replace

from whisper_tuner import steps
from whisper_tuner.cli.aligning import use_cuts
from whisper_tuner.cli.sources import check_sources, reader
from whisper_tuner.cli.telling import follow, open_run, report_run, say, say_findings, say_json
from whisper_tuner.config import LoraSettings, TrainConfig
from whisper_tuner.data.clips import Report
from whisper_tuner.errors import InputError, RunError, TunerError
from whisper_tuner.locales import text
from whisper_tuner.model.planner import Plan
from whisper_tuner.narrate import (
    copy_sentence,
    duration,
    plan_advice,
    plan_sentence,
    size_sentence,
    space_sentences,
)
from whisper_tuner.publish.copier import Copier
from whisper_tuner.publish.hub import local_token
from whisper_tuner.publish.space import find_space
from whisper_tuner.runs import jobs
from whisper_tuner.runs.device import Device, find_device
from whisper_tuner.runs.events import read_events
from whisper_tuner.runs.folder import Run, default_root
from whisper_tuner.runs.start import Origin, read_origin
from whisper_tuner.runs.tryout import TryOut

DEMO_BASE = "openai/whisper-base"
DEMO_EPOCHS = 5
N_FINDINGS = 3  # of a kind that preparing tells; `check` tells more


# --- prepare


def prepare(options: argparse.Namespace) -> int:
    check_sources(options)
    run, report = use_cuts(options) or _prepare_new(options)
    if options.json:
        say_json({"run": run.id, "dataset": str(run.dataset_dir), **asdict(report)})
    else:
        say_report(report)
        say(text("cli_prepared", run=run.id))
    return 0 if report.n_train and report.n_test else 2


def _prepare_new(options: argparse.Namespace) -> tuple[Run, Report]:
    read = reader(options)
    run = Run.create(default_root())
    try:
        return run, read(run)
    except TunerError:
        shutil.rmtree(run.dir)
        raise


def say_report(report: Report) -> None:
    say_findings(report, N_FINDINGS)
    minutes = (report.train_s + report.test_s) / 60
    say(
        text(
            "cli_report",
            n=report.n_clips,
            found=report.n_found,
            minutes=minutes,
            train=report.n_train,
            test=report.n_test,
        )
    )


# --- train


def config_from(
    options: argparse.Namespace, device: Device, origin: Origin | None = None
) -> TrainConfig:
    """`origin`: what the run goes on from; base and LoRA are those of its adapter unless said."""
    base = origin.config.base if origin else device.default_base
    return TrainConfig(
        base=options.base or base,
        language=options.language,
        precision=options.precision or device.default_precision,
        lora=lora_from(options, origin),
        epochs=options.epochs,
        batch_size=options.batch_size,
        gradient_accumulation=options.gradient_accumulation,
        n_devices=device.n_devices if options.devices is None else options.devices,
        stop_early=not options.no_early_stop,
        vary_speed=not options.same_speed,
        learning_rate=options.learning_rate,
        window=options.window,
        max_steps=options.max_steps,
        seed=options.seed,
        metrics=options.metrics,
        keep_common_voice=options.keep_recordings,
    )


def lora_from(options: argparse.Namespace, origin: Origin | None) -> LoraSettings:
    if origin:
        given = {"rank": options.rank, "alpha": options.alpha}
        said = {name: value for name, value in given.items() if value is not None}
        return replace(origin.config.lora, **said)
    rank = LoraSettings.rank if options.rank is None else options.rank
    return LoraSettings(rank=rank, alpha=options.alpha or 2 * rank)


def train(options: argparse.Namespace) -> int:
    run, device = open_run(options.run), find_device()
    config = config_from(options, device, read_origin(run))
    planned, expected = steps.plan(run, config, device)
    if options.plan and options.json:
        say_json({"device": device.name, "config": planned.to_dict(), **asdict(expected)})
        return 0
    token = require_token() if options.copy and not options.plan else ""
    if not options.plan:
        steps.train(run, config)  # returns at once, or refuses
    if not options.json:
        say_plan(config, expected, device)
        for sentence in space_sentences(find_space(), expected):
            say(sentence)
    if options.plan:
        return 0
    if options.detach:
        report_run(run, options.json)
        return 0
    copier = Copier(run, token) if token else None
    code = follow_training(run, options.json)
    if copier:
        copier.wait()
        print(copy_sentence(copier), file=sys.stderr, flush=True)  # not among the JSON
    return code


def follow_training(run: Run, as_json: bool, seen: int = 0) -> int:
    code = follow(run, as_json, seen)
    steps.finish_forgetting(run)  # its worker may have been killed at the very end
    if not as_json and jobs.can_resume(jobs.status(run)):
        say(text("cli_stopped", run=run.id))
    return code


def say_plan(config: TrainConfig, expected: Plan, device: Device) -> None:
    say(plan_sentence(expected, device))
    advice = plan_advice(expected)
    if advice:
        say(advice)
    say(size_sentence(config.base, config.lora))


# --- demo


def demo(options: argparse.Namespace) -> int:
    """The whole job on the bundled recordings, ending in what it came to, and what to do next."""
    began_s = time.monotonic()
    run = Run.create(default_root())
    say(text("cli_demo_begins"))
    report = steps.prepare(run, steps.EXAMPLE_PATHS)
    say_report(report)
    device = find_device()
    config = TrainConfig(
        base=DEMO_BASE,
        language=steps.EXAMPLE_LANGUAGE,
        precision=device.default_precision,
        epochs=DEMO_EPOCHS,
    )
    say_plan(config, steps.plan(run, config, device)[1], device)
    steps.train(run, config)
    code = follow_training(run, as_json=False)
    if code or jobs.status(run).state != "done":
        return code or 1
    result = run.read_comparison()
    weights = run.adapter_dir / "adapter_model.safetensors"
    say(
        text(
            "cli_demo_result",
            run=run.id,
            base_wer=result["base"]["wer"],
            tuned_wer=result["tuned"]["wer"],
            n=result["n_clips"],
            time=duration(time.monotonic() - began_s),
            adapter=str(run.adapter_dir),
            megabytes=weights.stat().st_size / 1e6,
        )
    )
    return 0


# --- stop, resume, restore


def stop(options: argparse.Namespace) -> int:
    run = open_run(options.run)
    jobs.stop(run)
    return follow_training(run, options.json)


def resume(options: argparse.Namespace) -> int:
    run = open_run(options.run)
    seen = max((record.seq for record in read_events(run.events_path)), default=0)
    steps.resume(run)
    return follow_training(run, options.json, seen)


def restore(options: argparse.Namespace) -> int:
    if options.archive and not options.archive.is_file():
        raise InputError("file_missing", file=str(options.archive))
    run = steps.restore(default_root(), options.repo, require_token(), options.archive)
    if options.json:
        say_json({"run": run.id})
    else:
        say(text("cli_restored", run=run.id))
    return 0


# --- compare, try, push


def compare(options: argparse.Namespace) -> int:
    run = open_run(options.run)
    if not run.comparison_path.exists():
        steps.compare(run)
        code = follow(run, options.json)
        if code:
            return code
    result = run.read_comparison()
    if options.json:
        say_json(result)
        return 0
    for clip in result["clips"]:
        say(text("cli_clip", **clip))
    say(text("cli_compared", n=result["n_clips"], base=result["base"], tuned=result["tuned"]))
    if "tuned_speech_window" in result:
        say(text("cli_compared_fast", **result["tuned_speech_window"]))
    return 0


def try_out(options: argparse.Namespace) -> int:
    run = open_run(options.run)
    if not options.audio.is_file():
        raise InputError("file_missing", file=str(options.audio))
    if not run.has_adapter:
        raise RunError("adapter_missing", run=run.id)
    process = TryOut()
    try:
        texts = process.transcribe(run, options.audio)
    finally:
        process.close()
    if options.json:
        say_json(texts)
    else:
        say(text("cli_tried", **texts))
    return 0


def require_token() -> str:
    """The user's own, for this command only. Raises InputError when there is none."""
    token = os.environ.get("HF_TOKEN") or local_token()
    if not token and sys.stdin.isatty():
        token = getpass.getpass(text("cli_token_prompt") + " ")
    if not token:
        raise InputError("push_not_logged_in")
    return token


def push(options: argparse.Namespace) -> int:
    run = open_run(options.run)
    result = steps.push(run, require_token(), options.name, private=not options.public)
    if options.json:
        say_json(asdict(result))
    else:
        say(text("push_done", url=result.url))
    return 0
