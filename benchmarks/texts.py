"""Where benchmarks find their texts, and the part of one that is held out."""

import os
import sys
from argparse import ArgumentTypeError
from pathlib import Path

from charnn.corpus.split import split_text
from charnn.errors import CharnnError
from charnn.text.reading import open_texts

USUAL = "90/10"
"""What `charnn train` does where nothing is said."""


def find_text(name: str) -> Path:
    """The text of that name: a path, or a file in CHARNN_TEXTS or corpora/."""
    folders = [Path(), Path(os.environ.get("CHARNN_TEXTS", "")), Path("corpora")]
    for folder in folders:
        if (folder / name).is_file():
            return (folder / name).resolve()
    sys.exit(f"there is no {name}: set CHARNN_TEXTS to the folder that has it")


def read_text(path: Path) -> str:
    """A text as charnn reads it."""
    try:
        with open_texts([path]) as source:
            return "".join(piece.text for piece in source.pieces())
    except CharnnError as error:
        sys.exit(str(error))


def check_split(split: str) -> str:
    """A split such as 90/10 or 85/5/10: percent of training, validation and test part.

    Raises:
        ArgumentTypeError: it is not two or three whole numbers that are 100 together.
    """
    parts = split.split("/")
    numbers = [int(part) for part in parts if part.isdecimal()]
    if len(parts) not in (2, 3) or len(numbers) != len(parts) or sum(numbers) != 100:
        raise ArgumentTypeError(f"split must be like 90/10 or 85/5/10, got {split!r}")
    return split


def split_options(split: str) -> list[str]:
    """The options of `charnn train` that make a split; none for its usual one.

    >>> split_options("90/10"), split_options("85/5/10")
    ([], ['--val-fraction', '0.05', '--test-fraction', '0.1'])
    """
    if split == USUAL:
        return []
    validation, test = _fractions(split)
    options = ["--val-fraction", str(validation)]
    return options + (["--test-fraction", str(test)] if test else [])


def cut(text: str, split: str = USUAL) -> tuple[str, str, str]:
    """Training, validation and test part of a text, where `charnn train` cuts it."""
    sizes = split_text(len(text)) if split == USUAL else split_text(len(text), *_fractions(split))
    end = sizes.train + sizes.validation
    return text[: sizes.train], text[sizes.train : end], text[end:]


def _fractions(split: str) -> tuple[float, float]:
    """The validation and the test part as shares of a text."""
    _, validation, *test = map(int, split.split("/"))
    return validation / 100, test[0] / 100 if test else 0.0
