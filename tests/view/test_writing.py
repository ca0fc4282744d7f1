"""Panes of generated text: uncovered by the clock, tinted by surprise, nothing to their right."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charnn.records import Sample
from charnn.view.lines import plain, width_of
from charnn.view.palette import PLAIN, STRONG, SURPRISE
from charnn.view.state import Writing
from charnn.view.writing import (
    LONGEST_SECONDS,
    draw_earlier,
    draw_writing,
    gutter_width,
    is_revealed,
    legend,
    manuscript,
    revealed,
    share_rows,
    spread,
    writing_rows,
)

any_text = st.text(max_size=30)
pieces = st.lists(st.tuples(any_text, st.floats(0, 40)), max_size=20).map(tuple)


def sample(text, *, prompt="", bits=1.0, temperature=0.8, elapsed=0.0, step=5):
    cost = tuple((character, bits) for character in text)
    return Sample(step, temperature, prompt, cost, 1, elapsed)


def drawn(writing, width=40, rows=4, now=1000.0, colour=True):
    return [plain(row) for row in draw_writing(writing, width, rows, 5, now, colour=colour)]


@given(any_text, pieces, st.integers(8, 60), st.integers(1, 12), st.floats(0, 20))
@settings(max_examples=150)
def test_any_sample_stays_inside_its_pane(shown, prompt, entries, width, rows, now):
    writing = Writing((Sample(1, 0.8, prompt, entries, 1, 0.0), sample("글", temperature=1.2)))
    lines = draw_writing(writing, width, rows, 5, now, colour=True)
    assert len(lines) <= rows
    assert all(width_of(row) <= width and shown(plain(row)) for row in lines)
    early = draw_earlier((writing,) * 3, width, rows, 5, colour=True)
    assert len(early) <= rows
    assert all(width_of(row) <= width and shown(plain(row)) for row in early)


@given(st.lists(st.integers(0, 255), max_size=60), st.integers(8, 40))
@settings(max_examples=50)
def test_random_bytes_as_text_stay_inside_too(shown, data, width):
    text = bytes(data).decode("utf-8", "surrogateescape")
    lines = draw_writing(Writing((sample(text),)), width, 6, 5, 1000.0, colour=True)
    assert all(width_of(row) <= width and shown(plain(row)) for row in lines)


@given(any_text, pieces)
@settings(max_examples=50)
def test_a_manuscript_has_a_width_and_a_level_for_every_piece(prompt, entries):
    page = manuscript(Sample(1, 0.8, prompt, entries, 1, 0.0))
    assert len(page.texts) == len(page.widths) == len(page.levels)
    assert all(-2 <= level < len(SURPRISE) for level in page.levels)


def test_bits_go_to_the_characters_they_were_paid_for():
    record = Sample(1, 0.8, "가", (("나다", 4.0), ("\n", 9.0), ("라", 12.0)), 1, 0.0)
    page = manuscript(record)
    assert page.texts == ("가", "나", "다", "\n", "라")
    assert page.levels == (-1, 1, 1, -2, 4)


def test_jamo_that_make_a_syllable_are_one_piece_with_their_common_cost():
    record = Sample(1, 0.8, "", (("\u1112", 2.0), ("\u1161", 2.0), ("\u11ab", 2.5)), 1, 0.0)
    page = manuscript(record)
    assert page.texts == ("한",)
    assert page.levels == (3,)


def test_a_text_is_uncovered_at_a_steady_pace():
    record = sample("가나다라마바사아" * 10)
    counts = [revealed(record, 80, now / 10) for now in range(40)]
    assert counts[0] == 0 and counts[-1] == 80
    assert counts == sorted(counts)
    assert revealed(record, 80, 1.0) == 40
    assert revealed(record, 80, -5.0) == 0
    long = sample("가" * 5000)
    assert revealed(long, 5000, LONGEST_SECONDS) == 5000


@pytest.mark.parametrize("elapsed", [float("nan"), float("inf"), float("-inf")])
def test_a_time_that_is_none_hides_or_shows_the_text(elapsed):
    assert revealed(sample("가", elapsed=elapsed), 1, 5.0) in (0, 1)


def test_what_is_uncovered_does_not_move():
    text = "옛날 어느 마을에 착한 나무꾼이 살았다. 그는 날마다 산에 올라 나무를 하였다."
    writing = Writing((sample(text),))
    whole = drawn(writing, rows=5)
    for tenths in range(25):
        part = drawn(writing, rows=5, now=tenths / 10)
        for known, shown_line in zip(whole, part, strict=False):
            assert known.startswith(shown_line.rstrip("▌"))


def test_a_cursor_stands_where_the_text_is_being_written():
    writing = Writing((sample("가나다라"),))
    assert drawn(writing, now=0.05) == ["0.8  가나▌"]
    assert "▌" not in "".join(drawn(writing, now=5.0))
    assert not is_revealed(writing, 0.05) and is_revealed(writing, 5.0)


def test_a_long_text_shows_its_end():
    writing = Writing((sample("".join(f"{number:03} " for number in range(60))),))
    lines = drawn(writing, rows=3)
    assert len(lines) == 3
    assert lines[-1].split()[-1] == "059"
    assert "000" not in "".join(lines)


def test_every_temperature_has_its_share():
    samples = [sample("글" * 200, temperature=value) for value in (0.5, 0.8, 1.0)]
    lines = drawn(Writing(tuple(samples)), rows=6)
    assert [line[:4].strip() for line in lines] == ["0.5", "", "0.8", "", "1.0", ""]


def test_where_there_is_little_room_the_middle_temperature_stays():
    samples = [sample("글" * 200, temperature=value) for value in (0.5, 0.8, 1.0)]
    lines = drawn(Writing(tuple(samples)), rows=3)
    assert lines[0].startswith("0.8") and len(lines) == 3


def test_lines_break_where_the_text_does_if_there_is_room():
    writing = Writing((sample("첫째\n\n둘째\n"),))
    assert drawn(writing, rows=6) == ["0.8  첫째", "     둘째"]
    assert drawn(writing, rows=2) == ["0.8  첫째⏎⏎둘째⏎"]


def test_prompt_and_surprise_have_their_styles_and_colours_can_be_off():
    record = Sample(1, 0.8, "앞", (("가", 0.5), ("나", 20.0)), 1, 0.0)
    (row,) = draw_writing(Writing((record,)), 40, 1, 5, 99.0, colour=True)
    assert [(segment.text, segment.style) for segment in row[1:]] == [
        ("앞", STRONG),
        ("가", SURPRISE[0]),
        ("나", SURPRISE[4]),
    ]
    (row,) = draw_writing(Writing((record,)), 40, 1, 5, 99.0, colour=False)
    assert [segment.style for segment in row[1:]] == [STRONG, PLAIN, PLAIN]


def test_markup_is_text():
    assert "[/b][red]x" in drawn(Writing((sample("[/b][red]x"),)))[0]


def test_the_legend_names_the_limits():
    assert plain(legend()) == "bits of surprise  0 ■ 1 ■ 3 ■ 6 ■ 9 ■ …"


@given(st.integers(0, 40), st.lists(st.integers(0, 20), min_size=1, max_size=6))
@settings(max_examples=100)
def test_rows_are_shared_fairly(rows, needs):
    shares = share_rows(rows, needs)
    assert sum(shares) == min(rows, sum(needs))
    assert all(share <= need for share, need in zip(shares, needs, strict=True))
    wanting = [share for share, need in zip(shares, needs, strict=True) if share < need]
    assert not wanting or max(shares) - min(wanting) <= 1


@given(st.integers(1, 30), st.integers(0, 30))
@settings(max_examples=60)
def test_what_is_spread_keeps_its_ends(number, room):
    writings = [Writing((sample("글", step=step),)) for step in range(number)]
    steps = [each.step for each in spread(writings, room)]
    assert len(steps) == min(number, room)
    assert steps == sorted(set(steps))
    if room >= 2:
        assert steps[0] == 0 and steps[-1] == number - 1


def test_gutter_and_rows_follow_the_widest_label_and_the_longest_text():
    writings = [Writing((sample("글" * 100, step=12_000),)), Writing((sample("글"),))]
    assert gutter_width(writings) == len("12,000") + 3
    assert writing_rows(writings[0], 50, 5) == 5
