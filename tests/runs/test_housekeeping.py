"""Runs renamed and deleted; what nobody needs found, and nothing else."""

import errno
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from charnn.corpus.scratch import ScratchFolder
from charnn.errors import OptionError, RunError, RunExistsError, RunLockedError
from charnn.runs.catalog import find_run, list_runs
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
    assert remove_waste(checkpoints, [waste], LATER) == [waste]
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
    remove_waste(checkpoints, find_waste(checkpoints, LATER), LATER)
    assert names(checkpoints) == {}
    assert (checkpoints / "mine.new").exists()
    assert [run.name for run in list_runs(checkpoints)] == ["novel", "mine.new"]


def test_what_is_called_like_a_leftover_and_is_none_stays(checkpoints: Path, novel: Run) -> None:
    renamed = rename_run(novel, "best.old")
    (checkpoints / "last.new").mkdir()
    (checkpoints / "config.json.old").touch()
    (checkpoints / ".bashrc.old").touch()
    (checkpoints / ".config.old").mkdir()
    (checkpoints / ".config.old" / "settings").touch()
    assert names(checkpoints) == {f".streams/{UNUSED}": "tokens no run uses"}
    assert find_run(checkpoints, "best.old") == renamed


def test_half_an_export_goes(checkpoints: Path) -> None:
    (checkpoints / ".novel.charnn.123.new").touch()
    assert names(checkpoints)[".novel.charnn.123.new"] == "half written when a process died"


def test_an_unreadable_run_may_use_anything(checkpoints: Path, novel: Run) -> None:
    (novel.path / "config.json").write_bytes(b"{}")
    assert refusal(RunError, lambda: find_waste(checkpoints, LATER)).endswith(
        "which tokens it uses is not known, so nothing is removed; repair or delete the run first"
    )


def test_there_is_nothing(tmp_path: Path) -> None:
    assert find_waste(tmp_path / "nowhere") == []


WEEK = 7 * 24 * 3600.0


def aged(path: Path, seconds: float) -> Path:
    """The folder as if nobody had written to it for so long."""
    then = time.time() - seconds
    for item in (*path.iterdir(), path):
        os.utime(item, (then, then))
    return path


def test_a_preparation_that_goes_on_is_no_rubbish(checkpoints: Path) -> None:
    """However long it has been silent: a process has its folder locked."""
    scratch = ScratchFolder(checkpoints / ".streams", "2" * 32)
    (scratch.path / "tokens.bin").write_bytes(b"12")
    aged(scratch.path, 9 * WEEK)
    name = f".streams/{scratch.path.name}"
    assert name not in names(checkpoints)
    left = checkpoints / ".streams" / ".3333333333333333-abcdefgh"
    left.mkdir()
    aged(left, 9 * WEEK)
    assert names(checkpoints)[f".streams/{left.name}"] == "tokens half written when a process died"
    scratch.close()


def test_a_preparation_to_be_gone_on_with_stays_for_its_week(checkpoints: Path) -> None:
    scratch = ScratchFolder(checkpoints / ".streams", "2" * 32)
    (scratch.path / "unfinished.json").touch()
    scratch.close(keep=True)
    name = f".streams/{aged(scratch.path, 0.9 * WEEK).name}"
    assert name not in names(checkpoints, time.time())
    aged(scratch.path, 1.1 * WEEK)
    assert name in names(checkpoints, time.time())


def test_what_came_to_use_while_a_person_was_asked_stays(checkpoints: Path, helpers: Any) -> None:
    (checkpoints / ".gone.old").mkdir()
    waste = find_waste(checkpoints, LATER)
    assert len(waste) == 2
    helpers.run(checkpoints, "next", corpus={"name": "x", "stream": UNUSED})
    gone = remove_waste(checkpoints, waste, LATER)
    assert [item.path.name for item in gone] == [".gone.old"]
    assert (checkpoints / ".streams" / UNUSED / "tokens.bin").exists()


def test_what_cannot_be_looked_into_is_told_in_a_line(
    checkpoints: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost, real = checkpoints / "lost+found", Path.stat

    def stat(path: Path, **options: Any) -> os.stat_result:
        if lost in path.parents:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return real(path, **options)

    lost.mkdir()
    monkeypatch.setattr(Path, "stat", stat)
    assert refusal(RunError, lambda: find_waste(checkpoints, LATER)) == (
        f"{lost}/config.json cannot be looked into (Permission denied), so nothing is removed: "
        f"move it out of {checkpoints}, or check its permissions"
    )


def test_what_goes_while_it_is_looked_at_is_passed_over(
    checkpoints: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone, real = checkpoints / ".gone.old", Path.iterdir
    gone.mkdir()

    def iterdir(path: Path) -> Iterator[Path]:
        found = list(real(path))
        if path == checkpoints and gone in found:
            gone.rmdir()
        return iter(found)

    monkeypatch.setattr(Path, "iterdir", iterdir)
    assert names(checkpoints) == {f".streams/{UNUSED}": "tokens no run uses"}
