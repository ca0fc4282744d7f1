"""What `charnn runs` does with a run: verify, export, rename, delete; and prune the folder."""

import contextlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from charnn.cli.saying import say
from charnn.errors import OptionError, RunDamagedError
from charnn.text.shell import quoted

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
        say(f"{word:8}{finding.name}{': ' if rest else ''}{rest}")
    if damaged:
        raise RunDamagedError(
            f"run {run.name} is damaged in {damaged} of {files} places: restore those from a copy; "
            "what is whole is used as long as it can be"
        )
    say(f"{run.name}: {files} files, all whole")


def export(run: "Run", file: Path, *, with_ngram: bool) -> None:
    """Write a run to one file, with or without its n-gram model and its index of copies."""
    from charnn.cli.interrupts import interrupts
    from charnn.records import Control
    from charnn.runs.export import export_run
    from charnn.view import figures

    if with_ngram:
        _index_copies(run)
    with interrupts(Control()):  # a signal, too, leaves nothing half written
        size, note = export_run(run, file, with_ngram=with_ngram)
    if note:
        say(f"charnn: {note}", err=True)
    without = "" if with_ngram else ", without n-gram model and index of copies"
    use = f"use it as a run: charnn generate -m {quoted(str(file))}"
    say(f"{file}: {figures.memory(size)}{without}; {use}")


def _index_copies(run: "Run") -> None:
    """Have the run keep its index of copies: the one who gets the file has no tokens."""
    from charnn.errors import CharnnError
    from charnn.generation.copy_file import load_copies, waits_for_copies

    if run.path.is_dir() and waits_for_copies(run):
        say("indexing the text for --max-copy, once", err=True)
        with contextlib.suppress(CharnnError):  # without tokens there is none to take along
            load_copies(run)


def rename(find: "Callable[[], Run]", name: str) -> None:
    """Give a run another name."""
    from charnn.runs.housekeeping import rename_run

    run = find()
    renamed = rename_run(run, name)
    say(f"{run.name} is now {renamed.name}")


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
        say(f"{run.name} is deleted: {figures.memory(delete_run(run))} are free")
    else:
        say("nothing is deleted")


def prune(checkpoints: Path, *, yes: bool) -> None:
    """Remove what no run needs any more."""
    from charnn.runs.housekeeping import find_waste, remove_waste
    from charnn.view import figures

    waste = find_waste(checkpoints)
    if not waste:
        say(f"there is nothing to prune in {checkpoints}")
        return
    for item in waste:
        say(f"{figures.memory(item.bytes):>8}  {item.path}: {item.reason}")
    size = figures.memory(sum(item.bytes for item in waste))
    if _agrees(f"remove these, {size} in all?", yes):
        gone = remove_waste(checkpoints, waste)
        if len(gone) < len(waste):
            say(f"{len(waste) - len(gone)} of {len(waste)} came to use meanwhile and stay")
        if gone:
            say(f"{figures.memory(sum(item.bytes for item in gone))} are free")
    else:
        say("nothing is removed")


def _agrees(question: str, yes: bool) -> bool:
    """Whether a person says yes.

    Raises:
        OptionError: there is nobody to ask.
    """
    from charnn.view.display_text import safe_text

    if yes:
        return True
    if sys.stdin is None or not sys.stdin.isatty():
        raise OptionError("nobody can be asked here, stdin is no terminal: add --yes")
    return click.confirm(safe_text(question, newline=" "), err=True)
