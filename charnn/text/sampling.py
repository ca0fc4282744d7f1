"""A sample of a long text: stretches of equal length spread evenly over it."""

import re
from dataclasses import dataclass, field
from typing import Final

from charnn.text.lenient import without_marks

MOST_BYTES: Final = 8_000_000
_STRETCHES: Final = 32
_BORDER: Final = 4096  # characters in which a stretch looks for the end of a line


@dataclass(frozen=True, slots=True)
class Sample:
    """Part of a text, or all of it.

    Attributes:
        texts: stretches in their order; none goes from one file into another.
        characters: how many they have together.
        whole: whether they are all of the text.
    """

    texts: tuple[str, ...] = field(repr=False)
    characters: int
    whole: bool


class Spread:
    """Takes in a text bit by bit and keeps stretches of it.

    Args:
        total_bytes: length of the whole, as it lies in its files.
        most_bytes: how much of it may be kept; None keeps all.
    """

    def __init__(self, total_bytes: int, most_bytes: int | None = MOST_BYTES) -> None:
        self.whole = most_bytes is None or total_bytes <= most_bytes
        self._period = max(1, total_bytes // _STRETCHES)
        self._kept = (most_bytes or 0) // _STRETCHES
        self._texts: list[str] = []
        self._open: list[str] = []
        self._cut_before = False

    def add(self, text: str, position: int) -> None:
        """Take in what follows.

        Args:
            text: a short stretch, marks of lenient.py among it.
            position: the byte of the whole at which it begins.
        """
        if self.whole or position % self._period < self._kept:
            self._open.append(text)
        else:
            self._close(cut_after=True)

    def end_file(self) -> None:
        """What follows is another file."""
        self._close(cut_after=False)

    def sample(self) -> Sample:
        """What was kept."""
        texts = tuple(self._texts)
        return Sample(texts, sum(map(len, texts)), self.whole)

    def _close(self, *, cut_after: bool) -> None:
        """End a stretch, at the borders of lines where it was cut out of the text."""
        text = without_marks("".join(self._open))
        self._open = []
        if self._cut_before:
            begin = re.compile(r"\n").search(text, 0, _BORDER)
            text = text[begin.end() :] if begin else text
        if cut_after:
            end = text.rfind("\n", max(0, len(text) - _BORDER))
            text = text[: end + 1] if end >= 0 else text
        self._cut_before = cut_after
        if text:
            self._texts.append(text)
