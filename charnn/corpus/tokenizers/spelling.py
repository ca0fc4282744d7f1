"""Code points to tokens, vectorised: one token each, or spelled out in several.

A code point that has no token of its own is spelled: a Hangul syllable as lead, vowel and tail,
anything else as the bytes of its UTF-8 sequence. Which have one is left to the tokenizer.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from charnn.corpus.tokenizers.blocks import CODE_POINTS
from charnn.text import hangul

Tokens = NDArray[np.unsignedinteger[Any]]

_FIRST_OF_LENGTH = ((2, 0x80, 0x800), (3, 0x800, 0x10000), (4, 0x10000, CODE_POINTS))


class Speller:
    """Looks up and spells code points.

    Args:
        kept: the code points that have tokens, (kept,); the first has token 1, and so on.
        lead: token of the first lead; the others, the vowels and the tails follow it.
        byte_tokens: token of every byte, (256,); 0 where it has none.
        dtype: type of the tokens.
    """

    def __init__(
        self,
        kept: NDArray[np.uint32],
        lead: int,
        byte_tokens: NDArray[np.integer[Any]],
        dtype: np.dtype[Any],
    ) -> None:
        # Two or four megabytes of zeros, of which only the pages that are used become real.
        self._tokens: Tokens = np.zeros(CODE_POINTS, dtype=dtype)
        self._tokens[kept] = np.arange(1, len(kept) + 1)
        self._lead = lead
        self._bytes: Tokens = byte_tokens.astype(dtype)
        self._dtype = dtype

    def spell(self, code_points: NDArray[np.uint32]) -> Tokens:
        """The tokens of code points (count,): at least one for each."""
        tokens = self._tokens[code_points]
        unkept = np.flatnonzero(tokens == 0)
        if unkept.size == 0:
            return tokens
        rows: Tokens = np.zeros((len(tokens), 4), dtype=self._dtype)
        rows[:, 0] = tokens
        rows[unkept] = self._spell_out(code_points[unkept])
        spelled = rows.ravel()
        # 0 is the boundary, which is in no spelling, so it can fill the rows up.
        return spelled.compress(spelled != 0)

    def _spell_out(self, code_points: NDArray[np.uint32]) -> Tokens:
        """Rows of tokens (count, 4), filled up with 0."""
        # Unsigned: what lies below the first syllable wraps around to large numbers.
        is_syllable = code_points - np.uint32(hangul.SYLLABLE_BASE) < hangul.SYLLABLES
        rows = np.zeros((len(code_points), 4), dtype=self._dtype)
        rows[is_syllable] = self._jamo(code_points[is_syllable])
        if not is_syllable.all():
            rows[~is_syllable] = self._bytes[utf8_rows(code_points[~is_syllable])]
        return rows

    def _jamo(self, syllables: NDArray[np.uint32]) -> Tokens:
        rest, tail = np.divmod(syllables - np.uint32(hangul.SYLLABLE_BASE), hangul.TAILS + 1)
        lead, vowel = np.divmod(rest, hangul.VOWELS)
        first_vowel = self._lead + hangul.LEADS
        first_tail = first_vowel + hangul.VOWELS
        rows = np.zeros((len(syllables), 4), dtype=self._dtype)
        rows[:, 0] = self._lead + lead
        rows[:, 1] = first_vowel + vowel
        rows[:, 2] = np.where(tail > 0, first_tail - 1 + tail, 0)
        return rows


def utf8_rows(code_points: NDArray[np.uint32]) -> NDArray[np.uint8]:
    """The UTF-8 bytes of code points (count,) from U+0080 up, as rows (count, 4) ending in zeros.

    >>> utf8_rows(np.array([0xE9, 0x5B57], dtype=np.uint32)).tolist()
    [[195, 169, 0, 0], [229, 173, 151, 0]]
    """
    rows = np.zeros((len(code_points), 4), dtype=np.uint8)
    for length, first, behind in _FIRST_OF_LENGTH:
        chosen = np.flatnonzero((code_points >= first) & (code_points < behind))
        rest = code_points[chosen]
        for column in range(length - 1, 0, -1):
            rows[chosen, column] = 0x80 | (rest & 0x3F)
            rest = np.right_shift(rest, 6)
        rows[chosen, 0] = (0xF00 >> length & 0xFF) | rest
    return rows
