"""Values over steps in bounded memory: what a chart is drawn from. Drawing is left to chart.py.

Curves are immutable and compared by identity, which makes them cheap keys of a cache.
"""

import math
from dataclasses import dataclass, field
from typing import NamedTuple

CAPACITY = 512
LARGEST = 1e6
HORIZON_SHARE = 0.02
_SHORTEST_HORIZON = 4.0


class Point(NamedTuple):
    """One value at one step."""

    step: int
    value: float


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """At most `CAPACITY` points in the order of their steps, evenly spread over the run.

    Steps fall into buckets of equal width and each keeps its newest point; the width doubles when
    the buckets become too many.

    Attributes:
        points: the points, steps strictly rising, values between -LARGEST and LARGEST.
        width: steps in a bucket, a power of two.
    """

    points: tuple[Point, ...] = ()
    width: int = 1

    def add(self, step: int, value: float) -> "Curve":
        """The curve with one more point; points at or after `step` are forgotten (a resumed run).

        A value that is no number, or too large for a chart of losses, changes nothing.

        >>> Curve().add(1, 4.0).add(3, 3.5).add(2, 3.0).points
        (Point(step=1, value=4.0), Point(step=2, value=3.0))
        """
        if not abs(value) < LARGEST:
            return self
        points, width = self.before(step).points, self.width
        if points and points[-1].step // width == step // width:
            points = points[:-1]
        points = (*points, Point(step, value))
        while len(points) > CAPACITY:
            width *= 2
            points = tuple({point.step // width: point for point in points}.values())
        return Curve(points, width)

    def before(self, step: int) -> "Curve":
        """The curve as far as it lies before a step."""
        if not self.points or self.points[-1].step < step:
            return self
        return Curve(tuple(point for point in self.points if point.step < step), self.width)


@dataclass(frozen=True, slots=True, eq=False)
class SmoothedCurve:
    """A curve of exponential means, each value weighted by the steps it stands for.

    The horizon grows with the run (`HORIZON_SHARE` of the steps so far), so that the line is as
    calm at the end of a long run as in its first minute.

    Attributes:
        curve: the smoothed points.
    """

    curve: Curve = field(default_factory=Curve)

    @property
    def mean(self) -> float | None:
        """The newest smoothed value; None before the first."""
        return self.curve.points[-1].value if self.curve.points else None

    def add(self, step: int, value: float) -> "SmoothedCurve":
        """The curve after one more value; what a curve does not take changes nothing."""
        if not abs(value) < LARGEST:
            return self
        curve = self.curve.before(step)
        if not curve.points:
            return SmoothedCurve(curve.add(step, value))
        last = curve.points[-1]
        horizon = max(_SHORTEST_HORIZON, HORIZON_SHARE * step)
        weight = -math.expm1(-(step - last.step) / horizon)
        return SmoothedCurve(curve.add(step, last.value + weight * (value - last.value)))
