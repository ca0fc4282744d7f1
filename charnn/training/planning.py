"""Minutes -> steps: times the first steps of a training and fits the plan into the wall clock."""

import statistics
import time
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field

from charnn.corpus.batches import Tokens
from charnn.model.ensemble import Model
from charnn.training.device import Device
from charnn.training.evaluation import WHOLE, Reading, rows_of, token_nats
from charnn.training.options import Interval, TrainOptions
from charnn.training.plan import Plan, make_plan, usual_validations
from charnn.training.recipe import Recipe

EXIT_SECONDS = 0.4
"""From the last record to the end of the process."""
_CALIBRATION_SHARE = 0.02
_CALIBRATION_SECONDS = 15.0
_LEAST_STEPS = 12
_MOST_STEPS = 1000
_VALIDATION_SHARE = 0.03
_PROBE_TOKENS = 512
_SMALL_REVISION, _SMALL_SECONDS = 0.02, 1.0


class Timing:
    """Times the first steps of a training that was given minutes.

    Args:
        options: for the minutes.
        clock: seconds since the command began.
    """

    def __init__(self, options: TrainOptions, clock: Callable[[], float]) -> None:
        self.budget = options.seconds
        self.clock = clock
        self._enough = min(_CALIBRATION_SECONDS, _CALIBRATION_SHARE * self.budget)
        self._first = True
        self._seconds: list[float] = []
        self._spent = 0.0

    def note(self, seconds: float) -> None:
        """A step took so long; the very first is left out, for it builds kernels and caches."""
        if not self._first:
            self._seconds.append(seconds)
            self._spent += seconds
        self._first = False

    def wants_more(self) -> bool:
        """Whether more steps should be timed: some, but within 5 % of what will be taken."""
        if not self._seconds:
            return True
        if self._spent >= 2 * self._enough or len(self._seconds) >= _MOST_STEPS:
            return False
        return len(self._seconds) < _LEAST_STEPS or self._spent < self._enough

    @property
    def seconds_per_step(self) -> float:
        """The median step, without the first third, which still warms caches and allocators."""
        return statistics.median(self._seconds[len(self._seconds) // 3 :])


@dataclass
class Costs:
    """Seconds that each task between steps took the last time; 0 for one not yet done."""

    seconds: dict[str, float] = field(default_factory=dict)

    def note(self, task: str, seconds: float) -> None:
        """A task took so long."""
        self.seconds[task] = seconds

    def of(self, kind: str) -> float:
        """Seconds of all tasks of a kind: "sample" is the sum of "sample 0.5", "sample 0.8"."""
        return sum(taken for task, taken in self.seconds.items() if task.split()[0] == kind)


def plan_for_minutes(
    options: TrainOptions,
    recipe: Recipe,
    windows_per_epoch: int,
    timing: Timing,
    costs: Costs,
    steps_done: int,
) -> Plan:
    """The plan that ends when the minutes do.

    Args:
        options: what the user asked for.
        recipe: for the warm-up.
        windows_per_epoch: steps of one epoch.
        timing: of the first steps.
        costs: of "validation", "sample", "save", "final", and "copy": the part of a save that
            training waits for.
        steps_done: steps taken so far.
    """
    left = timing.budget - timing.clock() - reserved_seconds(costs)
    left -= costs.of("save")  # when the plan is fixed
    most = _VALIDATION_SHARE * max(0.0, left) / max(1e-3, costs.of("validation"))
    validations = max(4, min(usual_validations(left), int(most)))
    left -= validations * costs.of("validation")
    per_step = timing.seconds_per_step
    for task, every in (
        ("sample", options.sample_every),
        ("copy", options.save_every),
    ):
        steps_between = Interval.parse(every, task).in_steps(timing.seconds_per_step)
        per_step += costs.of(task) / steps_between
    total = steps_done + max(1, round(left / per_step))
    return make_plan(
        options,
        recipe,
        windows_per_epoch,
        total,
        timing.seconds_per_step,
        validations=validations,
        seconds=timing.budget,
    )


def reserved_seconds(costs: Costs) -> float:
    """What the end takes behind the last step."""
    return costs.of("final") + costs.of("save") + costs.of("sample") + EXIT_SECONDS


class Pace:
    """Keeps a plan for minutes in step with the clock; another program may come or go.

    It looks each time an eighth of the steps that were left is done, and goes by the time of these
    steps. Not used when a run is resumed: it follows its plan.

    Args:
        plan: made for seconds, just fixed.
        clock: seconds since the command began.
        costs: what the tasks between steps took the last time; others keep it up to date.
        step: where the training stands.
    """

    def __init__(self, plan: Plan, clock: Callable[[], float], costs: Costs, step: int) -> None:
        self._clock = clock
        self._costs = costs
        self._until = (plan.seconds or 0.0) - reserved_seconds(costs)
        self._look_from(step, plan.total_steps)

    def note(self, seconds: float) -> None:
        """A step took so long."""
        self._spent += seconds
        self._steps += 1

    def skip(self, seconds: float) -> None:
        """Training was paused so long: that is no part of the minutes."""
        self._until += seconds

    def revise(self, plan: Plan, step: int) -> Plan | None:
        """The plan to follow from this step on, or None to go on with this one."""
        if step < self._look_at or plan.total_steps <= step or not self._steps:
            return None
        per_step = self._spent / self._steps
        left = max(0.0, self._until - self._clock())
        total = self._end_of(plan, step, left, per_step)
        small = max(_SMALL_REVISION * left, _SMALL_SECONDS)
        if abs(total - plan.total_steps) * per_step < small:
            total = plan.total_steps
        self._look_from(step, total)
        return None if total == plan.total_steps else plan.revised(step, total)

    def _end_of(self, plan: Plan, step: int, left: float, per_step: float) -> int:
        """The last step that so many seconds are enough for, with every task on the way."""
        every = {
            "validation": plan.validate_every,
            "sample": plan.sample_every,
            "copy": plan.save_every,
        }

        def seconds(end: int) -> float:
            times = {task: end // steps - step // steps for task, steps in every.items()}
            tasks = sum(self._costs.of(task) * count for task, count in times.items())
            return tasks + (end - step) * per_step

        most = range(step + 2, step + 2 + round(left / max(1e-9, per_step)))
        return step + 1 + bisect_right(most, left, key=seconds)

    def _look_from(self, step: int, total: int) -> None:
        self._spent, self._steps = 0.0, 0
        self._look_at = step + max(1, (total - step) // 8)


def final_seconds(
    model: Model,
    held_out: Tokens,
    boundary: int,
    device: Device,
    on_progress: Callable[[int], bool] | None = None,
) -> float:
    """About how long the whole of the held-out part will take to read, from a part of it."""
    if len(held_out) == 0:
        return 0.0
    rows = rows_of(len(held_out), WHOLE)
    columns = min(_PROBE_TOKENS, len(held_out) // rows)
    probe = Reading(rows=rows, past=0, least_row=1)
    seconds = 0.0
    for _ in range(2):  # the first time also pays for what is made once
        started = time.perf_counter()
        part = held_out[: rows * columns]
        token_nats(model, part, boundary, device, probe, on_progress)
        seconds = time.perf_counter() - started
    past = WHOLE.past if rows > 1 else 0
    return seconds * (len(held_out) / rows + past) / columns
