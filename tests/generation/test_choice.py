"""Drawing tokens: against plain inversion, by chi-square, and at the edges of rounding."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charnn.errors import RunDamagedError
from charnn.generation.choice import choose_tokens
from charnn.generation.filters import apply_temperature

LAST_DRAW = math.nextafter(1, 0)


def invert_slowly(weights, draw):
    """The first token at which the running sum exceeds the draw's share of the total."""
    target, total = draw * math.fsum(weights), 0.0
    for token, weight in enumerate(weights):
        total += weight
        if total > target:
            return token
    raise AssertionError("no token")


@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 2, 63, 64, 65, 300]), st.integers(1, 5))
@settings(max_examples=100)
def test_same_as_inverting_the_running_sum(seed, vocab_size, batch):
    rng = np.random.default_rng(seed)
    logits = apply_temperature(rng.normal(0, 3, (batch, vocab_size)), 1.0)
    logits[:, rng.integers(0, vocab_size, vocab_size // 2)] = -math.inf
    logits[:, rng.integers(vocab_size)] = 0.0
    draws = rng.random(batch).tolist()
    expected = [
        invert_slowly(row, u) for row, u in zip(np.exp(logits).tolist(), draws, strict=True)
    ]
    assert choose_tokens(logits, draws) == expected


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_chi_square_of_many_draws(dtype):
    rng = np.random.default_rng(5)
    logits = apply_temperature(rng.normal(0, 2, (1, 150)).astype(dtype), 1.0)
    probs = np.exp(logits[0].astype(np.float64))
    probs /= probs.sum()
    count = 40_000
    tokens = choose_tokens(np.repeat(logits, count, axis=0), rng.random(count).tolist())
    expected = probs * count
    seen = np.bincount(tokens, minlength=150)
    enough = expected >= 5
    statistic = ((seen - expected)[enough] ** 2 / expected[enough]).sum()
    freedom = enough.sum() - 1
    assert statistic < freedom + 4 * math.sqrt(2 * freedom)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("draw", [0.0, 5e-324, 1e-17, 0.5, LAST_DRAW])
def test_a_masked_token_is_never_drawn(dtype, draw):
    rng = np.random.default_rng(3)
    for vocab_size in (1, 64, 200):
        for _ in range(20):
            logits = np.full((1, vocab_size), -math.inf, dtype)
            able = rng.choice(vocab_size, size=min(vocab_size, 3), replace=False)
            logits[0, able] = -rng.random(len(able)) * 40
            logits[0, able[0]] = 0.0
            (token,) = choose_tokens(logits, [draw])
            assert token in able


def test_rounding_at_the_end_of_a_block_does_not_lead_past_it():
    logits = np.full((1, 192), -math.inf)
    logits[0, [0, 64, 128]] = -5.05, -9.63, -2.3  # the rest of this draw in its block rounds to 1
    assert choose_tokens(logits, [LAST_DRAW]) == [128]


def test_draws_walk_through_the_tokens_in_order():
    logits = np.log(np.array([[0.25, 0.5, 0.25]]) / 0.5)
    tokens = [
        choose_tokens(logits, [draw])[0] for draw in (0.0, 0.249, 0.25, 0.749, 0.75, LAST_DRAW)
    ]
    assert tokens == [0, 0, 1, 1, 2, 2]


def test_rows_are_drawn_on_their_own():
    rng = np.random.default_rng(1)
    logits = apply_temperature(rng.normal(size=(7, 500)), 0.9)
    draws = rng.random(7).tolist()
    alone = [choose_tokens(logits[i : i + 1], draws[i : i + 1])[0] for i in range(7)]
    assert choose_tokens(logits, draws) == alone


@pytest.mark.parametrize("low", [0.0, -30.0, -60.0, -2000.0])
def test_how_small_all_weights_are_does_not_matter(low):
    rng = np.random.default_rng(2)
    logits = apply_temperature(rng.normal(0, 3, (4, 300)), 1.0)
    draws = rng.random(4).tolist()
    assert choose_tokens(logits + low, draws) == choose_tokens(logits, draws)
    assert choose_tokens((logits + low).astype(np.float32), draws) == choose_tokens(logits, draws)


@pytest.mark.parametrize("bad", [0, 149])
def test_not_a_number_is_refused(bad):
    logits = np.zeros((2, 150), np.float32)
    logits[1, bad] = math.nan
    with pytest.raises(RunDamagedError) as error:
        choose_tokens(logits, [0.5, 0.0])
    assert str(error.value) == (
        "the model's probabilities are not numbers (its weights are damaged or its training "
        "diverged); generate from an earlier checkpoint or train again"
    )
