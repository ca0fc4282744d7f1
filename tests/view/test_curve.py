"""Curves hold what a chart needs, in bounded memory."""

import math
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from charnn.view.curve import CAPACITY, HORIZON_SHARE, LARGEST, Curve, SmoothedCurve

points = st.lists(st.tuples(st.integers(0, 10_000), st.floats(allow_nan=True)), max_size=60)


@given(points)
@settings(max_examples=100)
def test_points_are_those_that_no_later_point_has_made_void(values):
    curve = Curve()
    kept = []
    for step, value in values:
        curve = curve.add(step, value)
        if abs(value) < LARGEST:
            kept = [point for point in kept if point[0] < step] + [(step, value)]
    assert [tuple(point) for point in curve.points] == kept


def test_a_long_run_takes_bounded_memory_and_keeps_its_ends():
    curve = Curve()
    for step in range(1, 20_001):
        curve = curve.add(step, float(step))
        assert len(curve.points) <= CAPACITY
    steps = [point.step for point in curve.points]
    assert steps == sorted(set(steps))
    assert steps[0] <= curve.width and steps[-1] == 20_000
    gaps = [after - before for before, after in pairwise(steps)]
    assert max(gaps) <= 2 * curve.width


def test_before_keeps_what_lies_before_a_step():
    curve = Curve().add(1, 1.0).add(5, 2.0)
    assert curve.before(6) is curve
    assert [point.step for point in curve.before(5).points] == [1]


@given(st.lists(st.floats(-100, 100), min_size=1, max_size=50))
@settings(max_examples=50)
def test_smoothed_values_stay_between_the_least_and_the_largest(values):
    curve = SmoothedCurve()
    for step, value in enumerate(values, 1):
        curve = curve.add(step, value)
        assert min(values) - 1e-9 <= curve.mean <= max(values) + 1e-9
    assert len(curve.curve.points) == len(values)


def test_smoothing_is_the_exponential_mean_over_steps():
    curve = SmoothedCurve().add(1000, 4.0).add(1010, 3.0)
    weight = 1 - math.exp(-10 / (HORIZON_SHARE * 1010))
    assert curve.mean == 4.0 + weight * (3.0 - 4.0)


def test_a_resumed_run_goes_on_from_the_mean_before_it():
    before = SmoothedCurve().add(10, 4.0).add(20, 3.5)
    resumed = before.add(30, 9.0).add(21, 3.4)
    assert resumed.curve.points == before.add(21, 3.4).curve.points
    assert SmoothedCurve().add(5, 2.0).add(5, 3.0).mean == 3.0


def test_what_is_no_number_changes_nothing():
    curve = SmoothedCurve().add(1, 4.0)
    assert curve.add(2, math.nan) is curve
    assert curve.add(2, math.inf) is curve
    assert Curve().add(1, -math.inf).points == ()
    assert SmoothedCurve().mean is None
