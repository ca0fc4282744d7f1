"""Logits of the next token -> what is held of it, in place of them."""

import math
from functools import cache
from typing import Any

import numpy as np

from charnn.model.products import Floats


def log_softmax_(logits: Floats) -> Floats:
    """Ln of the softmax of each row of logits (batch, vocab_size), in their place."""
    if len(logits) == 1:  # plain numbers take 2 us less than arrays of one
        best = logits.item(logits.argmax())
        weights = logits - best
        logits -= best + math.log(_total(np.exp(weights, weights)))
        return logits
    logits -= np.maximum.reduce(logits, axis=1, keepdims=True)
    logits -= np.log(np.add.reduce(np.exp(logits), axis=1, keepdims=True))
    return logits


def softmax_(logits: Floats, share: float = 1) -> Floats:
    """The softmax of each row of logits (batch, vocab_size) times a share, in their place."""
    if len(logits) == 1:
        logits -= logits.item(logits.argmax())
        logits *= share / _total(np.exp(logits, logits))
        return logits
    logits -= np.maximum.reduce(logits, axis=1, keepdims=True)
    np.exp(logits, logits)
    logits *= share / np.add.reduce(logits, axis=1, keepdims=True)
    return logits


def _total(row: Floats) -> float:
    """The sum of the only row of an array; as a product, it takes half as long."""
    return float(row.dot(_ones(row.shape[1], row.dtype)).item())


@cache
def _ones(count: int, dtype: np.dtype[Any]) -> Floats:
    return np.ones(count, dtype)
