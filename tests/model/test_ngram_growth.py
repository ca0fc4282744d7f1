import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from charnn.model.ngram import count_ngrams
from charnn.model.ngram_growth import count_more

V = 5
texts = st.lists(st.integers(0, V - 1), min_size=1, max_size=60).map(np.array)
orders = st.integers(1, 5)


@given(texts, texts, orders)
def test_counting_more_is_counting_everything(text, more, order):
    grown = count_more(count_ngrams(text, V, order), text, more).arrays()
    whole = count_ngrams(np.concatenate([text, more]), V, order).arrays()
    assert grown.keys() == whole.keys()
    for name, array in whole.items():
        np.testing.assert_array_equal(grown[name], array, err_msg=name)


@given(texts, orders)
def test_nothing_more_changes_nothing(text, order):
    ngram = count_ngrams(text, V, order)
    for name, array in count_more(ngram, text, text[:0]).arrays().items():
        np.testing.assert_array_equal(array, ngram.arrays()[name])
