"""Ctrl-C, SIGTERM and SIGHUP: ask a training to save and stop; the second one does not ask."""

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType

from charnn.records import Control

_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")


class Interrupted(BaseException):
    """A signal ended the command.

    Attributes:
        exit_code: 128 + the signal's number.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.exit_code = 128 + number


class Interrupts:
    """What arrived, and whether there is something to save.

    Attributes:
        received: number of the first signal; None so far.
        saving: whether a training runs that can be asked to save; before that a signal ends the
            command at once.
    """

    def __init__(self, control: Control) -> None:
        self.received: int | None = None
        self.saving = False
        self._control = control

    def handle(self, number: int, frame: FrameType | None) -> None:
        """Take a signal."""
        if self.received is not None or not self.saving:
            raise Interrupted(number)
        self.received = number
        self._control.stop()


@contextlib.contextmanager
def interrupts(control: Control) -> Iterator[Interrupts]:
    """Handle signals while the block lasts; at its end one that was heeded is raised.

    Raises:
        Interrupted: a signal arrived; what there was to save has been saved.
    """
    state = Interrupts(control)
    numbers = [getattr(signal, name) for name in _SIGNALS if hasattr(signal, name)]
    before = {number: signal.signal(number, state.handle) for number in numbers}
    try:
        yield state
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if state.received is not None:
        raise Interrupted(state.received)
