"""What benchmarks have on their command lines in common."""

from argparse import ArgumentParser

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
