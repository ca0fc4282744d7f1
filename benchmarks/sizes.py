r"""Whether `--size auto` is as good as the best size chosen by hand, on a grid of texts by minutes.

    python benchmarks/sizes.py honggildong_1860.txt mujeong.txt tinyshakespeare.txt \
        --minutes 1,5,20 --out sizes.jsonl
    python benchmarks/sizes.py --table sizes.jsonl                   # measures nothing

Each cell is trained with nothing but --minutes, and once more with each of these sizes: tiny,
small, medium, large and a few of --hidden, --layers and --networks (--presets names others). What
counts is what a user gets: the network and its n-gram model together, as trained, on the last 10 %.
The rule is that no size beats auto by more than 2 %; a difference that its interval (intervals.py)
does not tell from none is a tie. A size that comes out as the very network that auto took says how
far two trainings of one network lie apart.

Trainings that are in the file are not done again, so that the grid can be made in many sittings.
Two long ones can share a noisy machine fairly, each on a core of its own:

    taskset -c 0 python benchmarks/sizes.py mujeong.txt --minutes 120 --presets "" --out a.jsonl &
    taskset -c 1 python benchmarks/sizes.py mujeong.txt --minutes 120 --no-auto \
        --presets "--size small --networks 4" --out b.jsonl; wait
"""

import argparse
import tempfile
from itertools import product
from pathlib import Path

from arguments import add_texts, numbers, parse_resumable
from comparison import Comparison, gap_between, grouped
from machine import heading, made_by
from rows import Row, append, markdown, read
from rows import made_by as made_by_rows
from texts import find_text
from trainings import cost_of_part, options_of, train_steadily

AUTO = "auto"
PRESETS = (
    *("--size tiny", "--size small", "--size medium", "--size large"),
    *("--hidden 384", "--hidden 768", "--layers 2 --hidden 384", "--layers 2 --hidden 512"),
    *("--size small --networks 1", "--size medium --networks 1"),
)
RULE = 0.02
"""By how much a size may beat auto."""


def main() -> None:
    """Train what is not there yet, then print all of it, and the cells that break the rule."""
    options = _arguments()
    if not options.table:
        print(heading(), flush=True)
        _measure(options)
    rows = read(*(options.table or [options.out]))
    rows.sort(key=lambda row: (row["text"], row["minutes"]))
    if options.table:
        print(f"{made_by_rows(rows)}\n")
    for table in (trainings_table, networks_table, grid_table):
        print(f"{table(rows)}\n")


def _measure(options: argparse.Namespace) -> None:
    """Every training that the file does not have, the short ones first."""
    done = {(row["text"], row["minutes"], row["options"], row["seed"]) for row in read(options.out)}
    by_hand = [preset.strip() for preset in options.presets.split(";") if preset.strip()]
    presets = by_hand if options.no_auto else [AUTO, *by_hand]
    for minutes, name, preset in product(sorted(options.minutes), options.texts, presets):
        path = find_text(name)
        if (path.name, minutes, preset, options.seed) in done:
            continue
        row = {"text": path.name, "minutes": minutes, "options": preset, "seed": options.seed}
        row |= measure(path, minutes, preset, options.seed)
        append(options.out, {"benchmark": "sizes", **row, "made_by": made_by()})
        told = f"{row['network']}, both {row['bits_per_char']['both']:.4f} bits"
        print(f"{path.name} {minutes:g} min {preset}: {told}", flush=True)


def measure(path: Path, minutes: float, preset: str, seed: int) -> Row:
    """One training and its score, without going on learning: it is static sizes that compete."""
    extra = "" if preset == AUTO else preset
    with tempfile.TemporaryDirectory() as folder:
        training = train_steadily(path, options_of(minutes, seed, extra), Path(folder))
        shape = training.run.config().model
        return {
            "network": str(shape),
            **training.to_row(),
            **cost_of_part(training.run, adapting=False).to_row(),
        }


def trainings_table(rows: list[Row]) -> str:
    """A line for each training, those of a cell together and the best of them first."""
    head = ["text", "min", "size", "network", "steps", "network alone", "both", "drift"]
    ordered = sorted(rows, key=lambda r: (r["text"], r["minutes"], r["bits_per_char"]["both"]))
    lines = [
        [
            row["text"],
            f"{row['minutes']:g}",
            row["options"],
            row["network"],
            f"{row['steps']:,}",
            f"{row['bits_per_char']['network']:.4f}",
            f"{row['bits_per_char']['both']:.4f}",
            f"{row['drift']:+.0%}",
        ]
        for row in ordered
    ]
    return markdown(head, lines, left=4)


def networks_table(rows: list[Row]) -> str:
    """A line for each cell, a column for each network: what both cost; bold is auto's."""
    networks = sorted({row["network"] for row in rows}, key=_width)
    lines = []
    for (text, minutes), cell in grouped(rows, "text", "minutes").items():
        auto = {row["network"] for row in cell if row["options"] == AUTO}
        line = [text, f"{minutes:g}"]
        for network in networks:
            group = [row for row in cell if row["network"] == network]
            bits = f"{_both(group):.3f}" if group else ""
            line.append(f"**{bits}**" if network in auto else bits)
        lines.append(line)
    return markdown(["text", "min", *networks], lines)


def _width(network: str) -> tuple[str, int, int, int, int]:
    """Cell, networks, layers, units and block of "2 networks of 1 x 512 lstm + 768" and others."""
    recurrent, _, block = network.partition(" + ")
    *several, layers, _, units, cell = recurrent.split()
    return cell, int(several[0]) if several else 1, int(layers), int(units), int(block or 0)


def grid_table(rows: list[Row]) -> str:
    """For each cell by how much the best size beats auto, and whether that is too much."""
    head = ["text", "min", AUTO, "bits", "best by hand", "bits", "auto above it", "of it", ""]
    lines = []
    for (text, minutes), cell in grouped(rows, "text", "minutes").items():
        sizes = {size: group for (size,), group in grouped(cell, "options").items()}
        if AUTO not in sizes or len(sizes) < 2:
            continue
        scored = {str(size): _both(group) for size, group in sizes.items()}
        best = min((size for size in scored if size != AUTO), key=scored.__getitem__)
        share = scored[AUTO] / scored[best] - 1
        lines.append(
            [
                text,
                f"{minutes:g}",
                sizes[AUTO][0]["network"],
                f"{scored[AUTO]:.4f}",
                f"`{best}`",
                f"{scored[best]:.4f}",
                gap_between(sizes[AUTO], sizes[best], "both"),
                f"{share:+.1%}",
                "**above the rule**" if share > RULE else "",
            ]
        )
    return markdown(head, lines)


def _both(rows: list[Row]) -> float:
    return Comparison(rows).bits("both")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="--size auto against sizes chosen by hand")
    add_texts(parser)
    parser.add_argument("--minutes", type=numbers, default="1,5,20")
    parser.add_argument("--presets", default=";".join(PRESETS), help="options, with ; in between")
    parser.add_argument("--no-auto", action="store_true", help="the sizes chosen by hand alone")
    return parse_resumable(parser, "training")


if __name__ == "__main__":
    main()
