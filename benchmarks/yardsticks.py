"""What general compressors need for a text, in bits per character: the yardstick for a model's.

    python benchmarks/yardsticks.py mujeong.txt tinyshakespeare.txt
    python benchmarks/yardsticks.py novel.txt --orders 4,8,16 --json

"after the rest" is the size of the whole minus the size of all but the last tenth: what the part
that `charnn train` holds out costs a compressor that has read the training part, the number to put
beside `charnn eval`. "by itself" is the last tenth packed from nothing, "whole" the whole text: the
one to put beside a code length. A text is a path, or a file's name in CHARNN_TEXTS or corpora/.

PPMd needs an extra (`pip install 'charnn[yardsticks]'`); without it there is xz alone. Choosing the
order on the text it is quoted for flatters it, so all of them are printed.
"""

import argparse
import json
import platform
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version

from texts import find_text, read_text

from charnn.text.yardsticks import WITHOUT_PPMD, Yardstick, ppmd, xz

ORDERS = (4, 6, 8, 12, 16, 24)
COLUMNS = ("whole", "after the rest", "by itself")


def main() -> None:
    """Print a row for each text and compressor."""
    given = arguments()
    if not given.json:
        print_head()
    for name in given.texts:
        path = find_text(name)
        text = read_text(path)
        held_out = text[len(text) - len(text) // 10 :]
        for of_whole, of_held_out in zip(
            packed(text, given.orders), packed(held_out, given.orders), strict=True
        ):
            label, whole = of_whole
            numbers = (whole.bits_per_char, whole.last_tenth, of_held_out[1].bits_per_char)
            if whole.missing is None:
                print_row(path.name, len(text), label, numbers, as_json=given.json)
    if ppmd("").missing:
        print(f"PPMd {WITHOUT_PPMD}", file=sys.stderr)


def packed(text: str, orders: tuple[int, ...]) -> Iterator[tuple[str, Yardstick]]:
    """The text as each compressor packs it."""
    yield "xz", xz(text)
    for order in orders:
        yield f"PPMd {order}", ppmd(text, order)


def print_head() -> None:
    """Versions, command, and the head of the table."""
    try:
        pyppmd = version("pyppmd")
    except PackageNotFoundError:
        pyppmd = "not installed"
    print(f"# Python {platform.python_version()}, charnn {version('charnn')}, pyppmd {pyppmd}")
    print(f"# python {' '.join(sys.argv)}")
    print(f"| text | characters | compressor | {' | '.join(COLUMNS)} |")
    print("|---|---:|---|---:|---:|---:|")


def print_row(
    text: str,
    characters: int,
    label: str,
    numbers: tuple[float | None, float | None, float | None],
    *,
    as_json: bool,
) -> None:
    """A row of the table, or a line of JSON."""
    if as_json:
        named = {name.replace(" ", "_"): n for name, n in zip(COLUMNS, numbers, strict=True)}
        row = {"text": text, "characters": characters, "compressor": label, **named}
        print(json.dumps(row, ensure_ascii=False))
        return
    cells = ("-" if number is None else f"{number:.3f}" for number in numbers)
    print(f"| {text} | {characters:,} | {label} | {' | '.join(cells)} |", flush=True)


def arguments() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(description="Bits per character of xz and PPMd.")
    parser.add_argument("texts", nargs="+", help="paths, or names in CHARNN_TEXTS or corpora/")
    parser.add_argument("--orders", type=orders, default=ORDERS, help="of PPMd: 4,6,8 ...")
    parser.add_argument("--json", action="store_true", help="a JSON object a line")
    return parser.parse_args()


def orders(text: str) -> tuple[int, ...]:
    """Orders of PPMd, separated by commas."""
    found = tuple(int(order) for order in text.split(","))
    if not all(2 <= order <= 64 for order in found):
        raise argparse.ArgumentTypeError(f"orders must be in [2, 64], got {text}")
    return found


if __name__ == "__main__":
    main()
