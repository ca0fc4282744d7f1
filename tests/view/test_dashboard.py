"""Whole frames: golden ones at fixed sizes, and what holds at every size."""

import io
import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from charnn.records import Event, Heartbeat, Preparing, RunStarted, Sample
from charnn.view.dashboard import Heights, heights, render
from charnn.view.keyline import Keyboard
from charnn.view.lines import plain, width_of
from charnn.view.state import DashboardState

GOLDEN = Path(__file__).parent / "golden"
SIZES = [(80, 24), (120, 40), (40, 12), (20, 5), (300, 100)]
KEYS = Keyboard()


def reduced(records):
    state = DashboardState()
    for record in records:
        state = state.update(record)
    return state


@pytest.fixture(scope="module")
def midway(training):
    """The synthetic training at step 3,600 of 6,000, as it has just written a sample."""
    return reduced(training(3600))


@pytest.mark.parametrize(("width", "height"), SIZES, ids=[f"{w}x{h}" for w, h in SIZES])
def test_golden_frames(midway, width, height):
    """CHARNN_WRITE_GOLDEN=1 writes what is drawn now, to be looked at before it is kept."""
    compare(render(midway, width, height, 184.0, keyboard=KEYS), f"{width}x{height}")


def test_golden_frame_of_the_end(training):
    """The final score is a number of its own: not the curve's end, and no new best."""
    compare(render(reduced(training()), 80, 24, 999.0, keyboard=KEYS), "80x24-end")


def compare(frame, name):
    """Hold a frame against the golden one of a name."""
    drawn = frame.text() + "\n"
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("CHARNN_WRITE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(drawn, encoding="utf-8")
    assert drawn == path.read_text(encoding="utf-8")


def test_frames_are_functions_of_records_size_and_clock(training):
    first, second = (reduced(training(2000)) for _ in range(2))
    for now in (100.0, 101.5, 130.0):
        one = render(first, 90, 30, now, keyboard=KEYS)
        assert one.text() == render(second, 90, 30, now, keyboard=KEYS).text()


@given(st.integers(1, 310), st.integers(1, 110), st.sampled_from([None, KEYS]), st.booleans())
@settings(max_examples=120)
def test_every_size_is_filled_exactly(shown, midway, width, height, keyboard, colour):
    frame = render(midway, width, height, 183.0, keyboard=keyboard, colour=colour)
    assert len(frame.lines) == height
    assert all(width_of(row) <= width and shown(plain(row)) for row in frame.lines)


def test_rich_draws_the_lines_as_they_are(midway):
    frame = render(midway, 80, 24, 183.0, keyboard=KEYS)
    console = Console(
        file=io.StringIO(), width=80, height=24, force_terminal=True, color_system=None
    )
    console.print(frame, end="")
    lines = console.file.getvalue().split("\n")
    assert [text.rstrip(" ") for text in lines] == frame.text().split("\n")


def test_nothing_stands_to_the_right_of_generated_text(midway):
    for width, height in SIZES:
        frame = render(midway, width, height, 400.0, keyboard=KEYS)
        for row in frame.lines:
            _, found, beyond = plain(row).partition("저녁이었다")
            if found:
                assert not any(mark in beyond for mark in "│┤─■")  # no frame, axis or rule


def test_side_by_side_the_text_is_at_the_right(midway):
    frame = render(midway, 200, 50, 400.0, keyboard=KEYS).text()
    row = next(text for text in frame.split("\n") if "순영은 우물가에" in text)
    assert row.index("순영은") > 80


@given(st.integers(1, 200), st.booleans(), st.booleans())
@settings(max_examples=100)
def test_heights_add_up_and_grow_with_the_frame(height, curves, keys):
    rows = heights(height, curves=curves, keys=keys)
    assert sum(rows) == height
    assert min(rows) >= 0
    taller = heights(height + 1, curves=curves, keys=keys)
    assert all(more >= less for less, more in zip(rows[:3], taller[:3], strict=True))


def test_panes_give_way_in_order():
    present = {
        height: [name for name, rows in heights(height)._asdict().items() if rows]
        for height in (1, 3, 5, 8, 11, 17, 24)
    }
    assert present[1] == ["text"]
    assert present[3] == ["progress", "text"]
    assert present[5] == ["head", "progress", "text"]
    assert present[8] == ["head", "progress", "text", "keys"]
    assert present[11] == ["head", "progress", "text", "log", "keys"]
    assert present[17] == list(Heights._fields)
    assert heights(24) == Heights(head=1, progress=2, curves=9, text=10, log=1, keys=1)
    assert heights(24, curves=False).curves == 0
    assert heights(24, keys=False).text == 11


def test_the_loss_is_told_where_there_are_no_curves(midway):
    assert "3.719 bits" in render(midway, 40, 12, 183.0).text()
    assert "3.719 bits" in render(midway, 20, 5, 183.0).text()


def test_before_the_first_sample_the_place_is_kept():
    text = render(DashboardState(), 80, 24, 0.0).text()
    assert "charnn" in text and "the first sample is still to come" in text


def test_preparations_have_a_bar():
    known = render(reduced([Preparing("reading", 50, 200, "bytes")]), 80, 24, 1.0).text()
    assert " 25%" in known and "reading · 50 of 200 bytes" in known
    unknown = [
        render(reduced([Preparing("counting", 5, None)]), 80, 24, now).text() for now in (0.0, 1.0)
    ]
    assert unknown[0] != unknown[1] and "counting · 5 characters" in unknown[0]


def test_paused_stopped_and_finished_are_told(training):
    state = reduced(training(1000))
    assert "paused" in render(state.update(Heartbeat(1000, True, 51.0)), 80, 24, 51.0).text()
    stopping = render(state, 80, 24, 51.0, keyboard=Keyboard(stopping=True)).text()
    assert "stopping: a checkpoint is being saved" in stopping
    finished = render(reduced(training()), 80, 24, 999.0).text()
    assert "finished" in finished and "100%" in finished and "5:00 of 5:00" in finished


def test_a_run_that_takes_longer_than_planned_says_so(training):
    state = reduced(training(3000))
    late = replace(state.step, elapsed=290.0, remaining=40.0)
    assert "4:50 of 5:30" in render(state.update(late), 80, 24, 290.0).text()
    end = replace(training()[-1], elapsed=345.0)
    assert "5:45 of 5:45" in render(state.update(end), 80, 24, 999.0).text()


def test_help_takes_the_place_of_the_text(midway):
    text = render(midway, 80, 24, 183.0, keyboard=Keyboard(help_open=True)).text()
    assert "write a sample now" in text and "저녁에" not in text and "? close" in text
    watching = Keyboard(help_open=True, watching=True)
    text = render(midway, 80, 24, 183.0, keyboard=watching).text()
    assert "write a sample now" not in text and "leave; a training" in text


@pytest.mark.parametrize("watching", [False, True])
def test_help_is_whole_at_forty_cells(midway, watching):
    keyboard = Keyboard(help_open=True, watching=watching)
    narrow, wide = (
        render(midway, width, 14, 183.0, keyboard=keyboard).text().split("\n")
        for width in (40, 120)
    )
    start = next(row for row, text in enumerate(narrow) if "help" in text)
    begin = next(row for row, text in enumerate(wide) if "help" in text)
    lines = 6 if watching else 9
    assert narrow[start + 1 : start + lines - 1] == wide[begin + 1 : begin + lines - 1]
    assert narrow[-1].endswith("? close")


def test_keys_follow_the_control(midway):
    keyboard = Keyboard(temperature=1.2, sample_length=500, paused=True)
    last = render(midway, 80, 24, 183.0, keyboard=keyboard).text().split("\n")[-1]
    assert last == " q stop  p resume  s sample  t temperature 1.2  +/- length 500  ? help"
    assert (
        "sample"
        not in render(midway, 80, 24, 183.0, keyboard=Keyboard(watching=True))
        .text()
        .split("\n")[-1]
    )


def test_without_colour_nothing_is_tinted_and_the_legend_is_gone(midway):
    frame = render(midway, 80, 24, 183.0, colour=False)
    assert "surprise" not in frame.text()
    assert "surprise" in render(midway, 80, 24, 183.0).text()


def test_names_and_messages_are_safe_and_no_markup(shown):
    started = RunStarted(
        "r\x1b[2J", "p", "[red]소설\u202e\n.txt", 1, "char", 2, "lstm", 1, 2, 2, 9, "cpu", "fp32",
        1, 0,
    )  # fmt: skip
    state = reduced([started, Event("warning", 1, "bad\x07\n[/b]", 1.0)])
    frame = render(state, 80, 24, 2.0)
    assert all(shown(plain(row)) for row in frame.lines)
    assert "[red]소설▯ .txt" in frame.text()
    assert "warning: bad␇ [/b]" in frame.text()


code_points = st.integers(0, 0x10FFFF).map(chr)  # uniform, surrogates among them


@given(st.lists(st.tuples(code_points, st.floats(0, 30)), max_size=40))
@settings(max_examples=60)
def test_uniform_random_text_never_breaks_a_frame(shown, pieces):
    sample = Sample(1, 0.8, "", tuple(pieces), 1, 0.0)
    state = reduced([sample, Sample(2, 0.8, "", tuple(pieces), 1, 0.0)])
    for width, height in ((80, 24), (20, 5), (160, 24)):
        frame = render(state, width, height, 100.0)
        assert all(width_of(row) <= width and shown(plain(row)) for row in frame.lines)
