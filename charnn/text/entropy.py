"""How predictable a text is from the characters before each character: conditional entropies."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

_MOST: Final = 2**63

_Keys = list[NDArray[np.int64]]


def conditional_entropies(texts: Sequence[str], orders: int = 4) -> tuple[float, ...]:
    """The entropy of a character given the k before it, for k = 0 to orders - 1, in bits.

    These are of the counts in the text itself, so the higher orders are lower than anything that
    has to foresee a text can reach: in a short text, most contexts of three occur once. A text
    shorter than a context has entropy 0 there.

    Args:
        texts: stretches; a context never reaches from one into another.
        orders: how many orders, 1 or more.

    Source: Shannon 1951, Prediction and entropy of printed English.

    >>> conditional_entropies(["abab" * 50], 2)
    (1.0, 0.0)
    """
    codes = [_code_points(text) for text in texts if text]
    if not codes:
        return (0.0,) * orders
    kinds, numbered = np.unique(np.concatenate(codes), return_inverse=True)
    characters = _split(numbered.astype(np.int64), codes)
    entropies, contexts = [], 1
    windows = characters
    for order in range(orders):
        if order:
            if contexts * len(kinds) >= _MOST:
                windows, contexts = _renumbered(windows)
            windows = _longer(windows, characters, order, len(kinds))
        contexts *= len(kinds)
        entropies.append(_entropy(np.concatenate(windows), len(kinds)))
    return tuple(entropies)


def _longer(windows: _Keys, characters: _Keys, order: int, distinct: int) -> _Keys:
    """A number for each window of order + 1 characters, equal where these are.

    Args:
        windows: the same for windows of `order` characters, an array for each text.
        characters: a number below `distinct` for each character, likewise.
        order: 1 or more.
        distinct: by which the new numbers divide into those of their contexts.
    """
    return [
        keys[: max(0, len(ids) - order)] * distinct + ids[order:]
        for keys, ids in zip(windows, characters, strict=True)
    ]


def _entropy(windows: NDArray[np.int64], distinct: int) -> float:
    """Bits of the last character given those before it, over all windows of one length."""
    if not windows.size:
        return 0.0
    ordered = np.sort(windows)
    joint, context = _sum_of_logs(ordered), _sum_of_logs(ordered // distinct)
    return max(0.0, (context - joint) / windows.size)


def _split(joined: NDArray[np.int64], like: Sequence[NDArray[Any]]) -> _Keys:
    """An array cut into pieces as long as others are."""
    return np.split(joined, np.cumsum([len(part) for part in like])[:-1])


def _renumbered(keys: _Keys) -> tuple[_Keys, int]:
    """The keys as small as they can be; and how many different ones there are."""
    kinds, numbered = np.unique(np.concatenate(keys), return_inverse=True)
    return _split(numbered.astype(np.int64), keys), len(kinds)


def _sum_of_logs(ordered: NDArray[np.int64]) -> float:
    """Sum of n log2 n over the counts n of equal numbers that stand side by side."""
    borders = np.flatnonzero(ordered[1:] != ordered[:-1]) + 1
    counts = np.diff(np.concatenate([[0], borders, [ordered.size]])).astype(np.float64)
    return float(np.sum(counts * np.log2(counts)))


def _code_points(text: str) -> NDArray[np.uint32]:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")
