"""Counts over a whole text in constant memory: code points, lines, decomposed syllables, forms.

NumPy does the work, block by block; Python looks once at each distinct character. What the code
points are is left to classes.py.
"""

import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from charnn.text import hangul
from charnn.text.lenient import MARKS

_BLOCK: Final = 1 << 19  # characters; smaller ones spend their time on the table of counts
_CODE_POINTS: Final = 0x110000
_LONGEST_CLUSTER: Final = 4096
_UNKNOWN, _STANDS_ALONE, _JOINS = 0, 1, 2

CodePoints = NDArray[np.uint32]


@dataclass(slots=True)
class Counts:
    """What has been counted of a text so far.

    Attributes:
        code_points: how often each occurs, marks of lenient.py among them, (0x110000,).
        lines: how many there are; a newline at the end of a file begins none.
        blank_lines: those of them without a character.
        longest_line: characters of the longest one.
        nfd_sequences: how many syllables are written as conjoining jamo that NFC would join.
        nfc: whether NFC would change nothing.
        nfd: whether NFD would change nothing.
    """

    code_points: NDArray[np.int64] = field(
        default_factory=lambda: np.zeros(_CODE_POINTS, dtype=np.int64)
    )
    lines: int = 0
    blank_lines: int = 0
    longest_line: int = 0
    nfd_sequences: int = 0
    nfc: bool = True
    nfd: bool = True
    _sorts: NDArray[np.uint8] = field(
        default_factory=lambda: np.zeros(_CODE_POINTS, dtype=np.uint8)
    )

    @property
    def characters(self) -> int:
        """How many there are in all; a byte that could not be decoded counts as one."""
        return int(self.code_points.sum())

    def by_code_point(self) -> dict[int, int]:
        """How often each code point occurs, those that do not occur left out."""
        found = np.flatnonzero(self.code_points)
        return dict(zip(found.tolist(), self.code_points[found].tolist(), strict=True))

    def add(self, texts: Iterable[str]) -> None:
        """Count one file.

        Args:
            texts: its characters in stretches of any length, newlines already LF.
        """
        open_line = 0
        for block in self._blocks(texts):
            self._count(block)
            open_line = self._count_lines(block, open_line)
        if open_line:
            self.lines += 1
            self.longest_line = max(self.longest_line, open_line)

    def _blocks(self, texts: Iterable[str]) -> Iterator[CodePoints]:
        """The code points in blocks that begin and end between clusters, (characters,) each."""
        held: list[str] = []
        length = 0
        for text in texts:
            held.append(text)
            length += len(text)
            if length < _BLOCK:
                continue
            codes = _code_points("".join(held))
            cut = self._last_cluster(codes)
            yield codes[:cut]
            rest = codes[cut:].tobytes().decode("utf-32-le", "surrogatepass")
            held, length = [rest], len(rest)
        if length:
            codes = _code_points("".join(held))
            self._learn(codes)
            yield codes

    def _last_cluster(self, codes: CodePoints) -> int:
        """Where the last character begins that joins nothing before it."""
        self._learn(codes)
        tail = self._sorts[codes[-_LONGEST_CLUSTER:]]
        alone = np.flatnonzero(tail == _STANDS_ALONE)
        return len(codes) - len(tail) + int(alone[-1]) if alone.size else len(codes)

    def _learn(self, codes: CodePoints) -> None:
        """Look at the characters that were not met before."""
        unknown = np.unique(codes[self._sorts[codes] == _UNKNOWN])
        for code_point in unknown.tolist():
            self._sorts[code_point] = _JOINS if _joins(chr(code_point)) else _STANDS_ALONE
            self.nfd = self.nfd and unicodedata.is_normalized("NFD", chr(code_point))

    def _count(self, codes: CodePoints) -> None:
        """Everything but lines."""
        found = np.bincount(codes)
        self.code_points[: len(found)] += found
        if len(found) > hangul.VOWEL_BASE and found[hangul.VOWEL_BASE : 0x11C3].any():
            self.nfd_sequences += _joinable(codes)
        joins = self._sorts[codes] == _JOINS
        if joins.any() and (self.nfc or self.nfd):
            # What joins nothing begins a cluster, so clusters side by side are normal together
            # exactly where each of them is.
            clusters = joins.copy()
            clusters[:-1] |= joins[1:]
            text = codes[clusters].tobytes().decode("utf-32-le", "surrogatepass")
            self.nfc = self.nfc and unicodedata.is_normalized("NFC", text)
            self.nfd = self.nfd and unicodedata.is_normalized("NFD", text)

    def _count_lines(self, codes: CodePoints, open_line: int) -> int:
        """Count the lines that end in a block; characters of the one that does not."""
        ends = np.flatnonzero(codes == 0x0A)
        if not ends.size:
            return open_line + len(codes)
        lengths = np.diff(ends, prepend=-1) - 1
        lengths[0] += open_line
        self.lines += len(ends)
        self.blank_lines += int(np.count_nonzero(lengths == 0))
        self.longest_line = max(self.longest_line, int(lengths.max()))
        return len(codes) - 1 - int(ends[-1])


def undecodable(counts: NDArray[np.int64]) -> int:
    """How many bytes could not be decoded."""
    return int(counts[MARKS : MARKS + 0x100].sum())


def _joins(character: str) -> bool:
    """Whether normalisation may join a character with what stands before it, or change it."""
    code_point = ord(character)
    if hangul.is_conjoining_vowel(code_point) or hangul.is_conjoining_tail(code_point):
        return True
    return unicodedata.category(character)[0] == "M" or not unicodedata.is_normalized(
        "NFC", character
    )


def _joinable(codes: CodePoints) -> int:
    """How often jamo follow each other that make a modern syllable."""
    lead = (codes - np.uint32(hangul.LEAD_BASE)) < hangul.LEADS
    vowel = (codes - np.uint32(hangul.VOWEL_BASE)) < hangul.VOWELS
    tail = (codes - np.uint32(hangul.TAIL_BASE + 1)) < hangul.TAILS
    syllable = codes - np.uint32(hangul.SYLLABLE_BASE)
    opened = (syllable < hangul.SYLLABLES) & (syllable % (hangul.TAILS + 1) == 0)
    pairs = (lead[:-1] & vowel[1:]) | (opened[:-1] & tail[1:])
    return int(np.count_nonzero(pairs))


def _code_points(text: str) -> CodePoints:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")
