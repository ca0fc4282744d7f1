"""Rows of numbers times the weights of a network: in the weights' own type, or in bfloat16.

One character costs a few products of a single row, and each of them reads all of its weights from
memory. In bfloat16 there are half as many bytes to read, and processors with AVX-512 bf16 or its
like multiply two of them at once. NumPy has no such type: the optional library numkong brings the
products, 2 MB of memory and a millisecond of import.
"""

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from charnn.errors import OptionError

try:
    import numkong
except ImportError:  # it is optional
    numkong = None  # type: ignore[assignment]
if not hasattr(numkong, "dots_packed"):  # another version than the extra asks for
    numkong = None  # type: ignore[assignment]

Floats = npt.NDArray[np.floating[Any]]
Product = Callable[[Floats], Floats]
"""(n, inputs) -> (n, outputs), an array that nobody else holds."""

PRECISIONS = ("auto", "fp32", "bf16")
LARGEST_COPY = 32 << 20  # bytes that may be held besides while weights are laid out
_LINE = 16  # numbers that fill a line of the cache: six times as fast as one matrix at once
_BF16: Final = "bf16"
_FAST, _UNTRIED = "genoa", "sapphireamx"  # numkong's words for AVX-512 bf16, and for AMX


def check_precision(precision: str) -> None:
    """Refuse a precision that cannot be had.

    Raises:
        OptionError: it is none of `PRECISIONS`, or bf16 without numkong.
    """
    if precision not in PRECISIONS:
        raise OptionError(f"precision must be one of {', '.join(PRECISIONS)}, got {precision}")
    if precision == "bf16" and numkong is None:
        raise OptionError("precision bf16 needs numkong: pip install 'charnn[fast]', or take fp32")


def choose_precision(precision: str, weight_bytes: int) -> str:
    """The precision to write in.

    Args:
        precision: one of `PRECISIONS`; "auto" is bfloat16 where numkong is installed, the processor
            is of the kind that has been measured, and both copies of the weights are small.
        weight_bytes: of a network as it is saved.

    Returns:
        "fp32" or "bf16"; always the same on one machine.

    Raises:
        OptionError: see `check_precision`.
    """
    check_precision(precision)
    if precision != "auto":
        return precision
    if numkong is None or weight_bytes > LARGEST_COPY:
        return "fp32"
    known = numkong.get_capabilities()
    return "bf16" if known.get(_FAST) and not known.get(_UNTRIED) else "fp32"


class FloatProduct:
    """The product with a matrix in its own type.

    Args:
        matrix: (outputs, inputs); not copied.
    """

    def __init__(self, matrix: Floats) -> None:
        self.columns = matrix.T

    def __call__(self, rows: Floats) -> Floats:
        """Rows (n, inputs) -> (n, outputs)."""
        outputs: Floats = rows.dot(self.columns)
        return outputs


class Bf16Product:
    """The product with a matrix in bfloat16, summed in float32.

    Both sides are rounded to the nearest bfloat16. A row has the same outputs whatever rows stand
    beside it.

    Args:
        matrix: (outputs, inputs), float32; copied.
    """

    def __init__(self, matrix: Floats) -> None:
        self._round, self._dots = numkong.astype, numkong.dots_packed
        self._packed = numkong.dots_pack(numkong.astype(matrix, _BF16))

    def __call__(self, rows: Floats) -> Floats:
        """Rows (n, inputs) -> (n, outputs)."""
        return np.asarray(self._dots(self._round(rows, _BF16), self._packed))


def laid_out(matrix: Floats) -> Floats:
    """The same matrix in the same memory, its columns contiguous where that can be.

    One row times the transposed matrix then reads memory from end to end. With the matrix as it was
    saved OpenBLAS reads many rows at once: 2 % slower from the cache, 1.6 to 9 times from the
    memory, the more the busier the neighbours are.
    """
    if not matrix.flags.writeable or matrix.nbytes > LARGEST_COPY:
        return matrix
    copy = np.empty(matrix.shape[::-1], matrix.dtype)
    for start in range(0, len(matrix), _LINE):
        copy[:, start : start + _LINE] = matrix[start : start + _LINE].T
    room = matrix.reshape(-1)
    room[:] = copy.reshape(-1)
    return room.reshape(copy.shape).T
