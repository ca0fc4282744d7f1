"""Plain lines on a terminal, which may be stopped: a thread waits for it, and nobody else does."""

import threading
from collections import deque
from typing import Final, TextIO

from charnn.records import Heartbeat, Preparing, Record, StepRecord
from charnn.view.base import View
from charnn.view.plain import PlainView
from charnn.view.terminal import TerminalStream, TerminalWriter

_RECORDS_KEPT: Final = 1000
_MOST_KEPT: Final = 10_000  # where none of them is passing
_PASSING: Final = (StepRecord, Heartbeat, Preparing)
_JOIN_SECONDS: Final = 2.0


class TerminalLines(View):
    """Writes plain lines to a terminal from a thread of its own.

    Of too many records for the terminal the oldest are lost that only tell how far it is: the head,
    the validations, the samples and the events stay.

    Args:
        stream: a terminal.
        colour: whether labels are dimmed.
    """

    def __init__(self, stream: TextIO, *, colour: bool) -> None:
        self._writer = TerminalWriter(stream)
        self._stopped = threading.Event()
        lines = TerminalStream(self._writer, self._stopped.is_set)
        self._view = PlainView(lines, self._writer.size()[0], colour)
        self._records: deque[Record | None] = deque(maxlen=_MOST_KEPT)
        self._lock = threading.Lock()
        self._filled = threading.Event()
        self._thread = threading.Thread(target=self._run, name="charnn-view", daemon=True)
        self._thread.start()

    def show(self, record: Record) -> None:
        """Hand a record to the thread."""
        with self._lock:
            if len(self._records) >= _RECORDS_KEPT:
                self._make_room()
            self._records.append(record)
        self._filled.set()

    @property
    def gone(self) -> bool:
        """Whether the terminal is."""
        return self._writer.gone

    def close(self) -> None:
        """Let the thread come to its end, for as long as a terminal in use needs."""
        if not self._stopped.is_set():
            with self._lock:
                self._records.append(None)
            self._filled.set()
            self._thread.join(_JOIN_SECONDS)
            self._stopped.set()
            self._thread.join(_JOIN_SECONDS)
            self._writer.close()

    def _make_room(self) -> None:
        for index, record in enumerate(self._records):
            if isinstance(record, _PASSING):
                del self._records[index]
                return

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._filled.wait()
            self._filled.clear()
            while self._records and not self._stopped.is_set():
                with self._lock:
                    record = self._records.popleft()
                if record is None:
                    return
                self._view.show(record)
