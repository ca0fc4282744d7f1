"""charnn is called in an empty folder, with no variable of it in the environment."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import charnn

TINY: dict[str, Any] = {
    "hidden": 8,
    "batch_size": 2,
    "seq_len": 16,
    "threads": 1,
    "sample_length": 10,
    "temps": (0.8,),
}


@pytest.fixture(autouse=True)
def python(here: Path) -> None:
    """Everything happens there."""


@pytest.fixture
def train() -> Callable[..., charnn.Model]:
    """`charnn.train` with sizes that take a fraction of a second, unless others are named."""
    return lambda texts, **options: charnn.train(texts, **{**TINY, **options})


@pytest.fixture(scope="session")
def model(written: Path) -> charnn.Model:
    return charnn.load(written)
