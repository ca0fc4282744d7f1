"""Lines of a frame: cut, filled and joined by terminal cells."""

from hypothesis import given, settings
from hypothesis import strategies as st

from charnn.view.lines import beside, fit, join_fitting, line, pad, plain, rule, width_of
from charnn.view.palette import STRONG

parts = st.lists(st.text("ab 형은é", max_size=8), min_size=1, max_size=6)


@given(parts, st.integers(0, 30))
@settings(max_examples=100)
def test_fitted_and_padded_lines_have_their_widths(texts, width):
    whole = line(*texts)
    assert width_of(fit(whole, width)) <= width
    assert plain(whole).startswith(plain(fit(whole, width)).rstrip(" "))
    assert width_of(pad(whole, width)) == width


@given(parts, st.integers(1, 40))
@settings(max_examples=100)
def test_joined_parts_are_whole_but_for_the_first(texts, width):
    joined = join_fitting(texts, width, " | ")
    assert width_of(joined) <= width
    first, *others = plain(joined).split(" | ")
    assert plain(fit(line(texts[0]), width)).strip(" ") in first or len(first) <= width
    assert all(other in texts[1:] for other in others)


def test_a_part_that_does_not_fit_makes_room_for_a_later_one():
    assert plain(join_fitting(["a", ("bbbbbbbb", STRONG), "c"], 5, " ")) == "a c"


@given(st.text("ab형", max_size=12), st.integers(1, 40), st.booleans())
@settings(max_examples=60)
def test_a_rule_fills_its_width(title, width, with_right):
    drawn = rule(title, width, line("legend") if with_right else ())
    assert width_of(drawn) <= width
    if width_of(line(title)) + 4 <= width:
        assert width_of(drawn) == width


def test_the_right_side_of_a_rule_gives_way():
    assert plain(rule("step", 24, line("legend"))) == "── step ────── legend ──"
    assert plain(rule("step", 18, line("legend"))) == "── step " + "─" * 10


@given(parts, parts, st.integers(0, 20), st.integers(0, 8))
@settings(max_examples=60)
def test_columns_stand_beside_one_another(left, right, width, rows):
    joined = beside([line(text) for text in left], [line(text) for text in right], width, rows)
    assert len(joined) == rows
    for row, text in enumerate(joined):
        expected = width + (width_of(line(right[row])) if row < len(right) else 0)
        assert width_of(text) == expected
