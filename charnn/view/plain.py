"""Records to plain lines, for logs, pipes and terminals that cannot do more.

One line per interval of the training's own clock, never one per record. Whether plain lines are
wanted at all is left to views.py.
"""

import time
from collections.abc import Callable
from typing import Protocol

from charnn.model.shapes import size_in_words
from charnn.records import (
    Event,
    Finished,
    Heartbeat,
    PlanFixed,
    Preparing,
    Record,
    RunStarted,
    Sample,
    StepRecord,
    Validation,
)
from charnn.view import figures
from charnn.view.base import View
from charnn.view.display_text import safe_text
from charnn.view.report import Report
from charnn.view.wrapping import crop, wrap_text

_TIME = 7
_GAP = "  "
_INDENT = " " * _TIME + _GAP
_NARROW = 40  # cells that time, step and loss take in columns
_QUIET_SHARE = 0.02
_SAMPLE_WIDTH = 100
_SAMPLE_LINES = 4
_UNNAMED_EVENTS = ("note", "saved", "best")


class LineStream(Protocol):
    """What plain lines are written to: the part of a text file that they need."""

    def write(self, text: str, /) -> object:
        """Write a line with its newline."""

    def flush(self) -> object:
        """Let it be seen."""


class PlainView(View):
    """Writes each record's line or lines to a stream; lines of steps no more often than needed.

    A step is told every `interval` seconds, and in long runs every fiftieth of the time so far, so
    that a night's log stays readable; of a sample the first lines are told. A stream that is gone
    is not written to again: nobody reading is no reason to lose a training.

    Args:
        stream: where the lines go.
        width: cells a line may take; None does not cut or break lines.
        colour: whether labels are dimmed with escape sequences.
        interval: seconds between lines of steps, by the records' clock.
        clock: seconds for preparations, whose records carry no time.
    """

    def __init__(
        self,
        stream: LineStream,
        width: int | None = None,
        colour: bool = False,
        *,
        interval: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stream: LineStream | None = stream
        self._width = width
        self._narrow = width is not None and width < _NARROW
        self._colour = colour
        self._interval = interval
        self._clock = clock
        self._report = Report()
        self._steps = _StepMean()
        self._planned = False
        self._due = 0.0
        self._stage = ""
        self._stage_due = 0.0
        self._paused = False

    @property
    def gone(self) -> bool:
        """Whether the stream takes no more lines."""
        return self._stream is None

    def close(self) -> None:
        """Nothing more will be shown; the stream stays open."""
        self._stream = None

    def show(self, record: Record) -> None:
        """Write what there is to say about a record, if anything."""
        self._report = self._report.update(record)
        match record:
            case StepRecord():
                self._show_step(record)
            case Validation():
                self._show_validation(record)
            case Sample():
                self._show_sample(record)
            case Event():
                self._planned = self._planned and record.kind != "resumed"
                self._say(record.elapsed, _event_text(record))
            case Preparing():
                self._show_preparing(record)
            case RunStarted():
                self._steps, self._planned = _StepMean(record.resumed_at), False
                self._head(_head_lines(record))
            case PlanFixed():
                text = _steps_text(record) if self._planned else _plan_text(record)
                self._planned = True
                self._head([("plan", text)])
            case Heartbeat():
                self._show_heartbeat(record)
            case Finished():
                self._show_finished(record)

    def _show_step(self, record: StepRecord) -> None:
        self._paused = False
        self._steps.add(record)
        if record.elapsed >= self._due:
            self._due = record.elapsed + max(self._interval, record.elapsed * _QUIET_SHARE)
            self._write_step(record)

    def _write_step(self, record: StepRecord) -> None:
        """As many columns as fit, the most telling ones first."""
        columns = [
            self._loss_text(record.step, self._steps.take()),
            f"{figures.count(record.chars_per_second):>8} chars/s",
            f"{figures.duration(record.remaining):>7} left" if record.remaining is not None else "",
            f"epoch {record.epoch:5.2f}",
            f"rate {figures.rate(record.learning_rate)}",
        ]
        room = None if self._width is None else self._width - len(_INDENT)
        text = ""
        for column in filter(None, columns):
            longer = f"{text}  {column}" if text else column
            if room is not None and text and len(longer) > room:
                break
            text = longer
        self._say(record.elapsed, text)

    def _loss_text(self, step: int, bits_per_char: float) -> str:
        """Step and loss, in columns unless it is too narrow for them."""
        count, bits = figures.count(step), figures.bits(bits_per_char)
        if self._narrow:
            return f"{count}{_GAP}{bits} bits"
        return f"step {count:>8}{_GAP}{bits:>6} bits/char"

    def _show_validation(self, record: Validation) -> None:
        note = ", best so far" if record.is_best else ""
        if record.final:
            note = ", final score"
        loss = self._loss_text(record.step, record.bits_per_char)
        self._say(record.elapsed, f"{loss} in validation{note}")

    def _show_sample(self, record: Sample) -> None:
        step = figures.count(record.step)
        self._say(
            record.elapsed,
            f"sample at step {step}, temperature {figures.temperature(record.temperature)}",
        )
        indent = _GAP if self._narrow else _INDENT
        room = max(8, (self._width or _SAMPLE_WIDTH) - len(indent))
        lines = wrap_text(record.prompt + record.text, room)
        for line in lines[:_SAMPLE_LINES]:
            self._write(indent + line)
        if len(lines) > _SAMPLE_LINES:
            self._write(indent + "…")

    def _show_preparing(self, record: Preparing) -> None:
        now = self._clock()
        if record.stage == self._stage and now < self._stage_due:
            return
        self._stage, self._stage_due = record.stage, now + self._interval
        self._write(safe_text(_preparing_text(record), newline=" "))

    def _show_heartbeat(self, record: Heartbeat) -> None:
        if record.paused and not self._paused:
            self._say(record.elapsed, f"paused at step {figures.count(record.step)}")
        self._paused = record.paused

    def _show_finished(self, record: Finished) -> None:
        for line in self._report.lines(self._width, with_sample=False):
            self._write(line)

    def _head(self, lines: list[tuple[str, str]]) -> None:
        for label, text in lines:
            self._write_labelled(label, safe_text(text, newline=" "))

    def _say(self, elapsed: float, text: str) -> None:
        """Tell something with its time, which gives way to the text where it is narrow."""
        label, safe = figures.duration(elapsed), safe_text(text, newline=" ")
        if self._narrow and self._fit(line := label + _GAP + safe) != line:
            self._write(self._fit(safe))
        else:
            self._write_labelled(label, safe)

    def _write_labelled(self, label: str, text: str) -> None:
        start = label if self._narrow else f"{label:>{_TIME}}"
        self._write(self._dim(start) + _GAP + self._fit(text, len(start + _GAP)))

    def _fit(self, text: str, used: int = 0) -> str:
        """As much of a safe text as a line takes behind so many cells."""
        return text if self._width is None else crop(text, max(1, self._width - used))

    def _dim(self, text: str) -> str:
        return f"\x1b[2m{text}\x1b[0m" if self._colour else text

    def _write(self, line: str) -> None:
        if self._stream is None:
            return
        try:
            self._stream.write(line + "\n")
            self._stream.flush()
        except (OSError, ValueError):
            self._stream = None


class _StepMean:
    """Mean training loss over the steps since the last line, each record weighted by its steps."""

    def __init__(self, step: int = 0) -> None:
        self._last_step = step
        self._total = 0.0
        self._steps = 0

    def add(self, record: StepRecord) -> None:
        steps = max(1, record.step - self._last_step)
        self._last_step = record.step
        self._total += record.bits_per_char * steps
        self._steps += steps

    def take(self) -> float:
        mean = self._total / max(1, self._steps)
        self._total, self._steps = 0.0, 0
        return mean


def _head_lines(record: RunStarted) -> list[tuple[str, str]]:
    resumed = f", resumed at step {figures.count(record.resumed_at)}" if record.resumed_at else ""
    return [
        ("run", f"{record.run} in {record.path}{resumed}"),
        (
            "text",
            f"{record.corpus}, {figures.count(record.characters)} characters,"
            f" {record.tokenizer} tokenizer with {figures.count(record.vocab_size)} tokens",
        ),
        (
            "model",
            f"{_size(record)},"
            f" {figures.compact(record.parameters)} parameters, {record.device} {record.precision},"
            f" {_number(record.threads, 'thread')}, seed {record.seed}",
        ),
    ]


def _size(record: RunStarted) -> str:
    one = (record.num_layers, record.hidden_size, record.cell)
    return size_in_words(*one, record.networks, record.feed_forward_size)


def _preparing_text(record: Preparing) -> str:
    if record.total:
        share = min(1.0, record.done / record.total)
        return f"{record.stage}: {share:.0%} of {figures.compact(record.total)} {record.unit}"
    amount = f": {figures.compact(record.done)} {record.unit}" if record.done else ""
    return record.stage + amount


def _plan_text(record: PlanFixed) -> str:
    epochs = record.total_steps / max(1, record.steps_per_epoch)
    budget = f" in {figures.duration(record.seconds)}" if record.seconds is not None else ""
    return (
        f"{_number(record.total_steps, 'step')}{budget} ({epochs:.1f} epochs)"
        f" of {record.batch_size} x {record.seq_len} tokens,"
        f" rate {figures.rate(record.learning_rate)}"
    )


def _steps_text(record: PlanFixed) -> str:
    return f"{_number(record.total_steps, 'step')} now, to end in time"


def _event_text(record: Event) -> str:
    return record.message if record.kind in _UNNAMED_EVENTS else f"{record.kind}: {record.message}"


def _number(number: int, noun: str) -> str:
    return f"{figures.count(number)} {noun}{'' if number == 1 else 's'}"
