"""Plain lines on a terminal, which may be stopped: a thread waits for it, and nobody else does."""

import threading
from collections import deque
from typing import Final, TextIO

from charnn.records import Record
from charnn.view.base import View
from charnn.view.plain import PlainView
from charnn.view.terminal import TerminalStream, TerminalWriter

_RECORDS_KEPT: Final = 1000
_JOIN_SECONDS: Final = 2.0


class TerminalLines(View):
    """Writes plain lines to a terminal from a thread of its own; the oldest of too many are lost.

    Args:
        stream: a terminal.
        colour: whether labels are dimmed.
    """

    def __init__(self, stream: TextIO, *, colour: bool) -> None:
        self._writer = TerminalWriter(stream)
        self._stopped = threading.Event()
        lines = TerminalStream(self._writer, self._stopped.is_set)
        self._view = PlainView(lines, self._writer.size()[0], colour)
        self._records: deque[Record | None] = deque(maxlen=_RECORDS_KEPT)
        self._filled = threading.Event()
        self._thread = threading.Thread(target=self._run, name="charnn-view", daemon=True)
        self._thread.start()

    def show(self, record: Record) -> None:
        """Hand a record to the thread."""
        self._records.append(record)
        self._filled.set()

    def close(self) -> None:
        """Let the thread come to its end, for as long as a terminal in use needs."""
        if not self._stopped.is_set():
            self._records.append(None)
            self._filled.set()
            self._thread.join(_JOIN_SECONDS)
            self._stopped.set()
            self._thread.join(_JOIN_SECONDS)
            self._writer.close()

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._filled.wait()
            self._filled.clear()
            while self._records and not self._stopped.is_set():
                record = self._records.popleft()
                if record is None:
                    return
                self._view.show(record)
