"""Ctrl-Z while the screen is taken: it is given back first, and taken again afterwards."""

import os
import signal
import threading
from types import FrameType
from typing import Any, Final

_SECONDS_TO_LEAVE: Final = 4.0


class Suspension:
    """Puts a pause before the stop that SIGTSTP means, in which another thread leaves the screen.

    Only the main thread can watch; from any other nothing is watched and Ctrl-Z stops at once.

    Args:
        interrupt: set when the drawing thread has to look at `wanted`.

    Attributes:
        wanted: whether the screen has to be left; stays so until `end`.
        over: whether the process goes on after its stop.
    """

    def __init__(self, interrupt: threading.Event) -> None:
        self.wanted = False
        self.over = False
        self._interrupt = interrupt
        self._has_left = threading.Event()
        self._before: Any = None

    def watch(self) -> None:
        """Begin to watch for SIGTSTP."""
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGTSTP, self._suspend)

    def unwatch(self) -> None:
        """Put the handling of SIGTSTP back to what it was."""
        if self._before is not None and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTSTP, self._before)
            self._before = None

    def left(self) -> None:
        """The drawing thread has left the screen."""
        self._has_left.set()

    def end(self) -> None:
        """The drawing thread goes on."""
        self.wanted = self.over = False
        self._has_left.clear()

    def _suspend(self, number: int, frame: FrameType | None) -> None:
        self.over = False
        self.wanted = True
        self._interrupt.set()
        self._has_left.wait(_SECONDS_TO_LEAVE)
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTSTP)
        signal.signal(signal.SIGTSTP, self._suspend)
        self.over = True
