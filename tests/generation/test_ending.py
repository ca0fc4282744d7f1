"""Where a text ends, against a slow twin that sees the whole text at once."""

from hypothesis import given, settings
from hypothesis import strategies as st

from charnn.generation.ending import Ending, TextPiece
from charnn.text.hangul import ends_inside_cluster

LETTERS = st.sampled_from("ab ")
TEXTS = st.text(LETTERS, max_size=40)
STOPS = st.lists(st.text(LETTERS, min_size=1, max_size=4), max_size=3)


def pieces_of(text, sizes):
    """The text in pieces of the given sizes, over and over; each costs one bit a character."""
    pieces, at = [], 0
    while at < len(text):
        size = sizes[len(pieces) % len(sizes)]
        pieces.append(TextPiece(text[at : at + size], float(len(text[at : at + size]))))
        at += size
    return pieces


def shown(ending, pieces):
    """What is shown of the pieces, and whether the end was reached."""
    result = []
    for piece in pieces:
        if ending.reached:
            break
        result += ending.push(piece)
    assert all(piece.text for piece in result)
    return "".join(piece.text for piece in result)


def cut_slowly(text, length, stop):
    ends = [(at + len(s), at) for s in stop for at in range(len(text)) if text.startswith(s, at)]
    text = text[: min(ends)[1]] if ends else text
    while 0 < length < len(text) and ends_inside_cluster(text[:length], text[length]):
        length += 1
    return text[:length]


@given(TEXTS, STOPS, st.integers(1, 45), st.lists(st.integers(1, 5), min_size=1, max_size=4))
@settings(max_examples=400)
def test_text_is_cut_at_the_first_stop_and_at_the_length(text, stop, length, sizes):
    # What no stop text begins with ends every doubt, as writing on would.
    rest = "." * 60
    ending = Ending(length, stop)
    assert shown(ending, pieces_of(text + rest, sizes)) == cut_slowly(text + rest, length, stop)
    assert ending.reached


@given(TEXTS, STOPS, st.lists(st.integers(1, 5), min_size=1, max_size=4))
@settings(max_examples=200)
def test_no_beginning_of_a_stop_text_is_shown_early(text, stop, sizes):
    ending, seen, pushed = Ending(1000, stop), "", ""
    for piece in pieces_of(text, sizes):
        if ending.reached:
            break
        pushed += piece.text
        seen += "".join(part.text for part in ending.push(piece))
        assert cut_slowly(pushed, 1000, stop).startswith(seen)
        unseen = pushed[len(seen) :]
        if not ending.reached:
            assert not any(
                pushed.endswith(s[:size]) and len(unseen) < size
                for s in stop
                for size in range(1, len(s))
            )


@given(
    st.text(st.sampled_from("\u1112\u119e\u11ab\u302e형아a"), min_size=1, max_size=20),
    st.integers(1, 12),
    st.lists(st.integers(1, 3), min_size=1, max_size=3),
)
@settings(max_examples=300)
def test_a_hangul_cluster_is_finished(text, length, sizes):
    text += "."
    expected = cut_slowly(text, length, ())
    assert shown(Ending(length), pieces_of(text + "." * 15, sizes)) == (
        expected if length < len(text) else text + "." * (length - len(text))
    )


def test_an_endless_cluster_is_cut():
    ending = Ending(3)
    assert len(shown(ending, pieces_of("\u1100" * 100, [1]))) == 3 + 16
    assert ending.reached


def test_a_stop_text_behind_the_length_does_not_matter():
    assert shown(Ending(4, ["END"]), pieces_of("textEND", [1])) == "text"


def test_a_stop_text_across_the_length_is_not_begun():
    assert shown(Ending(5, ["END"]), pieces_of("textEND", [1])) == "text"
    assert shown(Ending(5, ["END"]), pieces_of("textEmpty", [1])) == "textE"


def test_the_stop_text_that_is_complete_first_ends_the_text():
    assert shown(Ending(50, ["bcd", "abcde"]), pieces_of("xabcdef", [7])) == "xa"
    assert shown(Ending(50, ["bc", "abc"]), pieces_of("xabc", [1])) == "x"


def test_bits_stay_with_their_pieces():
    ending = Ending(4, ["!"])
    pieces = [TextPiece("ab", 3.0), TextPiece("cde", 7.0)]
    assert [part for piece in pieces for part in ending.push(piece)] == [("ab", 3.0), ("cd", 7.0)]
