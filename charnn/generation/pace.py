"""Pace: how lines and words come to their ends where the rules leave little to choose from.

Masking alone changes how likely a line end or a space is: what remains of the syllables may be a
small part, and then everything else seems likely. A pace gives both the weight they ought to have.
"""

import math
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from charnn.generation.lexicon import Lexicon
from charnn.text import hangul

Floats = npt.NDArray[np.floating[Any]]

_LONGEST_WORD: Final = 16  # characters beyond its share after which a line ends inside a word
_SYLLABLES: Final = (hangul.SYLLABLE_BASE, hangul.SYLLABLE_BASE + hangul.SYLLABLES - 1)
_LAST_WORDS: Final = 8  # characters before the length from which on a space ends the text


class Pace(Protocol):
    """Follows one text, and weighs the tokens that may come next."""

    def apply(self, permitted: Floats, log_probs: Floats) -> Floats:
        """Log-probabilities as they ought to be.

        Args:
            permitted: (V,), -inf for what may not come.
            log_probs: the same before the rules masked any of them.
        """

    def push(self, text: str) -> None:
        """Read what was written."""


class LinePace:
    """Where the lines of an acrostic end.

    A model of prose may never end a line. So every line has an equal share of the characters that
    are left; when it is used up, the line ends where the model would write a space. The last line
    ends so a little before the length, which could cut a word.

    Args:
        lexicon: the tokens.
        lines: how many lines there are.
        length: characters of all of them.
    """

    def __init__(self, lexicon: Lexicon, lines: int, length: int) -> None:
        self._newline = lexicon.token_of("\n")
        self._spaces = lexicon.tokens_beginning_in(ord(" "), ord(" "))
        self._lines, self._left = lines, length
        self._written = 0  # characters of this line
        self._share = length // lines

    def push(self, text: str) -> None:
        """See `Pace.push`."""
        for character in text:
            self._left -= 1
            self._written += 1
            if character == "\n":
                if self._written > 1:  # or it only ended the line of the prompt
                    self._lines = max(1, self._lines - 1)
                self._share = self._left // self._lines
                self._written = 0

    def apply(self, permitted: Floats, log_probs: Floats) -> Floats:
        """See `Pace.apply`."""
        del log_probs
        newline = permitted[self._newline]
        if self._written + 1 < self._enough or newline == -math.inf:
            return permitted
        paced = permitted.copy()
        paced[self._newline] = np.logaddexp(newline, np.logaddexp.reduce(permitted[self._spaces]))
        paced[self._spaces] = -math.inf
        if self._lines > 1 and self._written >= self._share + _LONGEST_WORD:
            paced[np.arange(len(paced)) != self._newline] = -math.inf
        return paced

    @property
    def _enough(self) -> int:
        """Characters after which this line may end."""
        if self._lines > 1:
            return self._share
        return self._share - min(_LAST_WORDS, self._share // 2)


class WordPace:
    """How often a syllable follows a syllable of `Initials`: as often as the model writes one.

    Args:
        lexicon: the tokens.
    """

    def __init__(self, lexicon: Lexicon) -> None:
        self._begin = lexicon.tokens_beginning_in(*_SYLLABLES)

    def push(self, text: str) -> None:
        """See `Pace.push`."""

    def apply(self, permitted: Floats, log_probs: Floats) -> Floats:
        """See `Pace.apply`."""
        kept = np.logaddexp.reduce(permitted[self._begin])
        meant = np.logaddexp.reduce(log_probs[self._begin])
        if -math.inf in (kept, meant):
            return permitted
        paced = permitted.copy()
        paced[self._begin] += meant - kept
        return paced
