"""Keys to a Control: reads the keyboard in a thread. What they do is drawn by keyline.py.

Only where termios is (Linux, macOS). Without a terminal on the keyboard's stream nothing is read.
"""

import atexit
import codecs
import contextlib
import os
import re
import select
import termios
import threading
import tty
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from typing import Any, Final, TextIO, TypeVar

from charnn.records import Control
from charnn.view.terminal import in_foreground

TEMPERATURES: Final = (0.2, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.2, 1.5)
LENGTHS: Final = (50, 100, 200, 300, 500, 800, 1200, 2000)

# Arrow keys and the like come as sequences; their letters are not keys of their own.
_SEQUENCE: Final = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]?|O.?|.)?", re.DOTALL)
# The same keys while a Korean keyboard layout is on.
_LATIN: Final = str.maketrans("ㅂㅔㄴㅅ", "qpst")
_BACKGROUND_SECONDS: Final = 0.2

_Number = TypeVar("_Number", int, float)


class Keys:
    """Reads single keys while it is open, and obeys them.

    Args:
        control: what the keys act on.
        keyboard: a stream that may be a terminal; None is none.
        on_key: called after each key that did something, from the reading thread.
        watching: whether another process trains, so that samples cannot be asked for.

    Attributes:
        help_open: whether the help is to be shown.
    """

    def __init__(
        self,
        control: Control,
        keyboard: TextIO | None,
        *,
        on_key: Callable[[], None],
        watching: bool = False,
    ) -> None:
        self.help_open = False
        self.watching = watching
        self._control = control
        self._descriptor = _terminal_of(keyboard)
        self._on_key = on_key
        self._redraw_wanted = False
        self._saved: list[Any] | None = None
        self._thread: threading.Thread | None = None
        self._wake_read, self._wake_write = -1, -1

    @property
    def available(self) -> bool:
        """Whether there is a keyboard at all."""
        return self._descriptor >= 0

    def open(self) -> None:
        """Begin to read, if this is the terminal's foreground job; keys are no longer echoed."""
        if self._thread is not None or not self._in_foreground():
            return
        try:
            self._saved = termios.tcgetattr(self._descriptor)
            tty.setcbreak(self._descriptor, termios.TCSANOW)
        except termios.error:
            self._saved = None
            return
        atexit.register(self.close)
        self._wake_read, self._wake_write = os.pipe()
        self._thread = threading.Thread(target=self._read, name="charnn-keys", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop reading and restore the keyboard; it may be opened again."""
        if self._thread is None:
            return
        atexit.unregister(self.close)
        os.write(self._wake_write, b"\0")
        self._thread.join()
        self._thread = None
        os.close(self._wake_read)
        os.close(self._wake_write)
        if self._saved is not None and self._in_foreground():
            with contextlib.suppress(termios.error):
                termios.tcsetattr(self._descriptor, termios.TCSANOW, self._saved)
        self._saved = None

    def take_redraw_request(self) -> bool:
        """Whether somebody asked for the screen to be drawn anew (Ctrl-L) since the last call."""
        wanted, self._redraw_wanted = self._redraw_wanted, False
        return wanted

    def press(self, key: str) -> bool:
        """Obey one key; whether it means anything."""
        match key.translate(_LATIN).lower():
            case "q":
                self._control.stop()
            case "p" | " ":
                self._toggle_pause()
            case "?" | "h":
                self.help_open = not self.help_open
            case "\x0c":
                self._redraw_wanted = True
            case other:
                return not self.watching and self._press_sample_key(other)
        return True

    def _press_sample_key(self, key: str) -> bool:
        control = self._control
        match key:
            case "s":
                control.sample_now()
            case "t":
                control.temperature = _above(TEMPERATURES, control.temperature, TEMPERATURES[0])
            case "+" | "=":
                control.sample_length = _above(LENGTHS, control.sample_length, LENGTHS[-1])
            case "-" | "_":
                control.sample_length = _below(LENGTHS, control.sample_length, LENGTHS[0])
            case _:
                return False
        return True

    def _toggle_pause(self) -> None:
        if self._control.paused:
            self._control.resume()
        else:
            self._control.pause()

    def _read(self) -> None:
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        while True:
            ready, _, _ = select.select([self._descriptor, self._wake_read], [], [])
            if self._wake_read in ready:
                return
            if not self._in_foreground():
                if select.select([self._wake_read], [], [], _BACKGROUND_SECONDS)[0]:
                    return
                continue
            try:
                data = os.read(self._descriptor, 1024)
            except OSError:
                data = b""
            if not data:
                return
            pressed = [self.press(key) for key in _SEQUENCE.sub("", decoder.decode(data))]
            if any(pressed):
                self._on_key()

    def _in_foreground(self) -> bool:
        """Whether reading would not stop the process: its job has the terminal."""
        return self.available and in_foreground(self._descriptor)


def _terminal_of(stream: TextIO | None) -> int:
    """The descriptor of a stream that is a terminal, else -1."""
    if stream is None:
        return -1
    try:
        descriptor = stream.fileno()
        return descriptor if os.isatty(descriptor) else -1
    except (OSError, ValueError):
        return -1


def _above(choices: tuple[_Number, ...], value: _Number, otherwise: _Number) -> _Number:
    at = bisect_right(choices, value)
    return choices[at] if at < len(choices) else otherwise


def _below(choices: tuple[_Number, ...], value: _Number, otherwise: _Number) -> _Number:
    at = bisect_left(choices, value)
    return choices[at - 1] if at else otherwise
