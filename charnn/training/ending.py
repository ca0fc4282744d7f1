"""What a run folder says of the training in it: its plan, how it ended, what is kept of it."""

import contextlib
from collections.abc import Callable, Mapping
from typing import Any

from charnn.errors import OptionError, RunDamagedError, RunError, RunNotFoundError
from charnn.records import Finished
from charnn.runs.checkpoints import Checkpoint, open_manifest
from charnn.runs.config import RunConfig
from charnn.runs.layout import EVENTS, PLAN, SLOTS, TRAINER, Slot
from charnn.runs.run import Run
from charnn.text.shell import quoted
from charnn.training.keeper import PLAN_KEY
from charnn.training.plan import Plan


def not_saved(run: Run, problems: Mapping[str, str], check: Callable[[], None]) -> RunError:
    """The error that tells what there is of a run whose newest state could not be saved.

    Args:
        run: the run.
        problems: why, by slot.
        check: raises a RunError where the folder is another run's by now.
    """
    kept = [f"{slot} of step {step:,}" for slot in SLOTS if (step := _kept_step(run, slot)) >= 0]
    problem = problems.get("last") or problems["best"]
    what = f"what is kept is {' and '.join(kept)}" if kept else "nothing of the run is kept"
    try:
        check()
    except RunError:
        what = "what is kept is in the folder that was moved away"
    return RunError(f"run {run.name} could not be saved: {problem}; {what}")


def _kept_step(run: Run, slot: Slot) -> int:
    try:
        return open_manifest(run.path, slot).step
    except RunError:
        return -1


def saved_plan(run: Run, checkpoint: Checkpoint | None) -> tuple[dict[str, Any] | None, str | None]:
    """The plan a run follows, as plan.json has it, and what is to be said of it.

    Where the file is gone it is made again of what the checkpoint to go on from says.

    Args:
        run: the run; the caller holds its lock.
        checkpoint: the newest one.

    Returns:
        None for the plan before it was fixed.

    Raises:
        RunDamagedError: it was altered, or is nowhere any more.
    """
    saved = run.plan()
    if saved is not None or checkpoint is None:
        return saved, None
    followed = checkpoint.document(TRAINER).get(PLAN_KEY, ())
    if followed is None or (followed == () and not checkpoint.step):
        return None, None
    path = run.path / PLAN
    if not isinstance(followed, dict):
        raise RunDamagedError(
            f"{path} is missing, and the plan is nowhere else: restore it from a copy, or begin a "
            f"new run from this one with --init-from {quoted(run.name)}"
        )
    with contextlib.suppress(RunError):  # the checkpoint keeps it all the same
        run.write_plan(followed)
    return followed, f"{path} was missing: going on with the plan in {checkpoint.folder.name}/"


def read_plan(run: Run, saved: Mapping[str, Any]) -> Plan:
    """The plan that a run's plan.json tells of.

    Raises:
        RunDamagedError: it cannot be followed.
    """
    try:
        return Plan.from_json(dict(saved))
    except OptionError as error:
        raise RunDamagedError(f"{run.path / PLAN}: {error}") from None


def take_history(run: Run, saved: dict[str, Any]) -> list[dict[str, Any]]:
    """The plans that a run has fulfilled, taken out of what its plan.json tells.

    Raises:
        RunDamagedError: they are no list of plans.
    """
    earlier = saved.pop("history", [])
    if not isinstance(earlier, list) or not all(isinstance(plan, dict) for plan in earlier):
        raise RunDamagedError(f"{run.path / PLAN}: history must be a list of plans")
    return earlier


def refuse_to_lose(run: Run) -> None:
    """Refuse to begin a run again that has no newest checkpoint, but a model to lose by it.

    Such is a run that was exported, or whose last/ was removed. A best model of step 0 is made
    again from the seed, where the run still knows of its text.

    Raises:
        RunError: there is one, or what may have been one.
    """
    try:
        open_manifest(run.path, "last")
        return
    except RunNotFoundError:
        pass
    except RunError:
        return  # who opens it tells
    lost = f"run {run.name} has no last/ to go on from"
    try:
        step = open_manifest(run.path, "best").step
    except RunNotFoundError:
        return
    except RunDamagedError as error:
        raise RunDamagedError(f"{lost}, and no whole best/: {error}") from None
    if step or "paths" not in run.config().corpus:
        raise RunError(
            f"{lost}, and beginning again would replace its best model, of step {step:,}: begin a "
            f"new run from it with --init-from {quoted(run.name)}, or restore last/ from a copy"
        )


def refuse_lost_weights(run: Run, config: RunConfig) -> None:
    """Refuse to begin a run again from its seed that was begun with another run's weights.

    Raises:
        RunError: it was, and ended before there was a checkpoint to go on from.
    """
    if (begun_with := config.begun_from) is not None:
        raise RunError(
            f"run {run.name} ended before it had saved the weights of run {begun_with}, which it "
            "began with: begin a new run with --init-from and that run"
        )


def end_of(run: Run, step: int) -> Finished | None:
    """How the training came to its end at a step; None if it did not."""
    end = None
    with contextlib.suppress(RunDamagedError):  # a torn journal tells of no end
        for record in run.records(EVENTS):
            if isinstance(record, Finished) and record.step == step:
                end = record if record.reason != "stopped" else end
    return end


def refuse_ended(run: Run, step: int) -> None:
    """Refuse a run whose training has come to its end, and whose newest checkpoint is of then.

    Raises:
        RunError: it has.
    """
    end = end_of(run, step)
    if end is None:
        return
    how = {
        "plateau": f"ended at step {step}, where validation had stopped improving",
        "exploded": f"ended at step {step}, for its numbers kept exploding",
    }.get(end.reason, f"has finished its {step} steps")
    raise RunError(
        f"run {run.name} {how}: give it more with --minutes, --epochs or --steps, or start a new "
        f"one from it with --init-from {quoted(run.name)}"
    )
