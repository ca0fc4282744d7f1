"""JSON files of a run: written whole or not at all, and read with limits.

Where nothing else vouches for a document it is sealed: it begins with its format version and a
checksum over all of its bytes, so that a single altered byte is noticed without another file.
This head stays the same in every version.
"""

import hashlib
import json
import math
import re
import reprlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from charnn.errors import RunDamagedError, RunError
from charnn.runs.files import read_file
from charnn.runs.storage import Buffer, Checksum, replace_file

FORMAT = 1
MAX_DOCUMENT_BYTES = 1 << 22  # parsed it may take a hundred times as much
MAX_DEPTH = 32
MAX_INT = 1 << 64  # exclusive; a seed has 64 bits, and no float holds what has thousands of digits

_NO_CHECKSUM = "0" * 64
_TOO_DEEP = "it is nested too deeply"
_HEAD = re.compile(rb'\{\n  "format": ([0-9]{1,9}),\n  "checksum": "([0-9a-f]{64})"[,\n]')
_KINDS = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}
_KINDS |= {dict: "an object", list: "a list"}
Kind = TypeVar("Kind", str, int, float, bool, dict[str, Any], list[Any])


def encode_json(data: Mapping[str, Any]) -> bytes:
    r"""The object as indented UTF-8 JSON.

    >>> encode_json({"이름": "무정"}).decode()
    '{\n  "이름": "무정"\n}\n'

    Raises:
        ValueError: a number is not finite; JSON has no word for it.
    """
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, indent=2) + "\n"
    try:
        return text.encode()
    except UnicodeEncodeError:  # lone surrogates, as in the name of a file that is not UTF-8
        return (json.dumps(data, allow_nan=False, indent=2) + "\n").encode()


def decode_json(data: Buffer, where: str) -> dict[str, Any]:
    """The object that the bytes are in JSON, whoever wrote them.

    Args:
        data: UTF-8.
        where: what they are called in an error.

    Raises:
        RunDamagedError: not UTF-8, no JSON object, nested deeper than MAX_DEPTH, a key given
            twice, or a number that is not finite or has more than 64 bits.
    """
    try:
        value = json.loads(
            str(data, "utf-8"), parse_constant=_refuse_constant, object_pairs_hook=_object
        )
        _check_nesting(value)
    except RecursionError:
        raise RunDamagedError(f"{where} is not readable JSON: {_TOO_DEEP}") from None
    except ValueError as error:
        raise RunDamagedError(f"{where} is not readable JSON: {error}") from None
    if not isinstance(value, dict):
        raise RunDamagedError(f"{where} is not readable JSON: it holds no object")
    return value


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a key is given twice")
    return value


def _check_nesting(value: object) -> None:
    level = [value]
    for _ in range(MAX_DEPTH):
        if any(_is_too_large(item) for item in level):
            raise ValueError("a number is too large")
        lists = [item for item in level if isinstance(item, list)]
        objects = [item.values() for item in level if isinstance(item, dict)]
        level = [item for group in (*lists, *objects) for item in group]
        if not level:
            return
    raise ValueError(_TOO_DEEP)


def _is_too_large(value: object) -> bool:
    if isinstance(value, float):
        return not math.isfinite(value)
    return isinstance(value, int) and abs(value) >= MAX_INT


def read_json(path: Path, limit: int = MAX_DOCUMENT_BYTES) -> dict[str, Any]:
    """The object in a JSON file.

    Raises:
        RunDamagedError: missing, longer than `limit` bytes, or not readable JSON.
    """
    return decode_json(read_file(path, limit), str(path))


def seal(data: Mapping[str, Any]) -> bytes:
    """The object as JSON that begins with its version and the checksum of its own bytes.

    The checksum is the SHA-256 of the file as it would be with 64 zeros in its place.
    """
    unsealed = encode_json({"format": FORMAT, "checksum": _NO_CHECKSUM, **data})
    checksum = hashlib.sha256(unsealed).hexdigest()
    return unsealed.replace(_NO_CHECKSUM.encode(), checksum.encode(), 1)


def unseal(data: Buffer, where: str) -> dict[str, Any]:
    """The object that `seal` was given, without version and checksum.

    Raises:
        RunDamagedError: a byte was altered, or it is not readable JSON.
        RunError: it is whole, but of a version that this charnn does not read.
    """
    head = _HEAD.match(data)
    if not head:
        raise RunDamagedError(f"{where} was altered: it does not begin as charnn writes it")
    start, end = head.span(2)
    view = memoryview(data)
    digest = hashlib.sha256(view[:start])
    digest.update(_NO_CHECKSUM.encode())
    digest.update(view[end:])
    if digest.hexdigest().encode() != head[2]:
        raise RunDamagedError(f"{where} was altered: its checksum differs")
    if int(head[1]) != FORMAT:
        raise RunError(
            f"{where} is of format {int(head[1])}, this charnn reads format {FORMAT}: "
            "update charnn to read it"
        )
    value = decode_json(data, where)
    del value["format"], value["checksum"]
    return value


def read_sealed(path: Path, limit: int = MAX_DOCUMENT_BYTES) -> dict[str, Any]:
    """The object in a sealed file.

    Raises:
        RunDamagedError: missing, longer than `limit` bytes, altered, or not readable JSON.
        RunError: it is of a version that this charnn does not read.
    """
    return unseal(read_file(path, limit), str(path))


def write_sealed(path: Path, data: Mapping[str, Any]) -> Checksum:
    """Write an object to a sealed file; a crash leaves the old file or the new one.

    Raises:
        RunError: the system refused; the old file is untouched.
    """
    return replace_file(path, seal(data))


def take(data: Mapping[str, Any], key: str, kind: type[Kind], where: str) -> Kind:
    """The value of a key, of the type it must have; a whole number will do for a float.

    >>> take({"step": 3}, "step", float, "manifest.json")
    3.0

    Raises:
        RunDamagedError: the key is missing, or its value is of another type or not finite.
    """
    value = data.get(key)
    if kind is float and type(value) is int and abs(value) < 1 << 63:
        value = float(value)
    wrong = isinstance(value, bool) != (kind is bool)
    if wrong or not isinstance(value, kind) or (kind is float and not math.isfinite(value)):
        got = reprlib.repr(value) if key in data else "nothing"
        raise RunDamagedError(f"{where}: {key} must be {_KINDS[kind]}, got {got}")
    return value
