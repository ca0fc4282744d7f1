"""Whether the arrays of a saved training are those its state has; taking them up is left to it.

A fused optimiser and a random generator trust what they are handed: they read and write behind the
end of an array that is too short. A checkpoint may be a stranger's, so every array is looked at.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from charnn.errors import RunDamagedError
from charnn.model.ensemble import Model
from charnn.model.recurrence import State

Arrays = Mapping[str, NDArray[Any]]

RAW = "weights."
RANDOM_CPU, RANDOM_CUDA = "random.cpu", "random.cuda"
SLOTS: Mapping[type[torch.optim.Optimizer], tuple[str, ...]] = {
    torch.optim.AdamW: ("step", "exp_avg", "exp_avg_sq"),
    torch.optim.Adagrad: ("step", "sum"),
    torch.optim.SGD: (),
}
"""What each optimiser keeps of a weight."""

_TWISTER_BYTES, _TWISTER_WORDS = 5056, 624


def carried_name(layer: int, part: int) -> str:
    """What a part of the carried state is called in a checkpoint."""
    return f"carried.{layer}.{part}"


def slot_name(weight: str, slot: str) -> str:
    """What the optimiser's slot of a weight is called in a checkpoint."""
    return f"optimizer.{weight}/{slot}"


def check_arrays(
    arrays: Arrays,
    model: Model,
    optimizer: torch.optim.Optimizer,
    carried: State,
    *,
    with_weights: bool,
) -> None:
    """Refuse arrays that are not exactly those of a training.

    The optimiser may have all of its slots for a weight, or none of them.

    Args:
        arrays: by name.
        model: the network that is trained.
        optimizer: of its weights.
        carried: the state between windows.
        with_weights: whether the newest weights are among the arrays.

    Raises:
        RunDamagedError: one is missing, unknown, of another shape or type, or cannot be.
    """
    floats = {
        carried_name(layer, part): tuple(tensor.shape)
        for layer, parts in enumerate(carried)
        for part, tensor in enumerate(parts)
    }
    shapes = {name: tuple(weight.shape) for name, weight in model.named_parameters()}
    if with_weights:
        floats |= {RAW + name: shape for name, shape in shapes.items()}
    for name, shape in shapes.items():
        slots = {slot_name(name, slot): slot for slot in SLOTS[type(optimizer)]}
        if not slots.keys().isdisjoint(arrays):
            floats |= {key: () if slot == "step" else shape for key, slot in slots.items()}
    for problem in _problems(arrays, floats):
        raise RunDamagedError(f"the saved training state does not fit: {problem}")


def _problems(arrays: Arrays, floats: Mapping[str, tuple[int, ...]]) -> Iterator[str]:
    """What is wrong with the arrays, where these must be there as float32."""
    for name, shape in floats.items():
        if name not in arrays:
            yield f"{name} is missing"
        elif (found := arrays[name]).dtype != np.float32 or found.shape != shape:
            yield f"{name} is {found.dtype} {found.shape}, must be float32 {shape}"
        elif name.endswith("/step") and not 0 <= found < np.inf:
            yield f"{name} must be a number of steps >= 0, got {found}"
    for name in arrays:
        if name not in floats and name not in (RANDOM_CPU, RANDOM_CUDA):
            yield f"{name[:80]!r} is unknown"
    if RANDOM_CPU not in arrays:
        yield f"{RANDOM_CPU} is missing"
    elif not _is_random_state(arrays[RANDOM_CPU]):
        yield f"{RANDOM_CPU} is no state of a random generator"


def _is_random_state(array: NDArray[Any]) -> bool:
    """Whether a Mersenne twister stands inside its own numbers.

    torch looks at how many are left and at the next one by itself, but not at both together.
    """
    if array.dtype != np.uint8 or array.shape != tuple(torch.get_rng_state().shape):
        return False
    if len(array) != _TWISTER_BYTES:  # another generator, of another torch
        return True
    left = int(array[8:12].view(np.int32)[0])
    following = int(array[16:24].view(np.uint64)[0])
    return 1 <= left <= _TWISTER_WORDS and following + left <= _TWISTER_WORDS + 1
