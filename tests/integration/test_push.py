"""A trained adapter goes to the Hub by the command line, and comes back by plain PEFT."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from tests.hub_server import HubServer
from tests.integration.test_worker import wait_for_end
from whisper_tuner import steps

LOAD = """
import sys
from peft import PeftModel
from transformers import WhisperForConditionalGeneration, WhisperProcessor
base = WhisperForConditionalGeneration.from_pretrained("openai/whisper-tiny", dtype="float32")
model = PeftModel.from_pretrained(base, sys.argv[1], token=sys.argv[2])
processor = WhisperProcessor.from_pretrained(sys.argv[1], token=sys.argv[2])
print(model.peft_config["default"].base_model_name_or_path, len(processor.tokenizer))
"""
TOKEN = "hf_canarycanarycanary"


def test_pushed_adapter_is_loaded_from_the_hub(prepared, tiny_config, tmp_path, hub_cache):
    steps.train(prepared, replace(tiny_config, max_steps=2))
    assert wait_for_end(prepared).state == "done"
    with HubServer(users={TOKEN: "anna"}) as hub:
        kept = {k: v for k, v in os.environ.items() if k not in ("HF_HUB_OFFLINE", "HF_HOME")}
        environment = {
            **kept,
            "HF_ENDPOINT": hub.endpoint,
            "HF_HOME": str(tmp_path / "home"),
            "HF_TOKEN": TOKEN,
        }

        def python(*arguments: object) -> str:
            command = [sys.executable, "-W", "ignore", *map(str, arguments)]
            root = Path(__file__).resolve().parents[2]
            done = subprocess.run(
                command, env=environment, capture_output=True, text=True, cwd=root
            )
            assert done.returncode == 0, done.stderr[-3000:]
            assert TOKEN not in done.stdout + done.stderr
            return done.stdout

        pushed = python("-m", "whisper_tuner", "push", prepared.dir, "--name", "my-whisper")
        assert f"{hub.endpoint}/anna/my-whisper" in pushed
        assert hub.repos["anna/my-whisper"].private
        snapshot = next((hub_cache / "hub").glob("models--openai--whisper-tiny/snapshots/*"))
        hub.add_model("openai/whisper-tiny", snapshot)
        loaded = python("-c", LOAD, "anna/my-whisper", TOKEN)
    assert loaded.split() == ["openai/whisper-tiny", "51865"]
    for path in prepared.dir.rglob("*"):
        assert path.is_dir() or TOKEN.encode() not in path.read_bytes(), path
