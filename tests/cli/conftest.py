"""Commands run in an empty folder, with no variable of charnn in the environment."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

TINY = ("--hidden", "8", "--batch-size", "2", "--seq-len", "16", "--threads", "1")
QUIET = ("--sample-length", "10", "--ui", "plain")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which commands run."""
    for name in list(os.environ):
        if name.startswith("CHARNN_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    # one core: threads that wait busily for each other are slow where other tests run beside
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0}, raising=False)
    return tmp_path


@pytest.fixture
def text(here: Path, novella: Path) -> Path:
    """A story of 1,500 characters, novel.txt."""
    path = here / "novel.txt"
    path.write_text(novella.read_text("utf-8")[:1500], encoding="utf-8")
    return path


@pytest.fixture
def story(here: Path, written: Path) -> Path:
    """A copy of the trained run, checkpoints/story, with its tokens."""
    shutil.copytree(written.parent, here / "checkpoints")
    return here / "checkpoints" / "story"


@pytest.fixture
def train(cli: Callable[..., Any]) -> Callable[..., Any]:
    """`charnn train` with sizes that take a fraction of a second."""
    return lambda *arguments, **rest: cli("train", *TINY, *QUIET, *arguments, **rest)
