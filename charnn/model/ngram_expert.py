"""The n-gram model as an `Expert`: what comes next, one token at a time."""

from bisect import bisect_left
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charnn.model.ngram import Level, Ngram
from charnn.model.row_table import RowTable

Tokens = NDArray[np.integer[Any]]
Floats = NDArray[np.float32]
Contexts = tuple[int, ...]
"""The n-grams of length 1, 2, ... that end at a row's last token, as far as they were seen."""

_FEW = 16  # tokens that are added faster one by one
TABLE_BYTES = 8 << 20  # largest table of distributions behind one token


class NgramExpert:
    """Frozen counts that write.

    Args:
        ngram: the model; nothing of it is copied.
    """

    def __init__(self, ngram: Ngram) -> None:
        self._ngram = ngram
        self._levels = [_Lookup(level) for level in ngram.levels]
        self._unigrams = ngram.unigrams.astype(np.float32)
        self._scratch = np.empty_like(self._unigrams)
        size = ngram.vocab_size
        self._table = RowTable(self._bigrams, size, size, np.float32, TABLE_BYTES)

    @property
    def vocab_size(self) -> int:
        """Number of tokens."""
        return self._ngram.vocab_size

    def initial_state(self, batch_size: int) -> list[Contexts]:
        """The state of `batch_size` rows that have read nothing."""
        return [()] * batch_size

    def step(self, tokens: Tokens, state: list[Contexts]) -> tuple[Floats, list[Contexts]]:
        """Read one more token in every row; see `Expert.step`."""
        after = self.follow(tokens, state)
        return np.log(self.probs(after)), after

    def read(self, tokens: Tokens, state: list[Contexts]) -> tuple[Floats, list[Contexts]]:
        """Read many tokens in one row; see `Expert.read`."""
        after = self.follow_all(tokens, state)
        return np.log(self.probs(after)), after

    def select(self, state: list[Contexts], rows: Sequence[int]) -> list[Contexts]:
        """The state of the named rows in that order; a row may be named often or not at all."""
        return [state[row] for row in rows]

    def follow(self, tokens: Tokens, state: list[Contexts]) -> list[Contexts]:
        """The state of every row behind one more token, (batch,)."""
        return [self._behind(old, new) for old, new in zip(state, tokens.tolist(), strict=True)]

    def follow_all(self, tokens: Tokens, state: list[Contexts]) -> list[Contexts]:
        """The state of one row behind many tokens, (n,); only the last few matter."""
        (contexts,) = state
        for token in tokens[-self._ngram.order :].tolist():
            contexts = self._behind(contexts, token)
        return [contexts]

    def probs(self, state: list[Contexts]) -> Floats:
        """Probabilities of what comes next, (batch, vocab_size)."""
        rows = np.zeros((len(state), self.vocab_size), np.float32)
        self.add_probs(state, 1.0, rows)
        return rows

    def add_probs(
        self, state: list[Contexts], weight: float, rows: NDArray[np.floating[Any]]
    ) -> None:
        """Add probabilities, times a weight, to what stands in rows, (batch, vocab_size)."""
        for row, contexts in zip(rows, state, strict=True):
            self._add(contexts, weight, row)

    def _behind(self, contexts: Contexts, token: int) -> Contexts:
        longer = [token]
        for level, context in zip(self._levels[1:-1], contexts, strict=False):
            entry = level.entry(context, token)
            if entry < 0:
                break  # what was never seen was never seen behind anything else
            longer.append(entry)
        return tuple(longer) if self._ngram.order > 1 else ()

    def _add(self, contexts: Contexts, weight: float, row: NDArray[np.floating[Any]]) -> None:
        """Add the distribution behind these contexts to a row, (vocab_size,)."""
        for length in range(len(contexts), 1, -1):
            level, context = self._levels[length], contexts[length - 1]
            level.add(context, weight, row)
            weight *= level.backoffs[context]
        shortest = self._table.row(contexts[0]) if contexts else self._unigrams
        np.multiply(shortest, weight, out=self._scratch)
        row += self._scratch

    def _bigrams(self, tokens: Sequence[int]) -> Floats:
        """The distributions behind single tokens, (n, vocab_size)."""
        return np.stack([self._bigram(token) for token in tokens])

    def _bigram(self, token: int) -> Floats:
        """The distribution behind a single token, (vocab_size,)."""
        if len(self._levels) == 1:
            return self._unigrams
        level = self._levels[1]
        row = self._unigrams * np.float32(level.backoffs[token])
        level.add(token, 1.0, row)
        return row


class _Lookup:
    """One level, for looking up single n-grams quickly."""

    def __init__(self, level: Level) -> None:
        self._tokens = level.tokens
        self._shares = level.shares
        # Single items of these come four times as fast as those of an array.
        self.backoffs = level.backoffs.data
        self._shares_view = level.shares.data
        self._tokens_view = np.ascontiguousarray(level.tokens).data
        self._starts = np.ascontiguousarray(level.starts).data

    def entry(self, context: int, token: int) -> int:
        """The n-gram that a token makes of a context; -1 if it was never seen."""
        end = self._starts[context + 1]
        place = bisect_left(self._tokens_view, token, self._starts[context], end)
        return place if place < end and self._tokens_view[place] == token else -1

    def add(self, context: int, weight: float, row: NDArray[np.floating[Any]]) -> None:
        """Add the shares of a context's tokens, times a weight, to a row, (vocab_size,)."""
        start, stop = self._starts[context], self._starts[context + 1]
        if stop - start > _FEW:
            row[self._tokens[start:stop]] += self._shares[start:stop] * np.float32(weight)
            return
        numbers: Any = row.data
        tokens, shares = self._tokens_view, self._shares_view
        for place in range(start, stop):
            numbers[tokens[place]] += weight * shares[place]
