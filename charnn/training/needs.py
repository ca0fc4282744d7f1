"""The memory that a training takes at the very least, held against what the machine has; the disk.

What runs out nevertheless is noticed where it does, in faults.py.
"""

from charnn.model.shapes import GATES, ModelShape, parameter_count
from charnn.runs.files import machine_memory
from charnn.training.faults import NoMemoryError
from charnn.training.recipe import Recipe

_NUMBER = 4  # bytes
_MOMENTS = {"adamw": 2, "adagrad": 1, "sgd": 0}


def check_memory(recipe: Recipe, shape: ModelShape, tokens: int) -> None:
    """Refuse a training that this machine has no memory for, before any of it is taken.

    Args:
        recipe: what is trained.
        shape: sizes of the network.
        tokens: length of the training part.

    Raises:
        NoMemoryError: the network, or a window of the text, takes more than the machine has.
    """
    check_network_memory(recipe, shape)
    machine, network = machine_memory(), network_bytes(recipe, shape)
    window = window_bytes(recipe, shape, tokens)
    if network + window > machine:
        raise NoMemoryError(
            f"{recipe.batch_size:,} rows of {recipe.seq_len:,} tokens take {window / 1e9:,.1f} GB, "
            f"this machine has {machine / 1e9:,.1f}: train it on a larger one",
            early=False,
        )


def check_network_memory(recipe: Recipe, shape: ModelShape) -> None:
    """Refuse a network that this machine has no memory to train; fewer rows would not help.

    Args:
        recipe: what is trained.
        shape: sizes of the network.

    Raises:
        NoMemoryError: it takes more than the machine has.
    """
    machine, network = machine_memory(), network_bytes(recipe, shape)
    if network > machine:
        raise NoMemoryError(
            f"a network of {parameter_count(shape):,} numbers takes {network / 1e9:,.1f} GB to "
            f"train, this machine has {machine / 1e9:,.1f}: train it on a larger one, or a smaller "
            "network",
            early=False,
        )


def network_bytes(recipe: Recipe, shape: ModelShape) -> int:
    """Bytes of weights, gradients, moments and average."""
    copies = 2 + _MOMENTS[recipe.optimizer] + (recipe.ema > 0)
    return _NUMBER * copies * parameter_count(shape)


def checkpoint_bytes(recipe: Recipe, shape: ModelShape) -> int:
    """Bytes of what is kept of the numbers: last/, best/, and the one before each of them."""
    last = 1 + (recipe.ema > 0) + _MOMENTS[recipe.optimizer]
    best = 1 + (recipe.optimizer == "adamw")  # which knows how large the gradients were
    return 2 * _NUMBER * (last + best) * parameter_count(shape)


def window_bytes(recipe: Recipe, shape: ModelShape, tokens: int) -> int:
    """Bytes of what one step computes: gates of each layer and of the block, logits, softmax."""
    rows = recipe.batch_size
    length = min(recipe.seq_len, max(1, tokens // rows))
    per_token = shape.num_layers * GATES[shape.cell] * shape.hidden_size + 2 * shape.vocab_size
    per_token += 3 * shape.feed_forward_size
    return _NUMBER * rows * length * per_token
