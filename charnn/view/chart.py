"""Curves in braille dots with their axes. Which curves are drawn is left to the panes."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from rich.style import Style

from charnn.view import figures
from charnn.view.curve import Point
from charnn.view.display_text import cell_width, safe_characters, safe_text
from charnn.view.lines import Line, line
from charnn.view.palette import BEST, FAINT

_BRAILLE = 0x2800
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
_HIDDEN_SHARE = 0.1
_BEST_MARK = "◆"
_ROWS_WITH_AXIS = 7


class Series(NamedTuple):
    """One curve: its points in the order of their steps, and how it is drawn.

    Attributes:
        dotted: whether every second column is left out, which tells curves apart without colours.
    """

    points: Sequence[Point]
    style: Style
    dotted: bool = False


@dataclass(frozen=True, slots=True)
class Window:
    """The part of the plane that is seen: steps from left to right, values from low to high."""

    left: float
    right: float
    low: float
    high: float

    def column(self, step: float, columns: int) -> int:
        """The dot column of a step, 0 to columns - 1."""
        share = (step - self.left) / (self.right - self.left)
        return min(columns - 1, max(0, int(share * columns)))

    def row(self, value: float, rows: int) -> int:
        """The dot row of a value, 0 at the top; outside 0 to rows - 1 where it is not seen."""
        share = (self.high - value) / (self.high - self.low)
        return math.floor(share * (rows - 1) + 0.5)


class Canvas:
    """Braille dots on a grid of cells; every cell has the style of what was drawn on it last."""

    def __init__(self, columns: int, rows: int) -> None:
        self.columns = columns
        self.rows = rows
        self._bits = [[0] * columns for _ in range(rows)]
        self._styles: list[list[Style]] = [[FAINT] * columns for _ in range(rows)]
        self._marks: dict[tuple[int, int], tuple[str, Style]] = {}

    def dot(self, x: int, y: int, style: Style) -> None:
        """Set one dot, counted from the top left; dots outside the grid are not drawn."""
        if 0 <= x < 2 * self.columns and 0 <= y < 4 * self.rows:
            self._bits[y // 4][x // 2] |= _DOTS[y % 4][x % 2]
            self._styles[y // 4][x // 2] = style

    def dash(self, column: int, y: int, style: Style) -> None:
        """Set both dots of a cell; what was drawn on it before keeps its style."""
        style = style if self.is_free(column, y // 4) else self._styles[y // 4][column]
        self.dot(2 * column, y, style)
        self.dot(2 * column + 1, y, style)

    def stroke(self, x: int, top: int, bottom: int, style: Style) -> None:
        """Set the dots of one column from `top` to `bottom`, cut to the grid."""
        for y in range(max(0, top), min(4 * self.rows - 1, bottom) + 1):
            self.dot(x, y, style)

    def text(self, column: int, row: int, text: str, style: Style) -> None:
        """Put a text over the dots, from one cell to the right, as far as there are cells."""
        for shown, _ in safe_characters(text, newline=" "):
            width = cell_width(shown)
            if 0 <= column <= self.columns - width and 0 <= row < self.rows:
                self._marks[column, row] = (shown, style)
                for beyond in range(column + 1, column + width):
                    self._marks[beyond, row] = ("", style)
            column += width

    def is_free(self, column: int, row: int, width: int = 1) -> bool:
        """Whether there are so many cells from one to the right, and nothing is drawn on them."""
        return (0 <= row < self.rows and 0 <= column <= self.columns - width) and not any(
            self._bits[row][cell] or (cell, row) in self._marks
            for cell in range(column, column + width)
        )

    def line(self, row: int) -> Line:
        """One row of cells, neighbours of the same style joined, nothing after the last mark."""
        parts: list[tuple[str, Style]] = []
        for column in range(self.columns):
            character, style = self._cell(column, row)
            if parts and (parts[-1][1] == style or character == " "):
                parts[-1] = (parts[-1][0] + character, parts[-1][1])
            else:
                parts.append((character, style))
        if parts:
            parts[-1] = (parts[-1][0].rstrip(" "), parts[-1][1])
        return line(*parts)

    def _cell(self, column: int, row: int) -> tuple[str, Style]:
        if (column, row) in self._marks:
            return self._marks[column, row]
        bits = self._bits[row][column]
        return (chr(_BRAILLE + bits) if bits else " "), self._styles[row][column]


def draw_chart(
    series: Sequence[Series],
    width: int,
    height: int,
    *,
    best: Point | None = None,
    reference: tuple[str, float] | None = None,
) -> list[Line]:
    """Draw curves over a common step axis, with axis labels.

    Args:
        series: the curves, later ones over earlier ones.
        width: cells of the whole drawing, at least 16.
        height: its lines, at least 3.
        best: a point to mark.
        reference: a name and a value for a dashed level; left out where it is far from the
            curves, or where there is no room for its name.

    Returns:
        Exactly `height` lines of at most `width` cells.
    """
    window = _window(series, best, reference)
    if window is None:
        return [line()] * height
    axis_rows = 2 if height >= _ROWS_WITH_AXIS else 1
    rows = height - axis_rows
    labels = _value_labels(window, rows)
    gutter = max(len(label) for label in labels.values())
    canvas = Canvas(width - gutter - 2, rows)
    for curve in series:
        _draw_curve(canvas, window, curve)
    _draw_best(canvas, window, best)
    if reference is not None:
        _draw_reference(canvas, window, *reference)
    lines = [
        line((f"{labels.get(row, ''):>{gutter}} {'┤' if row in labels else '│'}", FAINT))
        + canvas.line(row)
        for row in range(rows)
    ]
    return lines + _step_axis(window, canvas.columns, gutter, axis_rows)


def _window(
    series: Sequence[Series], best: Point | None, reference: tuple[str, float] | None
) -> Window | None:
    """What to show: all steps, and the values but for the first steep fall."""
    values = sorted(point.value for curve in series for point in curve.points)
    if not values:
        return None
    steps = [point.step for curve in series for point in curve.points]
    low, high = values[0], values[int((1 - _HIDDEN_SHARE) * (len(values) - 1))]
    if best is not None:
        low = min(low, best.value)
    if reference is not None and _worth_showing(reference[1], low, high):
        low, high = min(low, reference[1]), max(high, reference[1])
    margin = max(0.05 * (high - low), 0.01)
    return Window(min(steps), max(*steps, min(steps) + 1), low - margin, high + margin)


def _worth_showing(value: float, low: float, high: float) -> bool:
    """Whether a level may widen the window: not if the curves would shrink to less than half."""
    return low - value <= high - low and value - high <= high - low


def _draw_curve(canvas: Canvas, window: Window, curve: Series) -> None:
    """Mean value per dot column, joined to a line that has no gaps."""
    dots_x, dots_y = 2 * canvas.columns, 4 * canvas.rows
    columns: dict[int, list[float]] = {}
    for step, value in curve.points:
        columns.setdefault(window.column(step, dots_x), []).append(value)
    corners = [(x, window.row(sum(values) / len(values), dots_y)) for x, values in columns.items()]
    for start, stop in pairwise(corners):
        _draw_stretch(canvas, start, stop, curve)
    if corners:
        canvas.dot(*corners[-1], curve.style)


def _draw_stretch(
    canvas: Canvas, start: tuple[int, int], stop: tuple[int, int], curve: Series
) -> None:
    """A straight line as one vertical stroke per dot column, the last column left to the next."""
    (x0, y0), (x1, y1) = start, stop
    slope = (y1 - y0) / (x1 - x0)
    for x in range(x0, x1):
        if curve.dotted and x % 2:
            continue
        here, there = y0 + round(slope * (x - x0)), y0 + round(slope * (x + 1 - x0))
        if there > here:
            there -= 1
        elif there < here:
            there += 1
        canvas.stroke(x, min(here, there), max(here, there), curve.style)


def _draw_best(canvas: Canvas, window: Window, best: Point | None) -> None:
    if best is not None:
        column = window.column(best.step, 2 * canvas.columns) // 2
        row = window.row(best.value, 4 * canvas.rows) // 4
        canvas.text(column, row, _BEST_MARK, BEST)


def _draw_reference(canvas: Canvas, window: Window, name: str, value: float) -> None:
    """A dashed level below the curves, its name as near to it as they allow."""
    y = window.row(value, 4 * canvas.rows)
    label = f"{safe_text(name, newline=' ')} {value:.3f}"
    place = _free_place(canvas, y // 4, cell_width(label))
    if not 0 <= y < 4 * canvas.rows or place is None:
        return
    canvas.text(*place, label, FAINT)
    for column in range(0, canvas.columns, 2):
        canvas.dash(column, y, FAINT)


def _free_place(canvas: Canvas, row: int, width: int) -> tuple[int, int] | None:
    """The first cell for a label in the rows beside one, with a cell free on either side of it."""
    for near in (row - 1, row + 1):
        for column in range(canvas.columns - width - 1):
            if canvas.is_free(column, near, width + 2):
                return column + 1, near
    return None


def _value_labels(window: Window, rows: int) -> dict[int, str]:
    """Round values for the rows they fall on, about one to every third row."""
    unit = _round_unit((window.high - window.low) / max(1, rows / 3))
    places = max(0, -math.floor(math.log10(unit) + 1e-9))
    labels: dict[int, str] = {}
    for index in range(math.ceil(window.low / unit), math.floor(window.high / unit) + 1):
        row = window.row(index * unit, 4 * rows) // 4
        if 0 <= row < rows:
            labels.setdefault(row, f"{index * unit:.{places}f}")
    return labels or {rows // 2: f"{(window.low + window.high) / 2:.2f}"}


def _step_axis(window: Window, columns: int, gutter: int, rows: int) -> list[Line]:
    """The bottom axis, its ticks where there is a row for them, and the steps below it."""
    unit = _round_unit((window.right - window.left) / max(1, columns / 12))
    unit = max(1, int(unit))
    ticks = ["─"] * columns
    labels = [" "] * columns
    free = 0
    for step in range(math.ceil(window.left / unit) * unit, int(window.right) + 1, unit):
        column = window.column(step, 2 * columns) // 2
        text = figures.step(step)
        start = min(max(0, column - len(text) // 2), columns - len(text))
        if start >= free:
            ticks[column] = "┬"
            labels[start : start + len(text)] = text
            free = start + len(text) + 2
    below = line((" " * (gutter + 2) + "".join(labels).rstrip(), FAINT))
    axis = line((" " * (gutter + 1) + "└" + "".join(ticks), FAINT))
    return [axis, below] if rows == 2 else [below]


def _round_unit(length: float) -> float:
    """The smallest of 1, 2, 5 times a power of ten that is at least `length`.

    >>> [_round_unit(length) for length in (0.013, 0.2, 3, 700)]
    [0.02, 0.2, 5.0, 1000.0]
    """
    power = math.floor(math.log10(length))
    for factor in (1, 2, 5, 10):
        unit = float(f"{factor}e{power}")
        if unit >= length * (1 - 1e-9):
            return unit
    return float(f"1e{power + 1}")
