"""How good is the model after so many minutes: whole `charnn train` commands, one after another.

    python benchmarks/learning.py mujeong.txt --minutes 2,5,10
    python benchmarks/learning.py tinyshakespeare.txt --minutes 3 --seeds 1,2,3 --unit nats
    python benchmarks/learning.py mujeong.txt --minutes 2 --split 85/5/10 --options "--layers 2"
    python benchmarks/learning.py mujeong.txt tinyshakespeare.txt --minutes 5 --out rows.jsonl
    python benchmarks/learning.py --table rows.jsonl baseline.jsonl      # measures nothing

Each row is a process of its own, from start to exit, with nothing else running. It is scored in one
stateful pass over the last 10 % of the text, which chose the checkpoint of the training: the
network alone, the n-gram model alone, both, and with a star all three while they go on learning.
With --split 85/5/10, the way recipes are developed, the last 10 % chose nothing at all.

"windows" is the network alone by nanoGPT's protocol: 200 batches of 64 random windows of 256
characters, each from zero state, with the standard error of their mean.

A run during which the machine's matrix products drifted by more than 5 % is repeated once, and the
steadier of the two counts; where that one drifted too, its drift is printed in bold. Intervals are
95 % of block-bootstrap resamplings (intervals.py): what they leave out is the luck of the seed, of
which the spread over --seeds tells. ≈ is a tie: the interval of the paired difference holds zero.
"""

import argparse
import statistics
import tempfile
from pathlib import Path

from arguments import add_table, add_texts, add_unit, numbers, whole_numbers
from comparison import UNITS, Comparison, gap_between, grouped
from machine import DRIFT, heading, made_by
from rows import Row, append, markdown, read
from rows import made_by as made_by_rows
from texts import USUAL, check_split, find_text, split_options
from trainings import (
    ADAPTIVE,
    STATIC,
    cost_of_part,
    options_of,
    train_steadily,
    windows_of_part,
)

SYSTEMS = (*STATIC, *ADAPTIVE)
SAME = ("text", "split", "minutes", "options")
"""What rows have in common that can be compared."""


def main() -> None:
    """Train and score, keep each row as a line of JSON, and print them as tables."""
    options = _arguments()
    if options.table:
        rows = read(*options.table)
        print(made_by_rows(rows))
        print()
    else:
        print(heading(), flush=True)
        rows = [*_measured(options)]
        print()
    print(runs_table(rows, options.unit))
    print()
    print(comparison_table(rows, options.unit))
    if compared := options_table(rows, options.unit):
        print(f"\nAbove the usual options:\n\n{compared}")


def _measured(options: argparse.Namespace) -> list[Row]:
    rows = []
    for text in options.texts:
        for minutes in options.minutes:
            for seed in options.seeds:
                row = measure(find_text(text), minutes, seed, options)
                append(options.out, row)
                rows.append(row)
                told = ", ".join(f"{name} {_score(row, name, 'bits'):.4f}" for name in SYSTEMS)
                print(f"{text} {minutes:g} min seed {seed}: {told} bits", flush=True)
    return rows


def measure(path: Path, minutes: float, seed: int, given: argparse.Namespace) -> Row:
    """One whole training and its score."""
    options = [*options_of(minutes, seed, given.options), *split_options(given.split)]
    with tempfile.TemporaryDirectory() as folder:
        training = train_steadily(path, options, Path(folder))
        costs = cost_of_part(training.run)
        return {
            "benchmark": "learning",
            "text": path.name,
            "minutes": minutes,
            "seed": seed,
            "options": given.options,
            "split": given.split,
            **training.to_row(),
            **costs.to_row(),
            "windows": windows_of_part(training.run, costs.part, given.windows),
            "made_by": made_by(),
        }


def runs_table(rows: list[Row], unit: str = "bits") -> str:
    """A line for each training, and where there are several seeds their mean and spread."""
    head = ["text", "options", "min", "seed", "wall s", "steps", "chars/s"]
    head += [name.replace("*", "\\*") for name in SYSTEMS] + ["windows", "drift"]
    ours = [row for row in rows if row["benchmark"] == "learning"]
    lines = []
    for group in grouped(ours, *SAME).values():
        lines += [_run_line(row, unit) for row in group]
        if len(group) > 1:
            lines.append(_mean_line(group, unit))
    return markdown(head, lines, left=2)


def _run_line(row: Row, unit: str) -> list[str]:
    drift = f"{row['drift']:+.0%}"
    return [
        row["text"],
        _options_in_words(row),
        f"{row['minutes']:g}",
        str(row["seed"]),
        f"{row['wall']:.0f}",
        f"{row['steps']:,}",
        f"{row['characters_per_second']:,}",
        *(f"{_score(row, name, unit):.4f}" for name in SYSTEMS),
        _windows(row, unit),
        f"**{drift}**" if abs(row["drift"]) > DRIFT else drift,
    ]


def _mean_line(group: list[Row], unit: str) -> list[str]:
    """Mean and standard deviation over seeds."""
    told = []
    for name in SYSTEMS:
        scores = [_score(row, name, unit) for row in group]
        told.append(f"{statistics.mean(scores):.4f} ± {statistics.stdev(scores):.4f}")
    first = group[0]
    start = [first["text"], _options_in_words(first), f"{first['minutes']:g}"]
    return [*start, f"mean of {len(group)}", "", "", "", *told, "", ""]


def comparison_table(rows: list[Row], unit: str = "bits") -> str:
    """For each text and budget all systems in their order, ties as ties."""
    head = ["text", "options", "min", "as trained", "going on learning"]
    lines = []
    for group in _comparable(rows):
        compared = Comparison(group, unit)
        orders = [compared.order(adaptive=adaptive) for adaptive in (False, True)]
        first = group[0]
        budget = f"{first['minutes']:g}" if "minutes" in first else ""
        told = (order.replace("*", "\\*") for order in orders)
        lines.append([first["text"], _options_in_words(first), budget, *told])
    return markdown(head, lines, left=len(head))


def options_table(rows: list[Row], unit: str = "bits") -> str:
    """By how much options are above the usual ones, where both were trained; "" if nowhere."""
    groups = grouped((row for row in rows if row["benchmark"] == "learning"), *SAME)
    lines = []
    for (text, split, minutes, options), group in groups.items():
        usual = groups.get((text, split, minutes, ""))
        if options and usual:
            gaps = [gap_between(group, usual, name, unit) for name in SYSTEMS]
            lines.append([text, _options_in_words(group[0]), f"{minutes:g}", *gaps])
    head = ["text", "options", "min", *(name.replace("*", "\\*") for name in SYSTEMS)]
    return markdown(head, lines, left=2) if lines else ""


def _comparable(rows: list[Row]) -> list[list[Row]]:
    """Rows of one text, budget and options; what needs no minutes stands with all of its text."""
    timeless = [row for row in rows if "minutes" not in row]
    groups = [*grouped((row for row in rows if "minutes" in row), *SAME).values()]
    for row in timeless:
        same = [one for one in groups if all(one[0][key] == row[key] for key in SAME[:2])]
        for group in same:
            group.append(row)
        if not same:
            groups.append([row])
    return groups


def _score(row: Row, system: str, unit: str) -> float:
    return row["bits_per_char"].get(system, float("nan")) * UNITS[unit]


def _windows(row: Row, unit: str) -> str:
    found = row["windows"]
    if not found:
        return "-"
    scale = UNITS[unit] / UNITS["nats"]
    return f"{found['nats_per_char'] * scale:.4f} ± {found['standard_error'] * scale:.4f}"


def _options_in_words(row: Row) -> str:
    split = "" if row["split"] == USUAL else row["split"]
    return " ".join(filter(None, (split, f"`{row['options']}`" if row.get("options") else "")))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="bits per character after so many minutes")
    add_texts(parser)
    parser.add_argument("--minutes", type=numbers, default="5", help="budgets: 2,5,10")
    parser.add_argument("--seeds", type=whole_numbers, default="1", help="1,2,3")
    parser.add_argument("--options", default="", help="more options for charnn train")
    parser.add_argument(
        "--split", type=check_split, default=USUAL, help="percent: 90/10, or 85/5/10"
    )
    parser.add_argument(
        "--windows", type=int, default=200, help="batches of nanoGPT's protocol; 0 leaves it out"
    )
    add_unit(parser)
    parser.add_argument("--out", help="append each row to this file as JSON")
    add_table(parser)
    options = parser.parse_args()
    if bool(options.texts) == bool(options.table):
        parser.error("name texts to train on, or files of rows with --table")
    return options


if __name__ == "__main__":
    main()
