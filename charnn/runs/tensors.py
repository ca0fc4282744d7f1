"""Named arrays <-> the safetensors format, and the check that weights fit their network.

The format is written and read here rather than by the safetensors package because a checkpoint
must be hashed while it is written, without a second copy of the state (200 MB in 0.25 s; the
package's `save` takes 0.3-1.3 s for its copy alone, hashing and writing not counted), and because
a header from a stranger must be judged before anything follows it. Tests hold both directions
against the package. bfloat16 travels as its uint16 bits; numpy has no such type.
"""

import json
from collections.abc import Iterator, Mapping
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from charnn.errors import RunDamagedError
from charnn.model.shapes import ModelShape, weight_shapes
from charnn.runs.documents import decode_json
from charnn.runs.files import ALIGNMENT
from charnn.runs.storage import Buffer

Array = NDArray[Any]
Arrays = Mapping[str, Array]

MAX_HEADER_BYTES = 1 << 20
MAX_DIMENSIONS = 8
MAX_NUMBERS = 1 << 48
_LENGTH_BYTES = 8
_METADATA = "__metadata__"
_DTYPES = {
    "BOOL": np.dtype("?"),
    "U8": np.dtype("u1"),
    "I8": np.dtype("i1"),
    "U16": np.dtype("<u2"),
    "I16": np.dtype("<i2"),
    "F16": np.dtype("<f2"),
    "U32": np.dtype("<u4"),
    "I32": np.dtype("<i4"),
    "F32": np.dtype("<f4"),
    "U64": np.dtype("<u8"),
    "I64": np.dtype("<i8"),
    "F64": np.dtype("<f8"),
}
_NAMES = {dtype: name for name, dtype in _DTYPES.items()}


class Entry(NamedTuple):
    """One tensor of a header: its bytes are data[start:stop] after the header."""

    dtype: str
    shape: tuple[int, ...]
    start: int
    stop: int


def encode_tensors(arrays: Arrays) -> Iterator[Buffer]:
    """The arrays in safetensors format, in parts: the header, then views of their own memory.

    Args:
        arrays: any shapes; bool, integers or floats of at most 64 bits.

    Raises:
        TypeError: an array is of another type.
        ValueError: the header would be longer than one that is read back.
    """
    # What fills whole lines of ALIGNMENT bytes goes first, so that each of those begins at one;
    # behind them widest first keeps every array aligned to its own item size.
    order = sorted(arrays, key=lambda name: _place(name, arrays[name]))
    plain = [_plain(name, arrays[name]) for name in order]
    header, stop = {}, 0
    for name, array in zip(order, plain, strict=True):
        start, stop = stop, stop + array.nbytes
        header[name] = {
            "dtype": _NAMES[array.dtype],
            "shape": list(array.shape),
            "data_offsets": [start, stop],
        }
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-(_LENGTH_BYTES + len(text)) % ALIGNMENT)
    if len(text) > MAX_HEADER_BYTES:
        raise ValueError(f"the header of {len(order):,} tensors is too long: {len(text):,} bytes")
    yield len(text).to_bytes(_LENGTH_BYTES, "little")
    yield text
    yield from (array.reshape(-1).view(np.uint8).data for array in plain if array.size)


def _place(name: str, array: Array) -> tuple[bool, int, str]:
    return array.nbytes % ALIGNMENT != 0, -array.dtype.itemsize, name


def _plain(name: str, array: Array) -> Array:
    little = array.dtype.newbyteorder("<")
    if little not in _NAMES or name == _METADATA:
        raise TypeError(f"tensor {name} of type {array.dtype} cannot be saved")
    return np.asarray(array, dtype=little, order="C")


def decode_header(data: Buffer, where: str) -> tuple[dict[str, Entry], int]:
    """The tensors that a safetensors file declares, and where its data begins.

    Everything declared is proved against the length of the file, so that later steps may trust it.

    Raises:
        RunDamagedError: the header is cut short, too long, no JSON, of unknown types, or does not
            describe all bytes of the file once and in order.
    """
    start = _LENGTH_BYTES + int.from_bytes(data[:_LENGTH_BYTES], "little")
    if len(data) < _LENGTH_BYTES or not _LENGTH_BYTES < start <= len(data):
        raise RunDamagedError(f"{where} is cut short: its header is not all there")
    if start > _LENGTH_BYTES + MAX_HEADER_BYTES:
        raise RunDamagedError(f"{where} has a header of more than {MAX_HEADER_BYTES:,} bytes")
    header = decode_json(bytes(data[_LENGTH_BYTES:start]), where)
    header.pop(_METADATA, None)
    entries = {name: _entry(name, value, where) for name, value in header.items()}
    end = 0
    for entry in sorted(entries.values(), key=lambda entry: (entry.start, entry.stop)):
        if entry.start != end:
            raise RunDamagedError(f"{where} is damaged: its tensors overlap or leave gaps")
        end = entry.stop
    if end != len(data) - start:
        raise RunDamagedError(f"{where} is damaged: its tensors do not fill the file")
    return entries, start


def _entry(name: str, value: object, where: str) -> Entry:
    match value:
        case {"dtype": str(dtype), "shape": list(shape), "data_offsets": [int(start), int(stop)]}:
            if (
                dtype in _DTYPES
                and len(shape) <= MAX_DIMENSIONS
                and all(type(size) is int and size >= 0 for size in shape)
                and prod(size or 1 for size in shape) < MAX_NUMBERS
                and 0 <= start <= stop
                and stop - start == prod(shape) * _DTYPES[dtype].itemsize
            ):
                return Entry(dtype, tuple(shape), start, stop)
    raise RunDamagedError(
        f"{where} is damaged: tensor {name[:80]!r} is not described as it must be"
    )


def decode_tensors(data: Buffer, where: str) -> dict[str, Array]:
    """The arrays in safetensors bytes, as views of them where alignment allows.

    Args:
        data: a whole file; the arrays are writable if it is.
        where: what it is called in an error.

    Raises:
        RunDamagedError: see `decode_header`.
    """
    entries, start = decode_header(data, where)
    return {name: _view(data, start, entry) for name, entry in entries.items()}


def _view(data: Buffer, start: int, entry: Entry) -> Array:
    dtype = _DTYPES[entry.dtype]
    count = prod(entry.shape)
    if not count:
        return np.empty(entry.shape, dtype)
    array = np.frombuffer(data, dtype, count, start + entry.start).reshape(entry.shape)
    return array if array.flags.aligned else array.copy()


def decode_weights(data: Buffer, shape: ModelShape, where: str) -> dict[str, NDArray[np.float32]]:
    """The weights of a network, if the bytes hold exactly those and all are finite.

    Args:
        data: a whole safetensors file.
        shape: the network's sizes.
        where: what the file is called in an error.

    Returns:
        Arrays named and shaped as `weight_shapes` says, in its order; views of `data`.

    Raises:
        RunDamagedError: a weight is missing, unknown, of another shape or type, or not finite.
    """
    entries, start = decode_header(data, where)
    expected = weight_shapes(shape)
    for name in (*expected, *entries):
        if name not in entries or name not in expected:
            word = "lacks" if name in expected else "holds an unknown"
            raise RunDamagedError(f"{where} {word} weight {name[:80]!r}: it is of another network")
        wanted, entry = expected[name], entries[name]
        if (entry.shape, entry.dtype) != (wanted, "F32"):
            raise RunDamagedError(
                f"{where}: weight {name} is {entry.dtype} {entry.shape}, the network's is "
                f"F32 {wanted}: it is of another network"
            )
    weights = {name: _view(data, start, entries[name]) for name in expected}
    check_finite(weights, where)
    return weights


def check_finite(weights: Arrays, where: str) -> None:
    """Refuse weights that no computation survives.

    Raises:
        RunDamagedError: a weight is NaN or infinite.
    """
    for name, array in weights.items():
        if not np.isfinite(array).all():
            raise RunDamagedError(f"{where}: weight {name} holds numbers that are not finite")
