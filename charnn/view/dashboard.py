"""A frame of the live view: which panes there are, how they share the screen, and their drawing.

`render` is a pure function of the state, the size and the clock handed in. What the panes hold is
left to panes.py and writing.py, the terminal to live.py.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from rich.console import Console, ConsoleOptions
from rich.segment import Segment

from charnn.view.keyline import Keyboard, draw_help, draw_keys
from charnn.view.lines import EMPTY, Line, beside, fit, line, plain, rule
from charnn.view.palette import FAINT
from charnn.view.panes import CHART_WIDTH, NUMBERS_WIDTH, draw_curves, draw_head, draw_log
from charnn.view.progress import draw_progress
from charnn.view.state import DashboardState
from charnn.view.writing import (
    draw_earlier,
    draw_writing,
    gutter_width,
    writing_rows,
    writing_title,
)

WIDE: Final = 150
_WIDE_ROWS: Final = 20
_LEFT_SHARE: Final = 0.42
_LEFT_MOST: Final = 100
_COLUMN_GAP: Final = 1
_ROWS_FOR_TITLE: Final = 4
_ROWS_FOR_EARLIER: Final = 8
_CURVE_MOST: Final = 24
_CURVE_MOST_WIDE: Final = 50
_LOG_MOST: Final = 8

# How a stacked frame grows, line by line: each step is taken whole or, where it does not fit, ends
# the growth, and the text takes the rest. Read upwards it tells how panes give way.
_GROWTH: Final = (
    ("text", 2),
    ("progress", 1),
    ("text", 1),
    ("head", 1),
    ("text", 1),
    ("progress", 1),
    ("keys", 1),
    ("text", 2),
    ("log", 1),
    ("curves", 6),
    ("text", 2),
    ("curves", 2),
    ("text", 2),
    ("curves", 1),
)
_FURTHER: Final = (("text", 2), ("curves", 1), ("log", 2), ("text", 3), ("curves", 1))


class Heights(NamedTuple):
    """Lines for each pane of a stacked frame; 0 where there is none."""

    head: int
    progress: int
    curves: int
    text: int
    log: int
    keys: int


@dataclass(frozen=True, slots=True)
class Frame:
    """Lines that fill a screen; rich draws them as they are.

    Attributes:
        lines: exactly as many as the screen is high, none wider than it.
    """

    lines: tuple[Line, ...]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        """The segments of all lines; no line is wrapped, none has a newline after the last."""
        for index, segments in enumerate(self.lines):
            if index:
                yield Segment.line()
            yield from segments

    def text(self) -> str:
        """The frame without its styles, lines without spaces at their ends."""
        return "\n".join(plain(segments).rstrip(" ") for segments in self.lines)


def render(
    state: DashboardState,
    width: int,
    height: int,
    now: float,
    *,
    keyboard: Keyboard | None = None,
    colour: bool = True,
) -> Frame:
    """Draw everything at one moment.

    Args:
        state: what the records told.
        width: cells in a line, at least 1.
        height: lines, at least 1.
        now: seconds on the records' clock; uncovers the newest sample and moves the times on.
        keyboard: what the keys control; None where there are no keys.
        colour: whether generated text is tinted by surprise.
    """
    if width >= WIDE and height >= _WIDE_ROWS:
        lines = _side_by_side(state, width, height, now, keyboard, colour)
    else:
        lines = _stacked(state, width, height, now, keyboard, colour)
    return Frame(tuple(fit(row, width) for row in _exactly(lines, height)))


def heights(height: int, *, curves: bool = True, keys: bool = True) -> Heights:
    """Divide the lines of a stacked frame among its panes.

    Args:
        height: lines of the frame.
        curves: whether the frame is wide enough for curves; their lines go to the text otherwise.
        keys: whether there is a keyboard to tell of.

    >>> heights(24)
    Heights(head=1, progress=2, curves=9, text=10, log=1, keys=1)
    """
    wanted = {"curves": curves, "keys": keys}
    rows = dict.fromkeys(Heights._fields, 0)
    free = height
    for pane, more in _growth():
        if more > free or free <= 0:
            break
        if (pane == "curves" and rows[pane] >= _CURVE_MOST) or (
            pane == "log" and rows[pane] >= _LOG_MOST
        ):
            continue
        if wanted.get(pane, True):
            rows[pane] += more
            free -= more
    rows["text"] += free
    return Heights(**rows)


def _growth() -> Iterator[tuple[str, int]]:
    yield from _GROWTH
    while True:
        yield from _FURTHER


def _stacked(
    state: DashboardState,
    width: int,
    height: int,
    now: float,
    keyboard: Keyboard | None,
    colour: bool,
) -> list[Line]:
    rows = heights(height, curves=width >= CHART_WIDTH + 4, keys=keyboard is not None)
    lines: list[Line] = [draw_head(state, width)] * rows.head
    with_bits = not rows.curves or width < NUMBERS_WIDTH + CHART_WIDTH
    progress = draw_progress(state, width, rows.progress, now, with_bits=with_bits)
    lines += _exactly(progress, rows.progress)
    if rows.curves:
        lines += _exactly(draw_curves(state, width, rows.curves), rows.curves)
    lines += _text_area(state, width, rows.text, now, keyboard, colour)
    lines += _exactly(draw_log(state, width, rows.log), rows.log)
    if rows.keys and keyboard is not None:
        lines.append(draw_keys(keyboard, width))
    return lines


def _side_by_side(
    state: DashboardState,
    width: int,
    height: int,
    now: float,
    keyboard: Keyboard | None,
    colour: bool,
) -> list[Line]:
    """Figures at the left, all generated text at the right, where nothing stands beyond it."""
    top = [draw_head(state, width), *draw_progress(state, width, 2, now)]
    bottom = [draw_keys(keyboard, width)] if keyboard is not None else []
    rows = height - len(top) - len(bottom)
    left_width = min(_LEFT_MOST, int(width * _LEFT_SHARE))
    curve_rows = min(_CURVE_MOST_WIDE, max(10, rows * 2 // 3))
    left = _exactly(draw_curves(state, left_width, curve_rows), curve_rows)
    left += draw_log(state, left_width, rows - curve_rows)
    right_width = width - left_width - _COLUMN_GAP
    right = _text_area(state, right_width, rows, now, keyboard, colour)
    return top + beside(left, right, left_width + _COLUMN_GAP, rows) + bottom


def _text_area(
    state: DashboardState,
    width: int,
    rows: int,
    now: float,
    keyboard: Keyboard | None,
    colour: bool,
) -> list[Line]:
    """Generated text, or the help in its place: exactly `rows` lines."""
    if keyboard is not None and keyboard.help_open:
        return _exactly(draw_help(keyboard, width, rows), rows)
    if state.writing is None and not state.earlier:
        return _exactly(_no_writing(width, rows), rows)
    writings = (*state.earlier, state.writing) if state.writing else state.earlier
    gutter = gutter_width(writings)
    lines: list[Line] = []
    if rows >= _ROWS_FOR_EARLIER and state.earlier:
        needed = 0 if state.writing is None else writing_rows(state.writing, width, gutter)
        room = rows - 2 - min(rows - 2 - max(2, rows // 4), max(needed, 6))
        lines.append((*line(" "), *rule("earlier", width - 2)))
        lines += draw_earlier(state.earlier, width, room, gutter, colour=colour)
    if state.writing is not None:
        if rows >= _ROWS_FOR_TITLE:
            lines.append((*line(" "), *writing_title(state.writing, width - 2, colour=colour)))
        room = rows - len(lines)
        lines += draw_writing(state.writing, width, room, gutter, now, colour=colour)
    return _exactly(lines, rows)


def _no_writing(width: int, rows: int) -> list[Line]:
    title = [(*line(" "), *rule("samples", width - 2))] if rows >= _ROWS_FOR_TITLE else []
    return [*title, line(("  the first sample is still to come", FAINT))]


def _exactly(lines: Iterable[Line], rows: int) -> list[Line]:
    """The lines cut or filled up to `rows` of them."""
    kept: Sequence[Line] = list(lines)[:rows]
    return [*kept, *[EMPTY] * (rows - len(kept))]
