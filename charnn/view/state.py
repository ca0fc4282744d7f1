"""What a dashboard knows: a pure reduction of the records so far. Drawing is left to dashboard.py.

States are immutable and small however long the run, so a thread that draws may read the newest
one while another thread makes the next.
"""

import math
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

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
from charnn.view.curve import LARGEST, Curve, SmoothedCurve

EVENTS_KEPT = 100
WRITINGS_KEPT = 64
SAMPLES_KEPT = 8


class Yardstick(NamedTuple):
    """A loss that something else reaches on the same text, drawn as a line of reference."""

    name: str
    bits_per_char: float


@dataclass(frozen=True, slots=True, eq=False)
class Writing:
    """What the model wrote at one step, a sample for each temperature; compared by identity.

    Attributes:
        samples: at least one, all of the same step, in the order they came.
    """

    samples: tuple[Sample, ...]

    @property
    def step(self) -> int:
        """The step all of its samples were written at."""
        return self.samples[0].step

    def middle(self) -> Sample:
        """The sample of the middle temperature: neither the tamest nor the wildest."""
        ordered = sorted(self.samples, key=lambda sample: sample.temperature)
        return ordered[len(ordered) // 2]


_STARTING: Final = Preparing("starting", 0)


@dataclass(frozen=True, slots=True)
class DashboardState:
    """Everything a frame is drawn from but its size, the clock and what the keys control.

    Attributes:
        elapsed: seconds on the records' clock at the newest record that carries a time.
        steps_done: the newest step that anything was heard of.
        training: smoothed training loss in bits per character.
        held_out: validation loss in bits per character.
        best: the newest validation that was the best so far.
        final: the score of the best weights at the end of the run.
        writing: the newest writing; `earlier` those before it, oldest first, thinned out.
        events: newest last.
    """

    started: RunStarted | None = None
    preparing: Preparing | None = None
    plan: PlanFixed | None = None
    step: StepRecord | None = None
    validation: Validation | None = None
    best: Validation | None = None
    final: Validation | None = None
    training: SmoothedCurve = field(default_factory=SmoothedCurve)
    held_out: Curve = field(default_factory=Curve)
    writing: Writing | None = None
    earlier: tuple[Writing, ...] = ()
    events: tuple[Event, ...] = ()
    paused: bool = False
    finished: Finished | None = None
    elapsed: float = 0.0
    steps_done: int = 0
    yardstick: Yardstick | None = None

    @property
    def under_way(self) -> Preparing | None:
        """What is being prepared; before anything of the run is known, that it starts.

        The import of torch takes seconds, and nothing reports from within it.
        """
        known = (self.started, self.plan, self.step, self.validation, self.finished)
        if self.preparing is None and known == (None,) * len(known):
            return _STARTING
        return self.preparing

    def update(self, record: Record) -> "DashboardState":
        """The state after one more record; the record may be of any kind and in any order."""
        state = self._at(record)
        match record:
            case Preparing():
                state = replace(state, preparing=record)
            case RunStarted():
                state = state._with_start(record)
            case PlanFixed():
                state = replace(state, plan=record, preparing=None)
            case StepRecord():
                state = state._with_step(record)
            case Validation():
                state = state._with_validation(record)
            case Sample():
                state = state._with_sample(record)
            case Event():
                state = state._with_event(record)
                state = state._gone_on() if record.kind == "resumed" else state
            case Heartbeat():
                state = replace(state, paused=record.paused)
            case Finished():
                state = replace(state, finished=record, preparing=None, paused=False)
        return state

    def _at(self, record: Record) -> "DashboardState":
        elapsed = getattr(record, "elapsed", self.elapsed)
        steps = getattr(record, "step", self.steps_done)
        return replace(self, elapsed=elapsed, steps_done=steps)

    def _with_start(self, record: RunStarted) -> "DashboardState":
        """A new session: what was being written in the one before is all uncovered."""
        earlier = self.earlier if self.writing is None else _thinned((*self.earlier, self.writing))
        return replace(
            self,
            started=record,
            steps_done=record.resumed_at,
            writing=None,
            earlier=earlier,
            yardstick=_yardstick(record) or self.yardstick,
        )._gone_on()

    def _gone_on(self) -> "DashboardState":
        """The training goes on from where it stands: what ended it before is over."""
        fulfilled = self.plan is not None and self.steps_done >= self.plan.total_steps
        plan = None if fulfilled else self.plan
        return replace(self, finished=None, final=None, plan=plan)

    def _with_step(self, record: StepRecord) -> "DashboardState":
        training = self.training.add(record.step, record.bits_per_char)
        return replace(self, step=record, training=training, preparing=None, paused=False)

    def _with_validation(self, record: Validation) -> "DashboardState":
        """The final score is no point of the curve: it is of the best step, and of more text."""
        if record.final:
            return replace(self._with_event(_final_event(record)), final=record)
        held_out = self.held_out.add(record.step, record.bits_per_char)
        state = replace(self, validation=record, held_out=held_out)
        known = math.inf if self.best is None else self.best.bits_per_char
        if not (record.is_best and record.bits_per_char < known):
            return state
        told = state if self.best is None else state._with_event(_best_event(record))
        return replace(told, best=record)

    def _with_event(self, record: Event) -> "DashboardState":
        known = tuple(event for event in self.events if event.elapsed <= record.elapsed)
        return replace(self, events=(*known, record)[-EVENTS_KEPT:])

    def _with_sample(self, record: Sample) -> "DashboardState":
        """A sample joins the others of its step; one of an earlier step makes the later void."""
        if self.writing is not None and self.writing.step == record.step:
            samples = (*self.writing.samples, record)[-SAMPLES_KEPT:]
            return replace(self, writing=Writing(samples))
        known = self.earlier if self.writing is None else (*self.earlier, self.writing)
        earlier = _thinned(tuple(writing for writing in known if writing.step < record.step))
        return replace(self, writing=Writing((record,)), earlier=earlier)


def _yardstick(record: RunStarted) -> Yardstick | None:
    """What a run is measured against; None where that is not known or no loss."""
    level = record.yardstick_bits_per_char
    if level is None or not abs(level) < LARGEST:
        return None
    return Yardstick(record.yardstick, level)


def _best_event(record: Validation) -> Event:
    message = f"new best: {figures.bits(record.bits_per_char)} bits/char"
    return Event("best", record.step, message, record.elapsed)


def _final_event(record: Validation) -> Event:
    bits = figures.bits(record.bits_per_char)
    message = f"final score: {bits} bits/char on the whole validation part"
    return Event("note", record.step, message, record.elapsed)


def _thinned(writings: tuple[Writing, ...]) -> tuple[Writing, ...]:
    """Every second one of too many, the first and the last always among them."""
    if len(writings) <= WRITINGS_KEPT:
        return writings
    return writings[:-1:2] + writings[-1:]
