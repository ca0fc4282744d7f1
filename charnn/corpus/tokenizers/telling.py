"""A char tokenizer in as few bytes as tell it: what a code of a text must hold beside the tokens.

Of the syllables each is told to be in or out, by odds that its lead, vowel and tail have earned
from those told before it; of the other characters the distances between them. How it is kept in a
run is storage.py's.

Source: the odds: logistic regression by stochastic gradient, one step a syllable; the distances:
Elias 1975 (gamma code), its lengths coded by adaptive counts.
"""

import math
from collections.abc import Callable, Iterator
from itertools import chain, repeat
from typing import Final

import numpy as np
from numpy.typing import NDArray

from charnn.corpus.arithmetic import Decoder, Encoder
from charnn.corpus.tokenizers.char import CharTokenizer
from charnn.errors import StreamError
from charnn.text import hangul

_RATE: Final = 0.3
_MOST_ODDS: Final = 12.0
_KINDS: Final = hangul.LEADS + hangul.VOWELS + hangul.TAILS + 1
_LAST_SYLLABLE: Final = hangul.SYLLABLE_BASE + hangul.SYLLABLES - 1
_LARGEST: Final = 0x10FFFF
_ENDS: Final = 21
"""The length of a distance that says there is none any more; code points have 21 bits."""

Floats = NDArray[np.float64]
Choose = Callable[[Floats, int], int]
"""Writes a choice of which the probabilities are given, or reads it, whatever it is told."""


def tell_tokenizer(tokenizer: CharTokenizer) -> bytes:
    """The characters that have tokens of their own, as a code.

    >>> len(tell_tokenizer(CharTokenizer("")))
    1
    """
    encoder = Encoder()

    def write(probabilities: Floats, choice: int) -> int:
        encoder.encode(probabilities, choice)
        return choice

    _pass_through(write, [ord(character) for character in tokenizer.characters])
    return encoder.finish()


def hear_tokenizer(code: bytes) -> CharTokenizer:
    """The tokenizer that was told.

    Raises:
        StreamError: nobody told this.

    >>> hear_tokenizer(tell_tokenizer(CharTokenizer("é가각"))).characters
    'é가각'
    """
    decoder = Decoder(code)
    heard = _pass_through(lambda probabilities, _: decoder.decode(probabilities), [])
    return CharTokenizer("".join(map(chr, heard)))


def _pass_through(choose: Choose, characters: list[int]) -> list[int]:
    """The characters that come out of the choices, in order; written, they are those given."""
    given = set(characters)
    syllables = [s for s in characters if hangul.SYLLABLE_BASE <= s <= _LAST_SYLLABLE]
    others = [s for s in characters if not hangul.SYLLABLE_BASE <= s <= _LAST_SYLLABLE]
    heard: list[int] = []
    if choose(np.full(2, 0.5), int(bool(syllables))):
        heard += _syllables(choose, given)
    return sorted([*heard, *_others(choose, others)])


def _syllables(choose: Choose, given: set[int]) -> Iterator[int]:
    weights = np.zeros(_KINDS)
    bias = -1.0
    for index in range(hangul.SYLLABLES):
        lead, rest = divmod(index, hangul.VOWELS * (hangul.TAILS + 1))
        vowel, tail = divmod(rest, hangul.TAILS + 1)
        parts = [lead, hangul.LEADS + vowel, hangul.LEADS + hangul.VOWELS + tail]
        odds = min(max(bias + float(weights[parts].sum()), -_MOST_ODDS), _MOST_ODDS)
        share = 1 / (1 + math.exp(-odds))
        code_point = hangul.SYLLABLE_BASE + index
        is_in = choose(np.array([1 - share, share]), int(code_point in given))
        step = _RATE * (is_in - share)
        weights[parts] += step
        bias += step
        if is_in:
            yield code_point


def _others(choose: Choose, given: list[int]) -> Iterator[int]:
    counts = np.full((_ENDS + 1, _ENDS + 1), 1 / (_ENDS + 1))  # (length before, length)
    before, last = _ENDS, 0x7F
    for number in chain(given, repeat(None)):
        distance = 0 if number is None else number - last
        length = choose(counts[before], distance.bit_length() - 1 if distance else _ENDS)
        counts[before, length] += 1
        if length == _ENDS:
            return
        heard = 1
        for place in reversed(range(length)):
            heard = 2 * heard + choose(np.full(2, 0.5), distance >> place & 1)
        before, last = length, last + heard
        if last > _LARGEST:
            raise StreamError("the code holds characters that there are not: it tells no tokenizer")
        yield last
