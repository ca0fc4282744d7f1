"""Journals as a source of records."""

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charnn.errors import OptionError, RunDamagedError
from charnn.records import (
    Control,
    Event,
    Finished,
    Heartbeat,
    RunStarted,
    Sample,
    StepRecord,
    to_json,
)
from charnn.text.shell import quoted
from charnn.view.dashboard import render
from charnn.view.report import Report
from charnn.view.state import DashboardState
from charnn.view.watch import (
    JournalTail,
    ended,
    follow_run,
    merge_records,
    paced,
    read_run,
    readable_records,
)
from charnn.view.writing import LONGEST_SECONDS

KEPT = {"step": "metrics", "validation": "metrics", "sample": "samples"}


def event(elapsed, message=""):
    return Event("note", int(elapsed), message, float(elapsed))


def append(run, *records):
    for record in records:
        name = KEPT.get(record.tag, "events")
        with (run / f"{name}.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(to_json(record), ensure_ascii=False) + "\n")


def kept(records):
    return [record for record in records if record.tag not in ("preparing", "heartbeat")]


def found_at(run, record):
    """A record of a run that has always lain there."""
    if isinstance(record, RunStarted):
        return replace(record, run=run.name, path=str(run))
    return replace(record, path=str(run)) if isinstance(record, Finished) else record


class Time:
    """A clock that only sleeping moves."""

    def __init__(self):
        self.now = 100.0
        self.slept = []

    def clock(self):
        return self.now

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds


times = st.lists(st.integers(0, 50), max_size=12).map(sorted)


@given(st.lists(times, max_size=4))
@settings(max_examples=80)
def test_merged_records_are_in_order_and_complete(sources):
    named = [[event(at, f"{index}") for at in each] for index, each in enumerate(sources)]
    merged = list(merge_records(*named))
    everything = [record for each in named for record in each]
    assert merged == sorted(everything, key=lambda record: (record.elapsed, record.message))


def test_a_record_without_a_time_follows_the_one_before_it(training):
    started = training(20)[1]
    merged = list(merge_records([event(1), started, event(9)], [event(0), event(5)]))
    assert [getattr(record, "elapsed", None) for record in merged] == [0, 1, None, 5, 9]


def test_a_run_is_read_as_it_was_trained(training, tmp_path):
    records = kept(training())
    append(tmp_path, *records)
    read = list(read_run(tmp_path))
    assert sorted(map(repr, read)) == sorted(map(repr, records))
    elapsed = [record.elapsed for record in read if hasattr(record, "elapsed")]
    assert elapsed == sorted(elapsed)
    assert list(read_run(tmp_path / "nowhere")) == []


@pytest.mark.parametrize(("speed", "waited"), [(1.0, 4.0), (2.0, 2.0), (float("inf"), 0.0)])
def test_a_replay_takes_its_time(speed, waited):
    time = Time()
    records = [event(10), event(11), event(14)]
    played = paced(records, Control(), speed=speed, clock=time.clock, sleep=time.sleep)
    assert list(played) == records
    assert time.now - 100.0 == pytest.approx(waited)
    assert all(seconds <= 0.1 for seconds in time.slept)


def test_a_replay_can_be_stopped():
    time, control = Time(), Control()
    played = paced([event(0), event(1000)], control, clock=time.clock, sleep=time.sleep)
    assert next(played) == event(0)
    control.stop()
    assert list(played) == []


def test_a_replay_can_be_paused_and_goes_on_where_it_was():
    time, control = Time(), Control()

    def waiting(seconds):
        time.now += seconds
        return True

    control.wait_while_paused = waiting
    played = paced([event(0), event(1)], control, clock=time.clock, sleep=time.sleep)
    assert next(played) == event(0)
    control.pause()
    beats = [next(played) for _ in range(3)]
    assert beats == [Heartbeat(0, True, pytest.approx(0.0))] * 3
    control.resume()
    assert list(played) == [Heartbeat(0, False, pytest.approx(0.0)), event(1)]
    assert time.now - 100.0 == pytest.approx(1.3)


@pytest.mark.parametrize("speed", [0, -1.0, float("nan")])
def test_a_speed_has_to_be_positive(speed):
    with pytest.raises(OptionError, match=f"^speed must be > 0, got {speed}$"):
        list(paced([], Control(), speed=speed))


def test_a_run_is_followed_until_it_has_finished(training, tmp_path):
    records = kept(training())
    control, polls = Control(), []

    def sleep(seconds):
        polls.append(seconds)
        append(tmp_path, *records[50 * len(polls) : 50 * (len(polls) + 1)])

    def alive():
        return 50 * (len(polls) + 1) < len(records)

    append(tmp_path, *records[:50])
    followed = list(follow_run(tmp_path, control, alive=alive, sleep=sleep))
    assert sorted(map(repr, followed)) == sorted(map(repr, records))
    assert len(polls) == (len(records) - 1) // 50


def test_following_ends_when_nobody_trains_or_nobody_watches(tmp_path):
    append(tmp_path, event(1))
    control = Control()
    assert list(follow_run(tmp_path, control, alive=lambda: False, sleep=None)) == [event(1)]
    control.stop()
    assert list(follow_run(tmp_path, control, alive=lambda: True, sleep=None)) == []


def test_a_picture_that_is_held_takes_up_nothing_until_it_goes_on(tmp_path):
    control, waits, polls = Control(), [], iter(range(9))

    def waiting(seconds):
        waits.append(seconds)
        append(tmp_path, event(5 + len(waits)))
        return True

    control.wait_while_paused = waiting
    append(tmp_path, event(5))
    following = follow_run(tmp_path, control, alive=lambda: not waits, sleep=lambda _: next(polls))
    assert next(following) == event(5)
    control.pause()
    assert [next(following) for _ in range(3)] == [Heartbeat(5, True, 5.0)] * 3
    control.resume()
    assert list(following) == [Heartbeat(5, False, 5.0), event(6), event(7), event(8)]


def test_who_leaves_while_the_picture_is_held_sees_nothing_more(tmp_path):
    control = Control()
    append(tmp_path, event(5))
    following = follow_run(tmp_path, control, alive=lambda: True, sleep=None)
    control.pause()
    assert next(following) == Heartbeat(0, True, 0.0)
    control.stop()
    assert list(following) == [Heartbeat(0, False, 0.0)]


@pytest.mark.parametrize("reason", ["stopped", "done"])
def test_a_run_that_was_resumed_after_its_end_is_followed_on(training, tmp_path, reason):
    """What is there first is the end of the session before; the lock is held already."""
    before = [*kept(training(1000)), Finished(1000, reason, 3.0, 3.0, 900, 50.5, "story")]
    more = [Event("resumed", 1000, "more from step 1,000", 50.0), event(51)]
    polls = []

    def sleep(seconds):
        polls.append(seconds)
        append(tmp_path, *[more, [replace(before[-1], elapsed=52.0)]][len(polls) - 1])

    append(tmp_path, *before)
    following = follow_run(tmp_path, Control(), alive=lambda: len(polls) < 2, sleep=sleep)
    followed = list(following)
    assert followed[len(before) - 1 :] == [before[-1], *more, replace(before[-1], elapsed=52.0)]
    assert len(polls) == 2


@pytest.mark.parametrize(("alive", "said"), [(True, "still training"), (False, "broken off")])
def test_a_run_that_was_resumed_after_its_end_has_not_finished(training, tmp_path, alive, said):
    resumed = Event("resumed", 6000, "more from step 6,000", 300.0)
    *_, end = ended([*kept(training()), resumed], tmp_path, Control(), alive=lambda: alive)
    state, report = DashboardState(), Report()
    for record in [*training(), resumed]:
        state, report = state.update(record), report.update(record)
    assert report.lines() == []
    assert "finished" not in (shown := render(state, 80, 24, 301.0).text())
    assert "scoring" not in shown
    assert said in "\n".join(report.update(end).lines())


@pytest.mark.parametrize(("alive", "reason"), [(True, "training"), (False, "broken off")])
def test_a_run_that_has_not_finished_is_given_an_end(training, tmp_path, alive, reason):
    records = kept(training(3000))
    *same, end = ended(records, tmp_path, Control(), alive=lambda: alive)
    assert same == [found_at(tmp_path, record) for record in records]
    best = max((r for r in records if r.tag == "validation"), key=lambda r: r.step)
    bits = best.bits_per_char
    assert end == Finished(3000, reason, bits, bits, best.step, 150.0, str(tmp_path))
    state = DashboardState()
    for record in (*same, end):
        state = state.update(record)
    words = {"training": "still training", "broken off": "broken off"}[reason]
    frames = {render(state, 80, 24, now).text() for now in (150.0 + LONGEST_SECONDS, 1e6)}
    assert len(frames) == 1  # time stands still
    assert f" {words} · step 3,000 of 6,000" in frames.pop()


def test_a_run_that_has_finished_keeps_its_end(training, tmp_path):
    records = kept(training())
    same = [found_at(tmp_path, record) for record in records]
    assert list(ended(records, tmp_path, Control(), alive=lambda: False)) == same
    assert list(ended([], tmp_path, Control(), alive=lambda: False)) == [
        Finished(0, "broken off", None, None, None, 0.0, str(tmp_path))
    ]


def test_who_leaves_a_replay_is_not_told_an_end(training, tmp_path):
    records, control = kept(training(100)), Control()
    control.stop()
    same = [found_at(tmp_path, record) for record in records]
    assert list(ended(records, tmp_path, control, alive=lambda: False)) == same


@pytest.mark.parametrize("reason", ["done", "stopped"])
def test_a_run_that_was_renamed_or_shared_is_told_of_as_it_is_called_now(
    training, tmp_path, reason
):
    records = [*kept(training(1000)), Finished(1000, reason, 3.0, 3.0, 900, 50.0, "checkpoints/a")]
    folder, file = tmp_path / "b", tmp_path / "my run.charnn"
    folder.mkdir()
    file.touch()
    for run in (folder, file):
        report = Report()
        for record in ended(records, run, Control(), alive=lambda: False):
            report = report.update(record)
        said = "\n".join(report.lines())
        assert said.startswith(f"{run.name}: ")
        assert f"charnn generate -m {quoted(str(run))} " in said
        assert "checkpoints/a" not in said
        assert ("charnn train --resume" in said) is (reason == "stopped" and run == folder)


def test_only_what_was_added_is_read_and_a_torn_line_waits(tmp_path):
    tail = JournalTail(tmp_path)
    assert list(tail.read()) == []
    append(tmp_path, event(1), event(2))
    assert list(tail.read()) == [event(1), event(2)]
    path = tmp_path / "events.jsonl"
    line = json.dumps(to_json(event(3)))
    with path.open("a", encoding="utf-8") as file:
        file.write(line[:10])
    assert list(tail.read()) == []
    with path.open("a", encoding="utf-8") as file:
        file.write(line[10:] + "\n")
    assert list(tail.read()) == [event(3)]


def test_a_journal_that_was_cut_is_read_again(tmp_path):
    tail = JournalTail(tmp_path)
    append(tmp_path, event(1, "long " * 20), event(2))
    assert len(list(tail.read())) == 2
    (tmp_path / "events.jsonl").unlink()
    append(tmp_path, event(1, "again"))
    assert list(tail.read()) == [event(1, "again")]
    (tmp_path / "events.jsonl").unlink()
    append(tmp_path, event(1, "long " * 30), event(2))  # longer than before, cut inside a line
    assert list(tail.read()) == [event(1, "long " * 30), event(2)]


def test_a_damaged_journal_is_told(tmp_path):
    (tmp_path / "events.jsonl").write_text("no json\n", encoding="utf-8")
    with pytest.raises(RunDamagedError):
        list(JournalTail(tmp_path).read())


def test_types_survive_the_journals(tmp_path, sample_at):
    step = StepRecord(1, 0.1, 2.0, 3.0, 0.1, 0.5, 10.0, 1.5, None, 7)
    append(tmp_path, sample_at(5), step)
    read = list(read_run(tmp_path))
    assert {type(record) for record in read} == {Sample, StepRecord}


def test_what_can_be_read_of_a_damaged_journal(training, tmp_path):
    records = kept(training())
    append(tmp_path, *records)
    path = tmp_path / "metrics.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:3], b"{}\n", *lines[3:]]))
    (tmp_path / "samples.jsonl").write_bytes(bytes(9) + b"\n")
    with pytest.raises(RunDamagedError):
        list(read_run(tmp_path))
    read = list(readable_records(tmp_path))
    of_events = [r for r in records if r.tag not in ("step", "validation", "sample")]
    assert len(read) == 3 + len(of_events)
    assert [r for r in read if r.tag in ("step", "validation")] == [
        r for r in records if r.tag in ("step", "validation")
    ][:3]
