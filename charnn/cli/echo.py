"""Keys that are typed while a text is written: kept for the next prompt, not shown in the text."""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any, TextIO

try:
    import termios
except ImportError:  # there is no such thing on Windows
    termios = None  # type: ignore[assignment]

Modes = list[Any]
_LOCAL = 3  # where the modes hold what the terminal does with keys


@contextlib.contextmanager
def without_echo(keyboard: TextIO | None = None) -> Iterator[None]:
    """Let the terminal show no keys while the block lasts; Ctrl-C and the like work as ever.

    Nothing happens where the keyboard is no terminal, or another job has it. Ctrl-Z gives the
    terminal back for as long as the process stands still.

    Args:
        keyboard: None is stdin.
    """
    before = _quiet(descriptor) if (descriptor := _terminal(keyboard)) >= 0 else None
    if before is None:
        yield
        return
    try:
        with _echo_while_stopped(descriptor, before):
            yield
    finally:
        _set(descriptor, before)


@contextlib.contextmanager
def _echo_while_stopped(descriptor: int, modes: Modes) -> Iterator[None]:
    """Show keys again while Ctrl-Z has stopped the process."""

    def stop(number: int, frame: FrameType | None) -> None:
        _set(descriptor, modes)
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTSTP)
        signal.signal(signal.SIGTSTP, stop)
        _quiet(descriptor)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handler = signal.signal(signal.SIGTSTP, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTSTP, handler)


def _terminal(keyboard: TextIO | None) -> int:
    """The descriptor of a keyboard that may be hushed; else -1."""
    try:
        descriptor = (keyboard or sys.stdin).fileno()
    except (AttributeError, OSError, ValueError):
        return -1
    return descriptor if termios and os.isatty(descriptor) else -1


def _quiet(descriptor: int) -> Modes | None:
    """Turn the echo off; the modes that were before, None if nothing was done."""
    if not _is_ours(descriptor):
        return None
    try:
        before = termios.tcgetattr(descriptor)
    except termios.error:
        return None
    after = [*before]
    after[_LOCAL] &= ~(termios.ECHO | termios.ECHONL)
    _set(descriptor, after)
    return before


def _set(descriptor: int, modes: Modes) -> None:
    """Set the modes at once; what was typed and not read stays."""
    if _is_ours(descriptor):
        with contextlib.suppress(termios.error):  # the terminal may be gone
            termios.tcsetattr(descriptor, termios.TCSANOW, modes)


def _is_ours(descriptor: int) -> bool:
    """Whether our job has the terminal: any other would be stopped for changing it."""
    try:
        return os.tcgetpgrp(descriptor) == os.getpgrp()
    except OSError:
        return True
