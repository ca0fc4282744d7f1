"""What charnn has to beat: a plain LSTM as tutorials write it, counts, PPMd and xz.

    python benchmarks/baseline.py mujeong.txt --minutes 5
    python benchmarks/baseline.py mujeong.txt --minutes 5 --hidden 256 --rate 0.001
    python benchmarks/baseline.py mujeong.txt --minutes none         # without the LSTM: seconds
    python benchmarks/baseline.py mujeong.txt --minutes 2,5 --seeds 1,2 --out baseline.jsonl
    python benchmarks/learning.py --table rows.jsonl baseline.jsonl  # beside charnn's own

The LSTM is in plain_lstm.py, which says all about it; "unseen" are the bits per character that its
unknown characters cost. "n-gram" is charnn's Kneser-Ney model of the training part, with a star
going on to count as it reads. PPMd and xz go on learning by nature, so they have stars; with a
split of three they have read the validation part too. PPMd has charnn's usual order, not one chosen
on the text. All of them are scored on the same last 10 % in one pass, with the intervals of
learning.py; what xz writes is known for the whole alone, so it has none.
"""

import argparse
import json
import math
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from arguments import add_texts, add_unit, numbers, whole_numbers
from comparison import UNITS
from intervals import CELL, Floats, cells_of
from learning import comparison_table
from machine import DRIFT, calibrate, drift, heading, made_by
from plain_lstm import SIZES, SYSTEM, add_sizes
from rows import Row, append, markdown
from texts import USUAL, check_split, cut, find_text, read_text
from trainings import Costs

from charnn.corpus.tokenizers import train_tokenizer
from charnn.model.ngram import count_ngrams
from charnn.text.yardsticks import PPMD_ORDER, WITHOUT_PPMD, ppmd_sizes, xz
from charnn.training.scores import adaptive_nats, counted_nats

PPMD = f"PPMd {PPMD_ORDER}*"
"""What goes on learning has a star."""


def main() -> None:
    """Train and score, keep each row as a line of JSON, and print them as tables."""
    options = _arguments()
    print(heading(), flush=True)
    rows = []
    for row in _measured(options):
        append(options.out, row)
        rows.append(row)
    print()
    print(plain_table(rows, options.unit))
    print()
    print(comparison_table(rows, options.unit))


def _measured(options: argparse.Namespace) -> Iterator[Row]:
    for name in options.texts:
        path = find_text(name)
        same = {"benchmark": "baseline", "text": path.name, "split": options.split}
        yield {**same, **counted(read_text(path), options.split), "made_by": made_by()}
        for minutes in options.minutes:
            for seed in options.seeds:
                yield {**same, **trained(path, minutes, seed, options), "made_by": made_by()}


def counted(text: str, split: str = USUAL) -> Row:
    """What needs no minutes: Kneser-Ney counts, PPMd and xz."""
    train, validation, test = cut(text, split)
    held_out = test or validation
    before = text[: len(text) - len(held_out)]
    tokenizer = train_tokenizer("char", lambda: [train])
    tokens, boundary = tokenizer.encode(held_out), tokenizer.boundary
    counts = count_ngrams(tokenizer.encode(train), tokenizer.vocab_size)
    lengths = tokenizer.token_characters[tokens]
    cells = {
        "n-gram": cells_of(counted_nats(counts, tokens, boundary), lengths),
        "n-gram*": cells_of(adaptive_nats(counts, tokens, boundary), lengths),
        **ppmd_cells(before, held_out),
    }
    row = Costs("test" if test else "validation", len(held_out), cells).to_row()
    packed = {"xz*": round(_packed_bits(before, held_out), 5)}
    return row | {"bits_per_char": row["bits_per_char"] | packed}


def ppmd_cells(before: str, text: str) -> dict[str, Floats]:
    """What a text costs PPMd behind another one, to the byte; nothing where it is not installed."""
    pieces = [before, *(text[start : start + CELL] for start in range(0, len(text), CELL))]
    try:
        _, *sizes = ppmd_sizes(piece.encode() for piece in pieces)
    except ImportError:
        print(f"PPMd {WITHOUT_PPMD}", file=sys.stderr)
        return {}
    return {PPMD: np.array(sizes) * 8 * math.log(2)}


def _packed_bits(before: str, text: str) -> float:
    """Bits per character that xz needs for a text more than for what stands before it."""
    whole, first = xz(before + text).bits_per_char or 0, xz(before).bits_per_char or 0
    return (whole * len(before + text) - first * len(before)) / len(text)


def trained(path: Path, minutes: float, seed: int, options: argparse.Namespace) -> Row:
    """The plain LSTM after so many minutes, once more if the machine's speed drifted."""
    sizes = {name: getattr(options, name) for name in SIZES}
    given = {"minutes": minutes, "seed": seed, "split": options.split, **sizes}
    arguments = [word for name, value in given.items() for word in (f"--{name}", str(value))]
    found = _plain(path, arguments)
    if abs(found["drift"]) > DRIFT:
        again = _plain(path, arguments)
        found = {**min(found, again, key=lambda row: abs(row["drift"])), "attempts": 2}
    return {"minutes": minutes, "seed": seed, "options": "", "sizes": sizes, **found}


def _plain(path: Path, arguments: list[str]) -> Row:
    script = Path(__file__).with_name("plain_lstm.py")
    before = calibrate()
    command = [sys.executable, str(script), str(path), *arguments]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, encoding="utf-8")
    return {"attempts": 1, "drift": drift(before, calibrate()), **json.loads(done.stdout)}


def plain_table(rows: list[Row], unit: str = "bits") -> str:
    """A line for each training of the plain LSTM."""
    scale = UNITS[unit]
    head = ["text", "sizes", "min", "seed", "wall s", "best step", SYSTEM, "of it unseen", "drift"]
    lines = [
        [
            row["text"],
            "{layers} x {hidden}, rate {rate:g}, {batch} x {window}".format(**row["sizes"]),
            f"{row['minutes']:g}",
            row["seed"],
            f"{row['wall']:.0f}",
            f"{row['steps']:,}",
            *(f"{bits * scale:.4f}" for bits in row["bits_per_char"].values()),
            f"{row['unseen_bits_per_char'] * scale:.4f}",
            f"{row['drift']:+.0%}",
        ]
        for row in rows
        if "sizes" in row
    ]
    return markdown(head, lines, left=2)


def _minutes(text: str) -> list[float]:
    return [] if text == "none" else numbers(text)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="a plain LSTM, counts, PPMd and xz")
    add_texts(parser, "+")
    parser.add_argument("--minutes", type=_minutes, default="5", help="budgets: 2,5,10, or none")
    parser.add_argument("--seeds", type=whole_numbers, default="1", help="1,2,3")
    parser.add_argument("--split", type=check_split, default=USUAL, help="percent: 90/10, 85/5/10")
    add_unit(parser)
    parser.add_argument("--out", help="append each row to this file as JSON")
    add_sizes(parser)
    return parser.parse_args()


if __name__ == "__main__":
    main()
