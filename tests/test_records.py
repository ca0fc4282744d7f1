"""Records as JSON and back, and what Control promises to threads and signal handlers."""

import itertools
import json
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import MISSING, FrozenInstanceError, fields
from functools import partial
from types import FrameType, NoneType
from typing import Any, get_args, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charnn.errors import OptionError
from charnn.records import (
    EVENT_KINDS,
    Control,
    Event,
    Heartbeat,
    PlanFixed,
    Preparing,
    Record,
    RunStarted,
    Sample,
    Validation,
    from_json,
    to_json,
)

KINDS = get_args(Record)
TEXTS = st.text(max_size=5)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
PIECES = st.lists(st.tuples(TEXTS, NUMBERS), max_size=3).map(tuple)
VALUES: dict[Any, st.SearchStrategy[Any]] = {
    str: TEXTS,
    bool: st.booleans(),
    int: st.integers(),
    float: NUMBERS,
    NoneType: st.none(),
    tuple[tuple[str, float], ...]: PIECES,
}


def records_of(kind: type[Any]) -> st.SearchStrategy[Any]:
    """Records of a kind with any value that its fields may have."""
    hints = get_type_hints(kind)
    values = {}
    for field in fields(kind):
        hint = hints[field.name]
        kinds = [hint] if hint in VALUES else get_args(hint)
        values[field.name] = st.one_of([VALUES[each] for each in kinds])
    return st.builds(kind, **values)


RECORDS = st.one_of([records_of(kind) for kind in KINDS])


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.tag)
def test_every_kind_comes_back_through_json_text(kind):
    @settings(max_examples=20)
    @given(records_of(kind))
    def check(record):
        back = from_json(json.loads(json.dumps(to_json(record))))
        assert back == record
        assert type(back) is kind

    check()


def test_tags_are_told_apart():
    assert len({kind.tag for kind in KINDS}) == len(KINDS) == 9


@settings(max_examples=30)
@given(RECORDS, st.dictionaries(TEXTS.map(lambda name: f"new {name}"), st.integers(), max_size=3))
def test_keys_of_a_later_version_are_ignored(record, unknown):
    assert from_json({**to_json(record), **unknown}) == record


@settings(max_examples=30)
@given(RECORDS)
def test_the_json_object_is_the_fields_and_the_tag(record):
    names = ["record", *(field.name for field in fields(record))]
    assert list(to_json(record)) == names


def test_fields_with_a_default_may_be_missing():
    assert from_json({"record": "preparing", "stage": "reading", "done": 3}) == Preparing(
        "reading", 3, None, "characters"
    )
    defaults = {
        (kind.tag, field.name)
        for kind in KINDS
        for field in fields(kind)
        if field.default is not MISSING
    }
    assert defaults == {
        *((Preparing.tag, name) for name in ("total", "unit")),
        *(
            (RunStarted.tag, name)
            for name in (
                *("resumed_at", "yardstick", "yardstick_bits_per_char", "networks"),
                "feed_forward_size",
            )
        ),
        (PlanFixed.tag, "seconds"),
        *((Validation.tag, name) for name in ("final", "network_bits_per_char")),
    }


@pytest.mark.parametrize("tag", [None, "", "steps", 7, ["step"]])
def test_what_names_no_record_is_refused(tag):
    tags = "preparing, started, plan, step, validation, sample, event, heartbeat, finished"
    with pytest.raises(OptionError) as error:
        from_json({"record": tag})
    assert str(error.value) == f"record must be one of {tags}, got {tag!r}"


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.tag)
def test_every_field_without_a_default_is_needed(kind):
    needed = {field.name: None for field in fields(kind) if field.default is MISSING}
    for name in needed:
        data = {"record": kind.tag, **{n: () for n in needed if n != name}}
        with pytest.raises(OptionError) as error:
            from_json(data)
        assert str(error.value) == (
            f"record {kind.tag!r} is incomplete: {kind.__name__}.__init__() missing 1 required "
            f"positional argument: {name!r}"
        )


@pytest.mark.parametrize(
    "pieces", [3, None, [3], ["a"], [["a"]], [["a", "b", "c"]], [["a", "x"]], [["a", 10**400]]]
)
def test_pieces_that_are_none_are_refused(pieces):
    data = {**to_json(Sample(1, 0.8, "", (("a", 1.0),), 1, 0.5)), "pieces": pieces}
    with pytest.raises(OptionError) as error:
        from_json(data)
    assert str(error.value) == f"record 'sample' has pieces that are none: {pieces!r:.40}"


def test_the_text_of_a_sample_is_its_pieces_without_the_prompt():
    sample = Sample(7, 0.8, "형식은", (("달", 3.0), ("빛이", 1.5)), 1, 2.0)
    assert sample.text == "달빛이"


def test_records_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        Heartbeat(1, False, 0.0).step = 2


def test_kinds_of_events_are_told_once():
    assert len(set(EVENT_KINDS)) == len(EVENT_KINDS)
    assert Event("note", 0, "", 0.0).kind in EVENT_KINDS


# -- Control ------------------------------------------------------------------------------------


def test_a_control_begins_with_nothing_asked():
    control = Control()
    assert (control.temperature, control.sample_length) == (0.8, 300)
    assert not control.stopping
    assert not control.paused
    assert not control.take_sample_request()
    assert control.wait_while_paused(60) is False


def test_pause_and_resume_may_be_repeated():
    control = Control()
    control.pause()
    control.pause()
    assert control.paused
    assert control.wait_while_paused(0) is True
    control.resume()
    control.resume()
    assert not control.paused


def test_stop_ends_a_pause_and_none_begins_after_it():
    control = Control()
    control.pause()
    control.stop()
    assert control.stopping
    assert not control.paused
    control.pause()
    assert not control.paused
    assert control.wait_while_paused(60) is False


def test_requests_for_samples_between_two_looks_count_once():
    control = Control(temperature=0.5, sample_length=20)
    for _ in range(3):
        control.sample_now()
    assert control.take_sample_request()
    assert not control.take_sample_request()
    control.sample_now()
    assert control.take_sample_request()


@pytest.mark.parametrize("wake", ["resume", "stop"])
def test_another_thread_ends_the_wait(wake):
    control = Control()
    control.pause()
    waiting = threading.Event()
    still_paused: list[bool] = []

    def wait() -> None:
        waiting.set()
        still_paused.append(control.wait_while_paused(60))

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    assert waiting.wait(10)
    getattr(control, wake)()
    thread.join(10)
    assert still_paused == [False]


def test_a_wait_that_is_not_ended_ends_by_itself():
    control = Control()
    control.pause()
    started = time.monotonic()
    assert control.wait_while_paused(0.05) is True
    assert time.monotonic() - started >= 0.05


def test_no_request_of_many_threads_is_lost_at_the_end():
    control = Control()
    go = threading.Barrier(5)

    def ask() -> None:
        go.wait()
        for _ in range(200):
            control.sample_now()

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    go.wait()
    while any(thread.is_alive() for thread in threads):
        control.take_sample_request()
    control.sample_now()
    assert control.take_sample_request()
    assert not control.take_sample_request()


def interrupted(work: Callable[[], object], line: int, handler: Callable[[], object]) -> bool:
    """Do `work`, with `handler` in its midst before its `line`-th line, as a signal comes.

    Returns:
        Whether there was such a line.
    """
    seen, done = 0, threading.Event()

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal seen
        if event == "line":
            seen += 1
            if seen == line:
                sys.settrace(None)
                handler()
        return trace

    def run() -> None:
        sys.settrace(trace)
        work()
        sys.settrace(None)
        done.set()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(5)
    assert done.is_set(), f"blocked by a signal before line {line}"
    return seen >= line


OPERATIONS = ["stop", "pause", "resume", "sample_now", "take_sample_request"]


@pytest.mark.parametrize("handler", OPERATIONS)
@pytest.mark.parametrize("work", [*OPERATIONS, "wait_while_paused"])
def test_a_signal_handler_may_use_it_in_the_midst_of_anything(work, handler):
    for line in itertools.count(1):
        control = Control()
        if work != "pause":
            control.pause()
        doing = getattr(control, work)
        if work == "wait_while_paused":
            doing = partial(doing, 0.001)
        if not interrupted(doing, line, getattr(control, handler)):
            assert line > 1
            return
        if handler == "stop":
            assert control.stopping
            assert not control.paused
        if handler == "sample_now" and work != "take_sample_request":
            assert control.take_sample_request()


def test_a_sample_asked_for_in_the_midst_of_a_look_is_not_lost():
    for line in itertools.count(1):
        control = Control()
        taken: list[bool] = []
        look = partial(lambda c, t: t.append(c.take_sample_request()), control, taken)
        if not interrupted(look, line, control.sample_now):
            assert line > 1
            return
        assert [*taken, control.take_sample_request()].count(True) == 1
