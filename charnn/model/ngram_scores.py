"""What a text costs an n-gram model: frozen, or counting as it reads.

Whole texts at once, one array operation a level; writing is in ngram_expert.py.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from charnn.model.ngram import Level, Ngram

Tokens = NDArray[np.integer[Any]]
Integers = NDArray[np.int64]
Floats = NDArray[np.float64]

NEW_COUNT = 2
"""How much a token counts that is met while reading: what a text repeats, it repeats soon."""


def score_frozen(ngram: Ngram, before: Tokens, tokens: Tokens) -> Floats:
    """Log-probabilities of a text under counts that stay as they are.

    Args:
        ngram: the model.
        before: what was read before the text, (m,); its last `order` - 1 tokens matter.
        tokens: (n,).

    Returns:
        ln p of each token behind all tokens before it, (n,).
    """
    text, own = joined(ngram, before, tokens)
    probs = ngram.unigrams[text]
    contexts: Integers = text[:-1] if len(text) else text
    for length, level in enumerate(ngram.levels[1:], 1):
        # contexts[i]: the n-gram of this length that begins at i; what follows is text[i + length]
        entries = level.find(contexts, text[length:])
        left = _found(level.backoffs, contexts, 1.0)
        probs[length:] = _found(level.shares, entries, 0.0) + left * probs[length:]
        contexts = entries[:-1]
    return np.log(probs[-own:]) if own else np.empty(0)


def score_adaptive(ngram: Ngram, before: Tokens, tokens: Tokens) -> Floats:
    """Log-probabilities of a text where each token is counted as soon as it is predicted.

    It counts NEW_COUNT times: what was read lately says more of what comes than what was read once.
    Discounts stay those of the model. Nothing is predicted from a count that was not there yet.

    Args:
        ngram: the counts to begin from; not changed.
        before: what was read before the text, (m,); counted already, or not at all.
        tokens: (n,).

    Returns:
        ln p of each token, (n,).
    """
    text, own = joined(ngram, before, tokens)
    if not own:
        return np.empty(0)
    first = len(text) - own
    nodes = entries_of(ngram, text)
    ends = np.arange(first, len(text))
    probs = np.full(own, 1 / ngram.vocab_size)
    for length, level in enumerate(ngram.levels, 1):
        use = np.flatnonzero(ends - length + 1 >= 0)  # with a whole context before them
        starts = ends[use] - length + 1
        grams = nodes[length][starts]
        contexts = nodes[length - 1][starts] if length > 1 else np.zeros(len(starts), np.int64)
        counted = np.ones(len(starts), bool)
        if length < ngram.order:
            # A shorter n-gram counts what stands before it: only a longer one never met adds, and
            # the nothing before the beginning, which is a token of its own.
            counted = starts == 0
            longer = starts >= 1
            wider = nodes[length + 1][starts[longer] - 1]
            counted[longer] = first_met(wider, ngram.levels[length].size)
        probs[use] = _blend(level, grams, contexts, counted, probs[use])
    log_probs: Floats = np.log(probs)
    return log_probs


def _blend(
    level: Level, grams: Integers, contexts: Integers, counted: NDArray[np.bool_], shorter: Floats
) -> Floats:
    """Probabilities at one level from those one token shorter, with counts of each moment."""
    counts = _known(level.counts, grams) + NEW_COUNT * _sum_before(grams, counted)
    totals = _known(level.totals, contexts) + NEW_COUNT * _sum_before(contexts, counted)
    left = np.zeros(len(grams))
    for number, held in enumerate(_held(level, contexts, counts, counted), 1):
        left += level.discounts[number] * held
    shares = counts - level.taken(counts)
    blended = (shares + left * shorter) / np.maximum(totals, 1)
    probs: Floats = np.where(totals > 0, blended, shorter)
    return probs


def _held(
    level: Level, contexts: Integers, counts: Integers, counted: NDArray[np.bool_]
) -> list[Integers]:
    """How many tokens stand behind each context with count 1, 2, and 3 or more, at each moment."""
    held = []
    before, after = np.minimum(counts, 3), np.minimum(counts + NEW_COUNT, 3)
    for number in (1, 2, 3):
        kept = np.minimum(level.counts, 3) == number
        change = counted * ((after == number).astype(np.int64) - (before == number))
        held.append(_known(level.sums(kept), contexts) + _sum_before(contexts, change))
    return held


def entries_of(ngram: Ngram, text: Tokens) -> list[Integers]:
    """The n-gram of each length that begins at each position of a text.

    Args:
        ngram: the model.
        text: (n,).

    Returns:
        By length, from 0: entries of that level, (n - length + 1,); n-grams that the model does
        not have are numbered on behind them, in the order of context and token.
    """
    nodes = [np.zeros(len(text), np.int64), text.astype(np.int64)]
    for length, level in enumerate(ngram.levels[1:], 2):
        contexts = nodes[-1][: len(text) - length + 1]
        last = text[length - 1 :]
        known = np.where(contexts < ngram.levels[length - 2].size, contexts, -1)
        found = level.find(known, last)
        new = found < 0
        keys = contexts[new] * ngram.vocab_size + last[new]
        found[new] = level.size + np.unique(keys, return_inverse=True)[1]
        nodes.append(found)
    return nodes


def first_met(nodes: Integers, known: int) -> NDArray[np.bool_]:
    """Whether each n-gram is neither among the known ones nor earlier in the text."""
    first = np.zeros(len(nodes), bool)
    first[np.unique(nodes, return_index=True)[1]] = True
    return first & (nodes >= known)


def _known(values: NDArray[np.integer[Any]], places: Integers) -> Integers:
    """The values at these places; 0 behind their end."""
    if not len(values):
        return np.zeros(len(places), np.int64)
    inside = places < len(values)
    return np.where(inside, values[np.where(inside, places, 0)].astype(np.int64), 0)


def _found(values: NDArray[np.float32], places: Integers, missing: float) -> Floats:
    """The values at these places; another one where a place is -1."""
    found = np.full(len(places), missing)
    there = places >= 0
    found[there] = values[places[there]]
    return found


def _sum_before(groups: Integers, values: NDArray[Any]) -> Integers:
    """The sum of earlier values of the same group, for each position.

    >>> _sum_before(np.array([7, 3, 7, 7]), np.array([1, 1, 0, 1])).tolist()
    [0, 0, 1, 1]
    """
    order = np.argsort(groups, kind="stable")
    sums = np.concatenate([[0], np.cumsum(values[order], dtype=np.int64)[:-1]])
    begins = np.ones(len(order), bool)
    begins[1:] = groups[order][1:] != groups[order][:-1]
    at_begin = sums[begins]
    result = np.empty(len(order), np.int64)
    result[order] = sums - at_begin[np.cumsum(begins) - 1]
    return result


def joined(ngram: Ngram, before: Tokens, tokens: Tokens) -> tuple[Integers, int]:
    """The text behind as much of what came before as matters, and its own length."""
    reach = ngram.order - 1
    past = before[len(before) - min(reach, len(before)) :]
    return np.concatenate([past, tokens]).astype(np.int64), len(tokens)
