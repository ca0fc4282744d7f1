"""The reduction of records to what a dashboard knows."""

from dataclasses import fields, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charnn.records import (
    Event,
    Finished,
    Heartbeat,
    PlanFixed,
    Preparing,
    RunStarted,
    Sample,
    StepRecord,
    Validation,
)
from charnn.view.dashboard import render
from charnn.view.keyline import Keyboard
from charnn.view.report import Report
from charnn.view.state import (
    EVENTS_KEPT,
    SAMPLES_KEPT,
    WRITINGS_KEPT,
    DashboardState,
    Yardstick,
)

KINDS = (
    Event, Finished, Heartbeat, PlanFixed, Preparing, RunStarted, Sample, StepRecord, Validation,
)  # fmt: skip
numbers = st.one_of(
    st.floats(), st.integers(-10, 10**6).map(float), st.sampled_from([1e300, -1e300, 1e6, 0.0])
)
VALUES = {
    int: st.one_of(st.integers(-3, 10**6), st.integers(-(2**62), 2**62)),
    float: numbers,
    bool: st.booleans(),
    str: st.text(max_size=12),
    float | None: st.none() | numbers,
    int | None: st.none() | st.integers(-3, 2**62),
    tuple[tuple[str, float], ...]: st.lists(
        st.tuples(st.text(max_size=4), numbers), max_size=20
    ).map(tuple),
}
records = st.sampled_from(KINDS).flatmap(
    lambda kind: st.builds(kind, **{field.name: VALUES[field.type] for field in fields(kind)})
)
STARTED = RunStarted("r", "p", "c", 1, "char", 2, "lstm", 1, 2, 2, 9, "cpu", "fp32", 1, 0, 10)


def reduced(*entries):
    state = DashboardState()
    for record in entries:
        state = state.update(record)
    return state


def sample(step, temperature=0.8, elapsed=1.0):
    return Sample(step, temperature, "", (("글", 1.0),), 1, elapsed)


def validation(step, bits, is_best):
    return Validation(step, bits, bits, bits, 10, 10, False, is_best, float(step))


@given(
    st.lists(records, max_size=12),
    st.integers(1, 200),
    st.integers(1, 60),
    st.floats(),
    st.booleans(),
)
@settings(max_examples=150)
def test_any_records_can_be_reduced_and_drawn(shown, entries, width, height, now, open_):
    state, report = reduced(*entries), Report()
    for record in entries:
        report = report.update(record)
    keyboard = Keyboard(help_open=open_)
    frame = render(state, width, height, now, keyboard=keyboard).text()
    assert len(frame.split("\n")) == height
    assert shown(frame.replace("\n", ""))
    assert all(shown(line) for line in report.lines(width))


def test_the_synthetic_training_is_known_at_its_end(training):
    state = reduced(*training())
    assert state.steps_done == 6000
    assert state.elapsed == 300.0
    assert state.finished.reason == "done"
    assert state.best.step == 5400
    assert state.writing.step == 6000
    assert [each.temperature for each in state.writing.samples] == [0.5, 0.8, 1.0]
    assert [each.step for each in state.earlier] == list(range(0, 6000, 400))
    kinds = [event.kind for event in state.events]
    assert (kinds.count("saved"), kinds.count("best"), len(kinds)) == (10, 17, 29)
    assert state.final.bits_per_char == 3.61
    assert state.preparing is None


def test_states_are_values_that_do_not_change(training):
    entries = training(1000)
    before = reduced(*entries)
    shown = render(before, 80, 24, 60.0).text()
    before.update(sample(2000))
    assert render(before, 80, 24, 60.0).text() == shown


def test_samples_of_a_step_belong_together():
    state = reduced(sample(0), sample(10, 0.5), sample(10, 1.0), sample(10, 0.8))
    assert [each.temperature for each in state.writing.samples] == [0.5, 1.0, 0.8]
    assert state.writing.middle().temperature == 0.8
    assert [each.step for each in state.earlier] == [0]
    many = reduced(*[sample(10)] * 20)
    assert len(many.writing.samples) == SAMPLES_KEPT


def test_earlier_writings_are_thinned_but_keep_their_ends():
    state = reduced(*[sample(step) for step in range(1000)])
    steps = [each.step for each in state.earlier]
    assert len(steps) <= WRITINGS_KEPT
    assert steps[0] == 0 and steps[-1] == 998
    assert steps == sorted(steps)


def test_what_a_resumed_run_does_again_is_forgotten():
    step = StepRecord(0, 1.0, 2.0, 3.0, 0.1, 1.0, 1.0, 0.0, None, 0)
    first = [
        replace(step, step=10, elapsed=1.0),
        sample(10, elapsed=1.0),
        replace(step, step=20, elapsed=2.0),
        sample(20, elapsed=2.0),
        Event("saved", 20, "saved", 2.0),
        Event("note", 20, "lost", 2.5),
    ]
    again = [
        STARTED,
        Event("resumed", 10, "going on", 1.0),
        replace(step, step=15, elapsed=1.5),
        sample(15, elapsed=1.5),
    ]
    state = reduced(*first, *again)
    assert [point.step for point in state.training.curve.points] == [10, 15]
    assert [each.step for each in state.earlier] == [10]
    assert [each.message for each in state.events] == ["going on"]


def test_a_new_best_is_told_but_not_the_first_one():
    state = reduced(validation(0, 9.0, True), validation(10, 5.0, True), validation(20, 5.5, False))
    assert [event.message for event in state.events] == ["new best: 5.000 bits/char"]
    assert [(event.kind, event.step, event.elapsed) for event in state.events] == [("best", 10, 10)]


@given(st.floats(0.5, 6))
def test_the_final_score_is_no_point_of_the_curve_and_no_new_best(bits):
    before = reduced(validation(10, 3.0, True), validation(20, 3.1, False))
    state = before.update(Validation(20, bits, bits, bits, 99, 99, True, True, 21.0, final=True))
    assert state.held_out is before.held_out
    assert (state.best, state.validation) == (before.best, before.validation)
    assert state.final.bits_per_char == bits
    assert [event.message for event in state.events] == [
        f"final score: {bits:.3f} bits/char on the whole validation part"
    ]


@pytest.mark.parametrize("begins", [STARTED, Event("resumed", 20, "more", 20.0)])
def test_a_run_that_goes_on_has_no_final_score_and_no_end_yet(begins):
    final = replace(validation(20, 3.0, False), final=True)
    end = Finished(20, "done", 3.0, 3.0, 20, 20.0, "p")
    state = reduced(final, end)
    assert (state.final, state.finished) == (final, end)
    assert (state.update(begins).final, state.update(begins).finished) == (None, None)
    assert state.update(Event("note", 20, "", 20.0)).finished == end


@pytest.mark.parametrize(("step", "known"), [(6000, False), (3000, True)])
@pytest.mark.parametrize("kind", ["started", "resumed"])
def test_a_plan_that_is_fulfilled_is_not_that_of_the_rest(training, kind, step, known):
    started = replace(STARTED, resumed_at=step)
    begins = started if kind == "started" else Event("resumed", step, "going on", 300.0)
    assert (reduced(*training(step), begins).plan is not None) is known


def test_best_is_the_first_of_equals():
    state = reduced(
        validation(10, 3.0, True), validation(20, 3.1, False), validation(30, 3.0, True)
    )
    assert state.best.step == 10
    assert state.validation.step == 30
    assert reduced(validation(10, 3.0, True), validation(20, 2.9, True)).best.step == 20


def test_pausing_comes_and_goes():
    paused = reduced(Heartbeat(5, True, 1.0))
    assert paused.paused
    assert not paused.update(Heartbeat(5, False, 2.0)).paused


def test_the_newest_step_is_known_from_whatever_tells_of_it():
    state = reduced(validation(40, 3.0, True), sample(50), Heartbeat(57, True, 2.0))
    assert state.steps_done == 57
    assert state.update(STARTED).steps_done == STARTED.resumed_at == 10


def test_events_are_bounded():
    state = reduced(*[Event("note", step, "", float(step)) for step in range(EVENTS_KEPT + 7)])
    assert len(state.events) == EVENTS_KEPT
    assert state.events[-1].step == EVENTS_KEPT + 6


def test_a_yardstick_comes_with_the_head_and_stays_when_a_run_goes_on(training):
    state = reduced(*training(3000))
    assert state.yardstick == Yardstick("n-gram", 3.607)
    assert state.update(STARTED).yardstick == Yardstick("n-gram", 3.607)
    assert reduced(STARTED).yardstick is None
    named = replace(STARTED, yardstick="ppmd", yardstick_bits_per_char=2.5)
    assert state.update(named).yardstick == Yardstick("ppmd", 2.5)


@pytest.mark.parametrize("level", [float("nan"), float("inf"), -1e300])
def test_a_yardstick_that_is_no_loss_is_none(level):
    assert reduced(replace(STARTED, yardstick_bits_per_char=level)).yardstick is None
