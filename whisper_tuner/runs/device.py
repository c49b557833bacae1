"""What this machine trains on, asked of the driver: the page must not import torch for it."""

import os
import shutil
import subprocess
from dataclasses import dataclass


@dataclass(frozen=True)
class Device:
    """`kind` is "cuda" or "cpu"; memory in GB (10^9 bytes), 0 when not known."""

    kind: str
    name: str
    memory_gb: float = 0.0

    @property
    def default_base(self) -> str:
        return "openai/whisper-large-v2" if self.kind == "cuda" else "openai/whisper-base"

    @property
    def default_precision(self) -> str:
        return "8bit" if self.kind == "cuda" else "32bit"


def find_device() -> Device:
    """The first CUDA device the driver names, else the CPU."""
    tool = shutil.which("nvidia-smi")
    if tool is not None and os.environ.get("CUDA_VISIBLE_DEVICES") not in ("", "-1"):
        query = [tool, "--query-gpu=name,memory.total", "--format=csv,noheader,nounits"]
        answer = subprocess.run(query, capture_output=True, text=True, timeout=20)
        if answer.returncode == 0 and answer.stdout.strip():
            name, mebibytes = answer.stdout.splitlines()[0].rsplit(",", 1)
            return Device("cuda", name.strip(), float(mebibytes) * 2**20 / 1e9)
    return Device("cpu", f"{os.cpu_count()} CPU cores")
