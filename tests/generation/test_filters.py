"""Every filter against a slow twin written from its definition."""

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from charnn.errors import OptionError
from charnn.generation.filters import (
    apply_temperature,
    check_range,
    check_whole,
    min_p_filter,
    repeat_penalty,
    top_k_filter,
    top_p_filter,
)

# Few different values: ties are frequent. -inf is a token that is masked already.
VALUES = st.sampled_from([-math.inf, -30.0, -2.5, -1.0, -1.0, 0.0, 0.5, 3.0])


@st.composite
def logits_rows(draw, dtypes=(np.float32, np.float64)):
    shape = draw(st.tuples(st.integers(1, 4), st.integers(1, 12)))
    logits = draw(arrays(draw(st.sampled_from(dtypes)), shape, elements=VALUES))
    assume(np.isfinite(logits).any(axis=1).all())
    return logits


def probabilities(row):
    weights = [math.exp(value - max(row)) for value in row]
    return [weight / sum(weights) for weight in weights]


def only(row, kept):
    return [value if token in kept else -math.inf for token, value in enumerate(row)]


def by_probability(row):
    """Tokens from the most probable to the least; at a tie the lower index first."""
    return sorted(range(len(row)), key=lambda token: (-row[token], token))


@given(logits_rows(), st.integers(0, 14))
@settings(max_examples=200)
def test_top_k_keeps_exactly_the_first_k(logits, k):
    expected = [only(row, by_probability(row)[: k or len(row)]) for row in logits.tolist()]
    filtered = top_k_filter(logits, k)
    assert filtered.tolist() == expected
    assert filtered.dtype == logits.dtype


def test_top_k_at_a_tie_keeps_k_of_the_lowest_index():
    filtered = top_k_filter(np.zeros((1, 5)), 3)
    assert filtered.tolist() == [[0, 0, 0, -math.inf, -math.inf]]


def slow_top_p(row, top_p):
    order, kept, total = by_probability(row), [], 0.0
    probs = probabilities(row)
    for token in order:
        kept.append(token)
        total += probs[token]
        if total >= top_p:
            break
    return only(row, kept)


@given(logits_rows(dtypes=(np.float64,)), st.floats(0, 0.999))
@settings(max_examples=200)
def test_top_p_keeps_the_fewest_tokens_with_that_share(logits, top_p):
    for row in logits.tolist():  # no share that rounding could decide
        total = np.cumsum(sorted(probabilities(row), reverse=True))
        assume(np.abs(total - top_p).min() > 1e-9)
    expected = [slow_top_p(row, top_p) for row in logits.tolist()]
    assert top_p_filter(logits, top_p).tolist() == expected


@given(logits_rows(), st.floats(0, 1))
@settings(max_examples=100)
def test_top_p_keeps_at_least_the_most_probable_token(logits, top_p):
    filtered = top_p_filter(logits, top_p)
    assert (filtered.argmax(axis=1) == logits.argmax(axis=1)).all()
    assert np.isfinite(filtered).any(axis=1).all()


def test_top_p_of_one_keeps_everything_and_of_nothing_one_token():
    logits = np.array([[0.0, -800.0, 0.0]])
    assert top_p_filter(logits, 1.0).tolist() == logits.tolist()
    assert top_p_filter(logits, 0.0).tolist() == [[0.0, -math.inf, -math.inf]]


@given(logits_rows(dtypes=(np.float64,)), st.floats(0.001, 1))
@settings(max_examples=200)
def test_min_p_keeps_what_is_near_the_best(logits, min_p):
    expected = []
    for row in logits.tolist():
        ratios = [math.exp(value - max(row)) for value in row]
        assume(all(ratio == 1 or abs(ratio - min_p) > 1e-9 for ratio in ratios))
        expected.append(only(row, [t for t, ratio in enumerate(ratios) if ratio >= min_p]))
    assert min_p_filter(logits, min_p).tolist() == expected


@given(logits_rows())
@settings(max_examples=30)
def test_min_p_at_its_ends(logits):
    assert min_p_filter(logits, 0).tolist() == logits.tolist()
    best = [only(row, [t for t, v in enumerate(row) if v == max(row)]) for row in logits.tolist()]
    assert min_p_filter(logits, 1).tolist() == best


@given(logits_rows(dtypes=(np.float64,)), st.data())
@settings(max_examples=100)
def test_repeat_penalty_raises_probabilities_to_a_power(logits, data):
    batch, vocab_size = logits.shape
    tokens = st.integers(0, vocab_size - 1)
    recent = np.array(
        data.draw(
            st.lists(st.lists(tokens, min_size=3, max_size=3), min_size=batch, max_size=batch)
        )
    )
    penalty = data.draw(st.floats(0.5, 3))
    changed = np.exp(repeat_penalty(logits + 7, recent, penalty))
    for row, seen, result in zip(logits.tolist(), recent.tolist(), changed.tolist(), strict=True):
        powers = [p**penalty if t in seen else p for t, p in enumerate(probabilities(row))]
        assert result == pytest.approx(powers, rel=1e-9, abs=1e-300)


def test_repeat_penalty_without_recent_tokens_only_normalises():
    log_probs = repeat_penalty(np.zeros((2, 4)), np.empty((2, 0), int), 1.5)
    assert np.allclose(log_probs, math.log(1 / 4))


@given(logits_rows(dtypes=(np.float64,)), st.floats(0.01, 50))
@settings(max_examples=100)
def test_temperature_is_a_power_of_the_probabilities(logits, temperature):
    scaled = apply_temperature(logits, temperature)
    assert (scaled.max(axis=1) == 0).all()
    for row, result in zip(logits.tolist(), scaled.tolist(), strict=True):
        powers = [p ** (1 / temperature) for p in probabilities(row)]
        expected = [power / sum(powers) for power in powers]
        assert probabilities(result) == pytest.approx(expected, rel=1e-9, abs=1e-300)


@given(logits_rows())
@settings(max_examples=100)
def test_temperature_zero_keeps_the_first_of_the_best(logits):
    expected = [only([0.0] * len(row), by_probability(row)[:1]) for row in logits.tolist()]
    assert apply_temperature(logits, 0).tolist() == expected


@given(
    logits_rows(),
    st.sampled_from([5e-324, 1e-300, 1e-40, 1e-9, 1e9, 1e40, 1e300, math.inf]),
)
@settings(max_examples=100)
def test_any_temperature_works_without_overflow(logits, temperature):
    scaled = apply_temperature(logits, temperature)  # a warning would be an error
    limit = scaled == 0 if temperature < 1 else np.isfinite(scaled)
    wanted = logits == logits.max(axis=1, keepdims=True) if temperature < 1 else logits > -math.inf
    weights = np.exp(scaled)
    assert (limit == wanted).all()
    assert np.allclose(weights, wanted, atol=1e-6)


@pytest.mark.parametrize(
    "apply",
    [
        lambda logits: repeat_penalty(logits, np.array([[1], [0]]), 1.3),
        lambda logits: top_k_filter(logits, 2),
        lambda logits: top_k_filter(logits, 0),
        lambda logits: top_p_filter(logits, 0.5),
        lambda logits: top_p_filter(logits, 1),
        lambda logits: min_p_filter(logits, 0.5),
        lambda logits: min_p_filter(logits, 0),
        lambda logits: apply_temperature(logits, 0.5),
        lambda logits: apply_temperature(logits, 0),
    ],
)
def test_filters_return_new_arrays_and_leave_their_input(apply):
    logits = np.array([[0.0, 1.0, 2.0], [3.0, 1.0, 1.0]], np.float32)
    before = logits.copy()
    result = apply(logits)
    assert (logits == before).all()
    assert not np.shares_memory(result, logits)
    assert result.dtype == logits.dtype


@given(logits_rows(), st.sampled_from([5e-324, 1e-300, 1e39, 1e300]))
def test_a_penalty_of_any_size_leaves_numbers(logits, power):
    every = np.tile(np.arange(logits.shape[1]), (len(logits), 1))
    with np.errstate(all="raise", under="ignore"):
        found = repeat_penalty(logits, every, power)
    assert found.dtype == logits.dtype
    assert not np.isnan(found).any()
    assert (found[logits == -math.inf] == -math.inf).all()


def test_numbers_of_numpy_are_whole():
    check_whole("length", np.int32(5), 1)
    with pytest.raises(OptionError, match=r"^length must be >= 1, got 0$"):
        check_whole("length", np.int64(0), 1)


@pytest.mark.parametrize(
    ("refused", "message"),
    [
        (lambda x: repeat_penalty(x, x.astype(int), 0), "repeat_penalty must be > 0, got 0"),
        (lambda x: top_k_filter(x, -1), "top_k must be >= 0, got -1"),
        (lambda x: top_k_filter(x, 2.5), "top_k must be a whole number >= 0, got 2.5"),
        (lambda x: top_p_filter(x, 1.5), "top_p must be in [0, 1], got 1.5"),
        (lambda x: min_p_filter(x, -0.1), "min_p must be in [0, 1], got -0.1"),
        (lambda x: apply_temperature(x, -1.0), "temperature must be >= 0, got -1.0"),
        (lambda x: apply_temperature(x, math.nan), "temperature must be >= 0, got nan"),
        (lambda _: check_range("share", 2, 0, 2, above=True), "share must be in (0, 2), got 2"),
    ],
)
def test_refusals(refused, message):
    with pytest.raises(OptionError) as error:
        refused(np.zeros((1, 3)))
    assert str(error.value) == message
