"""Weights that follow the text."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from charnn.model.weighing import Weighing

rows = arrays(np.float64, (3, 20), elements=st.floats(-50, 0))


@given(rows, st.floats(0.001, 0.9))
def test_many_tokens_at_once_are_one_after_the_other(log_probs, rate) -> None:
    one, other = Weighing(3, rate), Weighing(3, rate)
    together = one.note_all(list(log_probs))
    for place, column in enumerate(log_probs.T):
        mixed = other.mix([np.array([np.exp(held)]) for held in column])
        assert np.log(mixed[0]) == pytest.approx(together[place])
        assert other.note(column.tolist()) == together[place]
    assert one.weights == other.weights
    assert sum(one.weights) == pytest.approx(1)


def test_one_token_moves_them_by_the_formula() -> None:
    weighing = Weighing(2, rate=0.1)
    told = weighing.note([np.log(0.8), np.log(0.2)])
    assert told == pytest.approx(np.log(0.5))
    assert weighing.weights == pytest.approx((0.5 + 0.1 * (0.8 - 0.5), 0.5 + 0.1 * (0.2 - 0.5)))


def test_the_better_expert_is_believed_and_a_change_is_noticed() -> None:
    weighing = Weighing(2)
    good, bad = np.full(2000, -1.0), np.full(2000, -3.0)
    weighing.note_all([good, bad])
    assert weighing.weights[0] > 0.95
    weighing.note_all([bad, good])
    assert weighing.weights[1] > 0.95


def test_a_copy_goes_its_own_way() -> None:
    weighing = Weighing(2, rate=0.5)
    copied = weighing.copy()
    copied.note([0.0, -9.0])
    assert weighing.weights == (0.5, 0.5)
    assert copied.weights[0] > 0.7


def test_what_none_of_them_held_possible_has_a_cost() -> None:
    assert Weighing(2).note([-690.0, -700.0]) == pytest.approx(-690 + np.log(0.5), abs=1e-3)
