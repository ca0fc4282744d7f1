"""How fast a device trains, from the first seconds of a training: what its size is chosen by."""

import time
from statistics import median

import torch
from torch.nn import functional as F

from charnn.model.language_model import LanguageModel
from charnn.model.shapes import ModelShape
from charnn.training.device import Device
from charnn.training.sizing import flops_per_token

_UNTIMED, _TIMED = 2, 5
_VOCABULARY = 256
_PROBES = {"cpu": (384, 16, 64), "cuda": (1024, 64, 64), "mps": (512, 32, 64)}
"""Units, rows and tokens of a window: as large as what is likely to be trained there."""

_SHARE = 0.85
"""Of the probe's speed that a training reaches over all its minutes: it also drops units, clips,
averages, validates and saves."""


def measure_flops(device: Device) -> float:
    """Floating-point operations a second that a training will reach on a device.

    Forward and backward passes of a small network on noise; the first ones are not timed, for
    they pay for what is made once. No random state is changed.
    """
    hidden, rows, window = _PROBES[device.kind]
    shape = ModelShape(_VOCABULARY, hidden // 8, hidden, 1, "lstm", tied=False)
    with torch.random.fork_rng(devices=[]):  # networks begin on the CPU, whatever the device
        model = LanguageModel(shape).to(device.torch_device)
        noise = torch.randint(_VOCABULARY, (window + 1, rows)).to(device.torch_device)
    seconds = [_time_step(model, noise, device) for _ in range(_UNTIMED + _TIMED)]
    return _SHARE * flops_per_token(shape) * rows * window / median(seconds[_UNTIMED:])


def _time_step(model: LanguageModel, noise: torch.Tensor, device: Device) -> float:
    """Seconds of a forward and a backward pass over noise (window + 1, rows)."""
    began = time.perf_counter()
    model.zero_grad(set_to_none=True)
    with device.autocast():
        logits, _ = model(noise[:-1], model.initial_state(noise.shape[1]))
    loss = F.cross_entropy(logits.float().flatten(0, 1), noise[1:].flatten())
    loss.backward()  # type: ignore[no-untyped-call]
    device.wait()
    return time.perf_counter() - began
