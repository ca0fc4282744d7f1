"""Truncated BPTT as a generator of records.

Between steps, at boundaries that the plan names, a trainer reports, validates, writes samples and
saves. A step itself is in `updates.py`; where records go is the caller's business, where
checkpoints and journals go is the Keeper's.
"""

import copy
import math
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace

import torch

from charnn.corpus.accounting import Score
from charnn.corpus.batches import Batches
from charnn.model.stepper import Stepper
from charnn.records import Event, Finished, Heartbeat, PlanFixed, Record, StepRecord, Validation
from charnn.training.device import Device
from charnn.training.evaluation import QUICK, QUICK_TOKENS, evaluate
from charnn.training.feed import Feed
from charnn.training.options import DEFAULT_MINUTES
from charnn.training.plan import Plan, learning_rate_at, make_plan, planned_steps
from charnn.training.planning import Costs, Timing, final_seconds, plan_for_minutes
from charnn.training.previews import write_preview
from charnn.training.recipe import nominal_seconds_per_step
from charnn.training.state import TrainerState
from charnn.training.task import Keeper, Task
from charnn.training.updates import Updates

_HEARTBEAT_SECONDS = 0.5
Boundary = Callable[[], Generator[Record, None, bool]]
"""A task between steps; it returns whether it was done, or broken off because of a stop."""


class Trainer:
    """One training, from where its state stands to its end.

    Args:
        task: what to train on.
        state: what changes; new or restored.
        keeper: where checkpoints and journals go.
        plan: the saved plan of a resumed run; None makes one.
    """

    def __init__(
        self, task: Task, state: TrainerState, keeper: Keeper, plan: Plan | None = None
    ) -> None:
        self._task = task
        self._state = state
        self._keeper = keeper
        stream, recipe = task.stream, task.recipe
        self._batches = Batches(
            stream.part("train"), recipe.batch_size, recipe.seq_len, stream.tokenizer.boundary
        )
        self._updates = Updates(state, Feed(self._batches, task.device), recipe, task.device)
        self._held_out = stream.part("validation")
        self._costs = Costs()
        self._before = state.progress.elapsed - (task.clock() if state.progress.step else 0.0)
        self._plan = plan or self._provisional_plan()
        self._planned = plan is not None
        self._writer: tuple[int, Stepper] | None = None

    def records(self) -> Generator[Record, None, None]:
        """Train until the plan is fulfilled, validation stops improving or somebody asks to stop.

        Raises:
            TrainingError: the loss is not a number any more.
        """
        if self._planned:
            yield self._plan_record()
        reason = yield from self._train()
        yield from self._finish(reason)

    # -- the loop ---------------------------------------------------------------------------

    def _train(self) -> Generator[Record, None, str]:
        """Everything up to the end, whose reason is returned."""
        progress = self._state.progress
        yield from self._settle()
        if not self._planned and not self._stopping():
            yield from self._fix_plan()
            yield from self._settle()  # a run resumed here does so too
        while not self._stopping():
            if self._has_plateaued():
                return "plateau"
            if progress.step >= self._plan.total_steps:
                return "done"
            yield from self._wait_while_paused()
            if not self._stopping():
                self._take_step()
                yield from self._settle()
        return "stopped"

    def _take_step(self) -> float:
        return self._updates.take_step(
            learning_rate_at(self._state.progress.step, self._task.recipe, self._plan)
        )

    def _stopping(self) -> bool:
        return self._task.control.stopping

    def _has_plateaued(self) -> bool:
        patience = self._plan.patience
        return patience is not None and self._state.progress.validations_since_best >= patience

    def _wait_while_paused(self) -> Iterator[Record]:
        control = self._task.control
        while control.paused and control.wait_while_paused(_HEARTBEAT_SECONDS):
            yield Heartbeat(self._state.progress.step, True, self._elapsed())
            yield from self._answer_request()

    # -- what happens between steps ---------------------------------------------------------

    def _settle(self) -> Iterator[Record]:
        """Do what is due at this step and was not done before a stop."""
        progress = self._state.progress
        for name, work in self._due():
            if name not in progress.settled and not self._stopping():
                started = time.perf_counter()
                if (yield from work()):
                    progress.settled.append(name)
                self._costs.note(name, time.perf_counter() - started)
        yield from self._answer_request()

    def _answer_request(self) -> Iterator[Record]:
        """The sample that somebody asked for, if so."""
        control = self._task.control
        if control.take_sample_request():
            yield from self._preview(control.temperature, control.sample_length)

    def _due(self) -> Iterator[tuple[str, Boundary]]:
        """The names of the tasks due at this step, in their order, and the tasks."""
        plan, step = self._plan, self._state.progress.step
        at_end = step >= plan.total_steps
        if step and step % plan.log_every == 0:
            yield "step", self._report_step
        if step % plan.validate_every == 0 or at_end:
            yield "validation", self._validate
        if step % plan.sample_every == 0 or at_end:
            for temperature in self._task.options.temps:
                yield f"sample {temperature}", self._previewing(temperature)
        if step and step % plan.save_every == 0 and self._planned:
            yield "save", self._save

    def _report_step(self) -> Generator[Record, None, bool]:
        self._updates.drain()
        self._updates.check()
        progress, task = self._state.progress, self._task
        loss = progress.nats / progress.tokens
        seconds_per_step = progress.seconds / progress.updates
        record = StepRecord(
            step=progress.step,
            epoch=progress.step / self._batches.windows_per_epoch,
            loss=loss,
            bits_per_char=loss / math.log(2) / task.chars_per_token,
            learning_rate=learning_rate_at(progress.step - 1, task.recipe, self._plan),
            grad_norm=progress.grad_norm / progress.updates,
            chars_per_second=progress.tokens * task.chars_per_token / progress.seconds,
            elapsed=self._elapsed(),
            remaining=(self._plan.total_steps - progress.step) * seconds_per_step,
            memory=task.device.memory(),
        )
        progress.start_sums()
        yield self._note(record)
        return True

    def _validate(self) -> Generator[Record, None, bool]:
        tokens = self._held_out[:QUICK_TOKENS]
        if len(tokens) == 0:
            self._keep_unvalidated()
            return True
        task = self._task
        score = evaluate(
            self._state.averaged,
            tokens,
            task.stream.tokenizer,
            task.device,
            reading=QUICK,
            on_progress=lambda _: not self._stopping(),
        )
        if score is None:
            return False
        if is_best := self._state.progress.note_validation(score.bits_per_char):
            self._keeper.save_best(self._state, score.bits_per_char)
        whole = len(tokens) == len(self._held_out)
        yield self._note(self._validation(score, whole=whole, is_best=is_best))
        return True

    def _keep_unvalidated(self) -> None:
        """Without held-out text the newest weights count as the best."""
        self._keeper.save_best(self._state, None)

    def _previewing(self, temperature: float) -> Boundary:
        return lambda: self._preview(temperature, self._task.options.sample_length, keep=True)

    def _preview(
        self, temperature: float, length: int, *, keep: bool = False
    ) -> Generator[Record, None, bool]:
        """A sample of the averaged weights; those that the plan asks for are kept."""
        task, step = self._task, self._state.progress.step
        if self._writer is None or self._writer[0] != step:
            weights = self._state.weights(averaged=True)
            self._writer = step, Stepper(self._state.model.shape, weights)
        sample = write_preview(
            self._writer[1],
            task.stream.tokenizer,
            temperature=temperature,
            prompt=task.options.prompt,
            length=length,
            seed=task.options.seed,
            step=step,
            elapsed=self._elapsed,
            stopping=self._stopping,
        )
        if sample is None:
            return False
        yield self._note(sample) if keep else sample
        return True

    def _save(self) -> Generator[Record, None, bool]:
        self._save_last()
        yield self._event("saved", f"checkpoint at step {self._state.progress.step}")
        return True

    # -- the plan ---------------------------------------------------------------------------

    def _provisional_plan(self) -> Plan:
        """A plan by nominal speed: the real one for --steps and --epochs."""
        task, per_epoch = self._task, self._batches.windows_per_epoch
        vocab_size, kind = task.stream.tokenizer.vocab_size, task.device.kind
        nominal = nominal_seconds_per_step(task.recipe, vocab_size, kind)
        steps = planned_steps(task.options, per_epoch)
        seconds = 60 * (task.options.minutes or DEFAULT_MINUTES)
        total = steps or max(1, round(seconds / nominal))
        return make_plan(task.options, task.recipe, per_epoch, total, nominal)

    def _fix_plan(self) -> Iterator[Record]:
        """Make the plan final; where minutes decide, after timing the first steps."""
        if planned_steps(self._task.options, 1) is None:
            timing = Timing(self._task.options, self._task.clock)
            while timing.wants_more() and not self._stopping():
                timing.note(self._take_step())
            if self._stopping():
                return
            self._plan = self._plan_for_minutes(timing)
        self._planned = True
        self._keeper.save_plan(self._plan)
        yield self._note(self._plan_record())
        self._save_last()

    def _plan_for_minutes(self, timing: Timing) -> Plan:
        task, tokenizer = self._task, self._task.stream.tokenizer
        model, device = self._state.averaged, self._exact_device()
        self._costs.note("final", final_seconds(model, self._held_out, tokenizer, device))
        started = time.perf_counter()
        self._save_last()
        self._costs.note("save", time.perf_counter() - started)
        return plan_for_minutes(
            task.options,
            task.recipe,
            self._batches.windows_per_epoch,
            timing,
            self._costs,
            self._state.progress.step,
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
        """Score the best weights on the whole validation part, save, and say how it ended."""
        progress = self._state.progress
        if reason == "plateau":
            message = f"validation has not improved since step {progress.best_step}"
            yield self._event("plateau", message)
        if self._planned:
            self._save_last()
            yield self._event("saved", f"checkpoint at step {progress.step}")
        final = None if reason == "stopped" else self._score_best()
        if final is not None:
            yield self._note(self._validation(final, whole=True, is_best=True))
        elif self._stopping():
            reason = "stopped"  # before the score was there: resuming makes it
        yield self._note(
            Finished(
                step=progress.step,
                reason=reason,
                bits_per_char=final.bits_per_char if final else progress.best_bits_per_char,
                best_bits_per_char=progress.best_bits_per_char,
                best_step=progress.best_step,
                elapsed=self._elapsed(),
                path=self._task.path,
            )
        )

    def _score_best(self) -> Score | None:
        if len(self._held_out) == 0:
            return None
        model = copy.deepcopy(self._state.averaged)
        weights = self._keeper.load_best()
        model.load_state_dict({name: torch.from_numpy(array) for name, array in weights.items()})
        return evaluate(
            model,
            self._held_out,
            self._task.stream.tokenizer,
            self._exact_device(),
            on_progress=lambda _: not self._stopping(),
        )

    def _exact_device(self) -> Device:
        """Results are computed in float32."""
        return replace(self._task.device, precision="fp32")

    # -- small help -------------------------------------------------------------------------

    def _save_last(self) -> None:
        self._updates.drain()
        self._state.progress.elapsed = self._elapsed()
        self._keeper.save_last(self._state)

    def _validation(self, score: Score, *, whole: bool, is_best: bool) -> Validation:
        return Validation(
            step=self._state.progress.step,
            loss=score.loss,
            bits_per_char=score.bits_per_char,
            bits_per_byte=score.bits_per_byte,
            characters=score.characters,
            tokens=score.tokens,
            whole=whole,
            is_best=is_best,
            elapsed=self._elapsed(),
        )

    def _note(self, record: Record) -> Record:
        self._keeper.note(record)
        return record

    def _event(self, kind: str, message: str) -> Record:
        return self._note(Event(kind, self._state.progress.step, message, self._elapsed()))

    def _elapsed(self) -> float:
        return self._before + self._task.clock()
