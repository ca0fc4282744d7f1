"""What happens between steps, when the plan says so: records, validation, samples, checkpoints.

Taking the steps, and beginning and ending, is left to trainer.py.
"""

import math
import time
from collections.abc import Callable, Generator, Iterator

from charnn.corpus.batches import Batches
from charnn.model.averaging import make_stepper
from charnn.model.expert import Expert
from charnn.model.mixture import Mixture
from charnn.model.ngram_expert import NgramExpert
from charnn.records import Record, StepRecord
from charnn.training.faults import Faults
from charnn.training.plan import Plan, learning_rate_at
from charnn.training.planning import Costs
from charnn.training.previews import write_preview
from charnn.training.state import TrainerState
from charnn.training.task import Keeper, Task
from charnn.training.telling import Teller
from charnn.training.updates import Updates
from charnn.training.validating import Validator

Boundary = Callable[[], Generator[Record, None, bool]]
"""A task between steps; it returns whether it was done, or broken off because of a stop."""


class Boundaries:
    """Does what is due between two steps of a training.

    Args:
        task: what is trained.
        state: what changes; nothing here changes its weights but `faults`.
        keeper: where checkpoints go.
        batches: for the epoch.
        updates: have the sums of the steps.
        validator: scores the weights.
        teller: makes the records.
        faults: goes back where the numbers have exploded.

    Attributes:
        plan: what is due when.
        planned: whether the plan is final; nothing is saved before.
        costs: what each task took the last time.
    """

    def __init__(
        self,
        task: Task,
        state: TrainerState,
        keeper: Keeper,
        batches: Batches,
        updates: Updates,
        validator: Validator,
        teller: Teller,
        faults: Faults,
        plan: Plan,
        planned: bool,
    ) -> None:
        self._task = task
        self._state = state
        self._keeper = keeper
        self._batches = batches
        self._updates = updates
        self._validator = validator
        self._teller = teller
        self._faults = faults
        self.plan = plan
        self.planned = planned
        self.costs = Costs()
        self._writer: tuple[int, int, Expert] | None = None

    def settle(self) -> Iterator[Record]:
        """Do what is due at this step and was not done before a stop."""
        progress = self._state.progress
        yield from self._teller.outcomes()
        for name, work in self._due():
            if name not in progress.settled and not self._stopping():
                started = time.perf_counter()
                if (yield from work()):
                    progress.settled.append(name)
                self.costs.note(name, time.perf_counter() - started)
        yield from self.answer_request()

    def answer_request(self) -> Iterator[Record]:
        """The sample that somebody asked for, if so."""
        control = self._task.control
        if control.take_sample_request():
            yield from self._preview(control.temperature, control.sample_length)

    def save_last(self) -> None:
        """Have all kept that resuming needs."""
        self._updates.drain()
        self._state.progress.elapsed = self._teller.elapsed()
        self._keeper.save_last(self._state)

    def rate_at(self, step: int) -> float:
        """The learning rate of step number `step`: the plan's, or less after faults."""
        planned = learning_rate_at(step, self._task.recipe, self.plan)
        return planned * self._state.progress.rate_share(step)

    def _stopping(self) -> bool:
        return self._task.control.stopping

    def _due(self) -> Iterator[tuple[str, Boundary]]:
        """The names of the tasks due at this step, in their order, and the tasks."""
        plan, step = self.plan, self._state.progress.step
        at_end, at_begin = step >= plan.total_steps, step == plan.first_step
        if step and step % plan.log_every == 0:
            yield "step", self._report_step
        if step % plan.validate_every == 0 or at_end or at_begin:
            yield "validation", self._validate
        if step % plan.sample_every == 0 or at_end or at_begin:
            for temperature in self._task.options.temps:
                yield f"sample {temperature}", self._previewing(temperature)
        if step and step % plan.save_every == 0 and self.planned:
            yield "save", self._save

    def _report_step(self) -> Generator[Record, None, bool]:
        self._updates.drain()
        yield from self._faults.look()  # a GPU tells of dropped steps only now
        progress, task = self._state.progress, self._task
        if (yield from self._faults.check_loss()) or not progress.updates:
            progress.start_sums()
            return True
        loss = progress.nats / progress.tokens
        seconds_per_step = progress.seconds / progress.updates
        record = StepRecord(
            step=progress.step,
            epoch=progress.step / self._batches.windows_per_epoch,
            loss=loss,
            bits_per_char=loss / math.log(2) / task.chars_per_token,
            learning_rate=self.rate_at(progress.step - 1),
            grad_norm=progress.grad_norm / progress.updates,
            chars_per_second=progress.tokens * task.chars_per_token / progress.seconds,
            elapsed=self._teller.elapsed(),
            remaining=(self.plan.total_steps - progress.step) * seconds_per_step,
            memory=task.device.memory(),
        )
        progress.start_sums()
        yield self._teller.note(record)
        return True

    def _validate(self) -> Generator[Record, None, bool]:
        self._updates.drain()
        yield from self._faults.look()
        yield from self._faults.check_loss()
        if not self._validator.has_text:
            if not self._validator.fit_blend():
                return False
            self._keeper.save_best(self._state, None)  # the newest weights count as the best
            return True
        scores = self._validator.quick()
        if scores is None:
            return False
        score = scores.score
        if not math.isfinite(score.loss):
            yield from self._faults.go_back("the loss on held-out text was no number")
            return True
        if is_best := self._state.progress.note_validation(score.bits_per_char):
            self._keeper.save_best(self._state, score.bits_per_char)
        elapsed = self._teller.elapsed()
        yield self._teller.note(self._validator.record(scores, elapsed, is_best=is_best))
        return True

    def _previewing(self, temperature: float) -> Boundary:
        return lambda: self._preview(temperature, self._task.options.sample_length, keep=True)

    def _preview(
        self, temperature: float, length: int, *, keep: bool = False
    ) -> Generator[Record, None, bool]:
        """A sample of the averaged weights; those that the plan asks for are kept."""
        task, progress = self._task, self._state.progress
        made_of = progress.step, progress.restores
        if self._writer is None or self._writer[:2] != made_of:
            self._writer = *made_of, self._expert()
        sample = write_preview(
            self._writer[2],
            task.stream.tokenizer,
            temperature=temperature,
            prompt=task.options.prompt,
            length=length,
            seed=task.options.seed,
            step=progress.step,
            elapsed=self._teller.elapsed,
            stopping=self._stopping,
        )
        if sample is None:
            return False
        yield self._teller.note(sample) if keep else sample
        return True

    def _expert(self) -> Expert:
        """What would write if training ended now."""
        state, progress = self._state, self._state.progress
        weights = state.weights(averaged=True)
        network = make_stepper(state.model.shape, weights, temperature=progress.temperature)
        if self._task.counts is None:
            return network
        return Mixture(network, NgramExpert(self._task.counts), progress.ngram_weight)

    def _save(self) -> Generator[Record, None, bool]:
        self.save_last()
        yield from self._teller.outcomes()
        return True
