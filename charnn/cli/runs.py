"""`charnn runs`: the runs in a line each, or one in full; and what may be done with them."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from charnn import api
from charnn.cli.options import checkpoints_option, config_option, is_typed
from charnn.cli.saying import say
from charnn.errors import OptionError

if TYPE_CHECKING:
    from charnn.runs.catalog import RunSummary
    from charnn.runs.run import Run

_EVENTS_SHOWN = 20
_UNCUT = 10_000  # cells of a line for a pipe or a file
_COLUMNS = ("run", "corpus", "tokenizer", "size", "parameters", "step", "bits/char", "saved")
_NUMBERS = ("parameters", "step", "bits/char")
_DISPENSABLE = {
    **dict.fromkeys(("parameters", "tokenizer", "corpus", "size"), 20),
    **dict.fromkeys(("saved", "step"), 10),
}
"""Columns that are left out, in this order, where a name would have fewer cells than these."""
_GAP = 2


@click.command()
@click.argument("model", metavar="[RUN]", required=False)
@click.option("--check", is_flag=True, help="Verify every file of RUN; exit code 1 if one is bad.")
@click.option("--export", metavar="FILE", help="Write RUN to one new file, to share it.")
@click.option("--no-ngram", is_flag=True, help="With --export: without what tells its text.")
@click.option("--rename", metavar="NAME", help="Give RUN another name.")
@click.option("--delete", is_flag=True, help="Remove RUN; asks before.")
@click.option("--prune", is_flag=True, help="Remove what no run needs any more; asks before.")
@click.option("--yes", is_flag=True, help="With --delete or --prune: do not ask.")
@checkpoints_option
@config_option
@click.pass_context
def command(
    context: click.Context,
    /,
    model: str | None,
    yes: bool,
    no_ngram: bool,
    checkpoints: str,
    **given: bool | str | None,
) -> None:
    """List the runs, the newest first; or tell of one: what it is, and what happened to it.

    RUN is a name, a folder, or a file that --export wrote.
    """
    action = _action(model, given)
    _check_beside(context, action)
    folder = Path(checkpoints)
    if action is None:
        _list(checkpoints) if model is None else _tell(model, folder)
        return
    from charnn.cli import run_actions as actions
    from charnn.runs.catalog import find_run
    from charnn.runs.layout import check_run_name

    value = str(given[action])
    if action == "rename":
        actions.rename(lambda: find_run(folder, model), check_run_name(value))
    elif action == "prune":
        actions.prune(folder, yes=yes)
    elif action == "delete":
        actions.delete(find_run(folder, model), yes=yes)
    elif action == "check":
        actions.check(find_run(folder, model))
    else:
        actions.export(find_run(folder, model), Path(value), with_ngram=not no_ngram)


def _action(model: str | None, given: dict[str, bool | str | None]) -> str | None:
    """What is to be done; None for telling alone.

    Raises:
        OptionError: the options do not go together.
    """
    wanted = [name for name, value in given.items() if value not in (None, False)]
    if len(wanted) > 1:
        raise OptionError(f"give one of --{wanted[0]} and --{wanted[1]}: they do different things")
    action = wanted[0] if wanted else None
    if action in ("rename", "delete") and model is None:
        example = "--rename x" if action == "rename" else "--delete"
        raise OptionError(f"--{action} needs a RUN: name it, as in 'charnn runs novel {example}'")
    if action == "prune" and model is not None:
        raise OptionError(f"--prune is for the whole folder of runs: leave out {model!r}")
    return action


def _check_beside(context: click.Context, action: str | None) -> None:
    """Refuse what says nothing of this action; from the environment or a file it is for others.

    Raises:
        OptionError: it was typed all the same.
    """
    if action not in ("delete", "prune") and is_typed(context, "yes"):
        raise OptionError("--yes goes with --delete or --prune: leave it out")
    if action != "export" and is_typed(context, "no_ngram"):
        raise OptionError("--no-ngram goes with --export: leave it out")


def _tell(model: str, checkpoints: Path) -> None:
    for line in _story(model, checkpoints):
        say(line)


def _list(checkpoints: str) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from charnn.view.display_text import safe_text

    found = api.list_runs(checkpoints)
    if not found:
        say(f"no runs in {checkpoints} yet: train one with 'charnn train TEXT'", err=True)
        return
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else _UNCUT
    rows = [[safe_text(cell, newline=" ") for cell in _row(summary)] for summary in found]
    table = Table(box=None, pad_edge=False, header_style="bold")
    widths = _widths(rows, width)
    for column, cells in widths.items():
        justify: Literal["left", "right"] = "right" if column in _NUMBERS else "left"
        table.add_column(column, justify=justify, no_wrap=True, width=cells)
    for row in rows:
        table.add_row(*(Text(row[_COLUMNS.index(column)]) for column in widths))
    Console(highlight=False, width=width).print(table)
    for summary in found:
        if summary.problem is not None:
            say(f"{summary.name} is damaged: {summary.problem}")


def _widths(rows: list[list[str]], width: int) -> dict[str, int]:
    """Cells of each column; where room is short some are left out, then names are cut."""
    from rich.cells import cell_len

    needed = {
        column: max(cell_len(text) for text in (column, *(row[place] for row in rows)))
        for place, column in enumerate(_COLUMNS)
    }
    longest = needed.pop("run")
    for column, worth in _DISPENSABLE.items():
        if _room(needed, width) >= min(longest, worth):
            break
        needed.pop(column)
    return {"run": max(1, min(longest, _room(needed, width))), **needed}


def _room(needed: dict[str, int], width: int) -> int:
    """Cells that the other columns leave for the name."""
    return width - sum(cells + _GAP for cells in needed.values())


def _row(summary: "RunSummary") -> tuple[str, ...]:
    from charnn.view import figures

    age = summary.age()
    return (
        f"{summary.name} (file)" if summary.is_file else summary.name,
        summary.corpus or "",
        summary.tokenizer or "",
        summary.size or "",
        figures.compact(summary.parameters) if summary.parameters is not None else "",
        figures.count(summary.step) if summary.step is not None else "",
        figures.bits(summary.bits_per_char) if summary.bits_per_char is not None else "",
        f"{figures.duration(age)} ago" if age is not None else "not yet",
    )


def _story(model: str, checkpoints: Path) -> Iterator[str]:
    """One run in full."""
    from charnn.model.shapes import parameter_count
    from charnn.runs.catalog import find_run, summarise

    run = find_run(checkpoints, model)
    config, summary = run.config(), summarise(run)
    shape, characters = config.model, config.corpus.get("characters")
    length = f"{characters:,}" if type(characters) is int else "?"
    yield run.name
    yield f"  {'folder' if run.path.is_dir() else 'file  '}      {run.path}"
    yield f"  created     {config.created} by charnn {config.charnn}"
    yield f"  text        {summary.corpus or '?'}, {length} characters"
    yield f"  tokenizer   {config.tokenizer['kind']}, {shape.vocab_size:,} tokens"
    yield f"  model       {shape}, {parameter_count(shape):,} parameters"
    if summary.holder is not None:
        yield f"  in training by {summary.holder}"
    yield from _results(run, summary)
    yield from _events(run)


def _results(run: "Run", summary: "RunSummary") -> Iterator[str]:
    from charnn.errors import RunNotFoundError
    from charnn.runs.layout import WEIGHTS

    try:
        checkpoint = run.last(WEIGHTS) if run.path.is_dir() else run.chosen(WEIGHTS)
    except RunNotFoundError:
        yield "  checkpoint  none yet"
        return
    yield f"  checkpoint  step {checkpoint.step:,}"
    if checkpoint.note:
        yield f"              {checkpoint.note}"
    if summary.bits_per_char is not None and summary.best_step is not None:
        best, step = summary.bits_per_char, summary.best_step
        yield f"  best        {best:.4f} bits per character at step {step:,}"


def _events(run: "Run") -> Iterator[str]:
    """How the training ended, and what happened last."""
    from charnn.records import Event, Finished
    from charnn.runs.layout import EVENTS
    from charnn.view import figures
    from charnn.view.panes import telling

    records = list(run.records(EVENTS))
    end = records[-1] if records else None
    if isinstance(end, Finished) and end.reason != "stopped" and end.bits_per_char is not None:
        yield f"  at the end  {end.bits_per_char:.4f} bits per character on all that was held out"
    events = [record for record in records if isinstance(record, Event)]
    shown = telling(events, _EVENTS_SHOWN)
    if events:
        yield f"  events      {len(shown):,} of {len(events):,}"
    for event in shown:
        when = figures.duration(event.elapsed)
        yield f"    {when:>8}  step {event.step:>9,}  {event.kind}: {event.message}"
