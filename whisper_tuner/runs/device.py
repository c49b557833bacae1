"""What this machine trains on, asked of the driver: the page must not import torch for it."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import psutil

# Dense half-precision TFLOP/s with float32 sums, from the vendors' datasheets.
DATASHEET_TFLOPS = {
    "T4": 65,
    "V100": 125,
    "L4": 121,
    "A10": 125,
    "A10G": 70,
    "A6000": 155,
    "L40S": 362,
    "A100": 312,
    "H100": 989,
    "H200": 989,
    "3090": 71,
    "4090": 165,
}
# Of a GPU not in the table, by the first compute capability it is not below: its weaker models.
CAPABILITY_TFLOPS = {(9, 0): 300, (8, 9): 60, (8, 0): 40, (7, 0): 25, (0, 0): 5}
GPU_EFFICIENCY = 0.25  # of the datasheet. Published Whisper LoRA trainings: 0.06 … 0.16
CPU_CORE_FLOPS = 35e9  # float32, whisper-base at 30 s, one thread: 33e9 measured on a busy machine

# US dollars an hour of a Hugging Face Space, by its ACCELERATOR; huggingface.co, August 2026.
SPACE_PRICES = {
    "t4-small": 0.40,
    "t4-medium": 0.60,
    "l4x1": 0.80,
    "a10g-small": 1.00,
    "a10g-large": 1.50,
    "l40sx1": 1.80,
    "a100-large": 2.50,
}
CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")  # bytes, or "max"


@dataclass(frozen=True)
class Device:
    """What a training runs on. `kind` is "cuda" or "cpu".

    `memory_gb`: of one GPU (the smallest), or of the host, in GB (10^9 bytes). `capability`: the
    GPU's compute capability. `n_devices`: GPUs that CUDA programs may use, 1 for a CPU.
    `price_per_hour`: US dollars, None where nothing is charged or the price is not known.
    """

    kind: str
    name: str
    memory_gb: float = 0.0
    capability: tuple[int, int] | None = None
    n_devices: int = 1
    price_per_hour: float | None = None

    @property
    def default_base(self) -> str:
        return "openai/whisper-large-v2" if self.kind == "cuda" else "openai/whisper-base"

    @property
    def default_precision(self) -> str:
        return "8bit" if self.kind == "cuda" else "32bit"

    @property
    def short_name(self) -> str:
        """As people say it: "NVIDIA A100-SXM4-40GB" → "A100", "Tesla T4" → "T4"."""
        name = re.sub(r"\b(NVIDIA|Tesla|GeForce)\b", "", self.name)
        return re.sub(r"[- ](SXM|PCI|\d+ ?GB).*", "", name).strip()

    @property
    def flops_per_s(self) -> float:
        """Effective FLOP a second, an estimate: of one GPU in half precision, of all CPU cores."""
        if self.kind == "cpu":
            return (os.cpu_count() or 1) * CPU_CORE_FLOPS
        words = re.findall(r"\w+", self.name)
        known = next((DATASHEET_TFLOPS[word] for word in words if word in DATASHEET_TFLOPS), None)
        if known is None:
            able = self.capability or (0, 0)
            known = next(rate for least, rate in CAPABILITY_TFLOPS.items() if able >= least)
        return GPU_EFFICIENCY * known * 1e12


def find_device() -> Device:
    """The CUDA devices the driver names and `CUDA_VISIBLE_DEVICES` allows, else the CPU."""
    rows = _visible(_driver_rows())
    price = _space_price()
    if not rows:
        cpu = f"{os.cpu_count()} CPU cores"
        return Device("cpu", cpu, _host_memory_bytes() / 1e9, price_per_hour=price)
    name, _, capability = rows[0]
    mebibytes = [_number(memory) for _, memory, _ in rows]
    # A GPU without memory of its own ("[N/A]") shares the host's.
    smallest = min(mebibytes) * 2**20 or _host_memory_bytes()
    able = re.fullmatch(r"(\d+)\.(\d+)", capability)
    return Device(
        "cuda",
        name,
        smallest / 1e9,
        (int(able[1]), int(able[2])) if able else None,
        len(rows),
        price,
    )


def _driver_rows() -> list[list[str]]:
    """Name, memory (MiB) and compute capability of every GPU; none without a driver."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    query = [tool, "--query-gpu=name,memory.total,compute_cap", "--format=csv,noheader,nounits"]
    answer = subprocess.run(query, capture_output=True, text=True, timeout=20)
    if answer.returncode != 0:
        return []
    rows = [line.rsplit(",", 2) for line in answer.stdout.splitlines()]
    return [[cell.strip() for cell in row] for row in rows if len(row) == 3]


def _visible(rows: list[list[str]]) -> list[list[str]]:
    """Those that `CUDA_VISIBLE_DEVICES` allows: places up to a bad one, or as many as it names."""
    allowed = os.environ.get("CUDA_VISIBLE_DEVICES")
    if allowed is None:
        return rows
    names = [name.strip() for name in allowed.split(",") if name.strip()]
    if names and not all(name.lstrip("-").isdigit() for name in names):
        return rows[: len(names)]  # UUIDs
    places = [int(name) for name in names]
    bad = next((i for i, place in enumerate(places) if not 0 <= place < len(rows)), len(places))
    return [rows[place] for place in places[:bad]]


def _number(cell: str) -> float:
    return float(cell) if re.fullmatch(r"[\d.]+", cell) else 0.0


def _host_memory_bytes() -> float:
    """Of the machine, or of the container when that is less."""
    total = psutil.virtual_memory().total
    limit = CGROUP_LIMIT.read_text().strip() if CGROUP_LIMIT.exists() else "max"
    return min(total, int(limit)) if limit.isdigit() else total


def _space_price() -> float | None:
    """What this Space costs an hour; None elsewhere, or when its hardware has no price of ours."""
    if "SPACE_ID" not in os.environ:
        return None
    return SPACE_PRICES.get(os.environ.get("ACCELERATOR", ""))
