"""Plain lines: one per interval, tidy, safe, and never a reason to stop."""

import io
import os
from dataclasses import replace
from pathlib import Path

import pytest

from charnn.records import (
    Event,
    Heartbeat,
    PlanFixed,
    Preparing,
    RunStarted,
    Sample,
    StepRecord,
    Validation,
)
from charnn.view.display_text import cell_width
from charnn.view.plain import PlainView

GOLDEN = Path(__file__).parent / "golden" / "plain.txt"


def lines_of(records, **options):
    stream = io.StringIO()
    with PlainView(stream, **options) as view:
        for record in records:
            view.show(record)
    return stream.getvalue().splitlines()


def step(number, elapsed, bits=3.0, remaining=None):
    return StepRecord(number, 0.5, 2.0, bits, 0.003, 0.7, 1234.5, elapsed, remaining, 10**9)


def test_the_head_of_a_run(training):
    assert lines_of(training(20))[:4] == [
        "reading: 100% of 311K characters",
        "    run  story in checkpoints/story",
        "   text  이야기.txt, 311,204 characters, char tokenizer with 1,703 tokens",
        "  model  1 x 512 lstm, 2.41M parameters, cpu bf16, 2 threads, seed 1",
    ]
    plan = [line for line in lines_of(training(20)) if "plan" in line]
    assert plan == ["   plan  6,000 steps in 5:00 (12.5 epochs) of 32 x 64 tokens, rate 0.008"]


def test_the_head_of_a_run_of_several_networks(training):
    records = [
        replace(record, networks=3, feed_forward_size=768)
        if isinstance(record, RunStarted)
        else record
        for record in training(20)
    ]
    assert lines_of(records)[3] == (
        "  model  3 networks of 1 x 512 lstm + 768, 2.41M parameters, cpu bf16, 2 threads, seed 1"
    )


def test_a_whole_run_as_golden_lines(training):
    """CHARNN_WRITE_GOLDEN=1 writes what is said now, to be looked at before it is kept."""
    lines = lines_of(training(), width=100)
    assert all(cell_width(line) <= 100 for line in lines)
    if os.environ.get("CHARNN_WRITE_GOLDEN"):
        GOLDEN.write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert lines == GOLDEN.read_text(encoding="utf-8").splitlines()


def test_steps_come_once_per_interval_of_their_own_clock():
    lines = lines_of([step(number, number / 2) for number in range(1, 201)], interval=10.0)
    assert [line.split()[0] for line in lines] == [f"0:{n:02}" for n in range(0, 60, 10)] + [
        "1:00", "1:10", "1:20", "1:30",
    ]  # fmt: skip


def test_a_long_run_says_less():
    lines = lines_of([step(number, number * 10.0) for number in range(1, 3001)])
    assert len(lines) < 300


def test_columns_give_way_where_it_is_narrow():
    record = step(1000, 60.0, remaining=30.0)
    (wide,) = lines_of([record])
    assert wide == (
        "   1:00  step    1,000   3.000 bits/char     1,234 chars/s     0:30 left"
        "  epoch  0.50  rate 0.003"
    )
    assert lines_of([record], width=80) == [wide[:72]]
    assert lines_of([record], width=40) == [wide[:40].rstrip()]


@pytest.mark.parametrize(
    ("width", "told"),
    [
        (39, "1:00  1,000  3.000 bits"),
        (23, "1:00  1,000  3.000 bits"),
        (20, "1,000  3.000 bits"),
        (14, "1,000  3.000 …"),
    ],
)
def test_step_and_loss_come_first_where_it_is_very_narrow(width, told):
    assert lines_of([step(1000, 60.0, remaining=30.0)], width=width) == [told]


def test_a_very_narrow_log_is_tidy(training, shown):
    lines = lines_of(training(600), width=20)[1:]
    assert {"20  11.653 bits", "300  5.620 bits in …", "checkpoint saved at…"} <= set(lines)
    assert all(cell_width(text) <= 20 and shown(text) for text in lines)


def test_a_line_is_the_mean_over_its_steps():
    records = [step(10, 0.0, 4.0), step(20, 5.0, 3.0), step(40, 10.0, 6.0)]
    assert [line.split()[3] for line in lines_of(records)] == ["4.000", "5.000"]


def test_samples_are_wrapped_cut_and_safe(shown):
    text = "가나다라 마바사 " * 40 + "\x1b[2J\u202e"
    sample = Sample(7, 0.8, "앞", ((text, 3.0),), 1, 4.0)
    lines = lines_of([sample], width=44)
    assert lines[0] == "   0:04  sample at step 7, temperature 0.8"
    assert len(lines) == 6 and lines[-1].strip() == "…"
    assert all(cell_width(line) <= 44 and shown(line) for line in lines)


def test_validation_of_the_whole_part_and_events_with_their_kinds():
    whole = Validation(50, 2.0, 3.0, 1.1, 100, 100, True, False, 9.0)
    lines = lines_of([whole, Event("resumed", 50, "going on\nfrom 50", 9.0)])
    assert lines == [
        "   0:09  step       50   3.000 bits/char in validation",
        "   0:09  resumed: going on from 50",
    ]


def test_preparations_are_told_when_they_begin_and_then_now_and_then():
    times = iter([0.0, 1.0, 10.0, 11.0, 12.0])
    records = [
        Preparing("reading", 0, 100, "bytes"),
        Preparing("reading", 50, 100, "bytes"),
        Preparing("reading", 80, 100, "bytes"),
        Preparing("counting", 0, None),
        Preparing("planning", 3, None, "steps"),
    ]
    assert lines_of(records, clock=lambda: next(times)) == [
        "reading: 0% of 100 bytes",
        "reading: 80% of 100 bytes",
        "counting",
        "planning: 3 steps",
    ]


def test_a_pause_is_told_once():
    beats = [Heartbeat(5, True, 1.0), Heartbeat(5, True, 2.0)]
    assert lines_of([*beats, step(6, 3.0), *beats]).count("   0:01  paused at step 5") == 2


def test_colour_dims_the_times_alone():
    (line,) = lines_of([Event("note", 1, "hello", 5.0)], colour=True)
    assert line == "\x1b[2m   0:05\x1b[0m  hello"


@pytest.mark.parametrize("error", [BrokenPipeError, ValueError, OSError])
def test_a_stream_that_is_gone_does_not_end_the_training(error):
    class Gone(io.StringIO):
        writes = 0

        def write(self, text):
            self.writes += 1
            raise error

    stream = Gone()
    view = PlainView(stream)
    assert not view.gone
    for number in range(3):
        view.show(step(number, number * 100.0))
    assert stream.writes == 1
    assert view.gone
    view.close()
    view.close()


def test_a_plan_that_was_revised_is_told_in_a_few_words():
    plan = PlanFixed(4000, 100, 16, 64, 7e-3, 200, 160, 500, 500, seconds=300.0)
    first, second = lines_of([plan, replace(plan, total_steps=1)])
    assert "4,000 steps in 5:00" in first
    assert second == "   plan  1 step now, to end in time"


def test_the_plan_of_a_session_is_not_that_of_the_one_before_revised():
    plan = PlanFixed(4000, 100, 16, 64, 7e-3, 200, 160, 500, 500, seconds=300.0)
    more = replace(plan, total_steps=9000)
    said = lines_of([plan, Event("resumed", 4000, "more from step 4,000", 300.0), more, plan])
    assert said[1] == "   5:00  resumed: more from step 4,000"
    assert "9,000 steps in 5:00" in said[2]
    assert said[3] == "   plan  4,000 steps now, to end in time"
