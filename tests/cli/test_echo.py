"""Keys while a text is written: not shown, not lost, and the terminal is given back."""

import io
import os
import pty
import signal
import termios
from collections.abc import Iterator
from typing import TextIO

import pytest

from charnn.cli.echo import without_echo


@pytest.fixture
def keyboard() -> Iterator[TextIO]:
    screen, terminal = pty.openpty()
    with os.fdopen(terminal, encoding="utf-8") as stream:
        yield stream
    os.close(screen)


def echoes(keyboard: TextIO) -> bool:
    return bool(termios.tcgetattr(keyboard)[3] & termios.ECHO)


def test_keys_are_not_shown_inside_and_the_modes_come_back(keyboard: TextIO) -> None:
    modes = termios.tcgetattr(keyboard)
    with without_echo(keyboard):
        assert not echoes(keyboard)
        assert termios.tcgetattr(keyboard)[3] & termios.ISIG  # Ctrl-C works
    assert termios.tcgetattr(keyboard) == modes


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, ValueError])
def test_the_modes_come_back_after_an_error(keyboard: TextIO, error: type[BaseException]) -> None:
    modes = termios.tcgetattr(keyboard)
    with pytest.raises(error), without_echo(keyboard):
        raise error
    assert termios.tcgetattr(keyboard) == modes


def test_ctrl_z_gives_the_terminal_back_for_the_stop(
    keyboard: TextIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped = []
    send = os.kill

    def stop(process: int, number: int) -> None:
        assert (process, number) == (os.getpid(), signal.SIGTSTP)
        stopped.append((echoes(keyboard), signal.getsignal(signal.SIGTSTP)))

    monkeypatch.setattr(os, "kill", stop)
    before = signal.getsignal(signal.SIGTSTP)
    with without_echo(keyboard):
        send(os.getpid(), signal.SIGTSTP)
        assert stopped == [(True, signal.SIG_DFL)]
        assert not echoes(keyboard)
        send(os.getpid(), signal.SIGTSTP)
        assert len(stopped) == 2
    assert signal.getsignal(signal.SIGTSTP) == before


def test_what_is_no_terminal_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    before = signal.getsignal(signal.SIGTSTP)
    for stream in (io.StringIO(), None):
        monkeypatch.setattr("sys.stdin", stream)
        with without_echo(stream):
            assert signal.getsignal(signal.SIGTSTP) == before


def test_a_terminal_that_goes_away_is_survived(keyboard: TextIO) -> None:
    with without_echo(keyboard):
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, keyboard.fileno())
        os.close(null)
