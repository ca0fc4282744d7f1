"""Which view a training gets: full screen, plain lines or nothing."""

import os
import sys
from collections.abc import Mapping
from typing import Final, TextIO

from charnn.errors import OptionError
from charnn.records import Control
from charnn.view.base import NoView, View
from charnn.view.plain import PlainView

UI_CHOICES: Final = ("auto", "live", "plain", "none")
NO_TERMINAL: Final = ("", "dumb", "unknown")
_NO: Final = ("", "0", "false", "no")


def check_ui(ui: str) -> None:
    """Refuse what is no way of showing a training.

    Raises:
        OptionError: ui is none of UI_CHOICES.
    """
    if ui not in UI_CHOICES:
        raise OptionError(f"ui must be one of {', '.join(UI_CHOICES)}, got {ui!r}")


def make_view(
    ui: str,
    control: Control,
    *,
    stream: TextIO | None = None,
    keyboard: TextIO | None = None,
    environ: Mapping[str, str] | None = None,
    watching: bool = False,
    speed: float = 1.0,
) -> View:
    """The view for a way of showing and the place it is shown in.

    Args:
        ui: "live" and "auto" take the full screen where `stream` is a terminal that can do it,
            "auto" not where programs run unattended (CI) or in the background; everything else
            gets plain lines, "none" nothing.
        control: what keys act on.
        stream: where it is shown; sys.stderr if None.
        keyboard: where keys come from; sys.stdin if None.
        environ: environment variables; those of the process if None.
        watching: whether another process trains.
        speed: seconds of the records' clock in a second of ours.

    Raises:
        OptionError: ui is none of UI_CHOICES.
    """
    check_ui(ui)
    stream = sys.stderr if stream is None else stream
    environ = os.environ if environ is None else environ
    if ui == "none":
        return NoView()
    if not _is_terminal(stream):
        return PlainView(stream)
    if ui == "plain" or not _can_draw(environ) or (ui == "auto" and _unattended(stream, environ)):
        return _plain_view(stream, environ)
    from charnn.view.live import LiveView  # noqa: PLC0415 (needs termios, which Windows lacks)

    return LiveView(
        stream,
        control,
        keyboard=sys.stdin if keyboard is None else keyboard,
        environ=environ,
        watching=watching,
        speed=speed,
    )


def _plain_view(stream: TextIO, environ: Mapping[str, str]) -> View:
    """Plain lines on a terminal, which may be stopped and must not hold anybody up."""
    if os.name != "posix":
        return PlainView(stream)
    from charnn.view.terminal_lines import TerminalLines  # noqa: PLC0415 (as above)

    colour = not environ.get("NO_COLOR") and environ.get("TERM", "") not in NO_TERMINAL
    return TerminalLines(stream, colour=colour)


def _is_terminal(stream: TextIO) -> bool:
    try:
        return os.isatty(stream.fileno())
    except (OSError, ValueError):
        return False


def _can_draw(environ: Mapping[str, str]) -> bool:
    return os.name == "posix" and environ.get("TERM", "") not in NO_TERMINAL


def _unattended(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Whether nobody is likely to look: a build machine, or a job in the background."""
    from charnn.view.terminal import in_foreground  # noqa: PLC0415 (as above)

    return environ.get("CI", "").lower() not in _NO or not in_foreground(stream.fileno())
