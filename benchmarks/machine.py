"""What a benchmark prints first: the machine, the versions, the command; and a speed to compare."""

import os
import platform
import shlex
import statistics
import sys
import time
from importlib.metadata import version
from pathlib import Path

import torch

_SIZE = 1024


def heading() -> str:
    """Machine, versions and command, a line each."""
    packages = ", ".join(f"{name} {version(name)}" for name in ("charnn", "torch", "numpy"))
    command = shlex.join(["python", Path(sys.argv[0]).name, *sys.argv[1:]])
    return (
        f"machine   {_processor()}, {len(os.sched_getaffinity(0))} cores\n"
        f"versions  Python {platform.python_version()}, {packages}\n"
        f"command   {command}"
    )


def calibrate(turns: int = 9) -> tuple[float, float]:
    """GFLOP/s of a 1024 x 1024 matrix product in fp32 and in bf16: the median of some turns."""
    rates = [(_rate(torch.float32), _rate(torch.bfloat16)) for _ in range(turns)]
    single, half = zip(*rates, strict=True)
    return statistics.median(single), statistics.median(half)


def _rate(dtype: torch.dtype, seconds: float = 0.2) -> float:
    a, b = (torch.randn(_SIZE, _SIZE).to(dtype) for _ in range(2))
    (a @ b).sum().item()
    count, began = 0, time.perf_counter()
    while (spent := time.perf_counter() - began) < seconds:
        _ = a @ b
        count += 1
    return 2 * _SIZE**3 * count / spent / 1e9


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "")
