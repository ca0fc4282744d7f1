"""Tokens to bytes and back by the probabilities somebody gives them: an arithmetic coder.

A code is as long as the probabilities say, -log2 p bits a token, and proves that they were enough
to tell the text: whoever predicts the same again, token by token, reads it back. All steps behind
the float64 probabilities are on integers, or exact. Who predicts is left to others.
"""

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from charnn.errors import OptionError, StreamError

Floats = NDArray[np.float64]

_UNIT_BITS: Final = 48  # an interval is divided into 2**48 units
_LEAST_UNITS: Final = 1 << 10  # a token of fewer is coded by a second division
_SLACK: Final = 2.0**-30  # of the units stays unused, so that rounding never needs one too many
_RANGE_BITS: Final = 128
_WHOLE: Final = 1 << _RANGE_BITS
_NARROW: Final = _WHOLE >> 32  # an interval of at most this is widened by a word
_WORD: Final = (1 << 32) - 1
_LARGEST_VOCABULARY: Final = 1 << 20


class Encoder:
    """Writes tokens, each by the distribution it was predicted with.

    Source: Witten, Neal & Cleary 1987; carries as in Martin 1979 (range encoding).
    """

    def __init__(self) -> None:
        self._low = 0  # of the interval, behind the words that are written
        self._range = _WHOLE
        self._words: list[int] = []

    def encode(self, probabilities: NDArray[np.floating[Any]], token: int) -> None:
        """Write one token.

        Args:
            probabilities: of every token, (vocab_size,); >= 0, finite, divided by their sum.
            token: the one that came; its probability is above 0.

        Raises:
            OptionError: the probabilities or the token break these rules.
        """
        shares = _normalised(probabilities)
        if not 0 <= token < len(shares) or not shares[token]:
            raise OptionError(
                f"token must be one of {len(shares)} with a probability above 0, got {token}: "
                "nothing else can be coded"
            )
        division, place = _divide(shares), token
        while not division.units[place]:
            self._narrow(division.used, division.rest)
            place = int(np.searchsorted(division.rare, place))
            division = _divide(division.rare_shares())
        units = int(division.units[place])
        self._narrow(int(division.ends[place]) - units, units)

    def finish(self) -> bytes:
        """The code; its last bytes are as few as tell the interval.

        The encoder stays as it is: more tokens may follow.
        """
        head = b"".join(word.to_bytes(4, "big") for word in self._words)
        count = next(n for n in range(_RANGE_BITS // 8 + 1) if self._is_inside(self._rounded_up(n)))
        whole = (int.from_bytes(head, "big") << _RANGE_BITS) + self._rounded_up(count)
        code = whole.to_bytes(len(head) + _RANGE_BITS // 8, "big")
        return code[: len(head) + count]

    def _rounded_up(self, count: int) -> int:
        """The first value of the interval, rounded up to `count` bytes."""
        unit = 1 << (_RANGE_BITS - 8 * count)
        return -(-self._low // unit) * unit

    def _is_inside(self, value: int) -> bool:
        return value < self._low + self._range

    def _narrow(self, start: int, units: int) -> None:
        """Keep `units` units of the interval from `start` on; write what is certain of it."""
        unit = self._range >> _UNIT_BITS
        self._low += unit * start
        self._range = unit * units
        if self._low >> _RANGE_BITS:
            self._low &= _WHOLE - 1
            self._carry()
        while self._range <= _NARROW:
            self._words.append(self._low >> (_RANGE_BITS - 32))
            self._low = (self._low << 32) & (_WHOLE - 1)
            self._range <<= 32

    def _carry(self) -> None:
        """Add one to the words that are written."""
        place = len(self._words) - 1
        while self._words[place] == _WORD:
            self._words[place] = 0
            place -= 1
        self._words[place] += 1


class Decoder:
    """Reads tokens back, given the distributions they were written with.

    Args:
        code: what `Encoder.finish` returned.
    """

    def __init__(self, code: bytes) -> None:
        self._code = code
        self._next = 0
        self._range = _WHOLE
        self._value = self._take(_RANGE_BITS // 8)  # of the code, from the interval's low end on

    def decode(self, probabilities: NDArray[np.floating[Any]]) -> int:
        """Read one token.

        Args:
            probabilities: bit for bit those it was written with, (vocab_size,).

        Raises:
            OptionError: they are no probabilities.
            StreamError: the code was not written with them.
        """
        division = _divide(_normalised(probabilities))
        names: NDArray[np.integer[Any]] = np.arange(len(division.units))
        while (target := self._value // (self._range >> _UNIT_BITS)) >= division.used:
            if target >= division.used + division.rest:
                raise StreamError(
                    "the code does not fit the probabilities: decode with the model that wrote it"
                )
            self._narrow(division.used, division.rest)
            names = names[division.rare]
            division = _divide(division.rare_shares())
        place = int(np.searchsorted(division.ends, target, side="right"))
        units = int(division.units[place])
        self._narrow(int(division.ends[place]) - units, units)
        return int(names[place])

    def _narrow(self, start: int, units: int) -> None:
        unit = self._range >> _UNIT_BITS
        self._value -= unit * start
        self._range = unit * units
        while self._range <= _NARROW:
            self._value = self._value << 32 | self._take(4)
            self._range <<= 32

    def _take(self, count: int) -> int:
        """The next bytes as a number; behind the end of the code there are zeros."""
        taken = self._code[self._next : self._next + count].ljust(count, b"\0")
        self._next += count
        return int.from_bytes(taken, "big")


class _Division(NamedTuple):
    """How an interval of 2**48 units is shared out.

    Attributes:
        shares: of each token, (n,); together at most 1.
        units: of each token, (n,) int64; 0 for one too rare, which shares the rest with its like.
        ends: sum of the units up to and with each token, (n,).
        used: units of all tokens together; the rest begins there.
        rare: which tokens are too rare, in order.
        rest: units for all of them together.
    """

    shares: Floats
    units: NDArray[np.int64]
    ends: NDArray[np.int64]
    used: int
    rare: NDArray[np.int64]
    rest: int

    def rare_shares(self) -> Floats:
        """Shares of the rare tokens in the rest: an interval of its own, divided once more."""
        scaled: Floats = self.shares[self.rare] * 2.0**_UNIT_BITS / self.rest
        return scaled


def _divide(shares: Floats) -> _Division:
    """Share the units out; however rare a token is, it gets its true share, at some depth.

    With units rounded down from 1,024 at least, a token costs at most 0.0015 bits too much.
    """
    scaled = shares * 2.0**_UNIT_BITS
    units = (scaled * (1 - _SLACK)).astype(np.int64)
    units[units < _LEAST_UNITS] = 0
    rare = np.flatnonzero((units == 0) & (shares > 0))
    rest = int(scaled[rare].sum() * (1 + _SLACK)) + 1 if len(rare) else 0
    ends = units.cumsum()
    return _Division(shares, units, ends, int(ends[-1]), rare, rest)


def _normalised(probabilities: NDArray[np.floating[Any]]) -> Floats:
    """The probabilities divided by their sum.

    Raises:
        OptionError: they cannot be.
    """
    shares = np.asarray(probabilities, np.float64)
    if shares.ndim != 1 or not 1 <= len(shares) <= _LARGEST_VOCABULARY:
        raise OptionError(
            f"probabilities must be a row of 1 to {_LARGEST_VOCABULARY}, got shape {shares.shape}"
        )
    total = float(shares.sum())
    if not (np.isfinite(total) and total > 0 and shares.min() >= 0):
        raise OptionError(
            f"probabilities must be finite, >= 0 and not all 0, got {float(shares.min())} to "
            f"{float(shares.max())}"
        )
    return shares / total
