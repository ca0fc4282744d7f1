"""An n-gram model with modified Kneser-Ney smoothing, over the tokens a network reads.

The n-grams are a trie in sorted arrays: level n holds every n-gram that was seen, ordered by its
first n - 1 tokens and then by its last. Here it is counted, kept, and turned into probabilities;
what a text costs is computed in ngram_scores.py, what comes next in ngram_expert.py.

Source: Chen & Goodman 1998 (TR-10-98, Harvard), section 3: interpolated, three discounts a level.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charnn.errors import RunDamagedError

Tokens = NDArray[np.integer[Any]]
Integers = NDArray[np.integer[Any]]
Floats = NDArray[np.float64]

ORDER = 6
"""Tokens of the longest n-gram. On characters 8 gains 0.002 bits for twice the size."""
MOST_TOKENS = 2_000_000
"""Of a longer text only so many tokens, the last ones, are counted."""


@dataclass(frozen=True)
class Level:
    """All n-grams of one length.

    The count of an n-gram of the longest kind is how often it was seen; of a shorter one, how many
    different tokens were seen before it, which is what Kneser and Ney put in the place of counts.

    Attributes:
        tokens: the last token of each n-gram, (n-grams,).
        starts: where the n-grams of each context begin, (contexts + 1,); context c is entry c of
            the level below, the one context of level 1 is the empty one.
        counts: (n-grams,).
        given: discounts of another text, (4,), where these counts do not say them.
    """

    tokens: Integers
    starts: Integers
    counts: Integers
    given: Floats | None = None

    @property
    def size(self) -> int:
        """How many n-grams there are."""
        return len(self.tokens)

    @cached_property
    def totals(self) -> NDArray[np.int64]:
        """The sum of counts behind each context, (contexts,)."""
        return self.sums(self.counts)

    def sums(self, values: Integers | NDArray[np.bool_]) -> NDArray[np.int64]:
        """Sums of a value of the n-grams over each context, (contexts,)."""
        cumulative = np.zeros(self.size + 1, np.int64)
        np.cumsum(values, out=cumulative[1:])
        return np.diff(cumulative[self.starts])

    @cached_property
    def discounts(self) -> Floats:
        """What is taken from counts 0, 1, 2, and 3 or more, (4,); Chen & Goodman, equation 17."""
        if self.given is not None:
            return self.given
        ones, twos, threes, fours = (int((self.counts == n).sum()) for n in (1, 2, 3, 4))
        if not ones or not twos:
            return np.array([0.0, 0.5, 0.75, 0.9])  # too little text to estimate anything
        share = ones / (ones + 2 * twos)
        raw = [1 - 2 * share * twos / ones, 2 - 3 * share * threes / twos]
        raw.append(3 - 4 * share * fours / threes if threes else raw[-1])
        # A text can have any counts of counts: nothing may be taken that is not there, and every
        # context must leave something for tokens it has not met.
        return np.array([0.0, *np.clip(raw, 0.05, [0.95, 1.95, 2.95])])

    def taken(self, values: Integers) -> Floats:
        """The discount of each of these counts."""
        discounts: Floats = self.discounts[np.minimum(values, 3)]
        return discounts

    @cached_property
    def shares(self) -> NDArray[np.float32]:
        """Discounted probability of each n-gram's last token behind its context, (n-grams,)."""
        totals = np.repeat(self.totals, np.diff(self.starts))
        return ((self.counts - self.taken(self.counts)) / np.maximum(totals, 1)).astype(np.float32)

    @cached_property
    def backoffs(self) -> NDArray[np.float32]:
        """The probability each context leaves to the shorter one, (contexts,); 1 if never met."""
        left = np.zeros(len(self.starts) - 1)
        for count in (1, 2, 3):
            held = (self.counts == count) if count < 3 else (self.counts >= 3)
            left += self.discounts[count] * self.sums(held.astype(np.int64))
        totals = self.totals
        return np.where(totals > 0, left / np.maximum(totals, 1), 1.0).astype(np.float32)

    def find(self, contexts: Integers, tokens: Tokens) -> NDArray[np.int64]:
        """The n-grams that these tokens make of these contexts.

        Args:
            contexts: entries of the level below, (n,); -1 for a context that was never met.
            tokens: (n,).

        Returns:
            Entries of this level, (n,); -1 where there is none.
        """
        known = np.flatnonzero(contexts >= 0)
        found = np.full(len(contexts), -1, np.int64)
        width = np.int64(1 << 32)
        keys = contexts[known].astype(np.int64) * width + tokens[known]
        all_keys = self.contexts * width + self.tokens
        places = np.minimum(np.searchsorted(all_keys, keys), max(0, self.size - 1))
        if self.size:
            hit = all_keys[places] == keys
            found[known[hit]] = places[hit]
        return found

    @property
    def contexts(self) -> NDArray[np.int64]:
        """The context of each n-gram, (n-grams,)."""
        return np.repeat(np.arange(len(self.starts) - 1, dtype=np.int64), np.diff(self.starts))


class Ngram:
    """Counts of n-grams and the probabilities that follow from them.

    Args:
        vocab_size: number of tokens; level 1 has an entry for each of them.
        levels: level 1 to level `order`.
    """

    def __init__(self, vocab_size: int, levels: Sequence[Level]) -> None:
        self.vocab_size = vocab_size
        self.levels = tuple(levels)

    @property
    def order(self) -> int:
        """Tokens of the longest n-gram."""
        return len(self.levels)

    @cached_property
    def unigrams(self) -> Floats:
        """Probability of each token behind a context that was never met, (vocab_size,)."""
        first = self.levels[0]
        probs: Floats = first.shares + first.backoffs.astype(np.float64)[0] / self.vocab_size
        return probs

    def arrays(self) -> dict[str, Integers]:
        """The counts as arrays with names, to be kept in a file."""
        kept: dict[str, Integers] = {}
        for number, level in enumerate(self.levels, 1):
            kept[f"{number}.tokens"] = _smallest(level.tokens)
            kept[f"{number}.starts"] = _smallest(level.starts)
            kept[f"{number}.counts"] = _smallest(level.counts)
        return kept

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Integers], vocab_size: int, where: str) -> "Ngram":
        """The model that `arrays` described, every index in it proved to be in range.

        Raises:
            RunDamagedError: the arrays do not describe a trie over that vocabulary.
        """
        levels: list[Level] = []
        contexts = 1
        for number in range(1, len(arrays) // 3 + 1):
            try:
                tokens, starts, counts = (arrays[f"{number}.{name}"] for name in _NAMES)
            except KeyError as error:
                raise RunDamagedError(f"{where} lacks {error}: it is no n-gram model") from None
            level = Level(tokens, starts, counts)
            if not _is_sound(level, contexts, vocab_size):
                raise RunDamagedError(f"{where} is damaged: level {number} is no sorted trie")
            levels.append(level)
            contexts = level.size
        if not levels or len(arrays) % 3 or levels[0].size != vocab_size:
            raise RunDamagedError(f"{where} does not fit a vocabulary of {vocab_size:,} tokens")
        return cls(vocab_size, levels)


_NAMES = ("tokens", "starts", "counts")
_KINDS = (np.uint8, np.uint16, np.uint32)
"""Types that they are kept in; MOST_TOKENS need no wider one."""


def count_ngrams(tokens: Tokens, vocab_size: int, order: int = ORDER) -> Ngram:
    """Count the n-grams of a text.

    Args:
        tokens: (n,), each below vocab_size; the last MOST_TOKENS of them are counted.
        vocab_size: number of tokens.
        order: tokens of the longest n-gram, >= 1.

    Returns:
        The model. Time is that of `order` sorts of the text.
    """
    text = np.asarray(tokens[-MOST_TOKENS:], dtype=np.int64)
    entries = text  # of each position: the n-gram that begins there
    tries = [(np.arange(vocab_size), np.array([0, vocab_size]))]
    counts = []
    for length in range(2, order + 1):
        keys = entries[: len(text) - length + 1] * vocab_size + text[length - 1 :]
        grams, first, following = np.unique(keys, return_index=True, return_inverse=True)
        below = len(tries[-1][0])
        counts.append(_different_before(entries, first, below))
        sizes = np.bincount(grams // vocab_size, minlength=below)
        tries.append((grams % vocab_size, np.concatenate([[0], np.cumsum(sizes)])))
        entries = following
    counts.append(np.bincount(entries, minlength=len(tries[-1][0])))
    levels = [Level(*trie, count) for trie, count in zip(tries, counts, strict=True)]
    return Ngram(vocab_size, levels)


def _different_before(entries: Tokens, first: Integers, size: int) -> NDArray[np.int64]:
    """How many different tokens stand before each n-gram, (size,).

    Args:
        entries: the n-gram that begins at each position.
        first: where each n-gram that is one token longer begins first.
        size: how many n-grams there are.
    """
    different = np.bincount(entries[first + 1], minlength=size)
    if len(entries):
        different[entries[0]] += 1  # nothing stands before the beginning: a token of its own
    return different


def _is_sound(level: Level, contexts: int, vocab_size: int) -> bool:
    """Whether a level is sorted, complete, and names nothing that is not there."""
    tokens, starts, counts = level.tokens, level.starts, level.counts
    if any(array.ndim != 1 or array.dtype not in _KINDS for array in (tokens, starts, counts)):
        return False
    if len(starts) != contexts + 1 or len(tokens) != len(counts):
        return False
    if starts[0] != 0 or starts[-1] != len(tokens) or (starts[1:] < starts[:-1]).any():
        return False
    rises = np.ones(len(tokens), bool)
    rises[1:] = tokens[1:] > tokens[:-1]
    inside = starts[:-1]
    rises[inside[inside < len(tokens)]] = True  # a new context begins
    return bool(rises.all() and (tokens < vocab_size).all())


def _smallest(values: Integers) -> Integers:
    """The same whole numbers in the smallest unsigned type."""
    most = int(values.max(initial=0))
    kind = next(kind for kind in _KINDS if most <= np.iinfo(kind).max)
    return values.astype(kind)
