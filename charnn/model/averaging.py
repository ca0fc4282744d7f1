"""One network or several in NumPy as one expert: the mean of their logits over a temperature.

What `ensemble.py` is in torch.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from charnn.model.products import Floats
from charnn.model.shapes import ModelShape, split_weights
from charnn.model.softmax import log_softmax_, softmax_
from charnn.model.stepper import TABLE_BYTES, State, Stepper, Tokens


class Averaging:
    """Networks of the same sizes as an `Expert`.

    A state is one of `Stepper` for each network.

    Args:
        steppers: the networks, one or more, of one vocabulary.
        temperature: what the mean of their logits is divided by, > 0.
    """

    def __init__(self, steppers: Sequence[Stepper], temperature: float = 1.0) -> None:
        self._steppers = steppers
        self._share = 1 / (len(steppers) * temperature)

    @property
    def vocab_size(self) -> int:
        """Number of tokens."""
        return self._steppers[0].vocab_size

    def initial_state(self, batch_size: int) -> tuple[State, ...]:
        """The zero state of `batch_size` rows."""
        return tuple(stepper.initial_state(batch_size) for stepper in self._steppers)

    def step(self, tokens: Tokens, state: tuple[State, ...]) -> tuple[Floats, tuple[State, ...]]:
        """Read one more token in every row; see `Expert.step`."""
        logits, after = self._step_logits(tokens, state)
        return log_softmax_(logits), after

    def step_probs(
        self, tokens: Tokens, state: tuple[State, ...], share: float = 1
    ) -> tuple[Floats, tuple[State, ...]]:
        """The same with probabilities, times a share, for those who mix them."""
        logits, after = self._step_logits(tokens, state)
        return softmax_(logits, share), after

    def read(self, tokens: Tokens, state: tuple[State, ...]) -> tuple[Floats, tuple[State, ...]]:
        """Read many tokens in one row; see `Expert.read`."""
        results = [
            stepper.read_logits(tokens, before)
            for stepper, before in zip(self._steppers, state, strict=True)
        ]
        logits = self._together([logits for logits, _ in results])
        return log_softmax_(logits), tuple(after for _, after in results)

    def select(self, state: tuple[State, ...], rows: Sequence[int]) -> tuple[State, ...]:
        """The state of the named rows in that order; a row may be named often or not at all."""
        return tuple(
            stepper.select(before, rows)
            for stepper, before in zip(self._steppers, state, strict=True)
        )

    def _step_logits(
        self, tokens: Tokens, state: tuple[State, ...]
    ) -> tuple[Floats, tuple[State, ...]]:
        results = [
            stepper.step_logits(tokens, before)
            for stepper, before in zip(self._steppers, state, strict=True)
        ]
        logits = self._together([logits for logits, _ in results])
        return logits, tuple(after for _, after in results)

    def _together(self, logits: Sequence[Floats]) -> Floats:
        """What the logits of the networks say together, in place of the first's."""
        total = logits[0]
        for more in logits[1:]:
            total += more
        total *= self._share
        return total


def make_stepper(
    shape: ModelShape,
    weights: Mapping[str, NDArray[Any]],
    *,
    own: bool = False,
    bf16: bool = False,
    temperature: float = 1.0,
) -> Stepper | Averaging:
    """One network or several, as the shape says; the arguments are those of both.

    Raises:
        KeyError: a weight is of none of several networks.
        OptionError: a weight is missing or of another shape.
    """
    of_each = split_weights(weights, shape.networks) if shape.networks > 1 else [weights]
    table_bytes = TABLE_BYTES // shape.networks
    steppers = [
        Stepper(shape.single, each, own=own, bf16=bf16, table_bytes=table_bytes) for each in of_each
    ]
    if len(steppers) == 1 and temperature == 1:
        return steppers[0]
    return Averaging(steppers, temperature)
