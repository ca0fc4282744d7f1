"""Panes of figures: which numbers and which events are told."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charnn.records import EVENT_KINDS, Event, Validation
from charnn.view.lines import plain, width_of
from charnn.view.panes import NUMBERS_WIDTH, draw_head, draw_log, draw_numbers, telling
from charnn.view.state import DashboardState

events = st.lists(st.sampled_from(EVENT_KINDS), max_size=30).map(
    lambda kinds: [Event(kind, index, "", float(index)) for index, kind in enumerate(kinds)]
)


def at_the_end(training):
    state = DashboardState()
    for record in training():
        state = state.update(record)
    return state


def numbers(state, rows):
    return [plain(row).split() for row in draw_numbers(state, rows)]


def test_the_final_score_and_the_yardstick_stand_among_the_numbers(training):
    state = at_the_end(training)
    assert numbers(state, 4)[1:] == [
        ["⠂", "validation", "3.635"],
        ["◆", "best", "3.631", "at", "5,400"],
        ["final", "3.610", "(whole)"],
    ]
    assert numbers(state, 20)[-1] == ["╌", "n-gram", "3.607"]
    assert [row[0] for row in numbers(replace(state, final=None, yardstick=None), 20)][3:] == [
        "loss", "perplexity", "rate", "gradient", "memory",
    ]  # fmt: skip


def test_several_networks_stand_in_the_head(training):
    state = at_the_end(training)
    assert " 1x512 lstm " in plain(draw_head(state, 120))
    several = replace(state, started=replace(state.started, networks=3))
    assert " 3x 1x512 lstm " in plain(draw_head(several, 120))
    block = replace(state, started=replace(state.started, feed_forward_size=768))
    assert " 1x512+768 lstm " in plain(draw_head(block, 120))


@pytest.mark.parametrize(
    ("bits", "shown"), [(3.61, "3.610 net 3.725"), (10.61, "10.610"), (None, "3.610")]
)
def test_the_network_alone_stands_beside_the_mixture_where_it_has_room(bits, shown):
    network = None if bits is None else bits + 0.115
    record = Validation(1, 2.0, bits or 3.61, 1.4, 9, 9, True, True, 1.0)
    record = replace(record, network_bits_per_char=network)
    row = draw_numbers(DashboardState().update(record), 2)[1]
    assert plain(row) == f" ⠂ validation {shown}"
    assert width_of(row) < NUMBERS_WIDTH


@given(events, st.integers(-1, 12))
def test_the_log_tells_warnings_longer_than_checkpoints(happened, number):
    told = telling(happened, number)
    assert told == [event for event in happened if event in told]
    assert len(told) == min(len(happened), max(0, number))
    if told:
        assert told[-1] == happened[-1]
    left_out = [event for event in happened if event not in told]
    routine = [event for event in told if event.kind in ("saved", "best")]
    newest = {event.kind: event for event in happened}
    if any(event not in newest.values() for event in routine):  # a repeated one is told
        assert all(event.kind in ("saved", "best") for event in left_out)


def test_a_line_of_the_log_that_is_too_long_says_so():
    state = DashboardState(events=(Event("warning", 1, "저장하지 못했다 " * 9, 3.0),))
    (row,) = draw_log(state, 30, 1)
    assert plain(row).endswith("…")
