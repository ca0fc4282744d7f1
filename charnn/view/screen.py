"""The full screen as a file for rich: taken, drawn to line by line, given back."""

from collections.abc import Callable
from typing import Final

from charnn.view.terminal import TerminalWriter

_HOME: Final = "\x1b[H"
_CLEAR: Final = "\x1b[2J"
_CLEAR_LINE_END: Final = "\x1b[K"
_CANCEL: Final = "\x18"
_AUTOWRAP_OFF: Final = "\x1b[?7l"
_GIVE_BACK: Final = b"\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l"
_SECONDS_TO_GIVE_BACK: Final = 1.0


class Screen:
    """The file that `rich.live.Live` writes to.

    rich writes whole frames; only the lines that changed since the last one go to the terminal,
    each placed by itself and cleared to its end, so that a terminal with other ideas about the
    width of a character spoils no more than the line it stands in. Autowrap is off meanwhile.

    Args:
        writer: the terminal.
        give_up: asked while the terminal takes nothing; a frame is then left unfinished.
    """

    encoding = "utf-8"

    def __init__(self, writer: TerminalWriter, give_up: Callable[[], bool]) -> None:
        self._writer = writer
        self._give_up = give_up
        self._lines: list[str] = []
        self._prefix = ""
        self._taken = False

    def take(self) -> None:
        """Make ready for what Live writes at its start; from now on the screen is given back."""
        self._taken = True
        self._lines = []
        self._send(_AUTOWRAP_OFF)

    def give_back(self) -> None:
        """Restore screen, cursor, colours and autowrap, even if the terminal is stopped."""
        if self._taken:
            self._taken = False
            try:
                self._writer.insist(self._prefix.encode() + _GIVE_BACK, _SECONDS_TO_GIVE_BACK)
            except BaseException:  # a Ctrl-C: it is still to be done
                self._taken = True
                raise
            self._prefix = ""

    def repaint(self, *, clear: bool = False) -> None:
        """Draw every line of the next frame, whatever stood there; `clear` the screen before."""
        self._lines = []
        if clear:
            self._prefix = _CANCEL if self._prefix.startswith(_CANCEL) else ""
            self._prefix += _CLEAR

    def write(self, text: str, /) -> int:
        """Take a frame or a control sequence from rich; without the screen nothing is written."""
        if self._taken:
            frame = text.startswith(_HOME) and len(text) > len(_HOME)
            self._send(self._changes(text.removeprefix(_HOME).split("\n")) if frame else text)
        return len(text)

    def flush(self) -> None:
        """Nothing is kept back."""

    def isatty(self) -> bool:
        """The screen of a terminal."""
        return True

    def _changes(self, lines: list[str]) -> str:
        before = self._lines + [""] * (len(lines) - len(self._lines))
        whole = not self._lines
        self._lines = lines
        return "".join(
            _placed(row, line)
            for row, (line, old) in enumerate(zip(lines, before, strict=False), 1)
            if whole or line != old
        )

    def _send(self, text: str) -> None:
        """Write; what was cut off in the middle is cancelled before anything else is written."""
        if text and not self._writer.write(
            (self._prefix + text).encode("utf-8", "replace"), self._give_up
        ):
            self._lines, self._prefix = [], _CANCEL
        elif text:
            self._prefix = ""


def _placed(row: int, line: str) -> str:
    """A line of a frame at its place; the spaces that fill it up are left to the clearing."""
    bare = line.rstrip(" ")
    return f"\x1b[{row}H{bare}{_CLEAR_LINE_END if len(bare) < len(line) or not line else ''}"
