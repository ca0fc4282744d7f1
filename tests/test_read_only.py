"""A folder that nobody may write to, also for root: reading works, training says what it lacks.

The calls of the system that would change what is in it are refused as it refuses them. That of a
real one, which root may write to all the same, is in training/test_disk.py.
"""

import errno
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import charnn
from charnn.generation import copy_file
from charnn.records import Event, StepRecord
from charnn.runs.run import Run

Cli = Callable[..., Any]
CHANGING = ("mkdir", "rename", "replace", "unlink", "rmdir", "link", "truncate")


class ReadOnly:
    """Refuses whatever would change a folder or what is below, while it is on."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.folder: Path | None = None
        self.number = errno.EACCES
        self.refused: list[str] = []
        for name in CHANGING:
            patch.setattr(os, name, self._wrapped(name, getattr(os, name)))
        patch.setattr(os, "open", self._wrapped_open(os.open))
        patch.setattr(io, "open", self._wrapped_io(io.open))

    def _refuse(self, call: str, *paths: Any) -> None:
        below = [str(Path(path).absolute()) for path in paths if not isinstance(path, int)]
        if self.folder and any(path.startswith(str(self.folder)) for path in below):
            self.refused.append(call)
            raise OSError(self.number, os.strerror(self.number))

    def _wrapped(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*paths: Any, **options: Any) -> Any:
            self._refuse(name, *(path for path in paths if isinstance(path, str | Path)))
            return real(*paths, **options)

        return call

    def _wrapped_open(self, real: Callable[..., int]) -> Callable[..., int]:
        def call(path: Any, flags: int, *rest: Any, **options: Any) -> int:
            if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
                self._refuse("open", path)
            return real(path, flags, *rest, **options)

        return call

    def _wrapped_io(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(path: Any, mode: str = "r", *rest: Any, **options: Any) -> Any:
            if set(mode) & set("wax+"):
                self._refuse("open", path)
            return real(path, mode, *rest, **options)

        return call


@pytest.fixture
def read_only(monkeypatch: pytest.MonkeyPatch) -> ReadOnly:
    return ReadOnly(monkeypatch)


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS])
def test_what_reads_a_run_writes_nothing(
    cli: Cli, story: Path, text: Path, read_only: ReadOnly, number: int
) -> None:
    (story / copy_file.COPIES).unlink()
    read_only.folder, read_only.number = story.parent.resolve(), number
    for call in (
        ["generate", "-n", "20", "--seed", "1"],
        ["generate", "-n", "20", "--seed", "1", "--max-copy", "10"],
        ["eval", str(text)],
        ["eval"],
        ["runs"],
        ["runs", "story"],
        ["runs", "story", "--check"],
        ["runs", "story", "--export", "story.charnn"],
        ["watch", "story", "--ui", "plain", "--speed", "1e9"],
    ):
        said = cli(*call)
        assert said.code == 0, (call, said.err)
    assert read_only.refused  # the index of copies could not be kept
    assert Path("story.charnn").is_file()


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (errno.EACCES, "(Permission denied): check the permissions of the folder"),
        (errno.EROFS, "(Read-only file system): make the disk writable"),
    ],
)
def test_what_changes_a_run_says_why_it_cannot(
    cli: Cli, story: Path, read_only: ReadOnly, number: int, reason: str
) -> None:
    before = sorted(story.rglob("*"))
    read_only.folder, read_only.number = story.parent.resolve(), number
    for call in (
        ["runs", "story", "--rename", "other"],
        ["runs", "story", "--delete", "--yes"],
        ["train", "--resume", "story", "--steps", "1", "--ui", "none"],
    ):
        said = cli(*call)
        assert said.code == 1, call
        assert said.err.endswith(f"{reason}\n"), said.err
        assert said.err.count("\n") == 1
    assert sorted(story.rglob("*")) == before


def test_a_new_run_says_why_it_cannot(cli: Cli, text: Path, read_only: ReadOnly) -> None:
    Path("checkpoints").mkdir()
    read_only.folder = Path("checkpoints").resolve()
    said = cli("train", text, "--steps", "1", "--ui", "none")
    assert said.code == 1
    assert said.err == "charnn: cannot write tokens to checkpoints/.streams: Permission denied\n"
    assert list(Path("checkpoints").iterdir()) == []


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS])
def test_a_folder_that_becomes_read_only_and_is_not_any_more(
    text: Path, read_only: ReadOnly, number: int
) -> None:
    records = []
    read_only.number = number

    def on_record(record: Any) -> None:
        records.append(record)
        if isinstance(record, StepRecord):
            there = 4 <= record.step < 10
            read_only.folder = Path("checkpoints", "novel").resolve() if there else None

    sizes = {"hidden": 8, "batch_size": 2, "seq_len": 16, "sample_length": 10, "threads": 1}
    charnn.train(
        text, steps=14, save_every="2steps", sample_every="14steps", on_record=on_record, **sizes
    )
    assert read_only.refused
    warnings = [r.message for r in records if isinstance(r, Event) and r.kind == "warning"]
    assert any(os.strerror(number) in warning for warning in warnings)
    run = Run(Path("checkpoints", "novel"))
    assert run.last().step == 14
    steps = [r.step for r in run.records("metrics.jsonl") if isinstance(r, StepRecord)]
    assert steps == list(range(1, 15))
