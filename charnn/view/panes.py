"""The panes of figures: head, numbers with their curves, log.

Each is a function of the state and its size to lines. Where they stand, and how much room each
gets, is left to dashboard.py; generated text to writing.py.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from rich.style import Style

from charnn.model.shapes import size_in_brief
from charnn.records import Event, RunStarted, StepRecord, Validation
from charnn.view import figures
from charnn.view.chart import Series, draw_chart
from charnn.view.curve import Curve
from charnn.view.display_text import safe_text
from charnn.view.lines import Line, Part, beside, fit, join_fitting, line, rule
from charnn.view.palette import (
    BEST,
    FAINT,
    HELD_OUT,
    NAME,
    PLAIN,
    SEPARATOR,
    STRONG,
    TRAINING,
    WARNING,
)
from charnn.view.state import DashboardState, Yardstick
from charnn.view.wrapping import crop

NUMBERS_WIDTH: Final = 30
CHART_WIDTH: Final = 32
_LOUD: Final = ("warning", "dropped")
_ROUTINE: Final = ("saved", "best")
_NAME_SHARE: Final = 3
_LABEL: Final = 11
_NARROW: Final = 40


def draw_head(state: DashboardState, width: int) -> Line:
    """What is trained on what: as many of the facts as fit, the most telling ones first."""
    name: Part = ("charnn", NAME)
    started = state.started
    if started is None:
        return fit(line(" ", name), width)
    narrow = width < _NARROW
    corpus = crop(
        safe_text(started.corpus, newline=" "), width - 2 if narrow else width // _NAME_SHARE
    )
    facts: list[Part] = [] if narrow else [name]
    facts += [(corpus, STRONG), *_facts(started)]
    return fit((*line(" "), *join_fitting(facts, width - 2, SEPARATOR)), width)


def draw_curves(state: DashboardState, width: int, rows: int) -> list[Line]:
    """Numbers at the left, curves at the right, under a rule; the curves alone where it is narrow.

    Args:
        state: what the records told.
        width: cells in a line, at least CHART_WIDTH.
        rows: lines, the rule among them, at least 4.
    """
    title = rule("bits per character", width - 2)
    height = rows - 1
    if width < NUMBERS_WIDTH + CHART_WIDTH:
        chart = _chart(state.training.curve, state.held_out, state.yardstick, width - 2, height)
        body = [(*line(" "), *row) for row in chart]
    else:
        room = width - NUMBERS_WIDTH - 1
        chart = _chart(state.training.curve, state.held_out, state.yardstick, room, height)
        body = beside(draw_numbers(state, height), chart, NUMBERS_WIDTH, height)
    return [(*line(" "), *title), *body]


def draw_numbers(state: DashboardState, rows: int) -> list[Line]:
    """The figures of the newest step and validation, the most telling ones first."""
    lines = [
        _number("⠤", TRAINING, "training", figures.bits(state.training.mean)),
        *_held_out_numbers(state.validation, state.best),
        *_final_number(state.final),
        *_step_numbers(state.step),
        *_yardstick_number(state.yardstick),
    ]
    return lines[:rows]


def draw_log(state: DashboardState, width: int, rows: int) -> list[Line]:
    """The newest events, oldest first; under a rule where there are at least three rows."""
    title = [(*line(" "), *rule("log", width - 2))] if rows >= 3 else []
    told = telling(state.events, rows - len(title))
    times = [figures.duration(event.elapsed) for event in told]
    column = max((len(time) for time in times), default=0)
    return title + [
        fit(_event(event, f" {time:>{column}}  ", width), width)
        for event, time in zip(told, times, strict=True)
    ]


def telling(events: Sequence[Event], number: int) -> list[Event]:
    """At most `number` of the events in their order: the newest ones, warnings longer than others.

    A checkpoint or a best that was followed by another gives way to everything else.
    """
    newest = {event.kind: index for index, event in enumerate(events)}
    ranks = [
        (event.kind not in _ROUTINE or newest[event.kind] == index, index)
        for index, event in enumerate(events)
    ]
    kept = sorted(index for _, index in sorted(ranks, reverse=True)[: max(0, number)])
    return [events[index] for index in kept]


def _size(started: RunStarted) -> str:
    one = (started.num_layers, started.hidden_size, started.cell)
    return size_in_brief(*one, started.networks, started.feed_forward_size)


def _facts(started: RunStarted) -> list[Part]:
    facts = [
        f"{started.tokenizer} {figures.count(started.vocab_size)}",
        _size(started),
        f"{figures.compact(started.parameters)} parameters",
        f"{started.device} {started.precision}",
        f"seed {started.seed}",
        f"{figures.compact(started.characters)} characters",
        f"run {started.run}",
    ]
    return [safe_text(fact, newline=" ") for fact in facts]


@lru_cache(maxsize=2)
def _chart(
    training: Curve, held_out: Curve, yardstick: Yardstick | None, width: int, height: int
) -> list[Line]:
    series = [Series(training.points, TRAINING), Series(held_out.points, HELD_OUT, dotted=True)]
    best = min(held_out.points, key=lambda point: point.value, default=None)
    return draw_chart(series, width, height, best=best, reference=yardstick)


def _held_out_numbers(validation: Validation | None, best: Validation | None) -> list[Line]:
    note = f" at {figures.step(best.step)}" if best else ""
    least = figures.bits(best.bits_per_char if best else None)
    return [_newest_number(validation), _number("◆", BEST, "best", least, note)]


def _newest_number(validation: Validation | None) -> Line:
    """The newest held-out loss, beside it that of the network alone where it has room."""
    bits = figures.bits(validation.bits_per_char if validation else None)
    note = ""
    if validation is not None and validation.network_bits_per_char is not None:
        note = f" net {figures.bits(validation.network_bits_per_char)}"
    room = NUMBERS_WIDTH - _LABEL - 4 - len(bits)
    return _number("⠂", HELD_OUT, "validation", bits, note if len(note) <= room else "")


def _final_number(final: Validation | None) -> list[Line]:
    """The score of the best weights at the end, on more text than those before it."""
    if final is None:
        return []
    return [_number(" ", FAINT, "final", figures.bits(final.bits_per_char), " (whole)")]


def _yardstick_number(yardstick: Yardstick | None) -> list[Line]:
    if yardstick is None:
        return []
    name = crop(safe_text(yardstick.name, newline=" "), _LABEL - 1)
    return [_number("╌", FAINT, name, figures.bits(yardstick.bits_per_char))]


def _step_numbers(step: StepRecord | None) -> list[Line]:
    if step is None:
        return []
    values = [
        ("loss", figures.bits(step.loss), " nats"),
        ("perplexity", figures.perplexity(step.loss), ""),
        ("rate", figures.rate(step.learning_rate), ""),
        ("gradient", figures.magnitude(step.grad_norm), ""),
        ("memory", figures.memory(step.memory if step.memory > 0 else None), ""),
    ]
    return [_number(" ", FAINT, *value) for value in values]


def _number(mark: str, style: Style, label: str, value: str, note: str = "") -> Line:
    return line(" ", (mark, style), (f" {label:<{_LABEL}}", FAINT), (value, STRONG), (note, FAINT))


def _event(event: Event, time: str, width: int) -> Line:
    loud = event.kind in _LOUD
    message = f"{event.kind}: {event.message}" if loud else event.message
    text = crop(safe_text(message, newline=" "), width - len(time))
    return line((time, FAINT), (text, WARNING if loud else PLAIN))
