"""Choice: logits and one uniform number a row -> a token a row.

The inverse of the cumulative distribution, in two levels: first a block of tokens, then a token
in it. Behind each step of a network, with caches full of its weights, this takes 15 us for 1,800
tokens; `np.cumsum` and a search took 34 us, and the few sums left are quicker in Python.
"""

import math
from bisect import bisect_right
from collections.abc import Sequence
from functools import cache
from itertools import accumulate
from typing import Any

import numpy as np
import numpy.typing as npt

from charnn.errors import RunDamagedError

Floats = npt.NDArray[np.floating[Any]]

_BLOCK = 64  # tokens; near the square root of a usual vocabulary


def choose_tokens(logits: Floats, draws: Sequence[float]) -> list[int]:
    """Draw a token in every row from softmax(logits).

    Args:
        logits: (batch, vocab_size), the largest of each row 0 as `apply_temperature` leaves them.
        draws: a number in [0, 1) for each row; tokens lie along it in the order of their index.

    Returns:
        A token for each row; never one whose logit is -inf.

    Raises:
        RunDamagedError: the logits of a row are not numbers.

    >>> choose_tokens(np.log([[1.0, 0.2, 1.0], [0.1, 0.9, 1.0]]), [0.4, 0.4])
    [0, 1]
    """
    weights = np.exp(logits)
    sums = np.add.reduceat(weights, _starts(weights.shape[1]), axis=1).tolist()
    tokens = []
    for row, (blocks, draw) in enumerate(zip(sums, draws, strict=True)):
        block, rest = _invert(blocks, draw)
        first = block * _BLOCK
        token, _ = _invert(weights[row, first : first + _BLOCK].tolist(), rest)
        tokens.append(first + token)
    return tokens


@cache
def _starts(vocab_size: int) -> npt.NDArray[np.intp]:
    """The first token of every block."""
    return np.arange(0, vocab_size, _BLOCK)


def _invert(weights: list[float], draw: float) -> tuple[int, float]:
    """The place a draw falls on, and where in its interval: again uniform in [0, 1)."""
    cumulative = list(accumulate(weights))
    total = cumulative[-1]
    if not total > 0:
        raise RunDamagedError(
            "the model's probabilities are not numbers (its weights are damaged or its training "
            "diverged); generate from an earlier checkpoint or train again"
        )
    # Rounding must not push the target to the total: no token of weight above 0 lies there.
    target = min(draw * total, math.nextafter(total, 0))
    index = bisect_right(cumulative, target)
    below = cumulative[index - 1] if index else 0.0
    return index, (target - below) / (cumulative[index] - below)
