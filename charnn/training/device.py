"""Which device, precision and number of threads a training uses."""

import contextlib
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch

from charnn.errors import DeviceError


@dataclass(frozen=True, slots=True)
class Device:
    """Where a model runs.

    Attributes:
        kind: "cpu", "cuda" or "mps".
        precision: "fp32", or "bf16" for bfloat16 matrix products under autocast.
        threads: of the CPU.
    """

    kind: str
    precision: str
    threads: int

    @property
    def torch_device(self) -> torch.device:
        """The device as torch names it."""
        return torch.device(self.kind)

    def autocast(self) -> AbstractContextManager[object]:
        """The context in which forward passes run."""
        if self.precision == "bf16":
            return torch.autocast(self.kind, torch.bfloat16)
        return contextlib.nullcontext()

    def wait(self) -> None:
        """Wait until everything that was asked of the device is done."""
        if self.kind == "cuda":
            torch.cuda.synchronize()
        elif self.kind == "mps":
            torch.mps.synchronize()

    def memory(self) -> int:
        """Bytes in use: the GPU's allocations, or the process's resident memory."""
        if self.kind == "cuda":
            return int(torch.cuda.memory_allocated())
        if self.kind == "mps":
            return int(torch.mps.current_allocated_memory())
        return _resident_memory()


def choose_device(
    device: str = "auto", precision: str = "auto", threads: int | None = None
) -> Device:
    """The device asked for, or the best there is.

    Args:
        device: "auto", "cpu", "cuda" or "mps".
        precision: "auto", "fp32" or "bf16"; auto takes bf16 where the hardware has it.
        threads: CPU threads; None uses every core this process may run on.

    Raises:
        DeviceError: the device is not there, or cannot do the precision asked for.
    """
    kind = _choose_kind(device)
    torch.set_num_threads(threads or usable_cores())
    if kind == "cuda":
        rounded = precision != "fp32"
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = rounded
    able = precision != "fp32" and _has_bf16(kind)
    if precision == "bf16" and not able:
        raise DeviceError(f"precision bf16 is not available on this {kind}: use --precision fp32")
    return Device(kind, "bf16" if able else "fp32", torch.get_num_threads())


@contextlib.contextmanager
def single_precision() -> Iterator[None]:
    """Let a GPU multiply numbers of 32 bits as they are, not rounded to TF32."""
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = before


@contextlib.contextmanager
def flushing_denormals() -> Iterator[None]:
    """Let numbers too small for a normal float be zero while a training lasts; they are slow.

    Threads inherit it when they are made, so it is to be set before the first product.
    """
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


def usable_cores() -> int:
    """The number of cores this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _choose_kind(device: str) -> str:
    there = {
        "cpu": True,
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
    }
    if device == "auto":
        return "cuda" if there["cuda"] else "mps" if there["mps"] else "cpu"
    if not there[device]:
        found = ", ".join(kind for kind, is_there in there.items() if is_there)
        raise DeviceError(
            f"device {device} is not available to this torch ({torch.__version__}); "
            f"found: {found}: use --device auto"
        )
    return device


def _has_bf16(kind: str) -> bool:
    if kind == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return kind == "cpu" and _cpu_has_bf16() and _probe_step_succeeds()


def _cpu_has_bf16() -> bool:
    """Whether the processor multiplies bfloat16 itself, not only by conversion."""
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


def _probe_step_succeeds() -> bool:
    """Whether one small LSTM step in bf16 runs and gives finite gradients."""
    with torch.random.fork_rng(devices=[]):  # its random weights are nobody's business
        layer = torch.nn.LSTM(8, 8)
    try:
        with torch.autocast("cpu", torch.bfloat16):
            out, _ = layer(torch.ones(2, 1, 8))
        out.float().sum().backward()
    except RuntimeError:
        return False
    return all(p.grad is not None and bool(p.grad.isfinite().all()) for p in layer.parameters())


def _resident_memory() -> int:
    """Resident bytes of this process, or its peak where the system tells only that."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123  a kernel file
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return _peak_memory()


def _peak_memory() -> int:
    try:
        import resource  # noqa: PLC0415  not on Windows
    except ImportError:
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak if os.uname().sysname == "Darwin" else peak * 1024)
