"""`charnn runs`: the runs in a line each, or one in full."""

import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import click

from charnn import api
from charnn.cli.options import checkpoints_option

if TYPE_CHECKING:
    from charnn.runs.catalog import RunSummary
    from charnn.runs.run import Run

_EVENTS_SHOWN = 20
_UNCUT = 10_000  # cells of a line for a pipe or a file
_COLUMNS = ("run", "corpus", "tokenizer", "size", "parameters", "step", "bits/char", "saved")
_NUMBERS = ("parameters", "step", "bits/char")


@click.command()
@click.argument("model", metavar="[RUN]", required=False)
@checkpoints_option
def command(model: str | None, checkpoints: str) -> None:
    """List the runs, the newest first; or tell of one: what it is, and what happened to it."""
    if model is None:
        _list(checkpoints)
        return
    from charnn.view.display_text import safe_text

    for line in _story(model, checkpoints):
        click.echo(safe_text(line))


def _list(checkpoints: str) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from charnn.view.display_text import safe_text

    found = api.list_runs(checkpoints)
    if not found:
        click.echo(f"no runs in {checkpoints} yet: train one with 'charnn train TEXT'", err=True)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in _COLUMNS:
        table.add_column(column, justify="right" if column in _NUMBERS else "left")
    for summary in found:
        table.add_row(*(Text(safe_text(cell, newline=" ")) for cell in _row(summary)))
    width = None if sys.stdout.isatty() else _UNCUT
    Console(highlight=False, width=width).print(table)


def _row(summary: "RunSummary") -> tuple[str, ...]:
    from charnn.view import figures

    if summary.problem is not None:
        return (summary.name, f"damaged: {summary.problem}")
    age = summary.age()
    return (
        summary.name,
        summary.corpus or "",
        summary.tokenizer or "",
        summary.size or "",
        figures.compact(summary.parameters) if summary.parameters is not None else "",
        figures.count(summary.step) if summary.step is not None else "",
        figures.bits(summary.bits_per_char) if summary.bits_per_char is not None else "",
        f"{figures.duration(age)} ago" if age is not None else "not yet",
    )


def _story(model: str, checkpoints: str) -> Iterator[str]:
    """One run in full."""
    from charnn.model.shapes import parameter_count
    from charnn.runs.catalog import find_run

    run = find_run(Path(checkpoints), model)
    config = run.config()
    shape, corpus = config.model, config.corpus
    yield run.name
    yield f"  folder      {run.path}"
    yield f"  created     {config.created} by charnn {config.charnn}"
    yield f"  text        {corpus.get('name')}, {int(corpus.get('characters', 0)):,} characters"
    yield f"  tokenizer   {config.tokenizer['kind']}, {shape.vocab_size:,} tokens"
    yield (
        f"  model       {shape.num_layers} x {shape.hidden_size} {shape.cell}, "
        f"{parameter_count(shape):,} parameters"
    )
    yield from _results(run)
    yield from _events(run)


def _results(run: "Run") -> Iterator[str]:
    from charnn.errors import RunNotFoundError
    from charnn.records import Validation
    from charnn.runs.layout import METRICS, WEIGHTS

    try:
        checkpoint = run.last(WEIGHTS)
    except RunNotFoundError:
        yield "  checkpoint  none yet"
        return
    yield f"  checkpoint  step {checkpoint.step:,}"
    if checkpoint.note:
        yield f"              {checkpoint.note}"
    validations = [r for r in run.records(METRICS) if isinstance(r, Validation)]
    if validations:
        best = min(validations, key=lambda r: r.bits_per_char)
        yield f"  best        {best.bits_per_char:.4f} bits per character at step {best.step:,}"


def _events(run: "Run") -> Iterator[str]:
    from charnn.records import Event
    from charnn.runs.layout import EVENTS
    from charnn.view import figures

    events = [record for record in run.records(EVENTS) if isinstance(record, Event)]
    if events:
        yield f"  events      the last {min(len(events), _EVENTS_SHOWN)} of {len(events)}"
    for event in islice(events, max(0, len(events) - _EVENTS_SHOWN), None):
        when = figures.duration(event.elapsed)
        yield f"    {when:>8}  step {event.step:>9,}  {event.kind}: {event.message}"
