"""Events, states and findings as sentences, the same on the page and in the terminal."""

from whisper_tuner.config import LoraSettings
from whisper_tuner.data.clips import Finding
from whisper_tuner.data.doctor import CODES
from whisper_tuner.data.long_recordings import CUT, KEPT
from whisper_tuner.data.mozilla import Release
from whisper_tuner.data.summary import Group
from whisper_tuner.locales import text
from whisper_tuner.model.catalogue import base_model
from whisper_tuner.model.planner import Plan
from whisper_tuner.publish.copier import Copier
from whisper_tuner.publish.space import Space
from whisper_tuner.runs.device import Device
from whisper_tuner.runs.events import (
    Event,
    Failed,
    Note,
    Progress,
    Resumed,
    Score,
    StateChanged,
    Step,
)
from whisper_tuner.runs.jobs import Status


def duration(seconds: float) -> str:
    """Minutes and seconds as a clock shows them: 83 → "1:23", 3700 → "1:01:40"."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def event_sentence(event: Event, lang: str = "en") -> str:
    match event:
        case StateChanged(state):
            return text(f"state_{state}", lang)
        case Note(code, params) | Failed(code, params):
            return text(code, lang, **params)
        case Progress(stage, done, total):
            return text(stage, lang, done=done, total=total)
        case Step():
            remaining = duration(event.remaining_s)
            return text("event_step", lang, **{**event.__dict__, "remaining": remaining})
        case Resumed(step):
            return text("event_resumed" if step else "event_begun_again", lang, step=step)
        case Score():
            return text("event_score", lang, **event.__dict__)


def status_sentence(status: Status, lang: str = "en") -> str:
    """What is true of a run, with its reason or its place in the queue."""
    if status.ahead:
        time = rough_duration(status.starts_in_s, lang)
        return text("status_ahead", lang, ahead=status.ahead, time=time)
    state = text(f"state_{status.state}", lang)
    if status.reason:
        return f"{state} {text(status.reason, lang, **status.params)}"
    return state


def finding_sentence(finding: Finding, lang: str = "en") -> str:
    params = {"clip": finding.clip, "row": finding.row, **finding.params}
    if finding.code == "left_out":  # by a fix, which knows for what
        why = Finding(params["why"], finding.clip, False, finding.row, params["evidence"])
        params["reason"] = finding_sentence(why, lang)
    for name in ("language", "heard_as", "usual_language"):
        if name in params:
            params[name] = text(f"language_{params[name]}", lang)
    if finding.code == "heard_no_speech" and not params["heard"]:
        return text("heard_nothing", lang, **params)
    return text(finding.code, lang, **params)


def kind_sentence(group: Group, lang: str = "en") -> str:
    """What one kind of findings is about, and how many there are."""
    first = group.findings[0]
    is_told_of = group.code in (*CODES, "left_out", KEPT, CUT)
    kind = group.code if is_told_of else "refused" if first.refused else "note"
    return f"{text(f'kind_{kind}', lang)}: {len(group.findings)}"


def rough_duration(seconds: float, lang: str = "en") -> str:
    """As one says it of an estimate: about a minute, about 14 minutes, about 2.5 hours."""
    minutes = round(seconds / 60)
    if minutes < 2:
        return text("about_a_minute", lang)
    if minutes < 90:
        return text("about_minutes", lang, n=minutes)
    return text("about_hours", lang, n=f"{round(seconds / 1800) / 2:g}")


def plan_sentence(plan: Plan, device: Device, lang: str = "en") -> str:
    """Whether a training fits the device's memory, how long it takes and what it costs."""
    if plan.hopeless:
        return text("does_not_fit", lang, **plan.gigabytes)
    cost = rough_duration(plan.total_s, lang)
    if plan.dollars is not None:
        cost = text("plan_money", lang, time=cost, dollars=max(plan.dollars, 0.01))
    if not plan.fits:
        return text("plan_may_not_fit", lang, cost=cost, **plan.gigabytes)
    if device.kind == "cpu":
        return text("plan_fits_cpu", lang, cost=cost, **plan.gigabytes)
    key = "plan_fits_gpu" if plan.n_devices == 1 else "plan_fits_gpus"
    name, n = device.short_name, plan.n_devices
    return text(key, lang, device=name, n=n, cost=cost, **plan.gigabytes)


def plan_advice(plan: Plan, lang: str = "en") -> str:
    """What would be better, or nothing."""
    return text("plan_16bit", lang) if plan.sixteen_bit_is_better else ""


def space_sentences(space: Space | None, plan: Plan, lang: str = "en") -> list[str]:
    """What may end a training on this Space before it has finished."""
    if space is None:
        return []
    sentences = [text("space_loses_runs", lang)] if space.loses_runs else []
    if not space.is_known:
        sentences.append(text("space_unknown", lang))
    if space.sleep_s is not None and space.sleep_s < plan.total_s:
        times = {"sleep": space.sleep_s, "time": plan.total_s}
        said = {name: rough_duration(seconds, lang) for name, seconds in times.items()}
        sentences.append(text("space_sleeps", lang, **said))
    return sentences


def copy_sentence(copier: Copier, lang: str = "en") -> str:
    """How a run's private copy stands."""
    key, params = copier.told
    return text(key, lang, **params)


def size_sentence(base_id: str, lora: LoraSettings, lang: str = "en") -> str:
    """How many weights LoRA trains, of how many, and how large the adapter will be."""
    base = base_model(base_id)
    trainable = base.n_trainable(lora)
    return text(
        "adapter_size",
        lang,
        trainable=trainable,
        total=base.n_parameters,
        share=trainable / (base.n_parameters + trainable),  # as PEFT counts
        megabytes=base.adapter_bytes(lora) / 1e6,
    )


def release_label(release: Release, lang: str = "en") -> str:
    """A dataset of Common Voice as a list shows it: language, kind, release, size, licence."""
    kind = text(f"cv_{release.kind}", lang)
    size = size_label(release.n_bytes)
    parts = (release.language, f"{kind} {release.version}", size, release.licence)
    return " · ".join(filter(None, parts))


def size_label(n_bytes: int) -> str:
    if not n_bytes:
        return ""
    return f"{n_bytes / 1e9:.1f} GB" if n_bytes >= 1e9 else f"{max(1, round(n_bytes / 1e6))} MB"
