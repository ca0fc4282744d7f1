"""A picture of the live view for the README: a frame of a run that was really trained, as SVG.

    python docs/picture.py checkpoints/mujeong --at 7600 -o docs/live-view.svg

The frame is what `charnn watch` shows. rich records it and writes the SVG, and `aligned` corrects
what rich gets wrong: it gives a piece of text as much room as it has characters, not cells, which
squeezes Hangul to half its width.
"""

from collections.abc import Iterator
from io import StringIO
from itertools import groupby
from pathlib import Path
from typing import Final
from xml.etree import ElementTree

import click
from rich.cells import cell_len
from rich.console import Console
from rich.terminal_theme import TerminalTheme

from charnn.errors import CharnnError, RunNotFoundError
from charnn.records import Finished
from charnn.view.dashboard import render
from charnn.view.keyline import Keyboard
from charnn.view.state import DashboardState
from charnn.view.watch import read_run
from charnn.view.writing import LONGEST_SECONDS

# Letters of 21 pixels, for box drawing to reach across rich's lines of 24.4; most monospaced fonts
# are 0.6 as wide.
CELL: Final = 12.6
SVG: Final = "http://www.w3.org/2000/svg"
THEME: Final = TerminalTheme((21, 24, 29), (214, 218, 224), [(0, 0, 0)] * 8)  # no ANSI colours used

# Filled in by rich. It names no font that would have to be fetched, and nothing is clipped: a line
# that is as wide as the frame ends where the frame ends.
TEMPLATE: Final = """\
<svg viewBox="0 0 {width} {height:g}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix, .{unique_id}-title {{
  font-family: Menlo, Consolas, "DejaVu Sans Mono", "Noto Sans Mono", "Liberation Mono", monospace;
  font-size: 21px;
}}
.{unique_id}-title {{ font-size: 16px; opacity: 0.6; }}
.wide {{
  font-family: "Noto Sans Mono CJK KR", "Noto Sans CJK KR", D2Coding, "Apple SD Gothic Neo",
    "Malgun Gothic", NanumGothicCoding, monospace;
  font-size: 22px;
  text-anchor: middle;
}}
{styles}
</style>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})">{backgrounds}
<g class="{unique_id}-matrix">{matrix}</g>
</g>
</svg>
"""


def state_at(run: Path, step: int | None = None) -> DashboardState:
    """What a dashboard knew of a run at a step; by default, what it knows at the end.

    Args:
        run: the run's folder.
        step: records of later steps are left out, and so is that the run has finished.

    Raises:
        RunDamagedError: a journal cannot be read.
        RunNotFoundError: the folder holds no run.
    """
    state = DashboardState()
    for record in read_run(run):
        late = getattr(record, "step", 0) > (step or 0) or isinstance(record, Finished)
        if step is None or not late:
            state = state.update(record)
    if state.started is None:
        raise RunNotFoundError(f"{run} holds no run; name a folder that charnn train made")
    return state


def picture(state: DashboardState, width: int, height: int, title: str) -> str:
    """The frame of a state as an SVG document.

    Of a training that goes on it is the frame of the newest record's moment, with the newest
    samples as far as they were uncovered then; when it has finished they are seen whole.

    Args:
        state: what the records told.
        width: cells in a line of the frame.
        height: lines of the frame.
        title: stands above the frame, as in the bar of a window.
    """
    now = state.elapsed if state.finished is None else state.elapsed + LONGEST_SECONDS
    console = Console(
        record=True, file=StringIO(), width=width, height=height, color_system="truecolor",
        force_terminal=True, legacy_windows=False, _environ={},
    )  # fmt: skip
    console.print(render(state, width, height, now, keyboard=Keyboard()))
    return aligned(
        console.export_svg(
            title=title,
            theme=THEME,
            code_format=TEMPLATE,
            font_aspect_ratio=CELL / 20,  # rich takes letters to be 20 pixels high
            unique_id="view",
        )
    )


def aligned(svg: str) -> str:
    """The SVG with every text on the cells it has in a terminal, whatever fonts show it.

    Args:
        svg: what rich wrote with `TEMPLATE`.
    """
    ElementTree.register_namespace("", SVG)
    root = ElementTree.fromstring(svg)
    for matrix in root.iterfind(f".//{{{SVG}}}g[@class='view-matrix']"):
        texts = [corrected for text in matrix for corrected in _on_cells(text)]
        matrix[:] = texts
    return ElementTree.tostring(root, encoding="unicode") + "\n"


def _on_cells(text: ElementTree.Element) -> Iterator[ElementTree.Element]:
    """A text in pieces: each wide character in the middle of its cells, the others stretched."""
    x, style = float(text.get("x", 0)), text.get("class", "")
    for kind, characters in groupby(_clusters(text.text or ""), key=_kind):
        run = list(characters)
        for piece in run if kind == "wide" else ["".join(run)]:
            room = CELL * cell_len(piece)
            if kind == "wide":
                place = {"class": f"{style} wide", "x": f"{x + room / 2:g}"}
            else:
                place = {"class": style, "x": f"{x:g}", "textLength": f"{room:g}"}
                place["lengthAdjust"] = "spacingAndGlyphs"
            if not piece.isspace():
                element = ElementTree.Element(f"{{{SVG}}}text", {**place, "y": text.get("y", "")})
                element.text, element.tail = piece, "\n"
                yield element
            x += room


def _clusters(text: str) -> Iterator[str]:
    """The characters of a text, each with the marks on it that take no cell of their own."""
    cluster = ""
    for character in text:
        if cluster and cell_len(character):
            yield cluster
            cluster = ""
        cluster += character
    if cluster:
        yield cluster


def _kind(cluster: str) -> str:
    """What tells the fonts apart that characters may come from; a piece is of one kind."""
    return "wide" if cell_len(cluster) > 1 else f"{ord(cluster[0]) >> 8:02x}"


@click.command()
@click.argument("run", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--at", "step", type=int, help="The view at this step; by default at the end.")
@click.option("--width", type=click.IntRange(20), default=100, show_default=True, help="Cells.")
@click.option("--height", type=click.IntRange(5), default=34, show_default=True, help="Lines.")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), required=True)
def main(run: Path, step: int | None, width: int, height: int, output: Path) -> None:
    """Draw the live view of RUN as an SVG picture."""
    try:
        svg = picture(state_at(run, step), width, height, "charnn train")
        output.write_text(svg, encoding="utf-8")
    except (CharnnError, OSError) as error:
        raise click.ClickException(str(error)) from error


if __name__ == "__main__":
    main()
