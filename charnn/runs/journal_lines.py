"""A record as a line of JSON, and back; the lines of a journal, whoever wrote it.

Appending to journals is left to journals.py.
"""

import io
import json
import math
import os
import reprlib
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, BinaryIO, NamedTuple, get_args, get_type_hints

from charnn.errors import RunDamagedError
from charnn.records import Record, from_json, to_json
from charnn.runs.documents import decode_json
from charnn.runs.files import (
    archive_of,
    is_there,
    memory_limit,
    open_plain,
    read_file,
    reading,
)

MAX_LINE_BYTES = 1 << 23
_HINTS: dict[type[Any], dict[str, Any]] = {
    kind: {item.name: get_type_hints(kind)[item.name] for item in fields(kind)}
    for kind in get_args(Record)
}
_NOT_FINITE = ("NaN", "Infinity", "-Infinity")


class Line(NamedTuple):
    """A record of a journal, and the offset in bytes at which the next one begins."""

    record: Record
    end: int


def encode_line(record: Record) -> bytes:
    r"""The record as a line of UTF-8 JSON; numbers that are not finite become texts.

    >>> from charnn.records import Heartbeat
    >>> encode_line(Heartbeat(step=3, paused=False, elapsed=float("inf"))).decode()
    '{"record": "heartbeat", "step": 3, "paused": false, "elapsed": "Infinity"}\n'
    """
    data = to_json(record)
    try:
        text = json.dumps(data, ensure_ascii=False, allow_nan=False)
    except ValueError:
        text = json.dumps(_spell_out(data), ensure_ascii=False, allow_nan=False)
    try:
        return (text + "\n").encode()
    except UnicodeEncodeError:  # lone surrogates, as in a path that is not UTF-8
        return (json.dumps(json.loads(text)) + "\n").encode()


def _spell_out(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _spell_out(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_spell_out(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def decode_line(line: bytes, where: str) -> Record:
    """The record in a line, whoever wrote it; its fields are of the types they are declared.

    Raises:
        RunDamagedError: it is no record.
    """
    data = decode_json(line, where)
    try:
        record = from_json(data)
        hints = _HINTS[type(record)]
        values = {name: _typed(getattr(record, name), hint) for name, hint in hints.items()}
        return replace(record, **values)
    except (ValueError, TypeError, OverflowError) as error:
        raise RunDamagedError(f"{where} is no record: {error}") from None


def _typed(value: Any, hint: Any) -> Any:
    """The value as the type of its field, or a TypeError."""
    if isinstance(hint, UnionType):
        kind = next(kind for kind in get_args(hint) if kind is not NoneType)
        return None if value is None else _typed(value, kind)
    if hint is float and (value in _NOT_FINITE or type(value) in (int, float)):
        return float(value)
    if hint in (int, str, bool) and type(value) is hint:
        return value
    if isinstance(value, tuple):  # of a sample; from_json has made it what it must be
        return value
    raise TypeError(f"{reprlib.repr(value)} is not of type {getattr(hint, '__name__', hint)}")


def read_journal(path: Path, start: int = 0) -> Iterator[Line]:
    """The records of a journal in order; a torn last line is left out.

    Args:
        path: a .jsonl file; a missing one has no records.
        start: where to begin, in bytes: 0, or the `end` of a line that was read before.

    Raises:
        RunDamagedError: it is no plain file, or a line is no record.
    """
    if not is_there(path):
        return
    with _open_lines(path) as file, reading(path):
        end = file.seek(start)
        while (line := file.readline(MAX_LINE_BYTES)).endswith(b"\n"):
            where, end = f"{path} at byte {end:,}", end + len(line)
            yield Line(decode_line(line, where), end)
    if len(line) == MAX_LINE_BYTES:
        raise too_long(path)


def _open_lines(path: Path) -> BinaryIO:
    if archive_of(path) is None:
        return os.fdopen(open_plain(path), "rb")
    return io.BytesIO(read_file(path, memory_limit()))


def too_long(path: Path) -> RunDamagedError:
    """The error for a journal with a line that nobody would have written."""
    return RunDamagedError(f"{path} has a line of more than {MAX_LINE_BYTES:,} bytes")
