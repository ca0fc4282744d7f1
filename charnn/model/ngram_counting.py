"""An n-gram model that predicts one token at a time and counts each as soon as it is told.

The same probabilities as `score_adaptive` gives for a text that is there already, with those of
all other tokens beside them: what a decoder needs, which does not know the text yet.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from charnn.model.ngram import Level, Ngram
from charnn.model.ngram_scores import NEW_COUNT

Tokens = NDArray[np.integer[Any]]
Floats = NDArray[np.float64]


class CountingNgram:
    """Counts that grow. Discounts stay those of the model it begins from.

    Args:
        ngram: the counts to begin from; not changed.
        before: what was read before, (m,), counted already; its last `order` - 1 tokens matter.
    """

    def __init__(self, ngram: Ngram, before: Tokens) -> None:
        self._ngram = ngram
        self._behind: list[dict[tuple[int, ...], _Behind]] = [{} for _ in ngram.levels]
        self._past = tuple(before[max(0, len(before) - ngram.order + 1) :].tolist())

    def probs(self) -> Floats:
        """Probabilities of the next token, (vocab_size,); they sum up to 1."""
        probs = np.full(self._ngram.vocab_size, 1 / self._ngram.vocab_size)
        for length in range(self._longest()):
            self._after(length).blend(probs, self._ngram.levels[length])
        return probs

    def read(self, token: int) -> None:
        """Count what came."""
        for length in reversed(range(self._longest())):
            if self._after(length).count(token):
                break  # what is shorter has been met behind the same token before
        kept = self._ngram.order - 1
        self._past = (*self._past, token)[-kept:] if kept else ()

    def _longest(self) -> int:
        """How many contexts there are, the empty one among them."""
        return min(self._ngram.order, len(self._past) + 1)

    def _after(self, length: int) -> "_Behind":
        """What is known to follow the last `length` tokens."""
        context = self._past[len(self._past) - length :]
        known = self._behind[length]
        if context not in known:
            level = self._ngram.levels[length]
            known[context] = _Behind.of(level, self._entry(context))
        return known[context]

    def _entry(self, context: tuple[int, ...]) -> int:
        """The n-gram of the frozen counts that a context is; -1 if it was never met."""
        entry = 0
        for level, token in zip(self._ngram.levels, context, strict=False):
            start, stop = level.starts[entry : entry + 2].tolist()
            entry = start + int(np.searchsorted(level.tokens[start:stop], token))
            if entry == stop or level.tokens[entry] != token:
                return -1
        return entry


class _Behind:
    """The tokens that have followed one context, and how often.

    Args:
        tokens: (n,), each once.
        counts: (n,).
    """

    def __init__(self, tokens: Tokens, counts: NDArray[np.int64]) -> None:
        self._places = {token: place for place, token in enumerate(tokens.tolist())}
        self._tokens = tokens.astype(np.int64)
        self._counts = counts

    @classmethod
    def of(cls, level: Level, context: int) -> "_Behind":
        """What a level knows of a context; nothing of context -1."""
        start, stop = (0, 0) if context < 0 else level.starts[context : context + 2].tolist()
        counts = level.counts[start:stop].astype(np.int64)
        return cls(level.tokens[start:stop], counts)

    def count(self, token: int) -> bool:
        """Count a token once more; whether it was known here."""
        if token in self._places:
            place = self._places[token]
            known = bool(self._counts[place])
            self._counts[place] += NEW_COUNT
            return known
        self._places[token] = len(self._places)
        self._tokens = np.append(self._tokens, token)
        self._counts = np.append(self._counts, NEW_COUNT)
        return False

    def blend(self, probs: Floats, level: Level) -> None:
        """Make the probabilities behind a context of those behind the one a token shorter."""
        total = int(self._counts.sum())
        if total:
            taken = level.taken(self._counts)
            probs *= float(taken.sum()) / total
            probs[self._tokens] += (self._counts - taken) / total
