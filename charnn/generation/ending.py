"""Where a text ends: before a stop text, or at a length, whichever comes first.

The text of a length is always a beginning of the longer text: what is needed to tell whether a
stop text or a Hangul cluster goes on past the end is looked at and not shown.
"""

from collections.abc import Sequence
from typing import NamedTuple

from charnn.text.hangul import ends_inside_cluster

# Code points a text may run on for; lead, vowel, tail and tone mark are four. Leads could go on
# without end, which only an untrained model writes.
_LONGEST_CLUSTER = 16


class TextPiece(NamedTuple):
    """A piece of written text.

    Attributes:
        text: whole characters, at least one.
        bits: what the tokens of this piece cost the model, before filters and temperature; a
            piece that was cut at the end of the text keeps its full cost.
    """

    text: str
    bits: float


class Ending:
    """Passes pieces on until the text is at its end.

    Args:
        length: code points after which the text ends; a Hangul cluster is finished first.
        stop: texts before which it ends.
    """

    def __init__(self, length: int, stop: Sequence[str] = ()) -> None:
        self._stop = _Stop(stop) if stop else None
        self._left = length
        self._extra = _LONGEST_CLUSTER
        self._last = ""
        self.reached = False

    def push(self, piece: TextPiece, free: int = 0) -> list[TextPiece]:
        """The pieces that are now certain to belong to the text; sets `reached` at its end.

        Args:
            piece: what was written.
            free: from which of its characters on a stop text counts.
        """
        if self._stop is None or free >= len(piece.text):
            if (left := self._left - len(piece.text)) >= 0:
                self._left, self._last = left, piece.text
                return [piece]
            return self._limit([piece])
        if free:
            shown = self._limit([TextPiece(piece.text[:free], piece.bits)])
            return shown + ([] if self.reached else self.push(TextPiece(piece.text[free:], 0.0)))
        pieces = self._limit(self._stop.push(piece))
        self.reached = self.reached or self._stop.met
        return pieces

    def close(self, piece: TextPiece, free: int = 0) -> list[TextPiece]:
        """The last pieces of a text that ends with this one, which may be empty."""
        shown = self.push(piece, free) if piece.text else []
        if not self.reached and self._stop is not None:
            shown += self._limit(self._stop.release())
        self.reached = True
        return shown

    def _limit(self, pieces: list[TextPiece]) -> list[TextPiece]:
        """The pieces as far as the length goes."""
        shown = []
        for piece in pieces:
            text, bits = piece
            if len(text) <= self._left:
                self._left -= len(text)
                self._last = text
                shown.append(piece)
                continue
            begin = text[: self._left]
            self._left = 0
            begin += self._rest_of_cluster(begin or self._last, text[len(begin) :])
            if begin:
                shown.append(TextPiece(begin, bits))
                self._last = begin
            if len(begin) < len(text):
                self.reached = True
                break
        return shown

    def _rest_of_cluster(self, before: str, after: str) -> str:
        """What of `after` the length must be exceeded by, to end at the border of a cluster."""
        rest = ""
        for character in after:
            if not self._extra or not ends_inside_cluster(rest or before, character):
                break
            self._extra -= 1
            rest += character
        return rest


class _Stop:
    """Holds back what may be the beginning of a stop text; `met` once one is complete."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts = tuple(texts)
        self._held: list[TextPiece] = []
        self.met = False

    def push(self, piece: TextPiece) -> list[TextPiece]:
        """The pieces before a stop text, or those that can no longer become part of one."""
        self._held.append(piece)
        text = "".join(piece.text for piece in self._held)
        # The stop text that is complete first ends the text, as if it came letter by letter.
        ends = [(at + len(stop), at) for stop in self._texts if (at := text.find(stop)) >= 0]
        if ends:
            self.met = True
            return _cut(self._held, min(ends)[1])
        free = len(text) - max(_overlap(text, stop) for stop in self._texts)
        shown = []
        while self._held and len(self._held[0].text) <= free:
            free -= len(self._held[0].text)
            shown.append(self._held.pop(0))
        return shown

    def release(self) -> list[TextPiece]:
        """What was held back, where nothing comes behind it."""
        held, self._held = self._held, []
        return held


def _overlap(text: str, stop: str) -> int:
    """How many of the last characters of the text are the beginning of a stop text.

    >>> _overlap("one two t", "two")
    1
    """
    longest = min(len(text), len(stop) - 1)
    return next((size for size in range(longest, 0, -1) if text.endswith(stop[:size])), 0)


def _cut(pieces: list[TextPiece], length: int) -> list[TextPiece]:
    """The first `length` characters of the pieces."""
    shown = []
    for piece in pieces:
        if length <= 0:
            break
        shown.append(TextPiece(piece.text[:length], piece.bits))
        length -= len(piece.text)
    return shown
