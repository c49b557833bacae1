"""Where base models come from, with the Hub there, silent, and gone."""

import os
import socket
import subprocess
import sys
import time

import pytest

from tests.hub_server import HubServer
from tests.tiny import TINY_ID
from whisper_tuner.errors import InputError, ModelError
from whisper_tuner.model import locate

ASK = "from whisper_tuner.model.locate import hub_reachable; print(hub_reachable())"
LOAD = f"""
import torch
from whisper_tuner.model.load import load_base, load_processor
from whisper_tuner.model.locate import model_source
print(model_source("{TINY_ID}"))
load_processor("{TINY_ID}", "it")
print(load_base("{TINY_ID}", "it", "32bit", torch.device("cpu")).config.d_model)
"""


def run(script: str, **environment: str) -> str:
    """What `script` prints in a process of its own: the Hub's address is read at import."""
    kept = {k: v for k, v in os.environ.items() if k not in ("HF_HUB_OFFLINE", "HF_HOME")}
    command = [sys.executable, "-W", "ignore", "-c", script]
    environment = {**kept, **environment}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return done.stdout


def test_silent_hub_is_offline_within_five_seconds(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts, and never answers
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        script = f"import time; t = time.monotonic()\n{ASK}\nprint(time.monotonic() - t)"
        answer = run(script, HF_ENDPOINT=endpoint, HF_HOME=str(tmp_path)).split()
    assert answer[0] == "False"
    assert float(answer[1]) < 5 + 1  # the second is the import on a busy machine


def test_offline_is_known_at_once(hub_cache):
    began_s = time.monotonic()
    assert not locate.hub_reachable()  # HF_HUB_OFFLINE=1 in all tests
    assert time.monotonic() - began_s < 0.1


def test_reachable_hub_is_used(hub_cache, tmp_path):
    snapshot = locate.model_source(TINY_ID)
    with HubServer() as hub:
        hub.add_model(TINY_ID, snapshot)
        environment = {"HF_ENDPOINT": hub.endpoint, "HF_HOME": str(tmp_path)}
        assert run(ASK, **environment).strip() == "True"
        assert run(LOAD, **environment).split() == [TINY_ID, "64"]


def test_cached_base_is_found_without_the_hub(hub_cache):
    assert locate.is_at_hand(TINY_ID)
    assert locate.model_source(TINY_ID).is_dir()
    assert not locate.is_at_hand("openai/whisper-large-v2")


def test_embedded_base_is_found_without_the_hub(hub_cache):
    folder = locate.model_source("openai/whisper-base")
    assert (folder / "model.safetensors").stat().st_size > 140e6


def test_missing_base_says_what_to_do(hub_cache):
    with pytest.raises(ModelError, match="whisper-large-v2") as caught:
        locate.model_source("openai/whisper-large-v2")
    assert caught.value.code == "base_unreachable"


def test_bases_outside_the_catalogue_are_never_looked_for(hub_cache):
    with pytest.raises(InputError):
        locate.model_source("../../etc")


def test_tokens_are_counted_as_the_labels_will_be(hub_cache):
    from transformers import WhisperTokenizer

    tokenizer = WhisperTokenizer.from_pretrained(locate.model_source(TINY_ID))
    tokenizer.set_prefix_tokens(language="it", task="transcribe")
    count = locate.token_counter()
    for text in ("Prego digitare la password.", "नमस्ते दुनिया", "", "你好，世界"):
        assert count(text) == len(tokenizer(text).input_ids) - 1  # less the start token
