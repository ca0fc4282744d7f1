"""An n-gram model that has read more is the one that `score_adaptive` has in mind at the end."""

from unittest.mock import patch

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from charnn.model import ngram_growth
from charnn.model.ngram import count_ngrams
from charnn.model.ngram_growth import count_more
from charnn.model.ngram_scores import score_adaptive, score_frozen

V = 5
texts = st.lists(st.integers(0, V - 1), min_size=1, max_size=60).map(np.array)
orders = st.integers(1, 5)


@given(texts, texts, texts, orders)
def test_what_comes_next_costs_what_it_costs_while_reading(text, more, following, order):
    ngram = count_ngrams(text, V, order)
    read = score_frozen(count_more(ngram, text, more), np.concatenate([text, more]), following[:1])
    reading = score_adaptive(ngram, text, np.concatenate([more, following[:1]]))
    np.testing.assert_allclose(read, reading[-1:], rtol=1e-5)


@given(texts, texts, texts, orders)
def test_a_text_read_in_two_parts_is_a_text_read_at_once(text, more, still_more, order):
    ngram = count_ngrams(text, V, order)
    twice = count_more(count_more(ngram, text, more), np.concatenate([text, more]), still_more)
    once = count_more(ngram, text, np.concatenate([more, still_more]))
    assert_same(twice, once)
    for one, other in zip(once.levels, ngram.levels, strict=True):
        np.testing.assert_array_equal(one.discounts, other.discounts)


@given(texts, texts, orders)
def test_tokens_that_count_once_are_as_if_they_had_always_been_there(text, more, order):
    with patch.object(ngram_growth, "NEW_COUNT", 1):
        grown = count_more(count_ngrams(text, V, order), text, more)
    assert_same(grown, count_ngrams(np.concatenate([text, more]), V, order))


@given(texts, orders)
def test_nothing_more_changes_nothing(text, order):
    ngram = count_ngrams(text, V, order)
    assert_same(count_more(ngram, text, text[:0]), ngram)


def assert_same(one, other):
    """The same counts of the same n-grams."""
    assert one.arrays().keys() == other.arrays().keys()
    for name, array in other.arrays().items():
        np.testing.assert_array_equal(one.arrays()[name], array, err_msg=name)
