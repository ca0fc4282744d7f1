"""Commands run in an empty folder, with no variable of charnn in the environment."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

TINY = ("--hidden", "8", "--batch-size", "2", "--seq-len", "16", "--threads", "1")
QUIET = ("--sample-length", "10", "--ui", "plain")


@pytest.fixture(autouse=True)
def command_line(here: Path) -> None:
    """Every command runs there."""


@pytest.fixture
def train(cli: Callable[..., Any]) -> Callable[..., Any]:
    """`charnn train` with sizes that take a fraction of a second."""
    return lambda *arguments, **rest: cli("train", *TINY, *QUIET, *arguments, **rest)
