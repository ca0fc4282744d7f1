"""Counts that predict token by token, against those that score a whole text at once."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charnn.model.ngram import count_ngrams
from charnn.model.ngram_counting import CountingNgram
from charnn.model.ngram_scores import score_adaptive

V = 5
texts = st.lists(st.integers(0, V - 1), min_size=1, max_size=60).map(np.array)
orders = st.integers(1, 5)


@given(texts, texts, orders)
def test_every_token_costs_what_it_costs_a_text_that_is_there(before, text, order) -> None:
    ngram = count_ngrams(before, V, order)
    counting = CountingNgram(ngram, before)
    costs = []
    for token in text.tolist():
        probs = counting.probs()
        assert probs.sum() == pytest.approx(1)
        assert probs.min() > 0
        costs.append(np.log(probs[token]))
        counting.read(token)
    expected = score_adaptive(ngram, before, text)
    np.testing.assert_allclose(costs, expected, rtol=1e-12, atol=1e-12)


@given(texts, texts, orders)
def test_the_model_it_begins_from_stays(before, text, order) -> None:
    ngram = count_ngrams(before, V, order)
    kept = {name: array.copy() for name, array in ngram.arrays().items()}
    counting = CountingNgram(ngram, before)
    for token in text.tolist():
        counting.read(token)
    for name, array in ngram.arrays().items():
        np.testing.assert_array_equal(array, kept[name])
