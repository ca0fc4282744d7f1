"""Contiguous windows for truncated BPTT, addressed by step number.

A part of the stream is cut into `batch_size` rows that each read on from window to window. Which
window a step trains on follows from its number alone, so a position needs no state of its own.
What is carried between windows is the trainer's business.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from charnn.errors import OptionError, TextError

Tokens = NDArray[np.integer]


class Window(NamedTuple):
    """What one step trains on.

    Attributes:
        inputs: int64, (seq_len, batch): the tokens the model reads.
        targets: int64, (seq_len, batch): the token that follows each of them.
        starts_epoch: whether row r begins where row r - 1 ended in the epoch before (row 0: at
            the beginning of the text).
    """

    inputs: NDArray[np.int64]
    targets: NDArray[np.int64]
    starts_epoch: bool


@dataclass(frozen=True)
class Batches:
    """The windows of a part of the stream.

    Every token is a target but for the last `len(tokens) % batch_size`, at most batch_size - 1.
    The first is predicted from `boundary`. The last window of an epoch may be short.

    Attributes:
        tokens: (n,), may be memory-mapped; only the window asked for is read.
        batch_size: number of rows.
        seq_len: tokens per row and window.
        boundary: the token that stands before the text.

    Raises:
        OptionError: batch_size or seq_len is below 1.
        TextError: there are fewer tokens than rows.
    """

    tokens: Tokens
    batch_size: int
    seq_len: int
    boundary: int = 0

    def __post_init__(self) -> None:
        for name in ("batch_size", "seq_len"):
            if (value := getattr(self, name)) < 1:
                raise OptionError(f"{name} must be >= 1, got {value}")
        if len(self.tokens) < self.batch_size:
            raise TextError(
                f"the training part has {len(self.tokens)} tokens, too few for "
                f"{self.batch_size} rows: use a longer text or a smaller --batch-size"
            )

    @property
    def row_length(self) -> int:
        """Tokens in each row."""
        return len(self.tokens) // self.batch_size

    @property
    def windows_per_epoch(self) -> int:
        """Steps that make one pass over the rows."""
        return -(-self.row_length // self.seq_len)

    def window(self, step: int) -> Window:
        """The window that step number `step` (from 0) trains on."""
        index = step % self.windows_per_epoch
        start = index * self.seq_len
        stop = min(start + self.seq_len, self.row_length)
        rows = self.tokens[: self.row_length * self.batch_size].reshape(self.batch_size, -1)
        targets = rows[:, start:stop].T.astype(np.int64, order="C")
        inputs = np.empty_like(targets)
        inputs[1:] = targets[:-1]
        inputs[0] = rows[:, start - 1] if start else self._tokens_before(rows)
        return Window(inputs, targets, starts_epoch=index == 0)

    def _tokens_before(self, rows: Tokens) -> NDArray[np.int64]:
        """The token before each row's first: the last one of the row above, or the boundary."""
        before = np.empty(self.batch_size, dtype=np.int64)
        before[0] = self.boundary
        before[1:] = rows[:-1, -1]
        return before
