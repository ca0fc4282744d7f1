"""What callers may leave out or say in several ways, brought to one form."""

import os
import secrets
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any

from charnn.errors import OptionError
from charnn.records import Record

StrPath = str | os.PathLike[str]
DEFAULT_CHECKPOINTS = "checkpoints"
_LARGEST_SEED = 2**32
_NUMPY_THREADS = "OPENBLAS_NUM_THREADS"


def paths(texts: StrPath | Sequence[StrPath]) -> tuple[str, ...]:
    """Texts by their paths; one path alone is one text.

    >>> paths("novel.txt"), paths(["a.txt", "b.txt"])
    (('novel.txt',), ('a.txt', 'b.txt'))
    """
    if isinstance(texts, str | os.PathLike):
        return (os.fspath(texts),)
    return tuple(os.fspath(text) for text in texts)


def known(options: dict[str, Any], kind: type[Any]) -> dict[str, Any]:
    """The options, if a dataclass has fields of these names.

    Raises:
        OptionError: one of them is unknown.
    """
    names = [field.name for field in fields(kind)]
    for name in options:
        if name not in names:
            raise OptionError(f"there is no option {name!r}: it must be one of {', '.join(names)}")
    return options


def import_numpy() -> None:
    """Import NumPy with one thread, unless it is there already or somebody chose their number.

    Its threads wait busily: with any other process running, two of them write 60 characters a
    second where one writes 5,700.
    """
    if "numpy" in sys.modules or _NUMPY_THREADS in os.environ:
        return
    os.environ[_NUMPY_THREADS] = "1"
    try:
        import numpy  # noqa: F401  it reads the variable now and never again
    finally:
        del os.environ[_NUMPY_THREADS]


def new_seed() -> int:
    """A seed nobody chose."""
    return secrets.randbelow(_LARGEST_SEED)


def seed_or_new(seed: int | None) -> int:
    """The seed, or one nobody chose where there is None."""
    return new_seed() if seed is None else seed


def stopwatch() -> Callable[[], float]:
    """Tells the seconds since it was made."""
    began = time.monotonic()
    return lambda: time.monotonic() - began


def ignore(_: Record) -> None:
    """Listens to no record."""
