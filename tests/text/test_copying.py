"""Verbatim spans against the slow twin that looks every substring up."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charnn.text.copying import (
    copied_share,
    covering_lengths,
    matching_lengths,
    span_beyond_chance,
)

texts = st.lists(st.text("ab가\U00020000", max_size=30), max_size=3)


def slow_matching_lengths(texts: list[str], sources: list[str]) -> list[int]:
    def length(text: str, start: int) -> int:
        size = 0
        while start + size < len(text) and any(
            text[start : start + size + 1] in s for s in sources
        ):
            size += 1
        return size

    return [length(text, start) for text in texts for start in range(len(text))]


def slow_covering_lengths(lengths: list[int]) -> list[int]:
    return [
        max((size for at, size in enumerate(lengths) if at <= place < at + size), default=0)
        for place in range(len(lengths))
    ]


@settings(max_examples=300)
@given(texts, texts)
def test_it_is_what_the_slow_twin_says(written: list[str], sources: list[str]) -> None:
    lengths = matching_lengths(written, sources)
    assert lengths.tolist() == slow_matching_lengths(written, sources)
    assert covering_lengths(lengths).tolist() == slow_covering_lengths(lengths.tolist())


@given(texts, texts, st.integers(1, 9))
def test_the_share_is_that_of_characters_in_long_spans(
    written: list[str], sources: list[str], span: int
) -> None:
    lengths = slow_matching_lengths(written, sources)
    inside = [size >= span for size in slow_covering_lengths(lengths)]
    expected = sum(inside) / len(inside) if inside else 0.0
    assert copied_share(np.array(lengths), span) == pytest.approx(expected)


@given(texts, texts, st.floats(0, 1))
def test_the_span_is_the_shortest_that_keeps_the_share(
    written: list[str], sources: list[str], most: float
) -> None:
    lengths = matching_lengths(written, sources)
    span = span_beyond_chance(lengths, most)
    assert copied_share(lengths, span) <= most
    assert span == 1 or copied_share(lengths, span - 1) > most


def test_a_text_that_is_a_copy_throughout() -> None:
    source = "".join(map(chr, np.random.default_rng(0).integers(0xAC00, 0xAC40, 5000)))
    lengths = matching_lengths([source[1000:4000]], [source])
    assert lengths.tolist() == list(range(3000, 0, -1))
    assert copied_share(lengths, 3000) == 1


def test_repetitive_texts_end() -> None:
    lengths = matching_lengths(["a" * 700 + "b"], ["a" * 1000])
    assert lengths.tolist() == [*range(700, 0, -1), 0]


def test_nothing_is_copied_from_nothing() -> None:
    assert matching_lengths(["ab"], []).tolist() == [0, 0]
    assert matching_lengths([], ["ab"]).tolist() == []
    assert span_beyond_chance(np.zeros(0, np.int64)) == 1


@pytest.mark.texts
@pytest.mark.parametrize(("name", "span"), [("mujeong", 19), ("tinyshakespeare", 26)])
def test_the_span_of_real_texts(texts_dir, name: str, span: int) -> None:
    text = (texts_dir / f"{name}.txt").read_text("utf-8")
    cut = len(text) * 9 // 10
    assert span_beyond_chance(matching_lengths([text[cut:]], [text[:cut]])) == span
