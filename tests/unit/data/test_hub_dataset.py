"""Datasets of a small Hub on loopback, read by the real client and pyarrow in ranges."""

import pyarrow as pa
import pytest
from huggingface_hub import constants

from tests.hub_server import HubServer
from tests.parquet import fleurs, parquet, rows_of
from tests.sounds import speech, write
from whisper_tuner.data import hub_dataset
from whisper_tuner.data.clips import COMMON_VOICE
from whisper_tuner.data.hub_dataset import Mapping, candidates, columns
from whisper_tuner.data.hub_listing import look
from whisper_tuner.data.prepare import prepare
from whisper_tuner.errors import InputError

TOKEN = "hf_CANARYcanaryCANARYcanary0123456789"
FLEURS = Mapping("audio", "transcription")


@pytest.fixture
def hub(monkeypatch):
    with HubServer({TOKEN: "anna", "hf_other": "ben"}) as server:
        template = f"{server.endpoint}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "ENDPOINT", server.endpoint)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        yield server


def refusal(call, *arguments) -> InputError:
    with pytest.raises(InputError) as caught:
        result = call(*arguments)
        list(result)
    assert TOKEN not in str(caught.value) + repr(caught.value.__cause__)
    assert caught.value.sentence("zh") != caught.value.sentence("en")
    return caught.value


def test_fleurs_by_name(hub, monkeypatch):
    fleurs(hub)
    listing = look("https://huggingface.co/datasets/google/fleurs/viewer/sw_ke")
    assert list(listing.configs) == ["af_za", "sw_ke", "sw_tz"]
    assert listing.config("af") == "af_za" and listing.config("sw_ke") == "sw_ke"
    assert listing.default_splits("sw_ke") == ("train", "test")
    for wanted in ("", "sw", "de"):
        error = refusal(listing.config, wanted)
        assert error.code == "hub_data_config" and "sw_ke" in error.sentence()
    found = columns(listing, "sw_ke")
    assert found.guess == Mapping("audio", "transcription", "speaker_id")
    assert (found.audio, found.text) == (["audio"], ["transcription", "raw_transcription"])
    assert found.rows[0] == {
        "transcription": "sw_ke-train- sentensi 0",
        "raw_transcription": "sw_ke-train- Sentensi 0!",
    }
    chosen = candidates(listing, "sw_ke", found.guess, "train", "test", 5, 3)
    got = [(c.name, c.text, c.split, c.speaker, c.audio.read_bytes()) for c in chosen]
    wanted = rows_of(30, prefix="sw_ke-train-")[:5]
    assert [g[0] for g in got] == [f"sw_ke-train-{i}.wav" for i in range(5)] + [
        f"sw_ke-test-{i}.wav" for i in range(3)
    ]
    assert [g[4] for g in got[:5]] == [row["audio"]["bytes"] for row in wanted]
    assert [g[2] for g in got] == ["train"] * 5 + ["test"] * 3
    assert got[1][1:4] == ("sw_ke-train- sentensi 1", "train", "1")
    assert not any("fleurs.py" in request for request in hub.requests)


def test_only_what_is_needed_is_fetched(hub):
    data = parquet(rows_of(400, n_bytes=100_000, prefix="big"), group=20)
    hub.add_dataset("anna/big", {"data/train-00000-of-00001.parquet": data})
    listing = look("anna/big")
    found = columns(listing, "default")
    assert hub.n_sent < 200_000  # of 40 MB
    hub.n_sent = 0
    chosen = candidates(listing, "default", found.guess, "train", "", 20, 4)
    assert [c.name for c in chosen] == [f"big{i}.wav" for i in range(24)]
    assert hub.n_sent < 4_200_000  # two row groups


def test_row_groups_that_would_fill_the_memory(hub, monkeypatch):
    monkeypatch.setattr(hub_dataset, "MAX_GROUP_BYTES", 30_000)
    hub.add_dataset("anna/big", {"train.parquet": parquet(rows_of(100, 4_000))})
    error = refusal(candidates, look("anna/big"), "default", FLEURS, "train", "", 1, 1)
    assert error.code == "hub_data_group" and "anna/big" in error.sentence()
    assert hub.n_sent < 100_000  # of 400,000: the end of the file says it


def test_several_files_and_more_than_there_are(hub):
    files = {
        f"data/train-0000{n}-of-00002.parquet": parquet(rows_of(10, prefix=f"p{n}-"), group=4)
        for n in range(2)
    }
    hub.add_dataset("anna/two", files)
    listing = look("datasets/anna/two")
    found = list(candidates(listing, "default", FLEURS, "train", "train", 100, 10))
    assert [c.name for c in found] == [f"p{n}-{i}.wav" for n in range(2) for i in range(10)]
    assert {c.split for c in found} == {""}
    known = {f"p0-{i}.wav" for i in range(9)}
    more = list(candidates(listing, "default", FLEURS, "train", "", 2, 1, "", known))
    assert [c.name for c in more] == ["p0-9.wav", "p1-0.wav", "p1-1.wav"]


@pytest.mark.parametrize(
    ("names", "configs"),
    [
        (["train.parquet", "test.parquet"], {"default": {"train", "test"}}),
        (["data/validation-0-of-1.parquet"], {"default": {"validation"}}),
        (["cy/train/0.parquet", "cy/test/0.parquet"], {"cy": {"train", "test"}}),
        (["cy/train-00-of-01.parquet", "sw/dev-0.parquet"], {"cy": {"train"}, "sw": {"dev"}}),
        (["recordings.parquet"], {"default": {"train"}}),
    ],
)
def test_folders_say_what_is_what(hub, names, configs):
    hub.add_dataset("anna/folders", dict.fromkeys(names, b"PAR1"))
    found = look("anna/folders").configs
    assert {config: set(splits) for config, splits in found.items()} == configs


def test_the_copy_that_the_hub_makes(hub):
    data = parquet(rows_of(3))
    converted = {"sw_ke/train/0000.parquet": data, "sw_ke/partial-test/0000.parquet": data}
    hub.add_dataset("anna/tar", {"tar.py": b"", "a.tar": b""}, converted)
    listing = look("hf://datasets/anna/tar")
    assert listing.configs == {
        "sw_ke": {
            "test": ("sw_ke/partial-test/0000.parquet",),
            "train": ("sw_ke/train/0000.parquet",),
        }
    }
    assert len(list(candidates(listing, "sw_ke", FLEURS, "train", "test", 2, 2))) == 4


def test_nothing_to_read(hub):
    hub.add_dataset("anna/script", {"README.md": b"", "script.py": b"raise SystemExit"})
    hub.add_dataset("anna/texts", {"a.csv": b""})
    assert refusal(look, "anna/script").code == "hub_data_script"
    assert refusal(look, "anna/texts").code == "hub_data_no_parquet"
    for name in ("anna/nothing", "", "a b", "--/..", "x" * 200):
        assert refusal(look, name).code == "hub_data_unknown"


def test_private_and_gated_ones(hub, tmp_path):
    data = {"train.parquet": parquet(rows_of(3))}
    hub.add_dataset("anna/mine", data).private = True
    hub.add_dataset("ben/gated", data).gated = {"anna"}
    assert refusal(look, "anna/mine").code == "hub_data_unknown"
    assert refusal(look, "anna/mine", "hf_other").code == "hub_data_unknown"
    for repo in ("anna/mine", "ben/gated"):
        listing = look(repo, TOKEN)
        assert len(columns(listing, "default", TOKEN).rows) == 3
        assert len(list(candidates(listing, "default", FLEURS, "train", "", 2, 1, TOKEN))) == 3
    error = refusal(columns, look("ben/gated"), "default")
    assert error.code == "hub_data_gated" and "/datasets/ben/gated" in error.sentence()


def test_a_hub_out_of_order(hub, monkeypatch):
    fleurs(hub)
    hub.fail("GET /api/datasets", status=503, times=20)
    assert refusal(look, "google/fleurs").code == "hub_data_busy"
    hub.faults.clear()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert refusal(look, "google/fleurs").code == "hub_data_unreachable"
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    assert refusal(look, "google/fleurs").code == "hub_data_unreachable"


def test_columns_of_other_kinds(hub):
    rows = [{"wav": b"x" * 50, "words": "a", "n": i} for i in range(3)]
    hub.add_dataset("anna/plain", {"train.parquet": parquet(rows)})
    found = columns(look("anna/plain"), "default")
    assert found.guess == Mapping("wav", "words")
    texts = [{"audio": "https://example.org/a.wav", "text": "a"}]
    hub.add_dataset("anna/links", {"train.parquet": parquet(texts, audio=pa.string())})
    assert refusal(columns, look("anna/links"), "default").code == "hub_data_no_audio"
    sounds = [{"audio": {"bytes": b"x", "path": "a.wav"}}]
    hub.add_dataset("anna/sounds", {"train.parquet": parquet(sounds)})
    assert refusal(columns, look("anna/sounds"), "default").code == "hub_data_no_text"
    hub.add_dataset("anna/broken", {"train.parquet": b"PAR1" + bytes(5000) + b"PAR1"})
    assert refusal(columns, look("anna/broken"), "default").code == "hub_data_damaged"
    listing = look("anna/plain")
    asked = (listing, "default", Mapping("wav", "nothing"), "train", "", 1, 1)
    assert refusal(candidates, *asked).code == "hub_data_column"
    asked = (listing, "default", Mapping("wav", "words"), "train", "dev", 1, 1)
    assert refusal(candidates, *asked).code == "hub_data_split"


def test_rows_without_sound_or_text_are_named(hub, tmp_path):
    sound = write(tmp_path / "a.wav", speech(1.0)).read_bytes()
    other = write(tmp_path / "b.flac", speech(1.2, seed=1)).read_bytes()
    rows = [
        {"audio": {"bytes": sound, "path": "a.wav"}, "text": "Moja mbili"},
        {"audio": {"bytes": None, "path": "lost.wav"}, "text": "tatu"},
        {"audio": {"bytes": b"no sound", "path": "bad.wav"}, "text": "nne"},
        {"audio": {"bytes": other, "path": None}, "text": "Tano sita"},
        {"audio": {"bytes": other, "path": "c.flac"}, "text": None},
    ]
    hub.add_dataset("mirror/common_voice_17_0", {"cy/train.parquet": parquet(rows)})
    listing = look("mirror/common_voice_17_0")
    found = candidates(listing, "cy", Mapping("audio", "text"), "train", "", 8, 2)
    report = prepare(found, tmp_path / "dataset", len)
    assert (report.n_train, report.n_test) == (1, 1)
    assert {(f.code, f.clip) for f in report.findings if f.refused} == {
        ("audio_missing", "lost.wav"),
        ("audio_undecodable", "bad.wav"),
        ("transcript_missing", "c.flac"),
    }
    found = candidates(listing, "cy", Mapping("audio", "text"), "train", "", 8, 2)
    assert {c.source for c in found} == {COMMON_VOICE}


def test_rows_that_are_all_called_alike_are_known_again(hub):
    rows = rows_of(12)
    for row in rows:
        row["audio"]["path"] = "audio.wav"
    hub.add_dataset("anna/alike", {"data/train-0.parquet": parquet(rows, group=4)})
    listing = look("anna/alike")
    [config] = listing.configs
    chosen = (listing, config, FLEURS, "train", "", 3, 1)
    first = [(c.name, c.text) for c in candidates(*chosen)]
    assert [text for _, text in first] == [f" sentensi {i}" for i in range(4)]
    assert [name for name, _ in first][:2] == ["audio.wav", "audio.wav (train 2)"]
    more = [c.text for c in candidates(*chosen, known={name for name, _ in first})]
    assert more == [f" sentensi {i}" for i in range(4, 8)]
