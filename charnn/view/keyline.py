"""What the keys do: the last line of a frame, and the help. Reading keys is left to keys.py."""

from dataclasses import dataclass
from typing import Final

from charnn.records import Control
from charnn.view import figures
from charnn.view.lines import Line, fit, line, rule
from charnn.view.palette import FAINT, PLAIN, STRONG


@dataclass(frozen=True, slots=True)
class Keyboard:
    """What the keys control at this moment, for a frame to show.

    Attributes:
        temperature: of the next sample that is asked for.
        sample_length: its length in characters.
        paused: whether the training was asked to wait.
        stopping: whether it was asked to stop.
        help_open: whether the help is shown.
        watching: whether another process trains, so that samples cannot be asked for.
    """

    temperature: float = 0.8
    sample_length: int = 300
    paused: bool = False
    stopping: bool = False
    help_open: bool = False
    watching: bool = False

    @classmethod
    def of(cls, control: Control, *, help_open: bool, watching: bool) -> "Keyboard":
        """A snapshot of a control."""
        return cls(
            temperature=control.temperature,
            sample_length=control.sample_length,
            paused=control.paused,
            stopping=control.stopping,
            help_open=help_open,
            watching=watching,
        )


def draw_keys(keyboard: Keyboard, width: int) -> Line:
    """One line of what the keys do, as much of it as fits."""
    if keyboard.stopping and not keyboard.watching:
        return fit(line(" stopping: a checkpoint is being saved"), width)
    keys: list[tuple[str, str]] = [("q", "quit" if keyboard.watching else "stop")]
    keys.append(("p", "resume" if keyboard.paused else "pause"))
    if not keyboard.watching:
        keys.append(("s", "sample"))
        keys.append(("t", f"temperature {figures.temperature(keyboard.temperature)}"))
        keys.append(("+/-", f"length {keyboard.sample_length}"))
    keys.append(("?", "close" if keyboard.help_open else "help"))
    shown: list[Line] = [line(" ")]
    used = 1
    for key, meaning in keys:
        needed = len(key) + len(meaning) + 1 + (2 if len(shown) > 1 else 0)
        if used + needed > width - 1:
            continue
        gap = "  " if len(shown) > 1 else ""
        shown.append(line(gap, (key, STRONG), (f" {meaning}", FAINT)))
        used += needed
    return tuple(segment for part in shown for segment in part)


def draw_help(keyboard: Keyboard, width: int, rows: int) -> list[Line]:
    """What the keys and the tints mean, in place of the generated text."""
    lines = [(*line(" "), *rule("help", width - 2))] if rows >= 4 else []
    for key, meaning in _HELP:
        if not (keyboard.watching and key in ("s", "t", "+ -")):
            text = _WATCHING_HELP.get(key, meaning) if keyboard.watching else meaning
            lines.append(fit(line(f" {key:>5}  ", (text, PLAIN)), width))
    return lines[:rows]


_HELP: Final = (
    ("q", "save and stop; --resume goes on"),
    ("p", "pause, or go on"),
    ("s", "write a sample now"),
    ("t", "another temperature for it"),
    ("+ -", "a longer or a shorter one"),
    ("?", "open or close this help"),
    ("", "blue characters were foreseen,"),
    ("", "orange ones surprised the model"),
)
_WATCHING_HELP: Final = {
    "q": "leave; a training goes on",
    "p": "hold the picture, or go on",
}
