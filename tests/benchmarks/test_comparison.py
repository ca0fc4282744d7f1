"""Which system is better, and where nobody can tell."""

import math

import numpy as np
import pytest
from comparison import Comparison, gap_between, grouped

CELLS = np.random.default_rng(1).normal(200, 20, 60)


def row(**systems: np.ndarray) -> dict:
    """A row of 6,000 characters."""
    return {
        "characters": 6000,
        "bits_per_char": {n: cells.sum() / 6000 / math.log(2) for n, cells in systems.items()},
        "cells": {name: cells.tolist() for name, cells in systems.items()},
    }


def test_systems_stand_in_their_order_with_ties_as_ties():
    jitter = np.random.default_rng(2).normal(0, 5, 60)
    near = CELLS + jitter - jitter.mean() + 0.1
    compared = Comparison([row(plain=CELLS + 40, both=CELLS, network=near)])
    order = compared.order(adaptive=False)
    assert [word for word in order.split() if word.isalpha()] == ["both", "network", "plain"]
    assert [word for word in order.split() if word in "<≈"] == ["≈", "<"]


def test_what_goes_on_learning_stands_by_itself():
    compared = Comparison([row(**{"n-gram": CELLS, "n-gram*": CELLS - 9, "PPMd*": CELLS - 5})])
    assert compared.systems(adaptive=False) == ["n-gram"]
    assert compared.systems(adaptive=True) == ["n-gram*", "PPMd*"]


def test_without_cells_there_is_no_interval():
    packed = {"characters": 6000, "bits_per_char": {"xz*": 4.5}}
    order = Comparison([row(**{"n-gram*": CELLS}), packed]).order(adaptive=True)
    assert order.endswith("< xz* 4.500")


def test_several_rows_of_a_system_are_their_mean():
    compared = Comparison([row(network=CELLS), row(network=CELLS + 2)])
    assert compared.bits("network") == pytest.approx((CELLS.sum() + 60) / 6000 / math.log(2))


def test_nats_are_bits_times_ln_2():
    of = [row(network=CELLS)]
    bits, nats = (Comparison(of, unit).order(adaptive=False).split() for unit in ("bits", "nats"))
    assert float(nats[1]) == pytest.approx(float(bits[1]) * math.log(2), abs=1e-3)


def test_a_gap_tells_how_far_and_whether_it_is_one():
    assert gap_between([row(a=CELLS + 10)], [row(a=CELLS)], "a") == "+0.144 ± 0.000"
    assert gap_between([row(a=CELLS)], [row(a=CELLS)], "a") == "+0.000 ± 0.000 (tie)"


def test_scores_of_two_texts_are_not_compared():
    with pytest.raises(
        ValueError, match=r"^only scores of one text can be compared, got \[5, 6000\]$"
    ):
        Comparison([row(a=CELLS), {"characters": 5, "bits_per_char": {}}])


def test_rows_are_grouped_in_the_order_they_came():
    rows = [{"a": 2}, {"a": 1}, {"a": 2, "b": 3}]
    assert grouped(rows, "a") == {(2,): [rows[0], rows[2]], (1,): [rows[1]]}
