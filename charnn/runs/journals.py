"""Journals: records appended to .jsonl files, one JSON object a line, and read back.

metrics.jsonl holds the curve, samples.jsonl what the model wrote, events.jsonl everything else a
person may want to know of a run. A crash may leave a torn last line, never a torn one before it;
a checkpoint knows how much of each file was there when it was taken, and resuming cuts the rest.
"""

import hashlib
import io
import json
import math
import os
import reprlib
from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from pathlib import Path
from types import NoneType, TracebackType, UnionType
from typing import Any, BinaryIO, NamedTuple, Self, get_args, get_type_hints

from charnn.errors import RunDamagedError, RunError
from charnn.records import (
    Event,
    Finished,
    PlanFixed,
    Record,
    RunStarted,
    Sample,
    StepRecord,
    Validation,
    from_json,
    to_json,
)
from charnn.runs.documents import decode_json
from charnn.runs.files import (
    archive_of,
    is_there,
    memory_limit,
    open_plain,
    read_file,
    reading,
)
from charnn.runs.layout import EVENTS, JOURNALS, METRICS, SAMPLES
from charnn.runs.storage import (
    BLOCK_BYTES,
    EMPTY,
    Checksum,
    flush,
    write_all,
    writing,
)

MAX_LINE_BYTES = 1 << 23
_KEPT_IN: dict[type[Any], str] = {
    StepRecord: METRICS,
    Validation: METRICS,
    Sample: SAMPLES,
    RunStarted: EVENTS,
    PlanFixed: EVENTS,
    Event: EVENTS,
    Finished: EVENTS,
}
_HINTS: dict[type[Any], dict[str, Any]] = {
    kind: {item.name: get_type_hints(kind)[item.name] for item in fields(kind)}
    for kind in get_args(Record)
}
_NOT_FINITE = ("NaN", "Infinity", "-Infinity")
_MAX_INT = 1 << 63


class Line(NamedTuple):
    """A record of a journal, and the offset in bytes at which the next one begins."""

    record: Record
    end: int


class Journal:
    """One journal, open for appending; made by the process that holds the run's lock.

    Args:
        path: the .jsonl file; made if it is not there.
        prefix: how much of it belongs to the run; the rest is cut.

    Attributes:
        note: what was wrong with the prefix; None if it is as it was.

    Raises:
        RunDamagedError: it is no plain file, or has a line that is too long.
        RunError: the system refused.
    """

    def __init__(self, path: Path, prefix: Checksum = EMPTY) -> None:
        self.path = path
        with writing(str(path)):
            if not os.path.lexists(path):
                path.touch(exist_ok=False)
            self._file = open_plain(path, os.O_RDWR | os.O_APPEND)
            try:
                self._digest, self._length = _measure_lines(self._file, prefix.length, path)
                os.ftruncate(self._file, self._length)
            except (OSError, RunError):
                os.close(self._file)
                raise
        self._torn = False
        self.note: str | None = None
        if self.mark() != prefix:
            self.note = (
                f"{path} is not as the checkpoint left it: "
                f"{self._length:,} of {prefix.length:,} bytes are kept"
            )

    def append(self, record: Record) -> None:
        """Add a line; readers see all of it or none.

        Raises:
            RunError: the system refused; the journal ends with the line before.
        """
        line = encode_line(record)
        with writing(str(self.path)):
            if self._torn:
                os.ftruncate(self._file, self._length)
            self._torn = True  # until every byte is there and counted
            write_all(self._file, line)
        self._digest.update(line)
        self._length += len(line)
        self._torn = False

    def mark(self) -> Checksum:
        """What the journal holds now; a checkpoint keeps it."""
        return Checksum(self._length, self._digest.hexdigest())

    def close(self) -> None:
        """Flush to the disk and close; nothing if it is closed already.

        Raises:
            RunError: the system refused.
        """
        if self._file < 0:
            return
        descriptor, self._file = self._file, -1
        with writing(str(self.path)):
            try:
                flush(descriptor)
            finally:
                os.close(descriptor)


def _measure_lines(file: int, limit: int, path: Path) -> tuple["hashlib._Hash", int]:
    """Digest and length of the whole lines among the first `limit` bytes.

    Raises:
        RunDamagedError: a line is longer than any that is written.
    """
    digest, length, left, rest = hashlib.sha256(), 0, limit, b""  # rest: of a line without an end
    os.lseek(file, 0, os.SEEK_SET)
    while block := os.read(file, min(BLOCK_BYTES, left)):
        left -= len(block)
        end = block.rfind(b"\n") + 1
        if end:
            digest.update(rest)
            digest.update(block[:end])
            length += len(rest) + end
            rest = b""
        rest += block[end:]
        if len(rest) > MAX_LINE_BYTES:
            raise _too_long(path)
    return digest, length


def _too_long(path: Path) -> RunDamagedError:
    return RunDamagedError(f"{path} has a line of more than {MAX_LINE_BYTES:,} bytes")


class Journals:
    """The journals of a run, open for appending.

    Args:
        run: the run's folder; the caller holds its lock.
        prefixes: the journals of the checkpoint to go on from; what it does not name begins empty.

    Attributes:
        notes: what was wrong with the prefixes, a sentence each.

    Raises:
        RunDamagedError: one is no plain file.
        RunError: the system refused.
    """

    def __init__(self, run: Path, prefixes: Mapping[str, Checksum]) -> None:
        self._journals: dict[str, Journal] = {}
        try:
            for name in JOURNALS:
                self._journals[name] = Journal(run / name, prefixes.get(name, EMPTY))
        except RunError:
            self.close()
            raise
        self.notes = tuple(journal.note for journal in self._journals.values() if journal.note)

    def append(self, record: Record) -> None:
        """Add a record to the journal for its kind; what is only for the moment goes nowhere.

        Raises:
            RunError: the system refused; the journal ends with the line before.
        """
        if name := _KEPT_IN.get(type(record)):
            self._journals[name].append(record)

    def marks(self) -> dict[str, Checksum]:
        """What the journals hold now, for `save_checkpoint`."""
        return {name: journal.mark() for name, journal in self._journals.items()}

    def close(self) -> None:
        """Flush to the disk and close."""
        for journal in self._journals.values():
            journal.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


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
    if hint is int and type(value) is int and abs(value) < _MAX_INT:
        return value
    if hint in (str, bool) and type(value) is hint:
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
        raise _too_long(path)


def _open_lines(path: Path) -> BinaryIO:
    if archive_of(path) is None:
        return os.fdopen(open_plain(path), "rb")
    return io.BytesIO(read_file(path, memory_limit()))
