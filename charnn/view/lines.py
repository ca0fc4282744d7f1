"""Lines of a frame: styled text in terminal cells. What stands in them is left to the panes.

A line is a tuple of rich segments. A segment is text and a style, below everything that reads
markup, so `[/b]` in a text is only that.
"""

from collections.abc import Iterable, Sequence

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style

from charnn.view.palette import FAINT

Line = tuple[Segment, ...]
Part = str | tuple[str, Style]

EMPTY: Line = ()


def line(*parts: Part) -> Line:
    """A line of the parts one after another, each a text or a text with its style.

    >>> plain(line("step ", ("12", Style(bold=True))))
    'step 12'
    """
    return tuple(
        Segment(part) if isinstance(part, str) else Segment(part[0], part[1]) for part in parts
    )


def plain(segments: Iterable[Segment]) -> str:
    """The text of a line without its styles."""
    return "".join(segment.text for segment in segments)


def width_of(segments: Iterable[Segment]) -> int:
    """Terminal cells that a line takes."""
    return sum(cell_len(segment.text) for segment in segments)


def fit(segments: Sequence[Segment], width: int) -> Line:
    """The line cut to at most `width` cells; a wide character at the edge becomes a space.

    >>> plain(fit(line("형식은"), 5))
    '형식 '
    """
    if width_of(segments) <= width:
        return tuple(segments)
    return tuple(Segment.adjust_line_length(list(segments), width, pad=False))


def pad(segments: Sequence[Segment], width: int) -> Line:
    """The line at exactly `width` cells: cut, or filled with spaces."""
    cut = fit(segments, width)
    missing = width - width_of(cut)
    return (*cut, Segment(" " * missing)) if missing > 0 else cut


def join_fitting(parts: Sequence[Part], width: int, separator: Part) -> Line:
    """As many of the parts as fit into `width` cells, in order, with separators between them.

    A part that does not fit is left out and the later ones are tried; the first is always there.

    >>> plain(join_fitting(["charnn", "a very long name", "seed 1"], 16, " | "))
    'charnn | seed 1'
    """
    kept: list[Part] = []
    used = 0
    for part in parts:
        needed = _width(part) + (_width(separator) if kept else 0)
        if kept and used + needed > width:
            continue
        kept += [separator, part] if kept else [part]
        used += needed
    return fit(line(*kept), width)


def rule(title: str, width: int, right: Line = EMPTY) -> Line:
    """A line across the width with a title at its left and, where it fits, something at its right.

    >>> plain(rule("log", 16))
    '── log ─────────'
    """
    room = width - cell_len(title) - 4
    if right and width_of(right) + 6 <= room:
        dashes = (" " + "─" * (room - width_of(right) - 4) + " ", FAINT)
        return (*line(("── ", FAINT), title, dashes), *right, Segment(" ──", FAINT))
    return fit(line(("── ", FAINT), title, (" " + "─" * max(0, room), FAINT)), width)


def beside(left: Sequence[Line], right: Sequence[Line], left_width: int, rows: int) -> list[Line]:
    """Two columns of lines, the left one filled up to `left_width` cells, `rows` lines high."""

    def at(column: Sequence[Line], row: int) -> Line:
        return column[row] if row < len(column) else EMPTY

    return [(*pad(at(left, row), left_width), *at(right, row)) for row in range(rows)]


def _width(part: Part) -> int:
    return cell_len(part if isinstance(part, str) else part[0])
