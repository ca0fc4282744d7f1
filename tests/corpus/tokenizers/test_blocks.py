from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charnn.corpus.tokenizers.blocks import (
    blocks_of,
    code_points_of,
    count_code_points,
    enough,
    frequent_code_points,
)
from charnn.errors import TextError


@given(data=st.data(), size=st.integers(1, 9))
def test_blocks_are_the_same_text_in_even_parts(texts, data, size):
    pieces = data.draw(st.lists(texts, max_size=6))
    blocks = list(blocks_of(pieces, size))
    text = "".join(pieces)
    assert blocks == [text[start : start + size] for start in range(0, len(text), size)]


@given(data=st.data())
def test_code_points(texts, data):
    text = data.draw(texts)
    assert code_points_of(text).tolist() == [ord(character) for character in text]


@given(data=st.data())
def test_counts(texts, data):
    pieces = data.draw(st.lists(texts, max_size=6))
    counts = count_code_points(pieces)
    assert counts.shape == (0x110000,)
    expected = Counter("".join(pieces))
    assert {chr(code): counts[code] for code in np.flatnonzero(counts).tolist()} == expected


def test_progress_tells_how_much_was_read():
    seen = []
    count_code_points(["가" * 3_000_000], lambda done, total: seen.append((done, total)))
    assert seen == [(2**20, None), (2**21, None), (3_000_000, None)]


def test_surrogates_are_refused():
    with pytest.raises(TextError) as caught:
        count_code_points(["가" * 2**20, "나\udc80"])
    assert str(caught.value) == (
        "the text holds the surrogate U+DC80 at character 1048577, which is half of a UTF-16 pair "
        "and no character: read the file with its true encoding"
    )


def test_frequent_code_points():
    counts = count_code_points(["다다다다나나나가가가라a"])
    assert "".join(map(chr, frequent_code_points(counts, 3))) == "가나다"
    assert "".join(map(chr, frequent_code_points(counts, 1))) == "a가나다라"
    assert "".join(map(chr, frequent_code_points(counts, 3, most=2))) == "가다"
    assert frequent_code_points(counts, 1, most=0).size == 0


@pytest.mark.parametrize(
    ("characters", "least"), [(0, 3), (325_000, 3), (39_999_999, 3), (40_000_000, 4), (10**9, 100)]
)
def test_what_is_seen_often_enough(characters, least):
    assert enough(np.array([characters - characters // 3, characters // 3])) == least
