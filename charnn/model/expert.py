"""What generation asks of whatever predicts: a network, an n-gram model, or both."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]
Tokens = npt.NDArray[np.integer[Any]]


class Expert(Protocol):
    """Whatever predicts the next token from the tokens before it.

    A state is opaque, belongs to a batch of rows, and stays valid when a later one is made of it.
    """

    @property
    def vocab_size(self) -> int:
        """Number of tokens."""

    def initial_state(self, batch_size: int) -> Any:
        """The state of `batch_size` rows that have read nothing."""

    def step(self, tokens: Tokens, state: Any) -> tuple[Floats, Any]:
        """Read one more token in every row.

        Args:
            tokens: (batch,).
            state: what this expert returned for these rows.

        Returns:
            Log-probabilities of what comes next in nats, (batch, vocab_size), and the new state.
        """

    def read(self, tokens: Tokens, state: Any) -> tuple[Floats, Any]:
        """Read many tokens in one row; faster than steps, since only the end is predicted.

        Args:
            tokens: (n,), n >= 1.
            state: a state of one row.

        Returns:
            Log-probabilities behind the last token, (1, vocab_size), and the new state.
        """

    def select(self, state: Any, rows: Sequence[int]) -> Any:
        """The state of the named rows in that order; a row may be named often or not at all."""
