"""What a checkpoint a minute costs: files as large as a training's, committed for real.

    python benchmarks/checkpoint_cost.py --json FILE

For every base the LoRA weights, the best so far and Adam's two moments (float32, default LoRA) are
written by the libraries that write them in a training, and committed by `runs/checkpoints.py`:
fsync, SHA-256, rename, read back, prune. On a GPU the copy to the host comes on top.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch
from safetensors.torch import save_file

from whisper_tuner.config import LoraSettings
from whisper_tuner.model.catalogue import BASE_MODELS, BaseModel
from whisper_tuner.runs import checkpoints

INTERVAL_S = 60.0  # between two checkpoints (training/callbacks.py)
QUICK_BASE = "openai/whisper-base"


def commit_s(base: BaseModel, n: int, folder: Path) -> list[float]:
    """Seconds of each of `n` commits."""
    size = base.n_trainable(LoraSettings())
    weights, moments = {"lora": torch.randn(size)}, {"exp_avg": torch.randn(size)}
    moments["exp_avg_sq"] = torch.rand(size)

    def write(new: Path) -> None:
        save_file(weights, new / "adapter_model.safetensors")
        save_file(weights, new / "best.safetensors")
        torch.save({"state": {0: moments}}, new / "optimizer.pt")

    seconds = []
    for step in range(1, n + 1):
        began_s = time.monotonic()
        checkpoints.commit(folder, step, write)
        seconds.append(time.monotonic() - began_s)
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--commits", type=int, default=20, help="of each base")
    parser.add_argument("--folder", type=Path, help="on the disk to measure; default: temporary")
    parser.add_argument("--quick", action="store_true", help="one base, three commits")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    bases = [BASE_MODELS[QUICK_BASE]] if options.quick else list(BASE_MODELS.values())
    result = {}
    print("base                            MB   median s   slowest s   of a minute")
    for base in bases:
        with tempfile.TemporaryDirectory(dir=options.folder) as scratch:
            seconds = commit_s(base, 3 if options.quick else options.commits, Path(scratch) / "c")
        megabytes = base.checkpoint_bytes(LoraSettings()) / 1e6
        row = {"megabytes": megabytes, "median_s": median(seconds), "slowest_s": max(seconds)}
        row["share_of_a_minute"] = row["median_s"] / INTERVAL_S
        result[base.id] = row
        print(
            f"{base.id:29} {megabytes:5.0f} {row['median_s']:10.2f} {row['slowest_s']:11.2f} "
            f"{row['share_of_a_minute']:13.2%}"
        )
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
