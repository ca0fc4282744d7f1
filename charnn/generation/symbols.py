"""Symbols: the characters a constraint can tell apart, so that its automaton stays small.

Characters that are named in a constraint (and the line end) are symbols of their own; all others
are told apart by their sort alone: the lead of a syllable, a space, a punctuation mark, ... What
an automaton does with them is left to `rules.py`.
"""

import unicodedata
from enum import IntEnum
from functools import cache
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from charnn.text import hangul

CodePoints = npt.NDArray[np.integer[Any]]

CODE_POINTS: Final = 0x110000
# Everywhere else are letters, ideographs and syllables: all of it is OTHER.
_SCANNED: Final = ((0, 0x3400), (0xA000, 0xAC00), (0xD7B0, 0xD800), (0xFE00, 0x10000))
# The marks that texts are written with. Those of other scripts are OTHER: in UTF-8 they begin like
# syllables, and a model that would begin a syllable must not end in them.
_MARKS: Final = ((0, 0x100), (0x2000, 0x2070), (0x3000, 0x3040), (0xFE30, 0xFE70), (0xFF00, 0xFFF0))


class Sort(IntEnum):
    """What a character is to a constraint; 0 to 18 is a syllable, by its lead."""

    SPACE = 19  # the line end too
    CLOSING = 20  # marks that stand behind a word
    OPENING = 21  # marks that stand before one
    JOINING = 22  # is drawn onto the character before it, or into its cluster
    LEADING = 23  # a conjoining lead, which begins a cluster
    OTHER = 24


_SORT_OF_MARKS: Final = {
    **dict.fromkeys(("Pe", "Pf", "Po", "Pd"), Sort.CLOSING),
    **dict.fromkeys(("Ps", "Pi"), Sort.OPENING),
}


class Symbol(NamedTuple):
    """One symbol of an alphabet.

    Attributes:
        letter: the character, where it is a symbol of its own; else None.
        sort: a `Sort`, or 0 to 18 for the syllables of a lead.
    """

    letter: str | None
    sort: int

    @property
    def is_syllable(self) -> bool:
        """Whether it stands for one or all of the syllables of a lead."""
        return self.sort < hangul.LEADS


class Alphabet:
    """The symbols of a constraint; every character is exactly one of them.

    Args:
        letters: the characters that are symbols of their own, each once.
    """

    def __init__(self, letters: str) -> None:
        sorts = _sorts()
        self.symbols = tuple(Symbol(None, sort) for sort in range(len(Sort) + hangul.LEADS))
        self.symbols += tuple(Symbol(letter, int(sorts[ord(letter)])) for letter in letters)
        self._numbers = sorts.copy()
        first = len(self.symbols) - len(letters)
        self._numbers[list(map(ord, letters))] = np.arange(first, len(self.symbols))

    def __len__(self) -> int:
        return len(self.symbols)

    def numbers_of(self, code_points: CodePoints) -> npt.NDArray[np.int16]:
        """The number of the symbol of each code point, in the same shape.

        >>> alphabet = Alphabet("형")
        >>> numbers = alphabet.numbers_of(np.array([ord("형"), ord("하"), ord(".")]))
        >>> [int(alphabet.symbols[number].sort) for number in numbers]
        [18, 18, 20]
        """
        return self._numbers[code_points]


@cache
def _sorts() -> npt.NDArray[np.int16]:
    """The sort of every code point, (0x110000,)."""
    sorts = np.full(CODE_POINTS, Sort.OTHER, dtype=np.int16)
    for first, stop in _SCANNED:
        sorts[first:stop] = [_sort(code_point) for code_point in range(first, stop)]
    first = hangul.SYLLABLE_BASE
    leads = np.arange(hangul.SYLLABLES) // (hangul.SYLLABLES // hangul.LEADS)
    sorts[first : first + hangul.SYLLABLES] = leads
    return sorts


def _sort(code_point: int) -> Sort:
    """The sort of anything but a syllable."""
    character = chr(code_point)
    category = unicodedata.category(character)
    if hangul.is_conjoining_lead(code_point):
        return Sort.LEADING
    if hangul.is_conjoining(code_point) or category[0] == "M":
        return Sort.JOINING
    if not any(first <= code_point < stop for first, stop in _MARKS):
        return Sort.OTHER
    if character.isspace():
        return Sort.SPACE
    return Sort.CLOSING if character in "~～" else _SORT_OF_MARKS.get(category, Sort.OTHER)
