"""The index of copies: it finds every one, and little else."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charnn.corpus.tokenizers import train_tokenizer
from charnn.generation import copies
from charnn.generation.automaton import Texts
from charnn.generation.copies import WINDOW, CopyIndex, index_tokens, window_hashes

TEXT = "형식은 아모 말도 업시 先生을 보았다. 영채는 울었다. 가나다라 마바사 뷁𠀀é\n" * 3
MASK = (1 << 64) - 1


def table_of(text, tokenizer):
    return index_tokens(tokenizer.encode(text), tokenizer, len(text))


def hash_slowly(window):
    """The hash of one window, from its definition, in whole numbers."""
    value = 0
    for character in window:
        value = (value + ord(character) + 1) * 0x9E3779B97F4A7C15 & MASK
    for shift, factor in ((32, 0xBF58476D1CE4E5B9), (29, 0x94D049BB133111EB)):
        value = (value ^ value >> shift) * factor & MASK
    return value ^ value >> 32


def table_slowly(text):
    size = -(-max(64, 2 * len(text)) // 8) * 8
    table = np.zeros(size // 8, dtype=np.uint8)
    for at in range(len(text) - WINDOW + 1):
        bit = (hash_slowly(text[at : at + WINDOW]) >> 32) * size >> 32
        table[bit // 8] |= 1 << bit % 8
    return table


@given(st.text(max_size=20))
def test_hashes_are_as_defined(text):
    hashes = window_hashes(np.array([*map(ord, text)], dtype=np.int64))
    expected = [hash_slowly(text[at : at + WINDOW]) for at in range(len(text) - WINDOW + 1)]
    assert hashes.tolist() == expected


@pytest.mark.parametrize("chunk", [1, 5, 1 << 18])
def test_the_table_is_that_of_the_text(tokenizer, chunk, monkeypatch):
    monkeypatch.setattr(copies, "_CHUNK", chunk)
    assert np.array_equal(table_of(TEXT, tokenizer), table_slowly(TEXT))


@pytest.mark.parametrize("chunk", [3, 1 << 18])
def test_windows_do_not_reach_across_documents(tokenizer, chunk, monkeypatch):
    monkeypatch.setattr(copies, "_CHUNK", chunk)
    first, second = TEXT[:20], TEXT[60:85]
    parts = [tokenizer.encode(first), [tokenizer.boundary], tokenizer.encode(second)]
    table = index_tokens(np.concatenate(parts), tokenizer, 1000)
    apart = np.zeros_like(table)
    for text in (first, second):
        apart |= index_tokens(tokenizer.encode(text), tokenizer, 1000)
    assert np.array_equal(table, apart)


def test_a_text_shorter_than_a_window_sets_nothing(tokenizer):
    assert not table_of("가나다", tokenizer).any()
    assert not index_tokens(tokenizer.encode(""), tokenizer, 0).any()


@given(st.integers(0, 60), st.integers(1, 40), st.integers(10, 20), st.text("가나 다", max_size=9))
def test_every_copy_that_is_too_long_is_found(start, size, max_copy, before):
    char = CHAR
    index = CopyIndex([table_of(TEXT, char)])
    text = TEXT[start : start + size]
    state = index.follow(index.begin(), before)
    texts = Texts(np.array([[*map(ord, text)]]), np.array([len(text)]))
    if len(text) > max_copy:
        assert not index.permitted(state, max_copy, texts).any()
        assert index.near(state, max_copy, len(text))


@given(st.text("가나다 라", min_size=1, max_size=30), st.integers(0, 29))
def test_reading_ahead_is_reading(text, cut):
    index = CopyIndex([table_of(TEXT, CHAR), table_of("가나다 라" * 9, CHAR)])
    state = index.follow(index.begin(), text[:cut])
    assert index.follow(state, text[cut:]) == index.follow(index.begin(), text)
    rest = text[cut:] or "가"
    texts = Texts(np.array([[*map(ord, rest)]]), np.array([len(rest)]))
    limit, fine = 10 + 2 - WINDOW, True
    for character in rest:
        state = index.follow(state, character)
        fine = fine and max(state.runs) < limit
    start = index.follow(index.begin(), text[:cut])
    assert index.permitted(start, 10, texts).tolist() == [fine]


def test_other_text_is_mostly_permitted():
    rng = np.random.default_rng(1)
    training = "".join(map(chr, rng.integers(0xAC00, 0xD7A4, 20_000)))
    index = CopyIndex([table_of(training, train_tokenizer("byte", list))])
    assert 0.3 < np.unpackbits(index.tables[0]).mean() < 0.45
    other = rng.integers(0xAC00, 0xD7A4, (2000, 20))
    lengths = np.full(2000, 20)
    refused = [
        1 - index.permitted(index.begin(), max_copy, Texts(other, lengths)).mean()
        for max_copy in (10, 15)
    ]
    assert refused[0] < 0.25
    assert refused[1] < 0.01


CHAR = train_tokenizer("char", lambda: [TEXT])
