"""What general compressors make of a text: a yardstick for bits per character.

They begin with no knowledge and learn as they read; what they need for the last tenth, having read
the rest, is what a model's bits per character on held-out text can be compared with.
"""

import lzma
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Final

XZ: Final = "xz"
PPMD: Final = "PPMd"
WITHOUT_PPMD: Final = "needs pyppmd: pip install 'charnn[yardsticks]'"

# Of orders 6, 8, 12, 16 and 24, 8 had the fewest bits on three Korean texts together, and 0.3 %
# more than the fewest on an English one.
PPMD_ORDER: Final = 8
_PPMD_MEMORY: Final = 1 << 28


@dataclass(frozen=True, slots=True)
class Yardstick:
    """What a compressor makes of a text, in bits per character of it.

    Attributes:
        name: of the compressor.
        bits_per_char: of the whole; None if the compressor is not installed or the text is empty.
        last_tenth: of its last tenth, after the rest; None likewise.
        missing: how to get the compressor, where it is not installed.
    """

    name: str
    bits_per_char: float | None
    last_tenth: float | None
    missing: str | None = None


def yardsticks(text: str) -> tuple[Yardstick, ...]:
    """What each compressor makes of a text without surrogates."""
    return xz(text), ppmd(text)


def xz(text: str) -> Yardstick:
    """The text as LZMA2 packs it (preset 6, without a checksum).

    >>> xz("형식은 " * 1000).bits_per_char < 0.3
    True
    """
    return _yardstick(XZ, text, _xz_sizes)


def ppmd(text: str, order: int = PPMD_ORDER) -> Yardstick:
    """The text as PPMd packs it (variant H, 256 MB), if pyppmd is there.

    Args:
        text: without surrogates.
        order: bytes of context at most, 2 to 64.

    Source: Shkarin 2002, PPM: one step to practicality.
    """
    try:
        return _yardstick(PPMD, text, partial(_ppmd_sizes, order))
    except ImportError:
        return Yardstick(PPMD, None, None, WITHOUT_PPMD)


def ppmd_sizes(pieces: Iterable[bytes], order: int = PPMD_ORDER) -> list[int]:
    """Bytes that PPMd writes for each piece after those before it, to the byte.

    Args:
        pieces: of one text, in their order.
        order: as for `ppmd`.

    Raises:
        ImportError: pyppmd is not there.
    """
    import pyppmd  # noqa: PLC0415  # an extra

    encoder = pyppmd.Ppmd7Encoder(order, _PPMD_MEMORY)
    sizes = [len(encoder.encode(piece)) if piece else 0 for piece in pieces]
    sizes[-1] += len(encoder.flush())
    return sizes


def _yardstick(name: str, text: str, sizes: Callable[[bytes, bytes], tuple[int, int]]) -> Yardstick:
    """The sizes of a compressor as bits per character."""
    cut = len(text) - len(text) // 10
    beginning, whole = sizes(text[:cut].encode(), text[cut:].encode())
    if not text:
        return Yardstick(name, None, None)
    last = 8 * (whole - beginning) / (len(text) - cut) if cut < len(text) else None
    return Yardstick(name, 8 * whole / len(text), last)


def _xz_sizes(beginning: bytes, end: bytes) -> tuple[int, int]:
    """Bytes of the packed beginning and of the whole; side by side, for it takes its time."""
    with ThreadPoolExecutor(2) as pool:
        first, whole = pool.map(xz_size, (beginning, beginning + end))
    return first, whole


def xz_size(data: bytes, preset: int = 6) -> int:
    """Bytes of what xz makes of data, without a checksum.

    Args:
        data: what to pack.
        preset: 0 to 9; `lzma.PRESET_EXTREME` may be added to it.
    """
    return len(lzma.compress(data, check=lzma.CHECK_NONE, preset=preset))


def ppmd_size(data: bytes, order: int = PPMD_ORDER) -> int | None:
    """Bytes of what PPMd makes of data; None if pyppmd is not there."""
    try:
        return sum(ppmd_sizes([data], order))
    except ImportError:
        return None


def _ppmd_sizes(order: int, beginning: bytes, end: bytes) -> tuple[int, int]:
    """Bytes of the packed beginning and of the whole, from one pass."""
    first, rest = ppmd_sizes((beginning, end), order)
    return first, first + rest
