"""How much of a text stands word for word in another one: exact, by comparing suffixes.

All that is asked follows from one number for each place of the text: how far it goes on as some
place of the source does. Where the texts come from is left to others.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Lengths = NDArray[np.integer[Any]]
MOST_BY_CHANCE = 0.002
"""The share of held-out text that may lie in copied spans: what a language repeats by itself."""

_SOURCE_ENDS, _TEXT_ENDS = 0x110000, 0x110001  # no code points: no match goes over an end


def matching_lengths(texts: Sequence[str], sources: Sequence[str]) -> Lengths:
    """For every character of the texts, the longest stretch from it on that a source contains.

    Args:
        texts: what may be copied; no stretch goes from one into the next.
        sources: what it may be copied from, likewise.

    Returns:
        (characters of all texts together,), int64.

    Source: names for all substrings of 1, 2, 4, ... characters: Karp, Miller & Rosenberg 1972;
    the longest match is that of a neighbour in sorted order: Manber & Myers 1993. The time is
    n log n for each doubling, up to the longest match.

    >>> matching_lengths(["nab", "cab"], ["abracadabra"]).tolist()
    [0, 2, 1, 2, 2, 1]
    """
    source = [codes for text in sources for codes in (_codes(text), [_SOURCE_ENDS])]
    start = 1 + sum(map(len, source))
    text = [codes for text in texts for codes in (_codes(text), [_TEXT_ENDS])]
    joined = np.concatenate([[_SOURCE_ENDS], *source, *text]).astype(np.int64)
    levels = _name_substrings(joined, start)
    places = start + np.flatnonzero(joined[start:] != _TEXT_ENDS)
    before, behind = _neighbours(levels[-1], start, places)
    return np.maximum(
        _common_length(levels, places, before), _common_length(levels, places, behind)
    )


def covering_lengths(lengths: Lengths) -> Lengths:
    """For every character the longest copied span it lies in.

    Args:
        lengths: (n,), as `matching_lengths` tells.

    Returns:
        (n,), 0 where nothing is copied.

    >>> covering_lengths(np.array([0, 3, 2, 1, 0])).tolist()
    [0, 3, 3, 3, 0]
    """
    # A match that begins one character after another ends no earlier: the first place from which
    # the reach grows begins a span, and later spans only matter where they are longer.
    places = np.arange(len(lengths))
    reach = places + lengths
    starts = np.flatnonzero((np.diff(reach, prepend=-1) > 0) & (lengths > 0))
    covered = np.zeros(len(lengths), np.int64)
    for start in starts[np.argsort(lengths[starts], kind="stable")].tolist():
        covered[start : start + int(lengths[start])] = lengths[start]
    return covered


def copied_share(lengths: Lengths, span: int) -> float:
    """The share of the characters that lie in copied spans of at least `span` characters.

    >>> copied_share(np.array([0, 3, 2, 1, 0]), 3), copied_share(np.array([0, 3, 2, 1, 0]), 4)
    (0.6, 0.0)
    """
    return float(np.mean(covering_lengths(lengths) >= span)) if len(lengths) else 0.0


def span_beyond_chance(lengths: Lengths, most: float = MOST_BY_CHANCE) -> int:
    """The shortest span at which the share of copied characters is at most `most`.

    Args:
        lengths: of held-out text, which copied nothing.
        most: share in [0, 1].

    >>> span_beyond_chance(np.array([0, 3, 2, 1, 0]))
    4
    """
    covered = np.sort(covering_lengths(lengths))[::-1]
    allowed = int(most * len(covered))
    return int(covered[allowed]) + 1 if allowed < len(covered) else 1


def _codes(text: str) -> NDArray[np.uint32]:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)


def _name_substrings(codes: NDArray[np.int64], start: int) -> list[NDArray[np.int32]]:
    """Ranks of the substrings of 2**k characters at every place, for k = 0, 1, ...

    The last level is the first at which no substring of the text (from `start` on) is one of the
    source; each has a 0 behind its end.
    """
    levels = [_ranks(codes)]
    while _shares_names(levels[-1], start):
        width = 1 << (len(levels) - 1)
        names = levels[-1][:-1].astype(np.int64)
        following = np.concatenate([names[width:], np.zeros(min(width, len(names)), np.int64)])
        levels.append(_ranks(names * (len(names) + 2) + following))
    return levels


def _ranks(keys: NDArray[np.int64]) -> NDArray[np.int32]:
    """Place of each key among the different ones, from 1 on; and a 0 at the end."""
    _, inverse = np.unique(keys, return_inverse=True)
    return np.append(inverse + 1, 0).astype(np.int32)


def _shares_names(names: NDArray[np.int32], start: int) -> bool:
    in_source = np.zeros(int(names.max()) + 1, np.bool_)
    in_source[names[:start]] = True
    return bool(in_source[names[start:-1]].any())


def _neighbours(
    names: NDArray[np.int32], start: int, places: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The places of the source that sort next before and next behind each place; -1 for none."""
    order = np.argsort(names[:start])
    behind = np.searchsorted(names[order], names[places])
    padded = np.concatenate([[-1], order, [-1]])
    return padded[behind], padded[behind + 1]


def _common_length(
    levels: list[NDArray[np.int32]], places: NDArray[np.int64], others: NDArray[np.int64]
) -> NDArray[np.int64]:
    """How many characters are the same from each place and its other place on."""
    length = np.zeros(len(places), np.int64)
    for doubling in reversed(range(len(levels) - 1)):
        names = levels[doubling]
        same = names[places + length] == names[others + length]
        length += (same & (others >= 0)).astype(np.int64) << doubling
    return length
