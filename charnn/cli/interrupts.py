"""Ctrl-C, SIGTERM and SIGHUP: ask a training to save and stop; the second one does not ask."""

import contextlib
import signal
from collections.abc import Callable, Iterable, Iterator
from types import FrameType

from charnn.records import Control

_ENDING = ("SIGTERM", "SIGHUP")
_SIGNALS = ("SIGINT", *_ENDING)


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
    with _handled(_SIGNALS, state.handle):
        yield state
    if state.received is not None:
        raise Interrupted(state.received)


@contextlib.contextmanager
def ending_signals(end: Callable[[Interrupted], None]) -> Iterator[None]:
    """Let SIGTERM and SIGHUP end the block in an orderly way while it lasts.

    Args:
        end: raises what it is told, at once or when it can.
    """
    with _handled(_ENDING, lambda number, _: end(Interrupted(number))):
        yield


@contextlib.contextmanager
def _handled(
    names: Iterable[str], handle: Callable[[int, FrameType | None], None]
) -> Iterator[None]:
    """Handle signals while the block lasts; not SIGHUP where nohup wants it ignored."""
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    hangup = getattr(signal, "SIGHUP", None)
    if hangup and signal.getsignal(hangup) is signal.SIG_IGN:
        numbers.remove(hangup)
    before = {number: signal.signal(number, handle) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
