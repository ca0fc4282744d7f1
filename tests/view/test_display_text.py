import io
import random
import re
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import get_character_cell_size
from rich.console import Console
from rich.text import Text

from charnn.view.display_text import (
    MARKS_SHOWN,
    STAND_IN,
    SafeStream,
    cell_width,
    safe_characters,
    safe_text,
)

JAMO = "\u1100\u1112\u1113\u115f\u1160\u1161\u119e\u11a8\u11c3\ua960\ud7b0\ud7cb가각\u302e"
MARKS = "a\u0301\u0323\u0903\u20dd\ufe0f\u034f 가\n\t"

# Uniformly random code points, surrogates included, among them what needs care.
anything = st.lists(
    st.integers(0, 0x10FFFF).map(chr) | st.sampled_from(JAMO) | st.sampled_from(MARKS), max_size=40
).map("".join)
bytes_of_a_broken_model = st.binary(max_size=60).map(lambda data: data.decode(errors="replace"))

UNSEEN = re.compile("[\u034f\u1100-\u11ff\ua960-\ua97c\ud7b0-\ud7fb\u3164\uffa0\ufe00-\ufe0f]")


def check_safe(shown: str) -> None:
    """Every character has a glyph and a place: categories and widths are as they may be."""
    assert not UNSEEN.search(shown)
    marks = MARKS_SHOWN
    for character in shown:
        if character == "\n":
            marks = MARKS_SHOWN
            continue
        category = unicodedata.category(character)
        assert category[0] != "C"
        assert category not in ("Zl", "Zp", "Me")
        width = get_character_cell_size(character)
        if category in ("Mn", "Mc"):
            marks += 1
            assert marks <= MARKS_SHOWN
        else:
            marks = MARKS_SHOWN if character.isspace() or character == STAND_IN else 0
            assert width in (1, 2)


@settings(max_examples=400)
@given(anything | bytes_of_a_broken_model)
def test_whatever_a_model_writes_is_safe(text: str) -> None:
    shown = safe_text(text)
    check_safe(shown)
    assert safe_text(shown) == shown
    assert shown.count("\n") == text.count("\n")
    shown.encode()


@settings(max_examples=300)
@given(anything)
def test_pieces_cover_the_text_and_are_safe_one_by_one(text: str) -> None:
    pieces = safe_characters(text)
    assert sum(piece.characters for piece in pieces) == len(text)
    assert "".join(piece.shown for piece in pieces) == safe_text(text)
    for piece in pieces:
        assert piece.characters > 0
        assert cell_width(piece.shown) > 0 or piece.shown == "\n"
    widths = [cell_width(piece.shown) for piece in pieces]
    assert sum(widths) == sum(map(cell_width, safe_text(text).split("\n")))


@settings(max_examples=400)
@given(st.lists(anything | st.sampled_from(JAMO), max_size=8))
def test_a_stream_shows_what_the_whole_shows(parts: list[str]) -> None:
    stream = SafeStream()
    shown = "".join(stream.push(part) for part in parts) + stream.finish()
    assert shown == safe_text("".join(parts))
    one_by_one = SafeStream(newline="⏎")
    shown = "".join(map(one_by_one.push, "".join(parts))) + one_by_one.finish()
    assert shown == safe_text("".join(parts), newline="⏎")


def test_every_code_point_is_safe() -> None:
    # All that Unicode has named so far is below U+20000, or is like its neighbours.
    code_points = [*range(0x20000), *range(0x20000, 0x110000, 251), *range(0xE0000, 0xE0200)]
    shown = safe_text("".join(map(chr, code_points)))
    check_safe(shown)
    assert safe_text(shown) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", ""),
        ("The [/b] of [red]無情[/red] :smile: \\", "The [/b] of [red]無情[/red] :smile: \\"),
        ("“형식은” — 「가」…", "“형식은” — 「가」…"),
        ("a\tb", "a    b"),
        ("\0\a\b\x0b\x0c\r\x1b[2J\x1f\x7f", "␀␇␈␋␌␍␛[2J␟␡"),
        ("\x80\x9b1m\x85\xad", "▯▯1m▯▯"),
        ("\u200b\u200c\u200d\u2060\ufeff", "▯▯▯▯▯"),
        ("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069", 12 * "▯"),
        ("\u2028\u2029\ufff9\U000e0041", "▯▯▯▯"),
        ("\u115f\u1160", "▯▯"),
        ("\u3164\uffa0\ue000\U00100000\uffff\U000e0fff\ud800\udfff", 8 * "▯"),
        ("❤\ufe0f👍\U0001f3fd", "❤▯👍▯"),
        ("עברית مرحبا", "עברית مرحبا"),
        ("\ufffd\u3000\xa0.", "\ufffd\u3000\xa0."),
    ],
)
def test_what_is_shown(text: str, shown: str) -> None:
    assert safe_text(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\u1112\u1167\u11bc", "형"),
        ("\u1112\u1167", "혀"),
        ("혀\u11bc", "형"),
        ("형\u11bc", "형ㅇ"),
        ("\u1100\u1112\u1167", "ㄱ혀"),
        ("\u1112", "ㅎ"),
        ("\u1167\u11bc", "ㅕㅇ"),
        ("\u1112\u119e\u11ab", "ㅎㆍㄴ"),
        ("\u112d\u11a1", "ㅺㆎ"),
        ("\u1113\u1176", "ㄴㄱㅏㅗ"),
        ("\u113c\u1161", "▯ㅏ"),
        ("\u115f\u1161\u11ab", "▯ㅏㄴ"),
        ("\u1112\u119e\u302e형\u302f", "ㅎㆍ·형:"),
        ("\u1112\u1167\u11c3", "혀ㄱㄹ"),
    ],
)
def test_jamo_are_composed_or_shown_as_letters(text: str, shown: str) -> None:
    assert safe_text(text) == shown


def test_a_hangul_cluster_is_one_piece() -> None:
    text = "ㅎ\u1112\u119e\u11ab\u302e가\u1112\u1167\u11bc"
    assert safe_characters(text) == [("ㅎ", 1), ("ㅎㆍㄴ·", 4), ("가", 1), ("형", 3)]


def test_marks_stay_on_their_letter_but_do_not_pile_up() -> None:
    e, dot, hat, bar = "e", "\u0323", "\u0302", "\u0338"
    assert safe_characters(e + dot + hat) == [(e + dot + hat, 3)]
    flood = safe_characters(e + 100 * hat + "f")
    assert flood[0] == (e + 2 * hat, 3)
    assert flood[1:-1] == 98 * [(STAND_IN, 1)]
    assert flood[-1] == ("f", 1)
    assert safe_characters(f"가{bar}") == [(f"가{bar}", 2)]


@pytest.mark.parametrize("before", ["", "\n", " ", "\t", "\u3000", "\u200b", STAND_IN])
def test_marks_with_nothing_to_stand_on_are_stand_ins(before: str) -> None:
    assert safe_text(f"{before}\u0301") == safe_text(before) + STAND_IN


def test_newlines_become_what_is_asked_for() -> None:
    assert safe_text("a\nb\n", newline="⏎") == "a⏎b⏎"
    assert safe_text("a\nb", newline="") == "ab"
    assert safe_characters("a\n\u0301", newline="⏎") == [("a", 1), ("⏎", 1), (STAND_IN, 1)]


def test_a_stream_holds_back_only_what_may_become_another_syllable() -> None:
    stream = SafeStream()
    assert [stream.push(part) for part in ["형", "식", "은", " ", "그", "가"]] == [
        *["형", "식", "은", " ", "", "그"]
    ]
    assert stream.finish() == "가"
    assert stream.finish() == ""
    assert [stream.push(part) for part in ["\u1112", "\u119e", "e", "\u0301"]] == [
        *["", "ㅎㆍ", "e", "\u0301"]
    ]


def test_safe_text_survives_a_rich_console() -> None:
    generator = random.Random(1)
    text = "".join(chr(generator.randrange(0x110000)) for _ in range(3000))
    screen = io.StringIO()
    Console(file=screen, width=40, color_system=None).print(Text(safe_text(text, newline="⏎")))
    lines = screen.getvalue().split("\n")
    assert len(lines) > 3000 // 40
    assert max(map(cell_width, lines)) <= 40


def test_the_stand_in_is_one_cell_wide_everywhere() -> None:
    assert unicodedata.east_asian_width(STAND_IN) == "N"
    assert cell_width(STAND_IN) == 1
    assert [cell_width(picture) for picture in "␀␛␡"] == [1, 1, 1]


@pytest.mark.texts
def test_old_hangul_of_a_real_text(texts_dir) -> None:  # type: ignore[no-untyped-def]
    text = (texts_dir / "honggildong_1860.txt").read_text("utf-8")
    shown = safe_text(text)
    check_safe(shown)
    assert STAND_IN not in shown
    assert sum(piece.characters for piece in safe_characters(text)) == len(text)
