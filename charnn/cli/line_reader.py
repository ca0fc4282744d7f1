"""Lines that a person types: with an editor where there is a terminal, else as they come."""

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, TextIO

from charnn.errors import TextError

if TYPE_CHECKING:
    from prompt_toolkit.formatted_text import AnyFormattedText

_PROMPT = "> "
_NO_TERMINAL = ("", "dumb", "unknown")


class LineReader(Protocol):
    """Reads lines.

    Attributes:
        at_terminal: whether a person types them, who may press Ctrl-C and mean only the moment.
        leaves_trace: whether what was typed stays on the screen.
    """

    at_terminal: bool
    leaves_trace: bool

    def read(self, status: Callable[[int], str]) -> str:
        """The next line, without its end.

        Args:
            status: gives a line to show above it, for a width in terminal cells.

        Raises:
            EOFError: there is none any more.
            KeyboardInterrupt: Ctrl-C; what was typed is forgotten.
        """

    def end(self, error: BaseException) -> None:
        """Let an error end what goes on: raised from `read` if a line is being read, else here.

        Args:
            error: says why; a signal's.
        """


def line_reader() -> LineReader:
    """An editor on the terminal if there is one, else what reads stdin.

    Raises:
        TextError: stdin is closed.
    """
    check_stdin()
    screen = next((s for s in (sys.stderr, sys.stdout) if s.isatty()), None)
    knows_nothing = os.name == "posix" and os.environ.get("TERM", "") in _NO_TERMINAL
    if not sys.stdin.isatty() or screen is None or knows_nothing:
        return _Lines()
    return _Editor(screen)


def check_stdin() -> None:
    """Refuse a stdin that was closed before the command began.

    Raises:
        TextError: it is closed.
    """
    if sys.stdin is None:
        raise TextError("--interactive reads stdin, which is closed: leave --interactive out")


class _Lines:
    """Stdin, a line at a time; the terminal itself, if it is one, lets a line be edited."""

    def __init__(self) -> None:
        self.at_terminal = self.leaves_trace = sys.stdin.isatty()

    def read(self, status: Callable[[int], str]) -> str:
        if self.at_terminal:
            sys.stderr.write(_PROMPT)
            sys.stderr.flush()
        try:
            line = sys.stdin.buffer.readline()
        except OSError:  # the terminal is gone, or stdin cannot be read
            raise EOFError from None
        if not line:
            raise EOFError
        # What is no UTF-8 becomes surrogates, which are refused like those of a prompt.
        return line.decode("utf-8", "surrogateescape").rstrip("\r\n")

    def end(self, error: BaseException) -> None:
        raise error


class _Editor:
    """A line with a cursor, a history and the right width for Hangul, by prompt_toolkit.

    Args:
        screen: the terminal it is drawn on.
    """

    def __init__(self, screen: TextIO) -> None:
        from prompt_toolkit import PromptSession
        from prompt_toolkit.output import create_output
        from prompt_toolkit.output.vt100 import Vt100_Output

        output = create_output(screen)
        if isinstance(output, Vt100_Output):
            output.enable_cpr = False  # answers that come late would stand in the text
        self.at_terminal = True
        self.leaves_trace = not sys.stdout.isatty()
        self._output = output
        self._session: PromptSession[str] = PromptSession(
            output=output, reserve_space_for_menu=0, erase_when_done=not self.leaves_trace
        )

    def read(self, status: Callable[[int], str]) -> str:
        def message() -> "AnyFormattedText":
            width = max(1, self._output.get_size().columns - 1)
            return [("fg:#8c8a88", status(width) + "\n"), ("", _PROMPT)]

        return self._session.prompt(message)

    def end(self, error: BaseException) -> None:
        # The editor catches what is raised inside it, and must give the terminal back first.
        if not self._session.app.is_running:
            raise error
        if not self._session.app.is_done:
            self._session.app.exit(exception=error)
