"""Writing to a terminal without waiting for it. What is written is left to screen.py and plain.py.

Only where termios is (Linux, macOS).
"""

import contextlib
import os
import select
import termios
import time
from collections.abc import Callable
from typing import Final, TextIO

DEFAULT_SIZE: Final = (80, 24)
_PATIENCE: Final = 0.05
_CHUNK: Final = 4096
_SHARED_CHUNK: Final = 64
_CANCEL: Final = b"\x18"


class TerminalWriter:
    """Writes bytes to the terminal of a stream without ever waiting longer than asked to.

    It opens the terminal anew, not blocking, so that nobody else who holds it is affected. A
    terminal that cannot be opened again is written to in small pieces when it is ready for them.

    Args:
        stream: a stream whose file is a terminal.
    """

    def __init__(self, stream: TextIO) -> None:
        self._shown_on = stream.fileno()
        self._file, self._chunk = _opened_again(self._shown_on)
        self.gone = False

    def size(self) -> tuple[int, int]:
        """Cells in a line, and lines; a terminal that does not know has the usual 80 by 24."""
        try:
            width, height = os.get_terminal_size(self._shown_on)
        except OSError:
            return DEFAULT_SIZE
        return width or DEFAULT_SIZE[0], height or DEFAULT_SIZE[1]

    def in_foreground(self) -> bool:
        """Whether the job of this process has the terminal."""
        return in_foreground(self._shown_on)

    def write(self, data: bytes, give_up: Callable[[], bool]) -> bool:
        """Write all of the data, unless `give_up` says so first; whether all was written.

        Args:
            data: what to write.
            give_up: asked whenever the terminal takes nothing for a moment.
        """
        at = 0
        while at < len(data) and not self.gone:
            if not self._ready():
                if give_up():
                    return False
                continue
            try:
                at += os.write(self._file, data[at : at + self._chunk])
            except BlockingIOError:
                if give_up():
                    return False
            except OSError:
                self.gone = True
        return not self.gone

    def write_within(self, data: bytes, seconds: float) -> bool:
        """Write all of the data if the terminal takes it in time; whether it did."""
        limit = time.monotonic() + seconds
        return self.write(data, lambda: time.monotonic() > limit)

    def insist(self, data: bytes, seconds: float) -> None:
        """Write the data even to a terminal that is stopped, at the cost of what waits before it.

        Args:
            data: what has to arrive, such as the sequences that give the screen back.
            seconds: how long a slow terminal may take before what it has not shown is dropped.
        """
        if self.write_within(data, seconds) or self.gone:
            return
        with contextlib.suppress(OSError, termios.error):
            termios.tcflow(self._file, termios.TCOON)
            termios.tcflush(self._file, termios.TCOFLUSH)
        self.write_within(_CANCEL + data, seconds)

    def close(self) -> None:
        """Let the terminal go; the stream stays open."""
        file, self._file = self._file, -1
        self.gone = True
        if file >= 0:
            os.close(file)

    def _ready(self) -> bool:
        try:
            poll = select.poll()
            poll.register(self._file, select.POLLOUT)
            return bool(poll.poll(_PATIENCE * 1000))
        except OSError:
            return True


class TerminalStream:
    """A text stream onto a terminal, for lines; what it does not take in time is dropped.

    Args:
        writer: the terminal.
        give_up: asked while the terminal takes nothing.
    """

    def __init__(self, writer: TerminalWriter, give_up: Callable[[], bool]) -> None:
        self._writer = writer
        self._give_up = give_up

    def write(self, text: str, /) -> int:
        """Write a text; the terminal itself makes newlines of its own out of ours."""
        self._writer.write(text.encode("utf-8", "replace"), self._give_up)
        return len(text)

    def flush(self) -> None:
        """Nothing is kept back."""


def in_foreground(descriptor: int) -> bool:
    """Whether the job of this process has a terminal; one that has no jobs is everybody's."""
    try:
        return os.tcgetpgrp(descriptor) == os.getpgrp()
    except OSError:
        return True


def _opened_again(descriptor: int) -> tuple[int, int]:
    """A descriptor of our own on the same terminal, and how much to write to it at a time."""
    try:
        flags = os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK
        return os.open(os.ttyname(descriptor), flags), _CHUNK
    except OSError:
        return os.dup(descriptor), _SHARED_CHUNK
