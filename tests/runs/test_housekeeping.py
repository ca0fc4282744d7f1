"""Runs renamed and deleted; what nobody needs found, and nothing else."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from charnn.errors import OptionError, RunError, RunExistsError, RunLockedError
from charnn.runs.catalog import list_runs
from charnn.runs.export import export_run
from charnn.runs.housekeeping import (
    delete_run,
    find_waste,
    remove_waste,
    rename_run,
    size_of,
)
from charnn.runs.lock import holder, lock_run
from charnn.runs.run import Run

USED, UNUSED = "0" * 32, "1" * 32
LATER = 1e11  # seconds since 1970; everything is old then


@pytest.fixture
def checkpoints(tmp_path: Path, helpers: Any) -> Path:
    """A folder with the run "novel", its tokens, and those of a run that is gone."""
    folder: Path = tmp_path / "checkpoints"
    helpers.save(helpers.run(folder, corpus={"name": "x", "stream": USED}), 1)
    for key in (USED, UNUSED):
        (folder / ".streams" / key).mkdir(parents=True)
        (folder / ".streams" / key / "tokens.bin").write_bytes(b"12345")
    return folder


@pytest.fixture
def novel(checkpoints: Path) -> Run:
    return Run(checkpoints / "novel")


def refusal(kind: type[Exception], call: Callable[[], Any]) -> str:
    with pytest.raises(kind) as caught:
        call()
    return str(caught.value)


def test_renamed(novel: Run) -> None:
    renamed = rename_run(novel, "새 이름")
    assert renamed.name == "새 이름"
    assert not novel.path.exists()
    assert renamed.last().step == 1
    assert holder(renamed.path) is None


def test_a_name_that_cannot_be_given(novel: Run) -> None:
    (novel.path.parent / "taken").mkdir()
    assert refusal(RunExistsError, lambda: rename_run(novel, "taken")).startswith(
        "run 'taken' is there already and is not overwritten"
    )
    assert "must not hold / or" in refusal(OptionError, lambda: rename_run(novel, "../x"))
    assert novel.last().step == 1


def test_deleted(novel: Run, checkpoints: Path) -> None:
    size = size_of(novel.path)
    assert size > 1000
    assert delete_run(novel) == size
    assert [path.name for path in checkpoints.iterdir()] == [".streams"]


def test_the_folder_one_stands_in(novel: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(novel.path)
    delete_run(Run(Path()))
    assert not novel.path.exists()


def test_nobody_pulls_the_floor_from_under_a_training(novel: Run) -> None:
    with lock_run(novel.path):
        for call in (lambda: delete_run(novel), lambda: rename_run(novel, "other")):
            assert f"is being trained by process {os.getpid()} on " in refusal(RunLockedError, call)
    assert novel.last().step == 1


def test_what_is_not_a_run_is_not_deleted(novel: Run, tmp_path: Path) -> None:
    (novel.path / "thesis.odt").write_bytes(b"years of work")
    assert refusal(RunError, lambda: delete_run(novel)) == (
        f"{novel.path} holds 'thesis.odt', which is no part of a run: move it away first"
    )
    (novel.path / "thesis.odt").unlink()
    link = tmp_path / "link"
    link.symlink_to(novel.path)
    for call in (lambda: delete_run(Run(link)), lambda: rename_run(Run(link), "other")):
        assert refusal(RunError, call) == (
            f"{link} is a link: name the folder it leads to, or remove the link"
        )
    assert novel.last().step == 1


def test_an_exported_run_is_a_file_like_any_other(whole_run: Run, tmp_path: Path) -> None:
    file = tmp_path / "x.charnn"
    export_run(whole_run, file)
    for call in (lambda: delete_run(Run(file)), lambda: rename_run(Run(file), "y")):
        assert refusal(RunError, call) == f"{file} is a file: move or remove it like any other"


def test_links_in_a_run_are_removed_and_not_followed(novel: Run, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "letter.txt").write_bytes(b"dear")
    (novel.path / "ngram.link").symlink_to(outside)
    delete_run(novel)
    assert (outside / "letter.txt").read_bytes() == b"dear"


def names(checkpoints: Path, now: float | None = LATER) -> dict[str, str]:
    found = find_waste(checkpoints, now)
    return {str(item.path.relative_to(checkpoints)): item.reason for item in found}


def test_tokens_no_run_uses(checkpoints: Path) -> None:
    assert names(checkpoints) == {f".streams/{UNUSED}": "tokens no run uses"}
    assert names(checkpoints, None) == {}  # a training that begins may have just made them
    (waste,) = find_waste(checkpoints, LATER)
    assert waste.bytes == 5
    remove_waste([waste])
    assert [path.name for path in (checkpoints / ".streams").iterdir()] == [USED]


def test_what_crashes_have_left(checkpoints: Path, novel: Run) -> None:
    for name in ("last.new", "best.old"):
        (novel.path / name).mkdir()
    (novel.path / "config.json.new").touch()
    (checkpoints / ".gone.old").mkdir()
    (checkpoints / ".other.123.new").mkdir()
    (checkpoints / ".streams" / ".0123-tmp").mkdir()
    (checkpoints / "mine.new").mkdir()
    (novel.path / "mine.old").touch()
    died = "when a process died"
    assert names(checkpoints) == {
        ".gone.old": f"half removed {died}",
        ".other.123.new": f"half written {died}",
        "novel/best.old": f"half removed {died}",
        "novel/config.json.new": f"half written {died}",
        "novel/last.new": f"half written {died}",
        ".streams/.0123-tmp": f"tokens half written {died}",
        f".streams/{UNUSED}": "tokens no run uses",
    }
    with lock_run(novel.path):
        assert not [name for name in names(checkpoints) if name.startswith("novel")]
    remove_waste(find_waste(checkpoints, LATER))
    assert names(checkpoints) == {}
    assert (checkpoints / "mine.new").exists()
    assert [run.name for run in list_runs(checkpoints)] == ["novel", "mine.new"]


def test_an_unreadable_run_may_use_anything(checkpoints: Path, novel: Run) -> None:
    (novel.path / "config.json").write_bytes(b"{}")
    assert refusal(RunError, lambda: find_waste(checkpoints, LATER)).endswith(
        "which tokens it uses is not known, so nothing is removed; repair or delete the run first"
    )


def test_there_is_nothing(tmp_path: Path) -> None:
    assert find_waste(tmp_path / "nowhere") == []
