"""What a text says more than once: lines, and passages wherever they begin.

Passages are found by the hashes of all windows of a length, as in Rabin and Karp, and compared
character by character before they are told.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

LEAST: Final = 64
_BASE: Final = np.uint64(0x9E3779B97F4A7C15)
_BORDER: Final = 0x110000  # above every code point; each border between texts has its own
_DULL: Final = 4  # distinct characters; a passage of fewer is a rule, or blank
_RUNS_LOOKED_AT: Final = 2000


@dataclass(frozen=True, slots=True)
class RepeatedLine:
    """A line that stands in a text more than once, and how often."""

    text: str
    count: int


@dataclass(frozen=True, slots=True)
class RepeatedLines:
    """The lines of a text that stand in it more than once.

    Attributes:
        lines: how many lines there are that are not blank.
        repeated: how many of them stand further up already.
        characters: share of the text's characters that is in those, in [0, 1].
        most: the most repeated ones.
    """

    lines: int
    repeated: int
    characters: float
    most: tuple[RepeatedLine, ...]


@dataclass(frozen=True, slots=True)
class Passage:
    """A passage that stands in a text more than once.

    Attributes:
        text: all of it.
        count: how often it stands there.
        first: the character at which it begins, as if the texts stood one after another.
        again: where its next copy begins.
    """

    text: str
    count: int
    first: int
    again: int


@dataclass(frozen=True, slots=True)
class Repeats:
    """The long passages of a text that stand in it more than once.

    Attributes:
        least: characters from which a passage counts as long.
        share: of the characters, those in a passage that stands further up already; in [0, 1].
        longest: the longest ones, none of them within another.
    """

    least: int
    share: float
    longest: tuple[Passage, ...]


def repeated_lines(texts: Sequence[str], most: int = 5) -> RepeatedLines:
    r"""The lines that are repeated, blanks at their ends not looked at.

    Args:
        texts: stretches of a text.
        most: how many of the most repeated ones to tell.

    >>> repeated_lines(["*\na\n*\n"]).most
    (RepeatedLine(text='*', count=2),)
    """
    counts = Counter(line for text in texts for line in map(str.strip, text.split("\n")) if line)
    total = sum(map(len, texts))
    again = {line: count for line, count in counts.items() if count > 1}
    surplus = sum((count - 1) * len(line) for line, count in again.items())
    ordered = sorted(again.items(), key=lambda item: (-item[1], -len(item[0]), item[0]))
    return RepeatedLines(
        lines=counts.total(),
        repeated=sum(again.values()) - len(again),
        characters=surplus / max(1, total),
        most=tuple(RepeatedLine(line, count) for line, count in ordered[:most]),
    )


def repeated_passages(texts: Sequence[str], least: int = LEAST, most: int = 5) -> Repeats:
    """The passages of at least so many characters that stand in the texts more than once.

    Blank stretches and rules such as `-----` are passed over. Time is that of sorting the
    characters; memory about 40 bytes for each.

    Args:
        texts: stretches; no passage reaches from one into another.
        least: characters of the shortest passage, 1 or more.
        most: how many of the longest to tell.

    Source: Karp and Rabin 1987, Efficient randomized pattern-matching algorithms.

    >>> repeated_passages(["one two, one two."], least=6).longest[0].text
    'one two'
    """
    joined = _joined(texts)
    if joined.size <= least:
        return Repeats(least, 0.0, ())
    earlier = _earlier(joined, least)
    positions = np.flatnonzero(earlier >= 0)
    if not positions.size:
        return Repeats(least, 0.0, ())
    starts, lengths = _runs(positions, earlier[positions], least)
    telling = _telling(joined, starts, lengths)
    starts, lengths = starts[telling], lengths[telling]
    characters = max(1, sum(map(len, texts)))
    share = _covered(starts, lengths, joined.size) / characters
    return Repeats(least, share, _longest(joined, earlier, starts, lengths, most))


def _joined(texts: Sequence[str]) -> NDArray[np.uint32]:
    """The code points of all texts with a border of its own behind each, (characters + texts,)."""
    parts = []
    for number, text in enumerate(texts):
        parts.append(np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4"))
        parts.append(np.array([_BORDER + number], dtype=np.uint32))
    return np.concatenate(parts) if parts else np.empty(0, dtype=np.uint32)


def _window_hashes(codes: NDArray[np.uint32], length: int) -> NDArray[np.uint64]:
    """A hash for each window of `length` code points, (len(codes) - length + 1,).

    That of a window is the sum of its codes times descending powers of the base, modulo 2**64;
    windows of doubled length are put together from two halves, so this takes log2(length) steps.
    """
    part = codes.astype(np.uint64) * _BASE
    part ^= part >> np.uint64(29)
    done, covered, power = np.zeros(len(codes) + 1, dtype=np.uint64), 0, _BASE
    size = 1
    with np.errstate(over="ignore"):
        while True:
            if length & size:
                windows = len(codes) - covered - size + 1
                done = done[:windows] * power + part[covered : covered + windows]
                covered += size
            size *= 2
            if size > length:
                return done
            part = part[: len(part) - size // 2] * power + part[size // 2 :]
            power = power * power


def _earlier(codes: NDArray[np.uint32], length: int) -> NDArray[np.int64]:
    """Where each window stands once more, next before; -1 where it does not."""
    hashes = _window_hashes(codes, length)
    order = np.argsort(hashes, kind="stable")
    ordered = hashes[order]
    same = np.flatnonzero(ordered[1:] == ordered[:-1])
    earlier = np.full(len(hashes), -1, dtype=np.int64)
    earlier[order[same + 1]] = order[same]
    return earlier


def _runs(
    positions: NDArray[np.int64], earlier: NDArray[np.int64], least: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where the repeated passages begin and how long they are: windows that follow each other."""
    breaks = (np.diff(positions) != 1) | (np.diff(earlier) != 1)
    first = np.concatenate([[0], np.flatnonzero(breaks) + 1])
    last = np.concatenate([first[1:] - 1, [len(positions) - 1]])
    starts = positions[first]
    return starts, positions[last] - starts + least


def _telling(
    codes: NDArray[np.uint32], starts: NDArray[np.int64], lengths: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Which passages are more than a rule or a blank, by at most 256 characters of each."""
    ends = np.minimum(starts + lengths, starts + 256)
    return np.array(
        [
            len(set(codes[start:end].tolist())) >= _DULL
            for start, end in zip(starts.tolist(), ends.tolist(), strict=True)
        ],
        dtype=np.bool_,
    )


def _covered(starts: NDArray[np.int64], lengths: NDArray[np.int64], size: int) -> int:
    """How many characters are in any of the passages."""
    steps = np.zeros(size + 1, dtype=np.int64)
    np.add.at(steps, starts, 1)
    np.add.at(steps, starts + lengths, -1)
    return int(np.count_nonzero(np.cumsum(steps)))


def _longest(
    codes: NDArray[np.uint32],
    earlier: NDArray[np.int64],
    starts: NDArray[np.int64],
    lengths: NDArray[np.int64],
    most: int,
) -> tuple[Passage, ...]:
    """The longest passages that are not within a longer one."""
    found: dict[str, Passage] = {}
    for run in np.argsort(-lengths, kind="stable")[:_RUNS_LOOKED_AT].tolist():
        again, length = int(starts[run]), int(lengths[run])
        first = int(earlier[again])
        text = _text(codes[again : again + length])
        if text in found:
            known = found[text]
            found[text] = Passage(text, known.count + 1, min(first, known.first), known.again)
        elif (
            len(found) < most
            and not any(text in longer for longer in found)
            and _text(codes[first : first + length]) == text
        ):
            found[text] = Passage(text, 2, first, again)
    return tuple(found.values())


def _text(codes: NDArray[np.uint32]) -> str:
    return codes.tobytes().decode("utf-32-le", "surrogatepass")
