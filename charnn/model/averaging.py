"""Several networks in NumPy as one expert: the mean of their probabilities.

What `ensemble.py` is in torch; a run's network may be one `Stepper` or several.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charnn.model.products import Floats
from charnn.model.shapes import ModelShape, split_weights
from charnn.model.stepper import TABLE_BYTES, State, Stepper, Tokens


class Averaging:
    """Networks of the same sizes as an `Expert`.

    A state is one of `Stepper` for each network.

    Args:
        steppers: the networks, one or more, of one vocabulary.
    """

    def __init__(self, steppers: Sequence[Stepper]) -> None:
        self._steppers = steppers

    @property
    def vocab_size(self) -> int:
        """Number of tokens."""
        return self._steppers[0].vocab_size

    def initial_state(self, batch_size: int) -> tuple[State, ...]:
        """The zero state of `batch_size` rows."""
        return tuple(stepper.initial_state(batch_size) for stepper in self._steppers)

    def step(self, tokens: Tokens, state: tuple[State, ...]) -> tuple[Floats, tuple[State, ...]]:
        """Read one more token in every row; see `Expert.step`."""
        probs, after = self.step_probs(tokens, state)
        return _ln(probs), after

    def step_probs(
        self, tokens: Tokens, state: tuple[State, ...], share: float = 1
    ) -> tuple[Floats, tuple[State, ...]]:
        """The same with probabilities, times a share, for those who mix them."""
        share /= len(self._steppers)
        results = [
            stepper.step_probs(tokens, before, share)
            for stepper, before in zip(self._steppers, state, strict=True)
        ]
        return _summed([probs for probs, _ in results]), tuple(after for _, after in results)

    def read(self, tokens: Tokens, state: tuple[State, ...]) -> tuple[Floats, tuple[State, ...]]:
        """Read many tokens in one row; see `Expert.read`."""
        results = [
            stepper.read(tokens, before)
            for stepper, before in zip(self._steppers, state, strict=True)
        ]
        probs = _summed([np.exp(held, out=held) for held, _ in results])
        probs /= len(self._steppers)
        return _ln(probs), tuple(after for _, after in results)

    def select(self, state: tuple[State, ...], rows: Sequence[int]) -> tuple[State, ...]:
        """The state of the named rows in that order; a row may be named often or not at all."""
        return tuple(
            stepper.select(before, rows)
            for stepper, before in zip(self._steppers, state, strict=True)
        )


def make_stepper(
    shape: ModelShape,
    weights: Mapping[str, NDArray[Any]],
    *,
    own: bool = False,
    bf16: bool = False,
) -> Stepper | Averaging:
    """One network or several, as the shape says; the arguments are those of `Stepper`.

    Raises:
        KeyError: a weight is of none of several networks.
        OptionError: a weight is missing or of another shape.
    """
    if shape.networks == 1:
        return Stepper(shape, weights, own=own, bf16=bf16)
    table_bytes = TABLE_BYTES // shape.networks
    return Averaging(
        [
            Stepper(shape.single, each, own=own, bf16=bf16, table_bytes=table_bytes)
            for each in split_weights(weights, shape.networks)
        ]
    )


def _summed(probs: Sequence[Floats]) -> Floats:
    """The sum of arrays of one shape, in place of the first."""
    total = probs[0]
    for more in probs[1:]:
        total += more
    return total


def _ln(probs: Floats) -> Floats:
    with np.errstate(divide="ignore"):  # where no network holds it possible at all
        return np.log(probs, out=probs)
