"""Text as it is written, in colours: tinted by surprise, a person's own words bold.

The scale is that of palette.py, what a terminal may be shown that of display_text.py.
"""

import os
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Final, TextIO

from rich.color import ColorSystem
from rich.console import Console
from rich.style import Style

from charnn.view.display_text import SafeStream, ShownPiece
from charnn.view.palette import (
    MORE_THAN_SIXTEEN,
    PLAIN,
    STRONG,
    SURPRISE,
    surprise_level,
)
from charnn.view.views import NO_TERMINAL
from charnn.view.writing import legend

_SYSTEMS: Final = {
    "standard": ColorSystem.STANDARD,
    "256": ColorSystem.EIGHT_BIT,
    "truecolor": ColorSystem.TRUECOLOR,
    "windows": ColorSystem.WINDOWS,
}
_RESET: Final = "\x1b[0m"


class HeatStream:
    r"""`SafeStream` with styles: what comes out is to be written to a terminal as it is.

    Args:
        system: the colours the terminal knows; None is bold alone.
        tinted: whether what the model wrote is tinted.

    Attributes:
        tinted: whether it is, with these colours.

    >>> stream = HeatStream(ColorSystem.STANDARD)
    >>> stream.push("a", None) + stream.push("b", 20.0) + stream.push("c", 20.0) + stream.finish()
    '\x1b[1ma\x1b[0m\x1b[33mbc\x1b[0m'
    """

    def __init__(self, system: ColorSystem | None, *, tinted: bool = True) -> None:
        self._stream = SafeStream()
        self._costs: deque[float | None] = deque()  # of each code point that is still to be shown
        self.tinted = tinted and system is not None
        scale = SURPRISE if self.tinted else [PLAIN] * len(SURPRISE)
        self._tints = [_sequence(style, system) for style in scale]
        self._bold = _sequence(STRONG, ColorSystem.STANDARD)
        self._current = ""

    def push(self, text: str, bits: float | None) -> str:
        """What can be shown now that this text has come.

        Args:
            text: the next piece.
            bits: what it cost the model, spread evenly over it; None for a person's words.
        """
        if text:
            self._costs.extend([None if bits is None else bits / len(text)] * len(text))
        return self._styled(self._stream.push_pieces(text))

    def finish(self) -> str:
        """What was held back, and the terminal's own colours again; the text is at its end."""
        rest = self._styled(self._stream.finish_pieces())
        reset, self._current = _RESET if self._current else "", ""
        return rest + reset

    def _styled(self, pieces: Iterable[ShownPiece]) -> str:
        parts = []
        for shown, characters in pieces:
            costs = [self._costs.popleft() for _ in range(characters)]
            if not shown.isspace():
                parts.append(self._change_to(self._sequence_for(costs)))
            parts.append(shown)
        return "".join(parts)

    def _sequence_for(self, costs: list[float | None]) -> str:
        known = [cost for cost in costs if cost is not None]
        return self._tints[surprise_level(sum(known))] if known else self._bold

    def _change_to(self, sequence: str) -> str:
        if sequence == self._current:
            return ""
        before, self._current = self._current, sequence
        return (_RESET if before else "") + sequence


def heat_stream(
    stream: TextIO, *, tinted: bool, environ: Mapping[str, str] | None = None
) -> HeatStream | None:
    """A stream of styled text for a terminal, as far as that terminal knows styles.

    Args:
        stream: where the text goes.
        tinted: whether colours are wanted; NO_COLOR turns them off all the same.
        environ: environment variables; those of the process if None.

    Returns:
        None where `stream` is no terminal, or one that knows nothing but text.
    """
    environ = os.environ if environ is None else environ
    system = colour_system(stream, environ)
    if system is None:
        return None
    return HeatStream(None if environ.get("NO_COLOR") else system, tinted=tinted)


def legend_for(stream: TextIO, environ: Mapping[str, str] | None = None) -> str:
    """The scale of surprise in a line for a terminal; "" where nothing is tinted."""
    environ = os.environ if environ is None else environ
    system = colour_system(stream, environ)
    if system is None or environ.get("NO_COLOR"):
        return ""
    return "".join(
        f"{_sequence(segment.style or PLAIN, system)}{segment.text}{_RESET}" for segment in legend()
    )


def colour_system(stream: TextIO, environ: Mapping[str, str]) -> ColorSystem | None:
    """The colours that a terminal knows; None where it knows no styles, or is none.

    Args:
        stream: what may be a terminal.
        environ: environment variables (TERM, COLORTERM).
    """
    term = environ.get("TERM", "")
    if not stream.isatty() or (os.name == "posix" and term in NO_TERMINAL):
        return None
    name = Console(file=stream, _environ=environ).color_system
    if name == "standard" and term.startswith(MORE_THAN_SIXTEEN):
        return ColorSystem.EIGHT_BIT
    return _SYSTEMS[name] if name else None


def _sequence(style: Style, system: ColorSystem | None) -> str:
    """What a terminal is sent to begin a style."""
    if system is None:
        return ""
    # A style remembers the sequence of the first colour system that it was rendered for.
    fresh = Style(color=style.color, bold=style.bold, dim=style.dim)
    return fresh.render("x", color_system=system).partition("x")[0]
