"""Journals: records appended to .jsonl files, one JSON object a line.

metrics.jsonl holds the curve, samples.jsonl what the model wrote, events.jsonl everything else a
person may want to know of a run. A crash may leave a torn last line, never a torn one before it;
a checkpoint knows how much of each file was there when it was taken, and resuming cuts the rest.
A line itself is a matter of journal_lines.py.
"""

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from charnn.errors import RunError
from charnn.records import (
    Event,
    Finished,
    PlanFixed,
    Record,
    RunStarted,
    Sample,
    StepRecord,
    Validation,
)
from charnn.runs.files import open_plain
from charnn.runs.journal_lines import MAX_LINE_BYTES, encode_line, too_long
from charnn.runs.layout import EVENTS, JOURNALS, METRICS, SAMPLES
from charnn.runs.storage import (
    BLOCK_BYTES,
    EMPTY,
    Checksum,
    flush,
    write_all,
    writing,
)

_KEPT_IN: dict[type[Any], str] = {
    StepRecord: METRICS,
    Validation: METRICS,
    Sample: SAMPLES,
    RunStarted: EVENTS,
    PlanFixed: EVENTS,
    Event: EVENTS,
    Finished: EVENTS,
}


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
            raise too_long(path)
    return digest, length


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
