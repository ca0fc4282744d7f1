"""What benchmarks have on their command lines in common."""

from argparse import ArgumentParser, Namespace

from comparison import UNITS


def numbers(text: str) -> list[float]:
    """Numbers with commas in between.

    >>> numbers("1.5,3")
    [1.5, 3.0]
    """
    return [float(number) for number in text.split(",")]


def whole_numbers(text: str) -> list[int]:
    """Whole numbers with commas in between.

    >>> whole_numbers("1,2")
    [1, 2]
    """
    return [int(number) for number in text.split(",")]


def add_texts(parser: ArgumentParser, nargs: str = "*") -> None:
    """The texts to train on."""
    parser.add_argument("texts", nargs=nargs, help="paths, or names in CHARNN_TEXTS or corpora/")


def add_table(parser: ArgumentParser) -> None:
    """Rows that were measured before."""
    parser.add_argument("--table", nargs="+", metavar="FILE", help="print these rows as Markdown")


def add_unit(parser: ArgumentParser) -> None:
    """Of the tables."""
    parser.add_argument("--unit", choices=UNITS, default="bits", help="of the tables")


def add_step(parser: ArgumentParser, turns: int) -> None:
    """Which training's steps are timed, and for how long."""
    parser.add_argument("text")
    parser.add_argument("--size", default="auto", help="and the next two: as of charnn train")
    parser.add_argument("--hidden", type=int)
    parser.add_argument("--precision", choices=("auto", "fp32", "bf16"), default="auto")
    parser.add_argument("--turns", type=int, default=turns, help="of each contestant")
    parser.add_argument("--seconds", type=float, default=1.0, help="of each turn")


def parse_resumable(parser: ArgumentParser, what: str) -> Namespace:
    """The arguments of a long series, which goes on from what --out holds, or only shows it.

    Args:
        parser: has what else the script takes.
        what: one of the series: "cell".
    """
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", help=f"keep each {what} in this file, and go on from it")
    add_table(parser)
    options = parser.parse_args()
    if not options.table and not (options.texts and options.out):
        parser.error(f"name texts and --out, or files of {what}s with --table")
    return options
