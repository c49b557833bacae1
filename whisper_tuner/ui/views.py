"""Recordings and training as a person reads them: sentences, tables, plots. Pure functions.

Whatever comes from a user is escaped where it enters HTML.
"""

import re
from html import escape
from itertools import zip_longest

from whisper_tuner.config import TrainConfig
from whisper_tuner.data.clips import Clip, Finding, Report
from whisper_tuner.data.long_recordings import CUT
from whisper_tuner.locales import text
from whisper_tuner.model.catalogue import BASE_MODELS
from whisper_tuner.model.languages import LANGUAGES
from whisper_tuner.model.planner import Plan
from whisper_tuner.narrate import (
    duration,
    event_sentence,
    finding_sentence,
    plan_advice,
    plan_sentence,
    size_sentence,
    status_sentence,
)
from whisper_tuner.runs.device import Device
from whisper_tuner.runs.events import (
    TERMINAL_STATES,
    Progress,
    Record,
    Score,
    StateChanged,
    Step,
    without_lost_steps,
)
from whisper_tuner.runs.jobs import Status
from whisper_tuner.ui.plot import curve

MAX_PLOT_POINTS = 300
MAX_STEP_LINES = 40  # a long training would fill the log with steps
URL = re.compile(r"https?://[\w.:/%~-]*[\w/]")
COLUMNS = ("column_name", "column_seconds", "column_text", "column_use", "column_problem")


def paragraph(sentence: str, kind: str = "") -> str:
    """One sentence; `kind` is a class of style.css: "note", "problem", "good", "empty"."""
    role = ' role="alert"' if kind == "problem" else ""
    return f'<p class="sentence {kind}"{role}>{escape(sentence)}</p>'


def linked(html: str) -> str:
    """Escaped text whose addresses can be followed."""
    link = r'<a href="\g<0>" target="_blank" rel="noopener noreferrer">\g<0></a>'
    return URL.sub(link, html)


# --- recordings


def general_findings(clips: list[Clip], report: Report) -> list[Finding]:
    """What was found about the source as a whole, or about files that are no clips."""
    names = {clip.name for clip in clips}
    others = [item for item in report.findings if not item.refused and item.code != CUT]
    return [item for item in others if item.clip not in names]


def data_summary(clips: list[Clip], report: Report, lang: str) -> str:
    """How much can be used, how it is divided, and how many clips have problems, as HTML."""
    time = duration(report.train_s + report.test_s)
    counts = text("data_summary", lang, n_clips=report.n_clips, n_found=report.n_found, time=time)
    html = f'<h3 class="headline">{escape(counts)}</h3>'
    if report.n_clips:
        split = text(
            "data_split",
            lang,
            n_train=report.n_train,
            train_time=duration(report.train_s),
            n_test=report.n_test,
            test_time=duration(report.test_s),
        )
        html += paragraph(split)
    html += paragraph(_problem_counts(clips, report, lang))
    for finding in general_findings(clips, report):
        html += paragraph(finding_sentence(finding, lang), "note" if report.n_clips else "problem")
    return html


def _problem_counts(clips: list[Clip], report: Report, lang: str) -> str:
    general = general_findings(clips, report)
    refused = {item.clip for item in report.findings if item.refused}
    warned = {
        i.clip for i in report.findings if not i.refused and i not in general and i.code != CUT
    }
    warned -= refused
    if not refused and not warned:
        return text("data_no_problems", lang)
    return text("data_problems", lang, n_refused=len(refused), n_warned=len(warned))


def clip_rows(
    clips: list[Clip], report: Report, lang: str, shown: str = "all", sought: str = ""
) -> list[list[str]]:
    """A row for every clip: refused ones first, then long recordings that were cut, then clips with
    problems or fixes, then the others.

    `shown` is "all", "problems", "train" or "test"; `sought` must be in the row, in any case.
    """
    problems: dict[str, list[str]] = {}
    general = general_findings(clips, report)
    for finding in (*report.findings, *report.changes):
        if finding not in general:
            problems.setdefault(finding.clip, []).append(finding_sentence(finding, lang))
    unused = {item.clip: "refused" for item in report.findings if item.refused}
    unused |= {item.clip: "cut" for item in report.findings if item.code == CUT}
    kept = {clip.name for clip in clips}
    rows = [
        (use, [name, "", "", text(f"use_{use}", lang), " ".join(problems[name])])
        for name, use in unused.items()
        if name not in kept
    ]
    for clip in sorted(clips, key=lambda clip: clip.name not in problems):
        use = text(f"use_{clip.split}", lang)
        told = " ".join(problems.get(clip.name, []))
        rows.append((clip.split, [clip.name, f"{clip.duration_s:.1f}", clip.text, use, told]))
    wanted = {
        "all": lambda use, row: True,
        "problems": lambda use, row: bool(row[-1]),
        "train": lambda use, row: use == "train",
        "test": lambda use, row: use == "test",
    }[shown]
    key = sought.strip().casefold()
    return [row for use, row in rows if wanted(use, row) and key in " ".join(row).casefold()]


def columns(lang: str) -> list[str]:
    return [text(key, lang) for key in COLUMNS]


# --- settings


def language_choices(lang: str) -> list[tuple[str, str]]:
    """Names and codes of the languages Whisper knows, by name."""
    return sorted((text(f"language_{code}", lang), code) for code in LANGUAGES)


def base_choices(ids: list[str]) -> list[tuple[str, str]]:
    """Names with sizes, and ids, smallest first."""
    return [(f"{i.rpartition('/')[2]} · {_weights(i)}", i) for i in BASE_MODELS if i in ids]


def _weights(base_id: str) -> str:
    return f"{BASE_MODELS[base_id].n_parameters / 1e6:,.0f} M"


def plan(config: TrainConfig, expected: Plan, device: Device, report: Report, lang: str) -> str:
    """What a training will take, before it is started, as HTML."""
    html = paragraph(plan_sentence(expected, device, lang), "" if expected.fits else "problem")
    advice = plan_advice(expected, lang)
    if advice:
        html += paragraph(advice)
    html += paragraph(steps_sentence(report, config.epochs, config.batch_size, lang), "note")
    return html + paragraph(size_sentence(config.base, config.lora, lang), "note")


def steps_sentence(report: Report, epochs: int, batch_size: int, lang: str) -> str:
    steps_per_epoch = -(-report.n_train // batch_size)
    return text(
        "train_plan",
        lang,
        n_train=report.n_train,
        time=duration(report.train_s),
        n_steps=steps_per_epoch * epochs,
    )


# --- a training


def is_at_work(status: Status) -> bool:
    """Whether more is to come. A worker that has said its last state lives a moment longer."""
    return status.alive and status.state not in TERMINAL_STATES


def last(records: list[Record], kind: type) -> object | None:
    return next((r.event for r in reversed(records) if isinstance(r.event, kind)), None)


def training_status(status: Status, records: list[Record], lang: str, now_s: float) -> str:
    """State, progress bar and numbers of a run, as HTML."""
    html = progress(status, records, lang)
    learnt = without_lost_steps(records)
    step, score = last(learnt, Step), last(learnt, Score)
    tiles = []
    if step:
        tiles += [
            ("tile_step", f"{step.step} / {step.n_steps}"),
            ("tile_epoch", f"{step.epoch:.1f}"),
            ("tile_loss", f"{step.loss:.3f}"),
        ]
    if score:
        tiles.append(("tile_wer", f"{score.wer:.1%}"))
    if records:
        ended_s = now_s if is_at_work(status) else records[-1].time_s
        tiles.append(("tile_elapsed", duration(max(0.0, ended_s - _start_s(records)))))
    if step and status.state == "training":
        tiles.append(("tile_remaining", duration(step.remaining_s)))
    return html + tile_list(tiles, lang)


def progress(status: Status, records: list[Record], lang: str) -> str:
    """The state of a run, and a bar while it is at work, as HTML."""
    html = f'<h3 class="headline">{escape(status_sentence(status, lang))}</h3>'
    return html + (_bar(status, records, lang) if is_at_work(status) else "")


def _bar(status: Status, records: list[Record], lang: str) -> str:
    """Steps while training, the stage's own count elsewhere; moving without a count otherwise."""
    event = next((r.event for r in reversed(records) if r.event.kind != "note"), None)
    if status.state == "training":
        step = last(records, Step)
        return _progress(step.step, step.n_steps, "") if step else "<progress></progress>"
    if isinstance(event, Progress):
        return _progress(event.done, event.total, event_sentence(event, lang))
    return "<progress></progress>"


def _progress(done: int, total: int, sentence: str) -> str:
    bar = f'<progress max="{total}" value="{done}"></progress>'
    return bar + (paragraph(sentence, "note") if sentence else "")


def _start_s(records: list[Record]) -> float:
    """When the last worker took the run up: a stopped run may be compared days later."""
    queued = [r.time_s for r in records if r.event == StateChanged("queued")]
    return queued[-1] if queued else records[0].time_s


def tile_list(tiles: list[tuple[str, str]], lang: str) -> str:
    cells = "".join(
        f"<div><dt>{escape(text(key, lang))}</dt><dd>{escape(value)}</dd></div>"
        for key, value in tiles
    )
    return f'<dl class="tiles">{cells}</dl>' if cells else ""


def next_sentence(status: Status, has_adapter: bool, lang: str) -> str:
    """What to do when a run has ended, and while it has not."""
    if is_at_work(status):
        return text("next_paused" if status.state == "paused" else "safe_to_close", lang)
    if status.state == "done":
        return text("next_done", lang)
    if status.state != "stopped":
        return text("next_by_itself" if status.goes_on else "next_resume", lang)
    return text("next_stopped" if has_adapter else "next_stopped_early", lang)


def log_lines(records: list[Record], lang: str) -> str:
    """What happened, newest first, with minutes and seconds since the start. Counts of a stage,
    and the steps of a long training, are thinned out; checkpoints are not mentioned."""
    records = _without_saves(records)
    n_steps = sum(isinstance(r.event, Step) for r in records)
    every = max(1, n_steps // MAX_STEP_LINES)
    lines = []
    for record, following in zip_longest(records, records[1:]):
        event = record.event
        if isinstance(event, Progress) and following and isinstance(following.event, Progress):
            continue
        is_last = following is None or not isinstance(following.event, Step)
        if isinstance(event, Step) and event.step % every and not is_last:
            continue
        since = duration(record.time_s - records[0].time_s)
        lines.append(f"{since:>5}  {event_sentence(event, lang)}")
    return "\n".join(reversed(lines))


def _without_saves(records: list[Record]) -> list[Record]:
    """Without the state's changes around a checkpoint, of which there is one a minute."""
    kept: list[Record] = []
    for record in records:
        is_back = record.event == StateChanged("training")
        if is_back and kept and kept[-1].event == StateChanged("saving"):
            kept.pop()
        else:
            kept.append(record)
    return kept


def curves(records: list[Record], lang: str) -> str:
    """Loss at every step and WER at every measurement, as two figures."""
    learnt = without_lost_steps(records)
    steps = [r.event for r in learnt if isinstance(r.event, Step)]
    every = -(-len(steps) // MAX_PLOT_POINTS) or 1
    losses = [(s.step, s.loss) for i, s in enumerate(steps) if i % every == 0 or s is steps[-1]]
    scores = [r.event for r in learnt if isinstance(r.event, Score)]
    rates = [(score.step, round(100 * score.wer, 1)) for score in scores]
    loss = curve(text("loss_plot", lang), losses)
    return f'<div class="curves">{loss}{curve(text("wer_plot", lang), rates, "%")}</div>'
