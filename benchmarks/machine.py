"""What a benchmark prints first: the machine, the versions, the command; and a speed to compare."""

import platform
import shlex
import statistics
import sys
import time
from importlib.metadata import version
from pathlib import Path

import torch

from charnn.training.device import choose_device, usable_cores

DRIFT = 0.05
"""By how much the machine's speed may change during a run that is to be believed."""
_SIZE = 1024

Rates = tuple[float, ...]
"""GFLOP/s in fp32 and, where the processor has it, in bf16."""


def heading() -> str:
    """Machine, versions and command, a line each."""
    return "\n".join(f"{name:<9} {told}" for name, told in made_by().items())


def made_by() -> dict[str, str]:
    """Machine, versions and command, as they are kept with a row."""
    packages = ", ".join(f"{name} {version(name)}" for name in ("charnn", "torch", "numpy"))
    script = f"benchmarks/{Path(sys.argv[0]).name}"
    cores = "one core" if usable_cores() == 1 else f"{usable_cores()} cores"
    return {
        "machine": f"{_processor()}, {cores}{_graphics()}",
        "versions": f"Python {platform.python_version()}, {packages}",
        "command": shlex.join(["python", script, *sys.argv[1:]]),
    }


def calibrate(turns: int = 9) -> Rates:
    """GFLOP/s of a 1024 x 1024 matrix product, the median of some turns.

    In bf16 only where a training takes it: a processor without it needs seconds for one product.
    """
    has_bf16 = choose_device("cpu").precision == "bf16"
    precisions = (torch.float32, torch.bfloat16) if has_bf16 else (torch.float32,)
    rates = [[_rate(precision) for precision in precisions] for _ in range(turns)]
    return tuple(statistics.median(rate) for rate in zip(*rates, strict=True))


def drift(before: Rates, after: Rates) -> float:
    """By which share the speed has changed, the larger of the two.

    >>> drift((100.0, 200.0), (101.0, 180.0))
    -0.1
    """
    return max((round(b / a - 1, 4) for a, b in zip(before, after, strict=True)), key=abs)


def product_rate(rows: int, inner: int, columns: int, dtype: torch.dtype, device: str) -> float:
    """GFLOP/s of one large matrix product of that size."""
    a = torch.randn(rows, inner, device=device, dtype=dtype)
    b = torch.randn(inner, columns, device=device, dtype=dtype)
    return _product_rate(a, b, 0.2)


def synchronise(device: str) -> None:
    """Wait until a GPU has done what it was given; a CPU has."""
    if device == "cuda":
        torch.cuda.synchronize()


def _rate(dtype: torch.dtype, seconds: float = 0.2) -> float:
    a, b = (torch.randn(_SIZE, _SIZE).to(dtype) for _ in range(2))
    return _product_rate(a, b, seconds)


def _product_rate(a: torch.Tensor, b: torch.Tensor, seconds: float) -> float:
    device = a.device.type
    _ = a @ b
    synchronise(device)
    count, began = 0, time.perf_counter()
    while (spent := time.perf_counter() - began) < seconds:
        for _ in range(1 if device == "cpu" else 20):
            _ = a @ b
            count += 1
        synchronise(device)
    return 2 * a.shape[0] * a.shape[1] * b.shape[1] * count / spent / 1e9


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "")


def _graphics() -> str:
    return f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ""
