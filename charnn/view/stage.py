"""Screen and keyboard together, taken and given back; frames in between. Used by one thread.

When and what to draw is left to live.py.
"""

import time
from collections.abc import Callable, Mapping
from typing import IO, Final, cast

from rich.console import Console, RenderableType
from rich.live import Live

from charnn.view.keys import Keys
from charnn.view.palette import MORE_THAN_SIXTEEN
from charnn.view.screen import Screen
from charnn.view.terminal import DEFAULT_SIZE, TerminalWriter

_REPAINT_SECONDS: Final = 5.0


class Stage:
    """Draws frames with rich on the full screen of a terminal.

    Args:
        writer: the terminal.
        keys: read while the screen is taken.
        environ: environment variables (TERM, COLORTERM, NO_COLOR).
        give_up: asked while the terminal takes nothing; a frame is then left unfinished.
        clock: seconds.

    Attributes:
        size: cells in a line, and lines, of the newest frame.
    """

    def __init__(
        self,
        writer: TerminalWriter,
        keys: Keys | None,
        environ: Mapping[str, str],
        give_up: Callable[[], bool],
        clock: Callable[[], float],
    ) -> None:
        self.size = DEFAULT_SIZE
        self._writer = writer
        self._keys = keys
        self._clock = clock
        self._screen = Screen(writer, give_up)
        self._console = _console(self._screen, environ)
        self._live: Live | None = None
        self._repaint_due = 0.0

    @property
    def colour(self) -> bool:
        """Whether the environment wants colours."""
        return not self._console.no_color

    def enter(self) -> None:
        """Take the screen and the keyboard, if they are not taken already."""
        if self._live is None:
            self._screen.take()
            self._live = Live(
                console=self._console,
                screen=True,
                auto_refresh=False,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._live.start()
            if self._keys is not None:
                self._keys.open()

    def leave(self) -> None:
        """Give both back; nothing if they are not taken."""
        live, self._live = self._live, None
        if live is not None:
            if self._keys is not None:
                self._keys.close()
            self.give_back()
            live.stop()

    def give_back(self) -> None:
        """Restore the terminal whatever the drawing thread does; for the last resort."""
        self._screen.give_back()

    def draw(self, frame: Callable[[int, int], RenderableType]) -> float:
        """Draw a frame; the seconds of processor time it took.

        Args:
            frame: gives the frame for a width and a height.
        """
        began = time.thread_time()
        size = self._writer.size()
        if self._keys is not None and self._keys.take_redraw_request():
            self._repaint_due = 0.0
        if size != self.size or self._clock() >= self._repaint_due:
            self._screen.repaint(clear=size != self.size)
            self._repaint_due = self._clock() + _REPAINT_SECONDS
        self.size = self._console.size = size
        if self._live is not None:
            self._live.update(frame(*size), refresh=True)
        return time.thread_time() - began


def _console(screen: Screen, environ: Mapping[str, str]) -> Console:
    """A console on the screen, its colours by the environment.

    Programs that call themselves xterm, screen and the like without "-256color" know 256 colours
    all the same, and sixteen are too few for the scale of surprise.
    """
    console = Console(
        file=cast(IO[str], screen),
        force_terminal=True,
        force_interactive=True,
        legacy_windows=False,
        highlight=False,
        markup=False,
        emoji=False,
        _environ=environ,
    )
    modest = console.color_system == "standard"
    if modest and environ.get("TERM", "").startswith(MORE_THAN_SIXTEEN):
        return _console(screen, {**environ, "TERM": "xterm-256color"})
    return console
