"""Common Voice and Hub datasets in the terminal, from small servers on loopback."""

import io
import json
import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from huggingface_hub import constants

from tests.common_voice import real_archive
from tests.hub_server import HubServer
from tests.mozilla_server import MozillaServer
from whisper_tuner import cli, steps
from whisper_tuner.config import TrainConfig
from whisper_tuner.data.clips import COMMON_VOICE, read_clips
from whisper_tuner.runs.folder import Run, Spec
from whisper_tuner.sources import DOWNLOADS_NAME

KEY = "mdc_CANARYcanaryCANARY0123456789"
ID = "cmzwelsh000000000000"


@pytest.fixture(autouse=True)
def runs(tmp_path, monkeypatch):
    monkeypatch.setenv("WHISPER_TUNER_RUNS", str(tmp_path / "runs"))
    return tmp_path / "runs"


@pytest.fixture
def mozilla(monkeypatch):
    with MozillaServer({KEY: {ID}}) as server:
        monkeypatch.setenv("MDC_API_URL", server.api)
        monkeypatch.setenv("MDC_API_KEY", KEY)
        server.add(ID, "Common Voice Scripted Speech 26.0 - Welsh", "cy", real_archive())
        server.add("spoken", "Common Voice Spontaneous Speech 4.0 - Breton", "br", b"x" * 2_000_000)
        yield server


@pytest.fixture
def hub(monkeypatch):
    with HubServer() as server:
        template = f"{server.endpoint}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "ENDPOINT", server.endpoint)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        files = {f"{c}/{s}-0.parquet": spoken(n) for c in ("sw_ke", "it_it") for s, n in SPLITS}
        server.add_dataset("google/fleurs", files)
        yield server


SPLITS = (("train", 6), ("test", 3))


def spoken(n: int) -> bytes:
    """Real clips, other ones in each split."""
    clips = sorted((steps.EXAMPLE_DIR / "clips").glob("*.flac"), key=lambda p: p.stat().st_size)
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    audio = [{"bytes": c.read_bytes(), "path": c.name} for c in clips[10 * n : 10 * n + n]]
    texts = [f"Sentensi {n} {i}" for i in range(n)]
    out = io.BytesIO()
    columns = {"audio": pa.array(audio, kind), "transcription": texts, "raw_transcription": texts}
    pq.write_table(pa.table(columns), out)
    return out.getvalue()


def call(capsys, *arguments) -> tuple[int, str, str]:
    code = cli.main([str(argument) for argument in arguments])
    return code, *capsys.readouterr()


def test_the_catalogue(capsys, mozilla):
    code, out, err = call(capsys, "catalogue")
    assert (code, err) == (0, "")
    breton, welsh = out.splitlines()
    assert breton == "br         spoken  Breton · Spontaneous Speech 4.0 · 2 MB · CC0-1.0"
    assert welsh.startswith(f"cy         {ID}  Welsh · Scripted Speech 26.0 · ")
    code, out, _ = call(capsys, "catalogue", "welsh", "scripted", "--json")
    assert json.loads(out)["id"] == ID
    mozilla.refuse("/api", 503)
    code, out, err = call(capsys, "catalogue")
    assert (code, out) == (2, "") and "cannot be reached" in err


def test_prepare_common_voice(capsys, mozilla, runs, hub_cache):
    code, out, err = call(
        capsys, "prepare", "--common-voice", "cy", "--clips", 6, "--test-clips", 2, "--json"
    )
    assert code == 0
    assert "Welsh · Scripted Speech 26.0" in err
    answer = json.loads(out)
    assert (answer["n_train"], answer["n_test"]) == (6, 2)
    run = Run.open(runs, answer["run"])
    assert {clip.source for clip in read_clips(run.dataset_dir)} == {COMMON_VOICE}
    assert list((runs / DOWNLOADS_NAME).iterdir()) == []
    assert "MDC_API_KEY" not in os.environ  # whatever is started from here on does not know it
    assert KEY not in out + err
    assert not any(KEY.encode() in p.read_bytes() for p in runs.rglob("*") if p.is_file())


def test_refusals_of_mozilla(capsys, mozilla, runs, monkeypatch):
    asked = ("prepare", "--common-voice", "cy")
    mozilla.keys.clear()
    code, out, err = call(capsys, *asked)
    assert (code, out) == (2, "") and "/api-reference" in err and len(err.splitlines()) == 1
    code, _, err = call(capsys, *asked)  # nobody sits at this terminal
    assert code == 2 and "MDC_API_KEY" in err
    code, _, err = call(capsys, "prepare", "--common-voice", "tlh")
    assert code == 2 and "catalogue" in err
    assert not list(runs.glob("*-*-*"))


def test_one_source_and_only_one(capsys, small_source):
    for more in (
        (),
        (small_source, "--common-voice", "cy"),
        (small_source, "--hub-dataset", "a/b"),
    ):
        code, out, err = call(capsys, "prepare", *more)
        assert (code, out) == (2, "") and "--common-voice" in err


def test_look(capsys, hub):
    code, out, _ = call(capsys, "look", "google/fleurs")
    assert code == 0 and out.splitlines() == ["it_it: test, train", "sw_ke: test, train"]
    code, out, _ = call(capsys, "look", "google/fleurs", "--config", "sw")
    assert code == 0 and "“transcription”" in out and "  Sentensi 6 0" in out
    code, out, _ = call(capsys, "look", "google/fleurs", "--config", "sw", "--json")
    assert json.loads(out)["guess"] == {
        "audio": "audio",
        "text": "transcription",
        "speaker": "",
    }
    code, _, err = call(capsys, "look", "google/nothing")
    assert code == 2 and "google/nothing" in err


def test_prepare_a_hub_dataset(capsys, hub, runs, hub_cache):
    asked = ("prepare", "--hub-dataset", "google/fleurs", "--config", "sw", "--clips", 5)
    code, out, err = call(capsys, *asked, "--test-clips", 2, "--json")
    assert (code, err) == (0, "")
    answer = json.loads(out)
    assert (answer["n_train"], answer["n_test"]) == (5, 2)
    clips = read_clips(Run.open(runs, answer["run"]).dataset_dir)
    assert {clip.source for clip in clips} == {""} and clips[0].text == "Sentensi 6 0"
    code, out, _ = call(capsys, *asked, "--test-split", "", "--text-column", "raw_transcription")
    assert code == 0 and "6 of 6" in out
    code, _, err = call(capsys, *asked, "--text-column", "words")
    assert code == 2 and "raw_transcription" in err
    assert len(list(runs.glob("*-*-*"))) == 2  # a refusal leaves no run behind


def test_more_of_common_voice_for_a_run_that_goes_on(capsys, mozilla, runs, hub_cache):
    asked = ("--common-voice", "cy", "--clips", 4, "--test-clips", 1, "--json")
    old = json.loads(call(capsys, "prepare", *asked)[1])
    run = Run.open(runs, old["run"])
    run.write_spec(Spec(TrainConfig("openai/whisper-tiny", "cy", "32bit"), 1.0, {}))
    run.adapter_dir.mkdir()
    for name in ("adapter_model.safetensors", "adapter_config.json"):
        (run.adapter_dir / name).write_bytes(b"an adapter")
    os.environ["MDC_API_KEY"] = KEY  # taken out of the environment by each command
    code, out, _ = call(capsys, "further", run.id, *asked)
    answer = json.loads(out)
    assert (code, answer["from"], answer["n_found"]) == (0, run.id, 10)
    names = [clip.name for clip in read_clips(Run.open(runs, answer["run"]).dataset_dir)]
    assert len(names) == len(set(names)) == 10  # those it has are not taken again
