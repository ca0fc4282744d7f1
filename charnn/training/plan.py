"""How many steps a training takes and what happens when: the plan, and what follows from it.

Fitting a plan into a number of minutes is left to planning.py.
"""

import math
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from charnn.errors import OptionError
from charnn.training.options import Interval, TrainOptions
from charnn.training.recipe import Recipe

MOST_RECORDS = 50_000
"""Step records of a plan, so that metrics.jsonl stays below about 20 MB however long it takes."""
MOST_SAMPLES = 5_000
"""How often a plan has samples written, so that samples.jsonl stays below about 50 MB."""

_VALIDATIONS, _SECONDS_UNVALIDATED = 25, 180.0
_LEAST_PATIENCE = 3


@dataclass(frozen=True, slots=True)
class Plan:
    """How many steps are taken and what happens after every so many of them.

    Attributes:
        total_steps: the length of the schedule.
        steps_per_epoch: steps that make one pass over the training part.
        warmup_steps: steps in which the learning rate rises.
        log_every: a step record, in steps; so are the other intervals.
        patience: evaluations without a better one before training ends; None never ends early.
        seconds: the wall clock the plan was made for, if any.
        first_step: where the plan begins (more of a finished run begins behind its end).
        revisions: (step, total_steps until then) for each time the plan was found too long or too
            short for its seconds. What lies before a revision stays as it was.
    """

    total_steps: int
    steps_per_epoch: int
    warmup_steps: int
    log_every: int
    validate_every: int
    sample_every: int
    save_every: int
    patience: int | None = None
    seconds: float | None = None
    first_step: int = 0
    revisions: tuple[tuple[int, int], ...] = ()

    def revised(self, step: int, total_steps: int) -> "Plan":
        """The plan with another end, from this step on."""
        revisions = (*self.revisions, (step, self.total_steps))
        return replace(self, total_steps=total_steps, revisions=revisions)

    def decay_share(self, step: int) -> float:
        """How much of the schedule behind the warm-up is over at a step, from 0 to 1.

        A revision bends it: from there on the rest is spread over the steps that are left.
        """
        at, share = self.first_step + self.warmup_steps, 0.0
        for until, total in (*self.revisions, (step, self.total_steps)):
            if (stop := min(until, step)) > at:
                share += (1 - share) * min(1.0, (stop - at) / max(1, total - at))
                at = stop
        return share

    def to_json(self) -> dict[str, Any]:
        """The plan as a JSON object."""
        return asdict(self) | {"revisions": [list(pair) for pair in self.revisions]}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Plan":
        """The plan that `to_json` made.

        Raises:
            OptionError: a field is missing or of the wrong kind.
        """
        try:
            values = {field.name: data[field.name] for field in fields(cls)}
        except KeyError as error:
            raise OptionError(f"plan is incomplete: {error}") from None
        values["revisions"] = _revisions(values["revisions"])
        for name, value in values.items():
            if name != "revisions":
                _check_planned(name, value)
        return cls(**values)


def make_plan(
    options: TrainOptions,
    recipe: Recipe,
    windows_per_epoch: int,
    total_steps: int,
    seconds_per_step: float,
    *,
    validations: int | None = None,
    seconds: float | None = None,
) -> Plan:
    """Lay out a training of `total_steps` steps; intervals in seconds become steps.

    Args:
        options: for the intervals the user asked for.
        recipe: for the warm-up.
        windows_per_epoch: steps of one epoch.
        total_steps: how many steps to take.
        seconds_per_step: measured, or `nominal_seconds_per_step`.
        validations: how many to make; as many as are usual if None.
        seconds: the wall clock the plan is for.
    """
    validations = validations or usual_validations(total_steps * seconds_per_step)
    ends_early = options.timed and options.minutes is None
    return Plan(
        total_steps=total_steps,
        steps_per_epoch=windows_per_epoch,
        warmup_steps=round(recipe.warmup * total_steps),
        log_every=max(
            *(1, -(-total_steps // MOST_RECORDS)),
            min(round(0.5 / seconds_per_step), total_steps // 100),
        ),
        validate_every=max(1, round(total_steps / validations)),
        sample_every=steps_between_samples(options, total_steps, seconds_per_step),
        save_every=Interval.parse(options.save_every, "save-every").in_steps(seconds_per_step),
        patience=max(_LEAST_PATIENCE, validations // 4) if ends_early else None,
        seconds=seconds,
    )


def steps_between_samples(options: TrainOptions, total_steps: int, seconds_per_step: float) -> int:
    """How many steps lie between two samples of a plan."""
    every = Interval.parse(options.sample_every, "sample-every").in_steps(seconds_per_step)
    return max(every, -(-total_steps // MOST_SAMPLES))


def usual_validations(seconds: float) -> int:
    """How often a training of so many seconds is validated: 25 times, or every three minutes.

    >>> usual_validations(600), usual_validations(36_000)
    (25, 200)
    """
    return max(_VALIDATIONS, round(seconds / _SECONDS_UNVALIDATED))


def planned_steps(options: TrainOptions, windows_per_epoch: int) -> int | None:
    """The steps that --steps or --epochs ask for; None where the time decides."""
    if options.steps is not None:
        return options.steps
    if options.epochs is not None:
        return max(1, round(options.epochs * windows_per_epoch))
    return None


def learning_rate_at(step: int, recipe: Recipe, plan: Plan) -> float:
    """The learning rate of step number `step` (from 0).

    Linear warm-up, then half a cosine down to zero.

    Source: Loshchilov & Hutter 2017, arXiv:1608.03983.
    """
    if recipe.schedule == "constant":
        return recipe.learning_rate
    done = step - plan.first_step
    if done < plan.warmup_steps:
        return recipe.learning_rate * (done + 1) / (plan.warmup_steps + 1)
    return recipe.learning_rate * 0.5 * (1 + math.cos(math.pi * plan.decay_share(step)))


def ema_decay_at(step: int, recipe: Recipe) -> float:
    """The decay of the weights' average after `step` updates: short at first, so it forgets."""
    return min(recipe.ema, (1 + step) / (10 + step))


def _revisions(value: Any) -> tuple[tuple[int, int], ...]:
    """Revisions as JSON has them, each in a list.

    Raises:
        OptionError: they are something else.
    """
    pairs = value if isinstance(value, list) else [value]
    if not all(_is_pair(pair) for pair in pairs):
        raise OptionError(f"plan: revisions must be pairs of whole numbers >= 1, got {value!r}")
    return tuple((step, total) for step, total in pairs)


def _is_pair(value: Any) -> bool:
    whole = isinstance(value, list) and all(type(number) is int for number in value)
    return whole and len(value) == 2 and min(value) >= 1


def _check_planned(name: str, value: Any) -> None:
    """Refuse a value that no plan has."""
    optional = name in ("patience", "seconds")
    if optional and value is None:
        return
    least = 0 if optional or name in ("warmup_steps", "first_step") else 1
    kinds = (int, float) if name == "seconds" else (int,)
    if type(value) not in kinds or not value >= least:
        noun = "number" if name == "seconds" else "whole number"
        nothing = " or nothing" if optional else ""
        raise OptionError(f"plan: {name} must be a {noun} >= {least}{nothing}, got {value!r}")
