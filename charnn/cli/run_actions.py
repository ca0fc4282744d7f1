"""What `charnn runs` does with a run: verify, export, rename, delete; and prune the folder."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from charnn.errors import OptionError, RunDamagedError

if TYPE_CHECKING:
    from charnn.runs.run import Run


def check(run: "Run") -> None:
    """Tell of every file whether it is whole.

    Raises:
        RunDamagedError: one is not.
    """
    from charnn.runs.check import check_run

    files, damaged = 0, 0
    for finding in check_run(run):
        files += not finding.is_aside
        damaged += finding.problem is not None
        word = "note" if finding.is_aside else "whole" if finding.problem is None else "DAMAGED"
        rest = finding.problem or finding.note
        _say(f"{word:8}{finding.name}{': ' if rest else ''}{rest}")
    if damaged:
        raise RunDamagedError(
            f"run {run.name} is damaged in {damaged} of {files} places: restore those from a copy; "
            "what is whole is used as long as it can be"
        )
    _say(f"{run.name}: {files} files, all whole")


def export(run: "Run", file: Path) -> None:
    """Write a run to one file."""
    from charnn.runs.export import export_run
    from charnn.view import figures

    size, note = export_run(run, file)
    if note:
        _say(f"charnn: {note}", err=True)
    _say(f"{file}: {figures.memory(size)}; use it as a run: charnn generate -m {file}")


def rename(find: "Callable[[], Run]", name: str) -> None:
    """Give a run another name."""
    from charnn.runs.housekeeping import rename_run

    run = find()
    renamed = rename_run(run, name)
    _say(f"{run.name} is now {renamed.name}")


def delete(run: "Run", *, yes: bool) -> None:
    """Remove a run."""
    from charnn.runs.catalog import summarise
    from charnn.runs.housekeeping import check_deletable, delete_run, size_of
    from charnn.view import figures

    check_deletable(run)
    summary = summarise(run)
    step = f"step {summary.step:,}" if summary.step is not None else "no checkpoint"
    what = f"run {run.name} in {run.path} ({step}, {figures.memory(size_of(run.path))})"
    if _agrees(f"delete {what}?", yes):
        _say(f"{run.name} is deleted: {figures.memory(delete_run(run))} are free")
    else:
        _say("nothing is deleted")


def prune(checkpoints: Path, *, yes: bool) -> None:
    """Remove what no run needs any more."""
    from charnn.runs.housekeeping import find_waste, remove_waste
    from charnn.view import figures

    waste = find_waste(checkpoints)
    if not waste:
        _say(f"there is nothing to prune in {checkpoints}")
        return
    for item in waste:
        _say(f"{figures.memory(item.bytes):>8}  {item.path}: {item.reason}")
    size = figures.memory(sum(item.bytes for item in waste))
    if _agrees(f"remove these, {size} in all?", yes):
        remove_waste(waste)
        _say(f"{size} are free")
    else:
        _say("nothing is removed")


def _agrees(question: str, yes: bool) -> bool:
    """Whether a person says yes.

    Raises:
        OptionError: there is nobody to ask.
    """
    from charnn.view.display_text import safe_text

    if yes:
        return True
    if not sys.stdin.isatty():
        raise OptionError("nobody can be asked here, stdin is no terminal: add --yes")
    return click.confirm(safe_text(question, newline=" "), err=True)


def _say(line: str, *, err: bool = False) -> None:
    from charnn.view.display_text import safe_text

    click.echo(safe_text(line, newline=" "), err=err)
