"""Softmax over rows, one and several, beside that of torch in float64."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from charnn.model.softmax import log_softmax_, softmax_

some_logits = arrays(
    np.float32,
    st.tuples(st.integers(1, 3), st.integers(1, 9)),
    elements=st.floats(-1000, 1000, width=32),
)


@given(some_logits)
def test_in_place_of_the_logits(logits):
    expected = torch.from_numpy(logits.astype(np.float64)).log_softmax(-1).numpy()
    found = log_softmax_(logits)
    assert found is logits and found.dtype == np.float32
    assert np.allclose(found, expected, rtol=1e-5, atol=1e-4)


@given(some_logits, st.floats(0.0, 1.0))
def test_a_share_of_all_probability(logits, share):
    expected = share * torch.from_numpy(logits.astype(np.float64)).softmax(-1).numpy()
    found = softmax_(logits, share)
    assert found is logits and found.dtype == np.float32
    assert np.allclose(found, expected, rtol=1e-4, atol=1e-6)
    assert found.sum(axis=1) == pytest.approx(share, abs=1e-5)
