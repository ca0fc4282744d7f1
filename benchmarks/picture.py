"""The map of learning as a picture: `benchmarks/map.py --picture` draws it from its rows.

A panel for each text: as trained above, going on learning below. Colours are those of cividis,
which colour-blind eyes see as others do, and every number stands in its cell as well.
"""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from comparison import grouped
from map import size_in_words, time_in_words
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray
from rows import Row

TITLES = {"": "as trained", "*": "going on learning from what it reads"}
CAPTION = (
    "Bits per character: network and counts together in bold, the network alone below it.\n"
    "Where the line is crossed, the network alone becomes as good as the counts alone."
)
_LABEL = "how far both together are below the counts alone, %"
_COLOURS = "cividis"
_INK, _FADED, _LINE = "#202020", "#5a5a5a", "#d55e00"
_WIDTH, _HEIGHT = 8.4, 0.36  # inches, of the picture and of a row
_STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 7.5,
    "text.color": _INK,
    "axes.edgecolor": _FADED,
    "axes.labelcolor": _INK,
    "axes.titlesize": 8.5,
    "axes.titlelocation": "left",
}

Floats = NDArray[np.float64]
Grid = dict[str, Floats]
"""Bits per character of each system, (sizes, times) each; NaN where a cell was not measured."""


def draw_map(rows: list[Row], path: Path) -> None:
    """Draw all texts of some rows into a PNG.

    Args:
        rows: of map.py.
        path: of the picture.
    """
    texts = {str(text): group for (text,), group in grouped(rows, "text").items()}
    axes_of = {text: _axes(group) for text, group in texts.items()}
    grids = {text: grid(group, *axes_of[text]) for text, group in texts.items()}
    most = max(float(np.nanmax(gain(g, star), initial=1)) for g in grids.values() for star in "*")
    scale = Normalize(0, max(most, 1.0))
    columns = [len(times) for _, times in axes_of.values()]
    rows_high = max(len(sizes) for sizes, _ in axes_of.values())
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(_WIDTH, 2 * rows_high * _HEIGHT + 2.1), layout="constrained")
        panels = figure.subplots(2, len(texts), squeeze=False, width_ratios=columns)
        for column, text in enumerate(texts):
            for row, star in enumerate(TITLES):
                _panel(panels[row][column], grids[text], axes_of[text], scale, star, text)
        figure.suptitle(CAPTION, x=0.01, ha="left", fontsize=8.5)
        for panel in panels[:, 0]:
            panel.set_ylabel("size of the text")
        for panel in panels[-1]:
            panel.set_xlabel("time to train, the whole command")
        bar = figure.colorbar(
            mpl.cm.ScalarMappable(scale, _COLOURS),
            ax=panels,
            location="bottom",
            aspect=60,
            shrink=0.6,
            pad=0.02,
        )
        bar.set_label(_LABEL)
        bar.ax.tick_params(labelsize=7, length=2)
        figure.savefig(path, dpi=200)


def grid(rows: Sequence[Row], sizes: Sequence[int], times: Sequence[float]) -> Grid:
    """What each system needs, as arrays; several rows of a cell become their mean."""
    names = {name for row in rows for name in row["bits_per_char"]}
    found = {name: np.full((len(sizes), len(times)), np.nan) for name in names}
    for (size, seconds), cell in grouped(rows, "size", "seconds").items():
        place = sizes.index(int(str(size))), times.index(float(str(seconds)))
        for name in names:
            bits = [row["bits_per_char"][name] for row in cell if name in row["bits_per_char"]]
            found[name][place] = np.mean(bits) if bits else np.nan
    return found


def gain(found: Grid, star: str = "") -> Floats:
    """By how many percent both are below the counts alone, (sizes, times)."""
    return 100 * (1 - found[f"both{star}"] / found[f"n-gram{star}"])


def _axes(rows: Sequence[Row]) -> tuple[list[int], list[float]]:
    return sorted({row["size"] for row in rows}), sorted({float(row["seconds"]) for row in rows})


def _panel(
    axes: Axes,
    found: Grid,
    sizes_and_times: tuple[list[int], list[float]],
    scale: Normalize,
    star: str,
    text: str,
) -> None:
    """One text, as trained or going on learning."""
    sizes, times = sizes_and_times
    shown = np.clip(gain(found, star), 0, None)
    axes.pcolormesh(shown, cmap=_COLOURS, norm=scale, edgecolors="white", linewidth=1)
    for row, column in np.ndindex(*shown.shape):
        if not np.isnan(shown[row, column]):
            dark = scale(shown[row, column]) < 0.55
            _numbers(axes, found, (row, column), star, "white" if dark else _INK)
    _frontier(axes, found[f"network{star}"] <= found[f"n-gram{star}"])
    counts = [np.nanmean(line) for line in found[f"n-gram{star}"]]
    labels = [
        f"{size_in_words(size)}\ncounts {bits:.2f}"
        for size, bits in zip(sizes, counts, strict=True)
    ]
    axes.set_yticks(np.arange(len(sizes)) + 0.5, labels)
    axes.set_xticks(np.arange(len(times)) + 0.5, map(time_in_words, times))
    axes.tick_params(length=0, labelsize=7, labelcolor=_INK)
    axes.set_title(f"{Path(text).stem}, {TITLES[star]}", color=_INK)


def _numbers(axes: Axes, found: Grid, place: tuple[int, int], star: str, colour: str) -> None:
    """Bits per character of both, and of the network alone."""
    row, column = place
    both, network = (found[f"{name}{star}"][place] for name in ("both", "network"))
    where = {"ha": "center", "color": colour}
    axes.text(
        column + 0.5, row + 0.62, f"{both:.2f}", va="center", weight="bold", fontsize=8, **where
    )
    axes.text(column + 0.5, row + 0.26, f"{network:.2f}", va="center", fontsize=6.5, **where)


def _frontier(axes: Axes, ahead: NDArray[np.bool_]) -> None:
    """The line between cells where the network alone is ahead and those where it is not."""
    rows, columns = ahead.shape
    style = {"color": "white", "linewidth": 3.5, "zorder": 3}, {"color": _LINE, "linewidth": 2}
    for row, column in np.ndindex(rows, columns):
        sides = []
        if column + 1 < columns and ahead[row, column] != ahead[row, column + 1]:
            sides.append(([column + 1] * 2, [row, row + 1]))
        if row + 1 < rows and ahead[row, column] != ahead[row + 1, column]:
            sides.append(([column, column + 1], [row + 1] * 2))
        for x, y in sides:
            for look in style:
                axes.plot(x, y, solid_capstyle="round", **{"zorder": 4, **look})
