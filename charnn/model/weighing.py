"""Experts whose weights follow what each of them has held for the text so far.

Each token moves the weights towards the experts that held it likely, so what is told by them is a
function of the tokens before. The weights forget: an expert that gets better is believed sooner
than under a mean of everything that was read.

Source: online expectation maximisation with a constant step, Cappé & Moulines 2009.
"""

import math
from collections.abc import Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

RATE = 0.005
"""How far one token moves the weights."""


class Weighing:
    """The weights of some experts; they begin equal.

    Args:
        experts: how many there are.
        rate: share of the way that one token moves the weights, in (0, 1).
    """

    def __init__(self, experts: int, rate: float = RATE) -> None:
        self._rate = rate
        self._weights = [1 / experts] * experts

    @property
    def weights(self) -> tuple[float, ...]:
        """The weight of each expert; together 1."""
        return tuple(self._weights)

    def copy(self) -> Self:
        """The same weights, to go another way with."""
        copied = type(self)(len(self._weights), self._rate)
        copied._weights = list(self._weights)
        return copied

    def mix(self, probs: Sequence[Floats]) -> Floats:
        """What the experts hold together.

        Args:
            probs: each expert's probabilities, (vocab_size,) each.
        """
        mixed = np.zeros(len(probs[0]))
        for weight, held in zip(self._weights, probs, strict=True):
            mixed += weight * held
        return mixed

    def note(self, log_probs: Sequence[float]) -> float:
        """Take the token that came into account.

        Args:
            log_probs: ln of what each expert held for it.

        Returns:
            ln of what they held together, before it came.
        """
        top = max(log_probs)
        pairs = zip(self._weights, log_probs, strict=True)
        parts = [weight * math.exp(held - top) for weight, held in pairs]
        total = sum(parts)
        shares = zip(self._weights, parts, strict=True)
        self._weights = [w + self._rate * (part / total - w) for w, part in shares]
        return top + math.log(total)

    def note_all(self, log_probs: Sequence[Floats]) -> Floats:
        """The same for the tokens of a text, one after the other.

        Args:
            log_probs: of each expert, (n,) each.

        Returns:
            ln of what they held together for each token, (n,).
        """
        rows = zip(*(held.tolist() for held in log_probs), strict=True)
        return np.array([self.note(row) for row in rows])
