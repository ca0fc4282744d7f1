"""An n-gram model that has read one more text, and goes by it from then on."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from charnn.model.ngram import Level, Ngram
from charnn.model.ngram_scores import NEW_COUNT, entries_of, first_met, joined

Tokens = NDArray[np.integer[Any]]
Integers = NDArray[np.int64]


def count_more(ngram: Ngram, before: Tokens, tokens: Tokens) -> Ngram:
    """Count a text in, as `score_adaptive` does while it reads it.

    Args:
        ngram: the counts so far; not changed.
        before: what stands before the text, (m,), counted already; its last `order` - 1 tokens
            matter.
        tokens: (n,); each counts NEW_COUNT times.

    Returns:
        The counts of everything, with the discounts of the counts so far.
    """
    text, own = joined(ngram, before, tokens)
    first = len(text) - own
    nodes = entries_of(ngram, text)
    moved = np.zeros(1, np.int64)  # where each n-gram of the level below has gone
    levels = []
    for length, level in enumerate(ngram.levels, 1):
        starts = np.arange(max(0, first - length + 1), len(text) - length + 1)
        grams = nodes[length][starts]
        contexts, last = _all_grams(level, nodes[length - 1], nodes[length], text, length)
        added = grams
        if length < ngram.order:
            added = grams[_counts(ngram, nodes, starts, length)]
        counts = NEW_COUNT * np.bincount(added, minlength=len(last))
        counts[: level.size] += level.counts
        order = np.lexsort((last, moved[contexts]))
        sizes = np.bincount(moved[contexts], minlength=len(moved))
        starts = np.concatenate([[0], np.cumsum(sizes)])
        levels.append(Level(last[order], starts, counts[order], level.discounts))
        moved = np.empty(len(order), np.int64)
        moved[order] = np.arange(len(order))
    return Ngram(ngram.vocab_size, levels)


def _counts(
    ngram: Ngram, nodes: list[Integers], starts: Integers, length: int
) -> NDArray[np.bool_]:
    """Where a shorter n-gram counts: behind a token that it was never met behind."""
    counts: NDArray[np.bool_] = (
        starts == 0
    )  # nothing stands before the beginning: a token of its own
    behind = starts > 0
    wider = nodes[length + 1][starts[behind] - 1]
    counts[behind] = first_met(wider, ngram.levels[length].size)
    return counts


def _all_grams(
    level: Level, below: Integers, grams: Integers, text: Integers, length: int
) -> tuple[Integers, Integers]:
    """Context and last token of every n-gram, the known ones first, (n-grams,) each."""
    contexts = level.contexts
    ids, places = np.unique(grams, return_index=True)
    places = places[ids >= level.size]
    new_contexts = below[places] if length > 1 else np.zeros(len(places), np.int64)
    return (
        np.concatenate([contexts, new_contexts]),
        np.concatenate([level.tokens.astype(np.int64), text[places + length - 1]]),
    )
