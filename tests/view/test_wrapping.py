"""Lines break at spaces, never lose a character, and never exceed their room."""

from hypothesis import given, settings
from hypothesis import strategies as st

from charnn.view.display_text import cell_width
from charnn.view.wrapping import crop, line_spans, wrap_text

letters = st.text("ab 형은", max_size=40)


def slow_spans(texts, widths, room):
    """The same lines, each found by trying every end from the longest down."""
    spans, start = [], 0
    while start < len(texts):
        stops = [stop for stop in range(start + 1, len(texts) + 1)
                 if _fits(texts, widths, start, stop, room)]  # fmt: skip
        stop = max(stops, default=start + 1)
        if stop < len(texts):
            at_spaces = [end for end in range(start + 1, stop + 1) if texts[end - 1] == " "]
            stop = max(at_spaces, default=stop)
        spans.append((start, stop))
        start = stop
    return spans or [(0, 0)]


def _fits(texts, widths, start, stop, room):
    end = stop
    while end > start and texts[end - 1] == " ":
        end -= 1
    return sum(widths[start:end]) <= room


@given(letters, st.integers(2, 12))
@settings(max_examples=300)
def test_spans_are_those_of_the_slow_way(text, room):
    widths = [cell_width(character) for character in text]
    spans = line_spans(text, widths, room)
    assert [index for start, stop in spans for index in range(start, stop)] == [*range(len(text))]
    assert [text[start:stop] for start, stop in spans if text[start:stop].strip()] == [
        text[start:stop]
        for start, stop in slow_spans(text, widths, room)
        if text[start:stop].strip()
    ]


@given(st.text(max_size=80), st.integers(1, 30))
@settings(max_examples=200)
def test_wrapped_text_is_safe_and_fits(shown, text, room):
    for line in wrap_text(text, room):
        assert cell_width(line) <= room
        assert shown(line)
        assert line.strip()


def test_wrapping_breaks_at_newlines_and_leaves_empty_lines_out():
    assert wrap_text("가나 다라\n\n  \n마", None) == ["가나 다라", "마"]
    assert wrap_text("가나 다라\n마", 5) == ["가나", "다라", "마"]
    assert wrap_text("가나다라", 5) == ["가나", "다라"]


@given(st.text("a형 ", max_size=20), st.integers(0, 12))
@settings(max_examples=100)
def test_cropped_text_fits_and_says_that_it_was_cut(text, room):
    cut = crop(text, room)
    assert cell_width(cut) <= room
    assert cut == text or cut == "" or cut.endswith("…")
