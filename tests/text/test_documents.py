from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from charnn.text.documents import LineEnds, cut_documents, normalise_newlines


@st.composite
def text_in_stretches(draw: st.DrawFn, alphabet: str) -> list[str]:
    text = draw(st.text(st.sampled_from(alphabet), max_size=30))
    cuts = sorted(draw(st.sets(st.integers(0, len(text)), max_size=8)) | {0, len(text)})
    return [text[start:end] for start, end in pairwise(cuts)]


@settings(max_examples=300)
@given(text_in_stretches("a\r\n가"))
def test_newlines_are_the_same_wherever_the_text_is_cut(stretches: list[str]) -> None:
    whole, met = "".join(stretches), LineEnds()
    text = "".join(normalise_newlines(stretches, met))
    assert text == whole.replace("\r\n", "\n").replace("\r", "\n")
    assert met.crlf == whole.count("\r\n")
    assert met.crlf + met.cr == whole.count("\r")


@settings(max_examples=500)
@given(
    text_in_stretches("ab="),
    st.text(st.sampled_from("ab="), min_size=1, max_size=4),
    st.integers(1, 5),
)
def test_documents_are_those_of_split_wherever_the_text_is_cut(
    stretches: list[str], separator: str, piece_chars: int
) -> None:
    documents: list[str] = []
    for piece in cut_documents(stretches, separator, piece_chars):
        assert 0 < len(piece.text) <= piece_chars
        if piece.new_document:
            documents.append("")
        documents[-1] += piece.text
    assert documents == [part for part in "".join(stretches).split(separator) if part]


def test_without_a_separator_all_is_one_document() -> None:
    pieces = list(cut_documents(["", "ab", "", "c"], None, 9))
    assert pieces == [("ab", True), ("c", False)]
    assert list(cut_documents(["", ""], None, 9)) == []


def test_other_separators_of_lines_stay() -> None:
    text = "a\x0b\x0c\x1c\x85\u2028\u2029b"
    assert "".join(normalise_newlines([text], LineEnds())) == text
