"""What the device could do: the rate of one plain matrix product of the model's shape and dtype."""

import time

import torch

PRODUCTS_AT_ONCE = 10  # between two looks at the clock, so that starting kernels costs nothing


def gemm_rate(
    n_rows: int, d_model: int, dtype: torch.dtype, device: torch.device, seconds: float = 1.0
) -> dict[str, float]:
    """TFLOP/s of (n_rows x d) @ (d x 4d), the first half of a feed-forward layer; best of several.

    By wall clock, and by the process's own CPU time: on a busy machine only that one is steady.
    """
    rows = torch.randn(n_rows, d_model, device=device, dtype=dtype)
    weight = torch.randn(d_model, 4 * d_model, device=device, dtype=dtype)
    product = torch.empty(n_rows, 4 * d_model, device=device, dtype=dtype)

    def once() -> tuple[float, float]:
        wall_s, cpu_s = time.perf_counter(), time.process_time()
        for _ in range(PRODUCTS_AT_ONCE):
            torch.mm(rows, weight, out=product)
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return time.perf_counter() - wall_s, time.process_time() - cpu_s

    once()
    end_s = time.monotonic() + seconds
    times = [once(), once()]
    while time.monotonic() < end_s:
        times.append(once())
    tflop = PRODUCTS_AT_ONCE * 2 * n_rows * d_model * 4 * d_model / 1e12
    return {
        "tflops": tflop / min(wall_s for wall_s, _ in times),
        "tflops_cpu": tflop / max(min(cpu_s for _, cpu_s in times), 1e-9),
    }
