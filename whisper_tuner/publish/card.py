"""The model card: what the adapter is, how it was trained, what was measured, how to use it.

Built from `run.json`, the counts of `dataset/report.json` and the totals of `comparison.json`. It
holds no transcript, no file name and no path of the machine it was made on.
"""

from huggingface_hub import EvalResult, ModelCardData

from whisper_tuner.config import TrainConfig
from whisper_tuner.data.clips import Report
from whisper_tuner.evaluation.normalize import UNSPACED_LANGUAGES
from whisper_tuner.model.languages import LANGUAGES
from whisper_tuner.runs.folder import Spec

LICENCE = "apache-2.0"
HUB_TASK = "automatic-speech-recognition"
ISO_CODES = {"jw": "jv"}  # Whisper's code for Javanese is not ISO 639-1, the Hub wants that
FEW_CLIPS = 50  # below this the measured rates are called rough

USE = """\
import soundfile
from peft import PeftModel
from transformers import GenerationConfig, WhisperForConditionalGeneration, WhisperProcessor

adapter = "{adapter}"
model = WhisperForConditionalGeneration.from_pretrained("{base}", dtype="float32")
model = PeftModel.from_pretrained(model, adapter).merge_and_unload()
model.generation_config = GenerationConfig.from_pretrained(adapter)  # language and task
processor = WhisperProcessor.from_pretrained("{base}")

audio, rate = soundfile.read("recording.wav", dtype="float32")  # 16 kHz, mono, up to 30 s
features = processor(audio, sampling_rate=rate, return_tensors="pt").input_features
tokens = model.generate(input_features=features)
print(processor.batch_decode(tokens, skip_special_tokens=True)[0])
"""

BODY = """\
# {base_name} tuned for {language}

A LoRA adapter for [{base}](https://huggingface.co/{base}), tuned with Whisper Tuner on recordings
of its maker. It works only together with the base model.

## Before and after

{results}

## Use

```python
{use}```

## Training

| | |
|---|---|
{training}

## Limits

- It was tuned for the voices, words and recording conditions of its training data. Elsewhere it can
  be worse than the base model.
- It can reveal what it was trained on: a person's voice, names, and whole sentences. Share it as
  carefully as the recordings themselves.
- Like every Whisper it can write words that nobody said, above all in silence and noise. Read
  every transcript that matters.
"""


def model_card(spec: Spec, comparison: dict | None, report: Report | None, adapter: str) -> str:
    """The README.md of an adapter, in English.

    `comparison` is `comparison.json`, None when the two models were not compared. `adapter` is what
    a reader gives to `from_pretrained`: the repository on the Hub, or the folder of the ZIP.
    """
    config = spec.config
    measured = comparison if comparison and comparison["n_words"] else None
    body = BODY.format(
        base=config.base,
        base_name=config.base.rpartition("/")[2],
        language=LANGUAGES[config.language],
        results=_results(measured, config.language),
        use=USE.format(adapter=adapter, base=config.base),
        training=_training(spec, report),
    )
    return f"---\n{_metadata(config, measured, adapter).to_yaml()}\n---\n\n{body}"


def _metadata(config: TrainConfig, measured: dict | None, adapter: str) -> ModelCardData:
    return ModelCardData(
        language=ISO_CODES.get(config.language, config.language),
        license=LICENCE,
        library_name="peft",
        base_model=config.base,
        base_model_relation="adapter",
        pipeline_tag=HUB_TASK,
        tags=["whisper", "whisper-tuner", "lora", "speech"],
        metrics=["wer", "cer"],
        model_name=adapter.rpartition("/")[2],
        eval_results=_eval_results(measured["tuned"]) if measured else None,
    )


def _eval_results(tuned: dict) -> list[EvalResult]:
    """Tuned rates in percent, the Hub's habit for error rates."""
    return [
        EvalResult(
            task_type=HUB_TASK,
            dataset_type="private",
            dataset_name="held-out clips of its maker",
            metric_type=metric,
            metric_value=round(100 * tuned[metric], 2),
            metric_name=f"{metric.upper()} (%)",
        )
        for metric in ("wer", "cer")
    ]


def _results(measured: dict | None, language: str) -> str:
    if not measured:
        return "Not measured: base and tuned model were not compared on held-out clips."
    base, tuned, n_clips = measured["base"], measured["tuned"], measured["n_clips"]
    unit = "characters" if language in UNSPACED_LANGUAGES else "words"
    lines = [
        "| | base | tuned |",
        "|---|---|---|",
        *(
            f"| {name} error rate | {100 * base[key]:.1f} % | {100 * tuned[key]:.1f} % |"
            for name, key in (("Word", "wer"), ("Character", "cer"))
        ),
        "",
        f"Measured on {n_clips} held-out clips ({measured['n_words']} {unit}) that were not trained"
        " on, from the same source as the training clips; capitals and punctuation do not count.",
    ]
    if fast := measured.get("tuned_speech_window"):
        lines += [
            "",
            "In fast mode, where the encoder sees only the speech and not the silence that fills 30"
            f" seconds, the tuned word error rate is {100 * fast['wer']:.1f} %.",
        ]
    if unit == "characters":
        lines += ["", "This language has no spaces between words: the word rate counts characters."]
    if n_clips < FEW_CLIPS:
        lines += ["", f"With {n_clips} clips these figures are rough."]
    if tuned["wer"] > base["wer"]:
        lines += ["", "**On these clips the adapter makes more word errors than the base model.**"]
    return "\n".join(lines)


def _training(spec: Spec, report: Report | None) -> str:
    config, lora = spec.config, spec.config.lora
    rows: dict[str, object] = {}
    if report:
        rows["Speech"] = f"{report.n_train} clips, {report.train_s / 60:.1f} minutes"
    rows |= {
        "Base model while training": f"frozen, {config.precision}",
        "LoRA": f"rank {lora.rank}, alpha {lora.alpha}, dropout {lora.dropout}, "
        f"on {', '.join(lora.target_modules)}",
        "Epochs asked for": config.epochs,
        "Clips per step": f"{config.batch_size} × {config.gradient_accumulation}",
        "Learning rate": f"{config.learning_rate:g}, linear warm-up over "
        f"{100 * config.warmup_share:g} % of the steps",
        "Encoder window": "the length of the speech" if config.window == "speech" else "30 seconds",
        "Seed": config.seed,
    }
    if spec.started_from:
        # Only when that run was made: whoever knows a run's whole id may open it on the page.
        rows["Goes on from"] = f"the adapter of run {spec.started_from.rpartition('-')[0]}"
    if config.max_steps:
        rows["Steps at most"] = config.max_steps
    return "\n".join(f"| {name} | {value} |" for name, value in rows.items())
