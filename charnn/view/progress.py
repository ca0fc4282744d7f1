"""The pane of progress: a bar with the time, and the figures of how far the training is."""

import math
from typing import Final

from charnn.records import PlanFixed, Preparing, StepRecord
from charnn.view import figures
from charnn.view.display_text import safe_text
from charnn.view.lines import EMPTY, Line, Part, fit, join_fitting, line
from charnn.view.palette import FAINT, SEPARATOR, STRONG, TRAINING, WARNING
from charnn.view.state import DashboardState

_BOUNCE_SECONDS: Final = 2.0
_NARROW: Final = 40
_SHORT: Final = 24
_DONE: Final = "━"
_TO_DO: Final = "─"
_ENDS: Final = {
    "stopped": "stopped",
    "shared": "stopped",
    "training": "still training",
    "broken off": "broken off",
}


def draw_progress(
    state: DashboardState, width: int, rows: int, now: float, *, with_bits: bool = False
) -> list[Line]:
    """A bar with the time, and under it, where there are two rows, the figures of progress.

    Args:
        state: what the records told.
        width: cells in a line.
        rows: lines, at most 2.
        now: seconds on the records' clock.
        with_bits: whether the loss is among the figures, as where no pane of numbers is shown.
    """
    preparing = state.under_way
    if preparing is not None:
        bar = _preparing_bar(preparing, width, _elapsed(state, now), now)
        facts = _preparing_facts(preparing)
    else:
        loss = f"{figures.bits(_newest_bits(state))} bits" if with_bits else None
        bar = _training_bar(state, width, now, loss if rows == 1 else None)
        facts = _training_facts(state, now, loss)
    below = (*line(" "), *join_fitting(facts, width - 2, SEPARATOR)) if facts else EMPTY
    return [bar, fit(below, width)][:rows]


def _training_bar(state: DashboardState, width: int, now: float, loss: str | None) -> Line:
    share = _share_done(state)
    elapsed = _elapsed(state, now)
    times = figures.duration(elapsed)
    total = _total_seconds(state)
    if total is not None and width >= _NARROW:
        whole = figures.duration(total)
        times = f"{times:>{len(whole)}} of {whole}"
    left = "  -  " if share is None else _percentage(share)
    if loss is not None:
        times = loss if width < _NARROW else f"{loss}  {times}"
    return _bar(left, share or 0.0, f" {times}", width)


def _training_facts(state: DashboardState, now: float, loss: str | None) -> list[Part]:
    facts: list[Part] = []
    if (status := _status(state)) is not None:
        facts.append(status)
    if loss is not None:
        facts.append((loss, STRONG))
    total = state.plan.total_steps if state.plan else None
    of = f" of {figures.count(total)}" if total else ""
    facts.append(f"step {figures.count(state.steps_done)}{of}")
    if state.step is not None:
        remaining = _remaining(state.step, now)
        if remaining is not None and state.finished is None and not _is_scored(state):
            facts.append(f"{figures.duration(remaining)} left")
        facts.append(f"epoch {state.step.epoch:.2f}{_epochs(state.plan)}")
        facts.append(f"{figures.count(state.step.chars_per_second)} characters/s")
    return facts


def _status(state: DashboardState) -> Part | None:
    if state.finished is not None:
        return (_ENDS.get(state.finished.reason, "finished"), STRONG)
    if state.paused:
        return ("paused", WARNING)
    return ("scoring the best weights", STRONG) if _is_scored(state) else None


def _is_scored(state: DashboardState) -> bool:
    """Whether all steps are done and what is left is the score of the whole validation part."""
    return _share_done(state) == 1.0 and state.final is None and state.finished is None


def _preparing_bar(preparing: Preparing, width: int, elapsed: float, now: float) -> Line:
    """The share that is done; where it cannot be known, a piece that wanders to and fro."""
    time = f" {figures.duration(elapsed)}"
    if preparing.total:
        share = min(1.0, max(0.0, preparing.done / preparing.total))
        return _bar(_percentage(share), share, time, width)
    phase = now / _BOUNCE_SECONDS % 2 if math.isfinite(now) else 0.0
    return _bar("  -  ", None, time, width, at=1 - abs(1 - phase))


def _preparing_facts(preparing: Preparing) -> list[Part]:
    facts: list[Part] = [(safe_text(preparing.stage, newline=" "), STRONG)]
    if preparing.total or preparing.done:
        of = f" of {figures.compact(preparing.total)}" if preparing.total else ""
        unit = safe_text(preparing.unit, newline=" ")
        facts.append(f"{figures.compact(preparing.done)}{of} {unit}")
    return facts


def _bar(left: str, share: float | None, right: str, width: int, at: float = 0.0) -> Line:
    """A bar between two short texts; `share` None draws a piece of it, `at` of the way along."""
    if width < _SHORT:
        return fit(line((left, STRONG), right), width)
    room = width - len(left) - len(right) - 2
    if share is None:
        size = max(3, room // 6)
        before = round(at * (room - size))
        done, parts = size, [(_TO_DO * before, FAINT)]
    else:
        done, parts = round(share * room), []
    parts.append((_DONE * done, TRAINING))
    rest = room - sum(len(text) for text, _ in parts)
    parts.append((_TO_DO * rest, FAINT))
    return fit(line((left, STRONG), " ", *parts, right), width)


def _percentage(share: float) -> str:
    """Whole hundredths in five cells, the first one empty; all of them only when all is done.

    >>> [_percentage(share) for share in (0.05, 0.999, 1.0)]
    ['  5% ', ' 99% ', ' 100%']
    """
    text = f"{int(100 * share + 1e-9)}%"
    return f"{text:>4} " if share < 1 else f" {text}"


def _newest_bits(state: DashboardState) -> float | None:
    """The validation loss, which is the honest one; before there is any, the training loss."""
    if state.final is not None:
        return state.final.bits_per_char
    if state.validation is not None:
        return state.validation.bits_per_char
    return state.training.mean


def _share_done(state: DashboardState) -> float | None:
    if state.plan is None or state.plan.total_steps <= 0:
        return None
    return max(0.0, min(1.0, state.steps_done / state.plan.total_steps))


def _elapsed(state: DashboardState, now: float) -> float:
    if state.finished is not None:
        return state.finished.elapsed
    return max(state.elapsed, now)


def _remaining(step: StepRecord, now: float) -> float | None:
    if step.remaining is None:
        return None
    return max(0.0, step.remaining - max(0.0, now - step.elapsed))


def _total_seconds(state: DashboardState) -> float | None:
    """What the plan allows; more where the steps take longer than it thought."""
    known = [] if state.plan is None or state.plan.seconds is None else [state.plan.seconds]
    if state.step is not None and state.step.remaining is not None:
        known.append(state.step.elapsed + state.step.remaining)
    if known and state.finished is not None:
        known.append(state.finished.elapsed)
    return max(known, default=None)


def _epochs(plan: PlanFixed | None) -> str:
    if plan is None or plan.steps_per_epoch <= 0:
        return ""
    return f" of {plan.total_steps / plan.steps_per_epoch:.1f}"
