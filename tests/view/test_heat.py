"""Text in colours: the same text underneath, tints by cost, nothing where nothing may be."""

import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.color import ColorSystem

from charnn.view.display_text import safe_text
from charnn.view.heat import HeatStream, heat_stream, legend_for
from charnn.view.palette import SURPRISE, surprise_level

SEQUENCE = re.compile(r"\x1b\[[0-9;]*m")
PIECES = st.lists(
    st.tuples(
        st.text("가각ab \n\t\u1112\u1161\u11ab\u0301\x1b[m", min_size=1, max_size=4),
        st.one_of(st.none(), st.floats(0, 30)),
    )
)


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def written(stream: HeatStream, pieces: list[tuple[str, float | None]]) -> str:
    return "".join(stream.push(*piece) for piece in pieces) + stream.finish()


def tint(bits: float) -> str:
    """What begins the tint of a cost where all colours are known."""
    red, green, blue = SURPRISE[surprise_level(bits)].color.triplet
    return f"\x1b[38;2;{red};{green};{blue}m"


@given(PIECES, st.sampled_from([None, *list(ColorSystem)[:4]]), st.booleans())
def test_under_the_colours_is_the_safe_text(pieces, system, tinted):
    shown = written(HeatStream(system, tinted=tinted), pieces)
    assert SEQUENCE.sub("", shown) == safe_text("".join(text for text, _ in pieces))


@given(PIECES)
def test_the_terminal_gets_its_own_colours_back(pieces):
    sequences = SEQUENCE.findall(written(HeatStream(ColorSystem.TRUECOLOR), pieces))
    assert not sequences or sequences[-1] == "\x1b[0m"


@pytest.mark.parametrize("bits", [0.2, 2.0, 5.0, 8.0, 12.0])
def test_a_character_has_the_tint_of_its_cost(bits):
    shown = written(HeatStream(ColorSystem.TRUECOLOR), [("ab", 2 * bits)])
    assert shown == f"{tint(bits)}ab\x1b[0m"


def test_a_syllable_costs_what_its_jamo_cost_together():
    pieces = [("\u1112", 3.0), ("\u1161", 3.0), ("\u11ab", 3.5)]
    shown = written(HeatStream(ColorSystem.TRUECOLOR), pieces)
    assert shown == f"{tint(9.5)}한\x1b[0m"


def test_words_of_a_person_are_bold():
    assert written(HeatStream(ColorSystem.STANDARD), [("가 나", None)]) == "\x1b[1m가 나\x1b[0m"
    assert written(HeatStream(None), [("가", None), ("a", 20.0)]) == "\x1b[1m가\x1b[0ma"


def test_untinted_text_is_plain():
    stream = HeatStream(ColorSystem.TRUECOLOR, tinted=False)
    assert not stream.tinted
    assert written(stream, [("가", 20.0)]) == "가"


@pytest.mark.parametrize("term", ["", "dumb", "unknown"])
def test_nothing_where_a_terminal_knows_only_text(term):
    assert heat_stream(Terminal(), tinted=True, environ={"TERM": term}) is None


def test_nothing_where_there_is_no_terminal():
    environ = {"TERM": "xterm-256color"}
    assert heat_stream(io.StringIO(), tinted=True, environ=environ) is None
    assert legend_for(io.StringIO(), environ) == ""


def test_no_color_leaves_bold_alone():
    environ = {"TERM": "xterm-256color", "NO_COLOR": "1"}
    stream = heat_stream(Terminal(), tinted=True, environ=environ)
    assert stream is not None and not stream.tinted
    assert written(stream, [("가", None), ("a", 20.0)]) == "\x1b[1m가\x1b[0ma"
    assert legend_for(Terminal(), environ) == ""


@pytest.mark.parametrize("term", ["xterm", "xterm-256color", "screen"])
def test_a_terminal_of_today_knows_256_colours(term):
    stream = heat_stream(Terminal(), tinted=True, environ={"TERM": term})
    assert stream is not None and stream.tinted
    assert "38;5;" in stream.push("가a", 2.0)
    assert "38;5;" in legend_for(Terminal(), {"TERM": term})
