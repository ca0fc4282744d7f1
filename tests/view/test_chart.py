"""Braille charts: exact sizes, curves without gaps, axes that say what is where."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charnn.view import chart
from charnn.view.chart import Canvas, Series, Window, draw_chart
from charnn.view.curve import Point
from charnn.view.lines import plain, width_of
from charnn.view.palette import FAINT, HELD_OUT, TRAINING

values = st.floats(-1e6, 1e6, exclude_min=True, exclude_max=True)
curves = st.lists(st.tuples(st.integers(0, 2**40), values), max_size=40).map(
    lambda entries: [Point(*entry) for entry in sorted(dict(entries).items())]
)
WINDOW = Window(0, 100, 3.0, 6.0)


def texts(lines):
    return [plain(row) for row in lines]


def dots(canvas):
    """The dots of a canvas as (x, y), read from its braille characters."""
    places = ((0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3))
    found = set()
    for row in range(canvas.rows):
        for column, character in enumerate(plain(canvas.line(row))):
            bits = ord(character) - 0x2800 if character != " " else 0
            found |= {
                (2 * column + x, 4 * row + y)
                for index, (x, y) in enumerate(places)
                if bits >> index & 1
            }
    return found


@given(curves, curves, st.integers(16, 120), st.integers(3, 30), st.booleans(), values)
@settings(max_examples=150)
def test_a_chart_has_exactly_its_size(first, second, width, height, marked, level):
    lines = draw_chart(
        [Series(first, TRAINING), Series(second, HELD_OUT)],
        width,
        height,
        best=second[0] if second and marked else None,
        reference=("n-gram", level) if marked else None,
    )
    assert len(lines) == height
    assert all(width_of(row) <= width for row in lines)
    assert all(text.isprintable() for text in texts(lines))


@given(st.sets(st.tuples(st.integers(0, 39), st.integers(0, 23)), max_size=60))
@settings(max_examples=50)
def test_a_canvas_shows_the_dots_that_were_set(places):
    canvas = Canvas(20, 6)
    for x, y in places:
        canvas.dot(x, y, FAINT)
    canvas.dot(-1, 0, FAINT)
    canvas.dot(0, 24, FAINT)
    assert dots(canvas) == places


def test_a_line_has_no_gaps():
    points = [Point(0, 9.0), Point(3, 1.0), Point(50, 8.0), Point(100, 2.0)]
    lines = draw_chart([Series(points, TRAINING)], 60, 12)
    columns = {column for row in texts(lines[:10]) for column, mark in enumerate(row) if mark > "⠀"}
    assert set(range(4, 60)) <= columns


def test_falling_values_fall_on_the_screen():
    points = [Point(step, 10.0 - step) for step in range(10)]
    rows = texts(draw_chart([Series(points, TRAINING)], 40, 10))[:8]
    first = [min(row for row in range(8) if rows[row][column : column + 1].strip(" │┤"))
             for column in range(10, 39)
             if any(rows[row][column : column + 1].strip(" │┤") for row in range(8))]  # fmt: skip
    assert first == sorted(first)


def test_a_chart_of_a_known_run():
    points = [Point(step, 3.0 + 300 / (step + 100)) for step in range(0, 1001, 20)]
    lines = draw_chart([Series(points, TRAINING)], 44, 10, best=points[-1], reference=("ppm", 3.1))
    assert texts(lines) == [
        "  │   ⠈⡆",
        "  │    ⠈⠢⡀",
        "4 ┤      ⠘⠤⡀",
        "  │        ⠈⠢⢄",
        "  │           ⠉⠒⠢⠤⢄",
        "  │                ⠉⠉⠑⠒⠢⠤⠤⢄⣀⣀⣀",
        "  │ ppm 3.100                 ⠉⠉⠉⠉⠒⠒⠒⠒⠒⠢⠤⠤⠤◆",
        "  │⠤ ⠤ ⠤ ⠤ ⠤ ⠤ ⠤ ⠤ ⠤ ⠤ ⠤ ⠤ ⠤ ⠤ ⠤ ⠤ ⠤ ⠤ ⠤ ⠤ ⠤",
        "  └┬───────────────────┬───────────────────┬",
        "   0                  500              1,000",
    ]


def falling(low, high):
    """A curve from high to low over a hundred steps."""
    return [Point(step, low + (high - low) * (100 - step) / 100) for step in range(101)]


@pytest.mark.parametrize(
    ("level", "seen"),
    [(4.5, True), (3.5, True), (5.5, True), (2.9, False), (7.0, False), (-50.0, False)],
)
def test_a_reference_is_left_out_where_it_is_far_from_the_curve(level, seen):
    lines = draw_chart([Series(falling(4.0, 5.0), TRAINING)], 44, 10, reference=("n-gram", level))
    text = "\n".join(texts(lines))
    assert (f"n-gram {level:.3f}" in text) is seen
    if not seen:
        assert texts(lines) == texts(draw_chart([Series(falling(4.0, 5.0), TRAINING)], 44, 10))


@given(st.integers(20, 80), st.integers(4, 20), st.floats(3.5, 5.5), st.integers(3, 30))
@settings(max_examples=150)
def test_a_reference_hides_no_dot_of_a_curve(width, height, level, length):
    """Its name stands on free cells; dashes without a name would say nothing."""
    points = falling(4.0, 5.0)
    bare, canvas = Canvas(width, height), Canvas(width, height)
    for each in (bare, canvas):
        chart._draw_curve(each, WINDOW, Series(points, TRAINING))
    chart._draw_reference(canvas, WINDOW, "n" * length, level)
    row = WINDOW.row(level, 4 * height)
    before, after = (
        [plain(each.line(at)).ljust(width) for at in range(height)] for each in (bare, canvas)
    )
    name = f"{'n' * length} {level:.3f}"
    named = [at for at in range(height) if name in after[at]]
    assert all(abs(at - row // 4) == 1 for at in named)
    if not named:
        assert before == after
        return
    dashes = {(x, row) for x in range(2 * width) if x // 2 % 2 == 0}
    free = Canvas(width, height)
    for x, y in dots(bare) | dashes:
        free.dot(x, y, FAINT)
    place = after[named[0]].index(name)
    wanted = [plain(free.line(at)).ljust(width) for at in range(height)]
    assert wanted[named[0]][place : place + len(name)].isspace()
    wanted[named[0]] = wanted[named[0]][:place] + name + wanted[named[0]][place + len(name) :]
    assert after == wanted


def test_dashes_are_seen_where_a_curve_runs_along_them():
    level = [Point(step, 4.0) for step in range(100)]
    curves = [Series(falling(5.0, 9.0), TRAINING), Series(level, HELD_OUT, dotted=True)]
    rows = texts(draw_chart(curves, 60, 10, reference=("n-gram", 3.9)))
    assert any("⠦⠂" in row or "⠢⠂" in row or "⡂⠂" in row or "⣂⠂" in row for row in rows), rows


def test_a_name_that_is_no_plain_text_is_shown_safely():
    lines = draw_chart(
        [Series(falling(4.0, 5.0), TRAINING)], 44, 10, reference=("한글\x1b[2J\n", 4.2)
    )
    assert any("한글␛[2J  4.200" in text for text in texts(lines))
    assert all(width_of(row) <= 44 for row in lines)


def test_a_dotted_curve_has_every_second_column():
    solid, dotted = Canvas(20, 6), Canvas(20, 6)
    points = falling(3.5, 5.5)[::10]
    chart._draw_curve(solid, WINDOW, Series(points, TRAINING))
    chart._draw_curve(dotted, WINDOW, Series(points, HELD_OUT, dotted=True))
    last = max(dots(solid))
    assert dots(dotted) == {dot for dot in dots(solid) if dot[0] % 2 == 0} | {last}


def test_nothing_is_drawn_before_there_are_points():
    assert texts(draw_chart([Series([], TRAINING)], 40, 6, reference=("x", 3.0))) == [""] * 6


def test_one_point_is_a_dot_with_an_axis():
    lines = texts(draw_chart([Series([Point(7, 3.5)], TRAINING)], 30, 6))
    assert any("3.50" in text for text in lines)
    assert lines[-1].split() == ["7"] or "7" in lines[-1]


def test_the_first_steep_fall_is_left_out():
    points = [Point(0, 900.0), *(Point(step, 4.0 - step / 100) for step in range(1, 100))]
    lines = texts(draw_chart([Series(points, TRAINING)], 40, 10))
    assert not any("900" in text for text in lines)


@pytest.mark.parametrize("level", [-500.0, 500.0])
def test_a_reference_far_away_does_not_flatten_the_curves(level):
    points = [Point(step, 4.0 - step / 100) for step in range(100)]
    with_level = texts(draw_chart([Series(points, TRAINING)], 40, 10, reference=("x", level)))
    assert with_level == texts(draw_chart([Series(points, TRAINING)], 40, 10))


def test_a_window_maps_its_corners_to_the_corner_dots():
    window = Window(0, 100, 2.0, 4.0)
    assert (window.column(0, 50), window.column(100, 50)) == (0, 49)
    assert (window.row(4.0, 21), window.row(3.0, 21), window.row(2.0, 21)) == (0, 10, 20)
    assert window.row(5.0, 21) < 0 and window.row(1.0, 21) > 20
