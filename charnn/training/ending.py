"""What a run folder says of the training in it: its plan, how it ended, what is kept of it."""

import contextlib
from collections.abc import Mapping

from charnn.errors import OptionError, RunDamagedError, RunError
from charnn.records import Finished
from charnn.runs.checkpoints import open_manifest
from charnn.runs.layout import EVENTS, PLAN, SLOTS, Slot
from charnn.runs.run import Run
from charnn.text.shell import quoted
from charnn.training.plan import Plan


def not_saved(run: Run, problems: Mapping[str, str]) -> RunError:
    """The error that tells what there is of a run whose newest state could not be saved."""
    kept = [f"{slot} of step {step:,}" for slot in SLOTS if (step := _kept_step(run, slot)) >= 0]
    problem = problems.get("last") or problems["best"]
    what = f"what is kept is {' and '.join(kept)}" if kept else "nothing of the run is kept"
    return RunError(f"run {run.name} could not be saved: {problem}; {what}")


def _kept_step(run: Run, slot: Slot) -> int:
    try:
        return open_manifest(run.path, slot).step
    except RunError:
        return -1


def saved_plan(run: Run) -> Plan | None:
    """The plan a run follows; None before it was fixed.

    Raises:
        RunDamagedError: it cannot be followed.
    """
    try:
        saved = run.plan()
        return None if saved is None else Plan.from_json(saved)
    except OptionError as error:
        raise RunDamagedError(f"{run.path / PLAN}: {error}") from None


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
