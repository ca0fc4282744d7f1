"""Keeps a training in its run folder: journals, plan and checkpoints.

Nothing that happens to the disk ends a training: what could not be written is told by `outcomes`
and tried again with the next save.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from charnn.errors import RunDamagedError, RunError
from charnn.model.shapes import ModelShape
from charnn.records import Record
from charnn.runs.checkpoints import Checkpoint, open_checkpoint
from charnn.runs.journals import Journals
from charnn.runs.layout import GRADIENTS, TRAINER, UNVALIDATED, WEIGHTS, Slot
from charnn.runs.ngram_file import WEIGHT
from charnn.runs.run import Run
from charnn.runs.saving import Looks, bind_run_files, looks_of, save_checkpoint
from charnn.runs.storage import Checksum
from charnn.runs.temperature import TEMPERATURE
from charnn.training.plan import Plan
from charnn.training.progress import Progress
from charnn.training.saver import Outcome, OvertakenError, Saver, Snapshot
from charnn.training.state import Arrays, TrainerState

TRAINER_ARRAYS = "trainer.safetensors"
PLAN_KEY = "plan"
"""In trainer.json: the plan that was followed then; null before it was fixed."""
_NO_SCORES: Mapping[str, float] = {}
MOST_WAITING = 10_000
"""Records that wait for a journal that cannot be written; beyond them the oldest are lost."""


class RunKeeper:
    """The Keeper of a run folder; the caller holds the run's lock.

    Args:
        run: the run; config.json and the tokenizer are already in it.
        shape: sizes of its network.
        resumed: the checkpoint to go on from.
        journals: how much of each journal belongs to the run; None is what belonged to it at the
            checkpoint, and nothing without one.
        earlier_plans: those that the run has fulfilled, as JSON objects.
        hurried: whether somebody waits for the end: then the state does not change any more, and a
            checkpoint that is being written is given up for a newer one.
        plan: the saved one that is gone on with, as plan.json has it; None before there is one.
        check: called before anything is written; raises a RunError where that must not be.
        usual_weight: of the n-gram model beside weights that no validation has judged yet; None
            where those before the first step are a trained network's, and write until then.

    As a context it closes itself; what ends the program is not kept waiting.
    """

    def __init__(
        self,
        run: Run,
        shape: ModelShape,
        resumed: Checkpoint | None = None,
        journals: Mapping[str, Checksum] | None = None,
        earlier_plans: Sequence[Mapping[str, Any]] = (),
        hurried: Callable[[], bool] = lambda: False,
        plan: Mapping[str, Any] | None = None,
        check: Callable[[], None] = lambda: None,
        usual_weight: float | None = None,
    ) -> None:
        self._run = run
        self._usual = usual_weight
        self._shape = shape
        if journals is None:
            journals = resumed.manifest.journals if resumed else {}
        self._journals = Journals(run.path, journals)
        self._run_files = bind_run_files(run.path)
        self._earlier_plans = list(earlier_plans)
        self._saver = Saver(self._write)
        self._hurried = hurried
        self._looks: dict[Slot, Looks | None] = {}
        self._check = check
        self._best: Arrays | None = None
        self._best_step: int | None = None
        self._needed = _best_of(resumed)  # the step of the best weights that last/ knows of
        self._followed = plan
        self._plan: Plan | None = None  # that could not be written
        self._records: deque[Record] = deque(maxlen=MOST_WAITING)
        self._outcomes: list[Outcome] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close(at_once=kind is not None and not issubclass(kind, Exception))

    @property
    def notes(self) -> tuple[str, ...]:
        """What was wrong with the journals that were taken up."""
        return self._journals.notes

    @property
    def unsaved(self) -> dict[str, str]:
        """The checkpoints, "best" or "last", that could not be written, and why."""
        return self._saver.failed

    def note(self, record: Record) -> None:
        """Append a record to its journal, and those that could not be before."""
        self._records.append(record)
        try:
            self._check()
            while self._records:
                self._journals.append(self._records[0])
                self._records.popleft()
        except RunError as error:
            self._outcomes.append(Outcome("journal", problem=str(error)))

    def save_plan(self, plan: Plan) -> None:
        """Keep the plan, and those before it."""
        self._plan = plan
        document = plan.to_json()
        if self._earlier_plans:
            document["history"] = self._earlier_plans
        self._followed = document
        try:
            self._check()
            self._run.write_plan(document)
            self._plan = None
        except RunError as error:
            self._outcomes.append(Outcome("plan", problem=str(error)))

    def save_last(self, state: TrainerState) -> None:
        """Keep all that resuming needs, the averaged weights where a reader looks for weights.

        The state is copied; the copy is written while the training goes on. Where somebody waits
        for the end it does not go on, and nothing is copied.
        """
        if self._plan is not None:
            self.save_plan(self._plan)
        copy = not self._hurried()
        files = {
            WEIGHTS: state.weights(averaged=True, copy=copy),
            TRAINER_ARRAYS: state.arrays(copy=copy),
            TRAINER: {**state.progress.to_json(), PLAN_KEY: self._followed},
        }
        if not self._is_unvalidated(state.progress):
            self._save("last", files, state.progress, state.progress.best_bits_per_char)
            return
        # It is these weights that write so far, with what is usual: what was fitted is that of the
        # untrained network, which is no measure of them.
        if roots := state.gradient_roots():
            files[GRADIENTS] = roots
        instead = {WEIGHT: self._usual or 0.0, TEMPERATURE: 1.0, UNVALIDATED: 1.0}
        self._save("last", files, state.progress, None, instead)

    def save_best(self, state: TrainerState, bits_per_char: float | None) -> None:
        """Keep the averaged weights as the best so far; written as `save_last` does."""
        self._best, self._best_step = state.weights(averaged=True), state.progress.step
        files = {WEIGHTS: self._best}
        if roots := state.gradient_roots():
            files[GRADIENTS] = roots
        self._save("best", files, state.progress, bits_per_char)

    def load_best(self, progress: Progress) -> tuple[Arrays, int | None]:
        """The weights that `save_best` had kept last where the progress stands, and of which step.

        A process that was killed may have left better ones of a later step: they are taken only
        where those that are meant are gone.

        Raises:
            RunError: there are none, or none that can be read.
        """
        if self._best is not None:
            return self._best, self._best_step

        def fits(step: int) -> bool:
            best = progress.best_step
            return step <= progress.step if best is None else step == best

        try:
            found = open_checkpoint(self._run.path, "best", [WEIGHTS], fits)
        except RunDamagedError:
            found = self._run.best(WEIGHTS)
        return dict(found.weights(self._shape)), found.step

    def wait(self) -> None:
        """Wait until everything is written, or has failed."""
        self._saver.wait()

    def outcomes(self) -> list[Outcome]:
        """How writing has ended since the last call."""
        told, self._outcomes = self._outcomes, []
        return told + self._saver.outcomes()

    def close(self, *, at_once: bool = False) -> None:
        """Close the journals; what is being written is waited for, what waits is given up.

        Args:
            at_once: give up what is being written too.
        """
        self._saver.close(at_once=at_once)
        try:
            self._journals.close()
        except RunError as error:  # every checkpoint has flushed what belongs to it
            self._outcomes.append(Outcome("journal", problem=str(error)))

    def _save(
        self,
        slot: Slot,
        files: Mapping[str, Mapping[str, Any]],
        progress: Progress,
        bits: float | None,
        instead: Mapping[str, float] = _NO_SCORES,
    ) -> None:
        scores = {WEIGHT: progress.ngram_weight, TEMPERATURE: progress.temperature, **instead}
        if scores[TEMPERATURE] == 1:
            del scores[TEMPERATURE]
        if bits is not None:
            scores["bits_per_char"] = bits
        best = self._best_step if progress.best_step is None else progress.best_step
        marks = self._journals.marks()
        self._saver.hand_over(Snapshot(slot, progress.step, scores, files, marks, best))

    def _is_unvalidated(self, progress: Progress) -> bool:
        """Whether there are steps, and no weights but those before the first were judged."""
        best = self._best_step if progress.best_step is None else progress.best_step
        judged = bool(best) or progress.validations_since_best > 0
        return self._usual is not None and progress.step > 0 and not judged

    def _write(self, snapshot: Snapshot) -> None:
        """Write a checkpoint; on the thread of the saver.

        Raises:
            RunError: the system refused.
            OvertakenError: it was given up for a newer one.
        """

        def watch() -> None:
            overtaken = self._hurried() and self._saver.is_overtaken(snapshot)
            if overtaken or self._saver.giving_up:
                raise OvertakenError

        slot = snapshot.slot
        self._check()
        save_checkpoint(
            self._run.path,
            slot,
            snapshot.files,
            step=snapshot.step,
            scores=snapshot.scores,
            run_files=self._run_files,
            journals=snapshot.journals,
            known=self._looks.pop(slot, None),
            watch=watch,
            needed=self._needed if slot == "best" else None,
        )
        if slot == "last":
            self._needed = snapshot.best_step
        self._looks[slot] = looks_of(self._run.path / slot)


def _best_of(checkpoint: Checkpoint | None) -> int | None:
    """The step of the best weights that a checkpoint to go on from knows of."""
    if checkpoint is None:
        return None
    step = checkpoint.document(TRAINER).get("best_step")
    return step if isinstance(step, int) else None


def restore(state: TrainerState, checkpoint: Checkpoint, shape: ModelShape) -> None:
    """Put a state where a checkpoint left it.

    Raises:
        RunDamagedError: the checkpoint does not fit the run's network or options.
    """
    arrays = checkpoint.tensors(TRAINER_ARRAYS)
    try:
        document = checkpoint.document(TRAINER)
        document.pop(PLAN_KEY, None)
        progress = Progress.from_json(document)
        state.load(checkpoint.weights(shape), arrays, progress)
    except RunDamagedError as error:
        raise RunDamagedError(f"{checkpoint.folder}: {error}") from None
