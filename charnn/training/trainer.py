"""Truncated BPTT as a generator of records, from the plan to the end.

A step itself is in `updates.py`, what happens between steps in `boundaries.py`, what happens when
numbers explode in `faults.py`; where records go is the caller's business, where checkpoints and
journals go is the Keeper's.
"""

import gc
import time
from collections.abc import Generator, Iterator
from dataclasses import replace

import torch

from charnn.corpus.batches import Batches
from charnn.records import Finished, Heartbeat, PlanFixed, Record
from charnn.training.boundaries import Boundaries
from charnn.training.faults import (
    ExplodedError,
    Faults,
    is_out_of_memory,
    memory_ran_out,
    too_many_rows,
)
from charnn.training.feed import Feed
from charnn.training.plan import Plan, make_plan, planned_steps
from charnn.training.planning import Pace, Timing, plan_for_minutes
from charnn.training.recipe import nominal_seconds_per_step
from charnn.training.state import TrainerState
from charnn.training.task import Keeper, Task
from charnn.training.telling import Teller
from charnn.training.updates import Updates
from charnn.training.validating import Validator

_HEARTBEAT_SECONDS = 0.5
_EARLY_STEPS = 2
"""By then a training has used the memory it needs, and nothing is lost by beginning again."""


class Trainer:
    """One training, from where its state stands to its end.

    Args:
        task: what to train on.
        state: what changes; new or restored.
        keeper: where checkpoints and journals go.
        plan: the saved plan of a resumed run; None makes one.
        first_step: where the plan to be made begins: behind the end of the one before.
    """

    def __init__(
        self,
        task: Task,
        state: TrainerState,
        keeper: Keeper,
        plan: Plan | None = None,
        first_step: int = 0,
    ) -> None:
        self._task = task
        self._state = state
        self._keeper = keeper
        self._first_step = first_step
        self._is_new = state.progress.step == 0
        self._pace: Pace | None = None  # where this training makes a plan for minutes
        stream, recipe = task.stream, task.recipe
        self._batches = Batches(
            task.training_tokens, recipe.batch_size, recipe.seq_len, stream.tokenizer.boundary
        )
        self._updates = Updates(state, Feed(self._batches, task.device), recipe, task.device)
        self._validator = Validator(task, state, keeper)
        self._teller = Teller(task, state, keeper)
        self._faults = Faults(task, state, keeper, self._teller, self._updates.drain)
        self._between = Boundaries(
            *(task, state, keeper, self._batches, self._updates),
            *(self._validator, self._teller, self._faults),
            plan=plan or self._provisional_plan(),
            planned=plan is not None,
        )

    def records(self) -> Generator[Record, None, None]:
        """Train until the plan is fulfilled, validation stops improving or somebody asks to stop.

        Raises:
            ExplodedError: the numbers explode again and again; the best weights are kept.
            NoMemoryError: memory has run out; what could be saved is.
        """
        try:
            yield from self._train_and_finish()
            return
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        yield from self._save_without_memory()

    def _train_and_finish(self) -> Iterator[Record]:
        if self._planned:
            yield self._plan_record()
        try:
            reason, error = (yield from self._train()), None
        except ExplodedError as exploded:
            reason, error = "exploded", exploded
        yield from self._finish(reason)
        if error is not None:
            raise error

    # -- the loop ---------------------------------------------------------------------------

    def _train(self) -> Generator[Record, None, str]:
        """Everything up to the end, whose reason is returned."""
        progress = self._state.progress
        if not self._planned:
            self._validator.prepare()  # the cost of a validation decides how many there are
        yield from self._between.settle()
        if not self._planned and not self._stopping():
            yield from self._fix_plan()
            yield from self._between.settle()  # a run resumed here does so too
        while not self._stopping():
            yield from self._keep_pace()
            if self._has_plateaued():
                return "plateau"
            if progress.step >= self._plan.total_steps:
                return "done"
            yield from self._wait_while_paused()
            if not self._stopping():
                self._take_step()
                yield from self._faults.look()
                yield from self._between.settle()
        return "stopped"

    @property
    def _plan(self) -> Plan:
        return self._between.plan

    @property
    def _planned(self) -> bool:
        return self._between.planned

    def _take_step(self) -> float:
        seconds = self._updates.take_step(self._between.rate_at(self._state.progress.step))
        if self._pace:
            self._pace.note(seconds)
        return seconds

    def _stopping(self) -> bool:
        return self._task.control.stopping

    def _has_plateaued(self) -> bool:
        patience = self._plan.patience
        return patience is not None and self._state.progress.validations_since_best >= patience

    def _wait_while_paused(self) -> Iterator[Record]:
        control = self._task.control
        began = self._task.clock()
        while control.paused and control.wait_while_paused(_HEARTBEAT_SECONDS):
            yield Heartbeat(self._state.progress.step, True, self._teller.elapsed())
            yield from self._between.answer_request()
        if self._pace:
            self._pace.skip(self._task.clock() - began)

    # -- the plan ---------------------------------------------------------------------------

    def _provisional_plan(self) -> Plan:
        """A plan by nominal speed: the real one for --steps and --epochs."""
        task, per_epoch = self._task, self._batches.windows_per_epoch
        vocab_size, kind = task.stream.tokenizer.vocab_size, task.device.kind
        nominal = nominal_seconds_per_step(task.recipe, vocab_size, kind)
        steps = planned_steps(task.options, per_epoch)
        total = steps or max(1, round(task.options.seconds / nominal))
        return self._begun_here(make_plan(task.options, task.recipe, per_epoch, total, nominal))

    def _begun_here(self, plan: Plan) -> Plan:
        """A plan for so many steps from its first one on."""
        first = self._first_step
        return replace(plan, first_step=first, total_steps=first + plan.total_steps)

    def _fix_plan(self) -> Iterator[Record]:
        """Make the plan final; where minutes decide, after timing the first steps."""
        if self._task.options.timed:
            timing = Timing(self._task.options, self._task.clock)
            while timing.wants_more() and not self._stopping():
                timing.note(self._take_step())
                yield from self._faults.look()
            if self._stopping():
                return
            self._between.plan = self._plan_for_minutes(timing)
            step, costs = self._state.progress.step, self._between.costs
            self._pace = Pace(self._plan, self._task.clock, costs, step)
        self._between.planned = True
        self._keeper.save_plan(self._plan)
        yield self._teller.note(self._plan_record())
        self._between.save_last()

    def _keep_pace(self) -> Iterator[Record]:
        """Give a plan for minutes another end, where the machine has become slower or faster."""
        step = self._state.progress.step
        if self._pace and (plan := self._pace.revise(self._plan, step)):
            self._between.plan = plan
            self._keeper.save_plan(plan)
            yield self._teller.note(self._plan_record())

    def _plan_for_minutes(self, timing: Timing) -> Plan:
        task, costs = self._task, self._between.costs
        costs.note("final", self._validator.best_seconds())
        started = time.perf_counter()
        self._between.save_last()
        costs.note("copy", time.perf_counter() - started)
        self._keeper.wait()
        costs.note("save", time.perf_counter() - started)
        taken = self._state.progress.step - self._first_step
        per_epoch = self._batches.windows_per_epoch
        return self._begun_here(
            plan_for_minutes(task.options, task.recipe, per_epoch, timing, costs, taken)
        )

    def _plan_record(self) -> PlanFixed:
        plan, recipe = self._plan, self._task.recipe
        return PlanFixed(
            total_steps=plan.total_steps,
            steps_per_epoch=plan.steps_per_epoch,
            batch_size=recipe.batch_size,
            seq_len=recipe.seq_len,
            learning_rate=recipe.learning_rate,
            warmup_steps=plan.warmup_steps,
            validate_every=plan.validate_every,
            sample_every=plan.sample_every,
            save_every=plan.save_every,
            seconds=plan.seconds,
        )

    # -- the end ----------------------------------------------------------------------------

    def _finish(self, reason: str) -> Iterator[Record]:
        """Save, score the best weights on the whole validation part, and say how it ended."""
        progress = self._state.progress
        if reason == "plateau":
            message = f"validation has not improved since step {progress.best_step or 0:,}"
            yield self._teller.event("plateau", message)
        if self._planned:
            self._between.save_last()
            yield from self._teller.outcomes()
        final = None if reason == "stopped" else self._validator.best()
        if final is not None:
            elapsed = self._teller.elapsed()
            record = self._validator.record(final, elapsed, is_best=False, final=True)
            yield self._teller.note(record)
        elif self._stopping():
            reason = "stopped"  # before the score was there: resuming makes it
        yield from self._wait_for_the_disk()
        yield self._teller.note(
            Finished(
                step=progress.step,
                reason=reason,
                bits_per_char=final.score.bits_per_char if final else progress.best_bits_per_char,
                best_bits_per_char=progress.best_bits_per_char,
                best_step=progress.best_step,
                elapsed=self._teller.elapsed(),
                path=self._task.path,
            )
        )

    def _wait_for_the_disk(self) -> Iterator[Record]:
        """Have everything written, and tried once more if it could not be."""
        self._keeper.wait()
        yield from self._teller.outcomes()
        if self._keeper.unsaved and self._planned:
            self._between.save_last()
            self._keeper.wait()
            yield from self._teller.outcomes()

    def _save_without_memory(self) -> Iterator[Record]:
        """Save what can be, and say what to do.

        Raises:
            NoMemoryError: always.
        """
        step, rows = self._state.progress.step, self._task.recipe.batch_size
        self._state.optimizer.zero_grad(set_to_none=True)
        gc.collect()
        if self._task.device.kind == "cuda":
            torch.cuda.empty_cache()
        taken = step - self._first_step
        if self._is_new and (not self._planned or taken <= _EARLY_STEPS):
            raise too_many_rows(rows, self._task.recipe.seq_len)
        if self._planned and not self._updates.halfway:
            try:
                self._between.save_last()
                self._keeper.wait()
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
            yield from self._teller.outcomes()
        raise memory_ran_out(self._task.path, step, rows)
