"""Rows of numbers that are made when they are first asked for, and kept while there is room."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]


class RowTable:
    """A row for each token, as far as they fit into some memory; the others are made each time.

    A start costs nothing, and a token that never comes costs no memory. Tokens that come often
    come early, so a table too small for all of them still holds nearly all that are asked for.

    Args:
        make: the rows of some tokens, (n, width); a token's the same, to the bit, whenever and
            beside whichever it is asked.
        vocab_size: number of tokens.
        width: of a row.
        dtype: of a row.
        most_bytes: what the table may take.
    """

    def __init__(
        self,
        make: Callable[[Sequence[int]], Floats],
        vocab_size: int,
        width: int,
        dtype: npt.DTypeLike,
        most_bytes: int,
    ) -> None:
        self._make = make
        room = min(vocab_size, most_bytes // (width * np.dtype(dtype).itemsize))
        self._kept = np.empty((room, width), dtype)
        self._places: dict[int, int] = {}

    def row(self, token: int) -> Floats:
        """The row of a token, (width,); not to be written to."""
        place = self._places.get(token)
        if place is not None:
            kept: Floats = self._kept[place]
            return kept
        made: Floats = self._make([token])[0]
        self._keep(token, made)
        return made

    def rows(self, tokens: Sequence[int]) -> Floats:
        """The rows of some tokens, (n, width); not to be written to."""
        if len(tokens) == 1:
            return self.row(tokens[0])[None]
        places = self._places
        made = {}
        if new := sorted(set(tokens).difference(places)):
            made = dict(zip(new, self._make(new), strict=True))
            for token, row in made.items():
                self._keep(token, row)
        if made.keys() <= places.keys():
            gathered: Floats = self._kept.take([places[token] for token in tokens], axis=0)
            return gathered
        return np.stack([made[t] if t in made else self._kept[places[t]] for t in tokens])

    def _keep(self, token: int, row: Floats) -> None:
        place = len(self._places)
        if place < len(self._kept):
            self._kept[place] = row
            self._places[token] = place
