"""The panes of figures: head, numbers with their curves, log.

Each is a function of the state and its size to lines. Where they stand, and how much room each
gets, is left to dashboard.py; generated text to writing.py.
"""

from functools import lru_cache
from typing import Final

from rich.style import Style

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
_NAME_SHARE: Final = 3
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
        *_step_numbers(state.step),
    ]
    return lines[:rows]


def draw_log(state: DashboardState, width: int, rows: int) -> list[Line]:
    """The newest events, oldest first; under a rule where there are at least three rows."""
    title = [(*line(" "), *rule("log", width - 2))] if rows >= 3 else []
    room = rows - len(title)
    newest = state.events[len(state.events) - room :] if room < len(state.events) else state.events
    times = [figures.duration(event.elapsed) for event in newest]
    column = max((len(time) for time in times), default=0)
    return title + [
        fit(_event(event, f" {time:>{column}}  "), width)
        for event, time in zip(newest, times, strict=True)
    ]


def _facts(started: RunStarted) -> list[Part]:
    facts = [
        f"{started.tokenizer} {figures.count(started.vocab_size)}",
        f"{started.cell} {started.num_layers}x{started.hidden_size}",
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
    series = [Series(training.points, TRAINING), Series(held_out.points, HELD_OUT)]
    best = min(held_out.points, key=lambda point: point.value, default=None)
    return draw_chart(series, width, height, best=best, reference=yardstick)


def _held_out_numbers(validation: Validation | None, best: Validation | None) -> list[Line]:
    newest = figures.bits(validation.bits_per_char if validation else None)
    note = f" at {figures.step(best.step)}" if best else ""
    least = figures.bits(best.bits_per_char if best else None)
    return [
        _number("⠤", HELD_OUT, "validation", newest),
        _number("◆", BEST, "best", least, note),
    ]


def _step_numbers(step: StepRecord | None) -> list[Line]:
    if step is None:
        return []
    values = [
        ("loss", figures.bits(step.loss), " nats"),
        ("perplexity", figures.perplexity(step.loss), ""),
        ("rate", figures.rate(step.learning_rate), ""),
        ("gradient", figures.magnitude(step.grad_norm), ""),
        ("memory", figures.memory(step.memory), ""),
    ]
    return [_number(" ", FAINT, *value) for value in values]


def _number(mark: str, style: Style, label: str, value: str, note: str = "") -> Line:
    return line(" ", (mark, style), (f" {label:<11}", FAINT), (value, STRONG), (note, FAINT))


def _event(event: Event, time: str) -> Line:
    loud = event.kind in _LOUD
    message = f"{event.kind}: {event.message}" if loud else event.message
    text = safe_text(message, newline=" ")
    return line((time, FAINT), (text, WARNING if loud else PLAIN))
