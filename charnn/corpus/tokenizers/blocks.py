"""Pieces of text to blocks of a fixed length, blocks to code points, code points to counts.

The work that all tokenizers do on a text before they look at it, in memory bounded by a block.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from charnn.errors import TextError

BLOCK: Final = 1 << 16  # characters; what belongs to one block stays in the processor's cache
CODE_POINTS: Final = 0x110000
# Of 3, 10 and 20, small LSTMs on three Korean texts had the fewest bits per character with 3, or
# were within 0.3 % of the fewest; 1 cost 0.7 % on the text where it was tried.
MIN_COUNT: Final = 3
MOST_SPARSE: Final = 10_000_000  # characters

Progress = Callable[[int, int | None], None]


def blocks_of(pieces: Iterable[str], size: int = BLOCK) -> Iterator[str]:
    """The same text in blocks of `size` characters, the last one shorter; none is empty.

    Where a block begins depends on the text alone, not on how it came in pieces.

    >>> list(blocks_of(["ab", "", "cdefg"], 3))
    ['abc', 'def', 'g']
    """
    held: list[str] = []
    length = 0
    for piece in pieces:
        held.append(piece)
        length += len(piece)
        if length >= size:
            text = "".join(held)
            whole = length - length % size
            yield from (text[start : start + size] for start in range(0, whole, size))
            held, length = [text[whole:]], length - whole
    if length:
        yield "".join(held)


def code_points_of(block: str) -> NDArray[np.uint32]:
    """The code points of a text, (len(block),).

    Raises:
        UnicodeEncodeError: a surrogate is among them.
    """
    return np.frombuffer(block.encode("utf-32-le"), dtype="<u4")


def surrogate_error(error: UnicodeEncodeError, read: int) -> TextError:
    """What to tell about a text with a surrogate in it, `read` characters into which it begins."""
    code_point = ord(error.object[error.start])
    return TextError(
        f"the text holds the surrogate U+{code_point:04X} at character {read + error.start}, which "
        "is half of a UTF-16 pair and no character: read the file with its true encoding"
    )


def count_code_points(pieces: Iterable[str], progress: Progress | None = None) -> NDArray[np.int64]:
    """How often each code point occurs in a text, (0x110000,).

    Args:
        pieces: the text.
        progress: told how many characters have been read, and None for their unknown total.

    Raises:
        TextError: a surrogate is among them.
    """
    counts = np.zeros(CODE_POINTS, dtype=np.int64)
    read = 0
    for block in blocks_of(pieces, 16 * BLOCK):
        try:
            found = np.bincount(code_points_of(block))
        except UnicodeEncodeError as error:
            raise surrogate_error(error, read) from None
        counts[: len(found)] += found
        read += len(block)
        if progress is not None:
            progress(read, None)
    return counts


def enough(counts: NDArray[np.int64]) -> int:
    """How often a character must occur to have a token of its own.

    Three times, and once in ten million characters: a token costs time at every step, and what is
    rarer is better spelled out.
    """
    return max(MIN_COUNT, int(counts.sum()) // MOST_SPARSE)


def frequent_code_points(
    counts: NDArray[np.int64], min_count: int, most: int | None = None
) -> NDArray[np.int64]:
    """The code points that occur at least `min_count` times, in ascending order.

    Args:
        counts: how often each occurs, (0x110000,).
        min_count: 1 or more.
        most: keep only so many, the most frequent; of equally frequent ones the lower.
    """
    often = np.flatnonzero(counts >= min_count)
    by_count = np.argsort(-counts[often], kind="stable")
    return np.sort(often[by_count[:most]])
