r"""The map of learning: bits per character over the size of a text by the time to train.

    python benchmarks/map.py bible_mixed_script.txt tinyshakespeare.txt --out map.jsonl \
        --seconds 10,30,60,120,300,600 --sizes 30k,100k,300k,1M,all
    python benchmarks/map.py --table map.jsonl                       # measures nothing
    python benchmarks/map.py --table map.jsonl --picture docs/map.png    # pip install matplotlib

Where does a neural model start to pay for its minutes? Each cell is a whole `charnn train` with
nothing but --minutes, on a text of so many bytes (UTF-8; k is a thousand) that ends where the
held-out part begins: cuts are nested. The last tenth of each cut chooses the checkpoint and is not
trained on, so that a larger cut ends farther from what it has to foretell, as it does for a user.
The held-out part is the last 10 % of the whole text, at most 50,000 characters; it chooses nothing
and is the same for all cells of a text. Every cell scores the counts, the network and both, as
trained and while they go on learning.

Cells that are in the file are not measured again, so that the map can be made in many sittings;
it begins with the short ones. In the picture a cell's large number is of both, the small one of the
network alone; the counts, which need a second, stand beside the row. Its colour is what the minutes
have bought: by how much both are below the counts alone. The line is where the network alone
becomes as good as the counts.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterable
from itertools import product
from pathlib import Path

from arguments import add_texts, numbers, parse_resumable
from comparison import Comparison, grouped
from machine import heading, made_by
from rows import Row, append, markdown, read
from rows import made_by as made_by_rows
from texts import find_text, read_text
from trainings import ADAPTIVE, STATIC, cost_of_text, options_of, train_steadily

HELD_OUT = 50_000  # characters at most
_UNITS = {"k": 1e3, "M": 1e6}


def main() -> None:
    """Measure what is not there yet, then print the table and draw the picture."""
    options = _arguments()
    if not options.table:
        print(heading(), flush=True)
        _measure(options)
    rows = read(*(options.table or [options.out]))
    print(f"\n{made_by_rows(rows)}\n\n{table(rows)}" if options.table else f"\n{table(rows)}")
    if options.picture:
        draw(rows, Path(options.picture))


def _measure(options: argparse.Namespace) -> None:
    """Every cell that the file does not have, the short ones first."""
    done = {(row["text"], row["size"], row["seconds"], row["seed"]) for row in read(options.out)}
    for seconds, name in product(sorted(options.seconds), options.texts):
        path = find_text(name)
        whole, held_out = halves(read_text(path))
        for size in sizes_of(whole, options.sizes):
            if (path.name, size, seconds, options.seed) in done:
                continue
            row = {"text": path.name, "size": size, "seconds": seconds, "seed": options.seed}
            row |= measure(last_bytes(whole, size), held_out, seconds, options.seed)
            append(options.out, {"benchmark": "map", **row, "made_by": made_by()})
            told = ", ".join(f"{name} {bits:.3f}" for name, bits in row["bits_per_char"].items())
            print(f"{path.name} {size_in_words(size)} {seconds:g} s: {told}", flush=True)


def measure(text: str, held_out: str, seconds: float, seed: int) -> Row:
    """One cell: a training on a text, scored on another."""
    with tempfile.TemporaryDirectory() as folder:
        for name, content in (("text.txt", text), ("held-out.txt", held_out)):
            (Path(folder) / name).write_text(content, encoding="utf-8")
        options = options_of(seconds / 60, seed)
        training = train_steadily(Path(folder) / "text.txt", options, Path(folder) / "runs")
        costs = cost_of_text(training.run, Path(folder) / "held-out.txt")
        return {**training.to_row(), **costs.to_row()}


def halves(text: str) -> tuple[str, str]:
    """What can be trained on, and what is held out: the last 10 %, its beginning if it is long."""
    end = len(text) - len(text) // 10
    return text[:end], text[end : end + HELD_OUT]


def sizes_of(text: str, wanted: Iterable[int]) -> list[int]:
    """The sizes that a text has; those that are nearly all of it are left out for all of it.

    >>> sizes_of("a" * 1000, [10, 950, 2000])
    [10, 1000]
    """
    whole = len(text.encode())
    there = {min(size, whole) for size in wanted}
    return sorted(
        size for size in there if size == whole or whole not in there or size < 0.8 * whole
    )


def last_bytes(text: str, size: int) -> str:
    """The end of a text, as many whole characters as have so many bytes.

    >>> last_bytes("가나다", 7)
    '나다'
    """
    return text.encode()[-size:].decode(errors="ignore")


def table(rows: list[Row]) -> str:
    """All numbers of the map, a line for each cell."""
    names = (*STATIC, *ADAPTIVE)
    head = ["text", "bytes", "seconds", *(name.replace("*", "\\*") for name in names)]
    head += ["n-gram above network", "n-gram\\* above network\\*"]
    lines = []
    order = sorted(rows, key=lambda row: (row["text"], row["size"], row["seconds"]))
    for (text, size, seconds), group in grouped(order, "text", "size", "seconds").items():
        compared = Comparison(group)
        cells = [compared.systems(adaptive=adaptive) for adaptive in (False, True)]
        there = {name for names in cells for name in names}
        numbers = [f"{compared.bits(name):.3f}" if name in there else "-" for name in names]
        gaps = [
            compared.gap(f"n-gram{star}", f"network{star}") if f"network{star}" in there else "-"
            for star in ("", "*")
        ]
        lines.append([text, size_in_words(int(str(size))), f"{seconds:g}", *numbers, *gaps])
    return markdown(head, lines)


def size_in_words(size: int) -> str:
    """As it is said, to two digits.

    >>> size_in_words(30_000), size_in_words(1_003_854)
    ('30 KB', '1.0 MB')
    """
    if size >= 999_500:
        return f"{size / 1e6:.1f} MB"
    return f"{size / 1e3:.0f} KB"


def time_in_words(seconds: float) -> str:
    """As it is said.

    >>> time_in_words(10), time_in_words(90), time_in_words(100), time_in_words(3600)
    ('10 s', '1.5 min', '100 s', '1 h')
    """
    for unit, name in ((3600, "h"), (60, "min")):
        if seconds >= unit and 2 * seconds % unit == 0:
            return f"{seconds / unit:g} {name}"
    return f"{seconds:g} s"


def draw(rows: list[Row], path: Path) -> None:
    """The map as a picture."""
    try:
        from picture import draw_map  # noqa: PLC0415  an extra
    except ImportError:
        sys.exit("--picture needs matplotlib: pip install 'charnn[benchmarks]'")
    draw_map(rows, path)
    print(f"\n{path}")


def _sizes(text: str) -> list[int]:
    """Bytes, from the smallest on; "all" is more than there is.

    >>> _sizes("30k,1.5M")
    [30000, 1500000]
    """
    found = []
    for word in text.split(","):
        number, unit = (word[:-1], word[-1]) if word[-1] in _UNITS else (word, "")
        found.append(sys.maxsize if word == "all" else int(float(number) * _UNITS.get(unit, 1)))
    return sorted(found)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="bits per character over size by time")
    add_texts(parser)
    parser.add_argument("--seconds", type=numbers, default="10,30,60,120,300,600")
    parser.add_argument("--sizes", type=_sizes, default="30k,100k,300k,1M,all", help="in bytes")
    parser.add_argument("--picture", help="draw them into this PNG")
    return parse_resumable(parser, "cell")


if __name__ == "__main__":
    main()
