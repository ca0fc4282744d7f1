"""Which windows of characters stand in a text: what `max_copy` is held against.

The index is one bit table: every window of 8 characters of the training text sets the bit its
hash points at. A stretch of N + 1 characters that stands in the text has N - 6 such windows in a
row, so where that many in a row are found, the last character may not come. This never lets a
longer copy through; it may refuse one that is none, because its windows stand in different places
or their bits were set by others.

With two bits a character the table is smaller than any compressor makes the text, and it holds no
order: it can tell whether a guessed passage stands in the text, but the text is not in it. Files
are left to `copy_file.py`, tokens to `lexicon.py`.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from charnn.corpus.tokenizers.base import Tokenizer
from charnn.errors import OptionError
from charnn.generation.automaton import Booleans, Texts
from charnn.generation.characters import BETWEEN, code_points_of
from charnn.generation.symbols import CodePoints

WINDOW: Final = 8  # characters
BITS_PER_CHARACTER: Final = 2
SMALLEST_MAX_COPY: Final = 10
_MOST_BITS: Final = 1 << 29  # 64 MiB; texts beyond 268 million characters are held more strictly
_CHUNK: Final = 1 << 16  # tokens; what is made of them stays in the processor's cache

Hashes = npt.NDArray[np.uint64]
Bits = npt.NDArray[np.uint8]

_FACTOR: Final = 0x9E3779B97F4A7C15
_MIX: Final = ((32, 0xBF58476D1CE4E5B9), (29, 0x94D049BB133111EB))


class CopyState(NamedTuple):
    """What a text ends in.

    Attributes:
        recent: its last WINDOW - 1 characters, fewer at the beginning.
        runs: for each table, how many windows in a row up to its end stand in it.
    """

    recent: tuple[int, ...]
    runs: tuple[int, ...]


class CopyIndex:
    """The windows of one or more texts, a table each.

    Args:
        tables: bits, (bytes,) each.
    """

    def __init__(self, tables: Sequence[Bits]) -> None:
        self.tables = tuple(tables)

    def begin(self) -> CopyState:
        """The state of an empty text."""
        return CopyState((), (0,) * len(self.tables))

    def follow(self, state: CopyState, text: str) -> CopyState:
        """The state of a text some characters later."""
        recent, runs = state
        for character in text:
            window = (*recent, ord(character))
            if len(window) == WINDOW:
                found = self._found(window_hashes(np.array(window)))
                runs = tuple(
                    run + 1 if hit else 0 for run, hit in zip(runs, found[:, 0], strict=True)
                )
            recent = window[-(WINDOW - 1) :]
        return CopyState(recent, runs)

    def near(self, state: CopyState, max_copy: int, characters: int) -> bool:
        """Whether so many characters more could be too many."""
        return max(state.runs, default=0) + characters >= _windows_in(max_copy + 1)

    def permitted(self, state: CopyState, max_copy: int, texts: Texts) -> Booleans:
        """Which texts may come behind a state, (count,): those that copy at most max_copy."""
        limit = _windows_in(max_copy + 1)
        count, longest = texts.code_points.shape
        recent = np.broadcast_to(np.array(state.recent, dtype=np.int64), (count, len(state.recent)))
        behind = np.concatenate([recent, texts.code_points], axis=1)
        runs = np.repeat(np.array(state.runs, dtype=np.int64)[:, None], count, axis=1)
        permitted = np.ones(count, dtype=np.bool_)
        first = max(0, WINDOW - 1 - len(state.recent))  # the text that completes a first window
        for column in range(first, longest):
            present = np.flatnonzero(texts.lengths > column)
            start = len(state.recent) + column + 1 - WINDOW
            found = self._found(window_hashes(behind[present, start : start + WINDOW])[:, 0])
            runs[:, present] = np.where(found, runs[:, present] + 1, 0)
            permitted[present] &= (runs[:, present] < limit).all(axis=0)
        return permitted

    def _found(self, hashes: Hashes) -> Booleans:
        """Whether each table holds each hash, (tables, count)."""
        found = np.empty((len(self.tables), len(hashes)), dtype=np.bool_)
        for row, table in enumerate(self.tables):
            bits = _bit_of(hashes, 8 * len(table))
            found[row] = table[bits >> np.uint64(3)] >> (bits & np.uint64(7)).astype(np.uint8) & 1
        return found


def index_tokens(
    tokens: npt.NDArray[np.integer[Any]],
    tokenizer: Tokenizer,
    characters: int,
    progress: Callable[[int], None] | None = None,
) -> Bits:
    """The table of a text.

    While it is made it takes a byte for each of its bits, 512 MiB at most: setting bits in place
    takes eight times as long.

    Args:
        tokens: of the text; between two documents stands a boundary.
        tokenizer: what made them.
        characters: how many characters the text has.
        progress: told how many tokens have been read.
    """
    size = min(_MOST_BITS, max(64, BITS_PER_CHARACTER * characters) + 7 & ~7)
    found = np.zeros(size, dtype=np.bool_)
    held = np.empty(0, dtype=np.int64)
    for code_points, read in code_points_of(tokens, tokenizer, _CHUNK):
        behind = np.concatenate([held, code_points])
        hashes = window_hashes(behind)
        if len(hashes) and (apart := behind == BETWEEN).any():
            between = np.append(0, np.cumsum(apart))
            hashes = hashes[between[WINDOW:] == between[: len(hashes)]]
        found[_bit_of(hashes, size)] = True
        held = behind[-(WINDOW - 1) :]
        if progress is not None:
            progress(read)
    return np.packbits(found, bitorder="little")


def window_hashes(code_points: CodePoints) -> Hashes:
    """The hash of every window of WINDOW code points, (..., n) -> (..., n - WINDOW + 1).

    A polynomial in a 64-bit constant, its bits mixed at the end. That of a window is made of those
    of its halves.

    Source: Karp & Rabin 1987; Steele, Lea & Flood 2014 (the mixing of SplitMix64).
    """
    if code_points.shape[-1] < WINDOW:
        return np.zeros((*code_points.shape[:-1], 0), dtype=np.uint64)
    hashes = code_points.astype(np.uint64)
    hashes += np.uint64(1)
    hashes *= np.uint64(_FACTOR)
    width, power = 1, _FACTOR
    while width < WINDOW:
        whole = hashes[..., :-width] * np.uint64(power)
        whole += hashes[..., width:]
        hashes, width, power = whole, 2 * width, power * power % 2**64
    for shift, factor in _MIX:
        hashes ^= hashes >> np.uint64(shift)
        hashes *= np.uint64(factor)
    hashes ^= hashes >> np.uint64(32)
    return hashes


def check_max_copy(max_copy: int) -> None:
    """Refuse a max_copy that the index cannot keep.

    Raises:
        OptionError: it is neither 0 nor at least 10.
    """
    if max_copy != 0 and max_copy < SMALLEST_MAX_COPY:
        raise OptionError(
            f"max_copy must be 0 (off) or >= {SMALLEST_MAX_COPY}, got {max_copy}: shorter "
            "stretches stand in every text"
        )


def _windows_in(characters: int) -> int:
    return characters - WINDOW + 1


def _bit_of(hashes: Hashes, size: int) -> Hashes:
    """The bit that each hash points at, below `size` <= 2^32."""
    return (hashes >> np.uint64(32)) * np.uint64(size) >> np.uint64(32)
