"""Keeps a training in its run folder: journals, plan and checkpoints."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from charnn.errors import RunDamagedError
from charnn.model.shapes import ModelShape
from charnn.records import Record
from charnn.runs.checkpoints import Checkpoint
from charnn.runs.journals import Journals
from charnn.runs.layout import WEIGHTS
from charnn.runs.run import Run
from charnn.runs.saving import bind_run_files, save_checkpoint
from charnn.training.plan import Plan
from charnn.training.state import Progress, TrainerState

TRAINER_ARRAYS = "trainer.safetensors"
TRAINER_PROGRESS = "trainer.json"


class RunKeeper:
    """The Keeper of a run folder; the caller holds the run's lock.

    Args:
        run: the run; config.json and the tokenizer are already in it.
        shape: sizes of its network.
        resumed: the checkpoint to go on from; without one the journals begin empty.
    """

    def __init__(self, run: Run, shape: ModelShape, resumed: Checkpoint | None = None) -> None:
        self._run = run
        self._shape = shape
        self._journals = Journals(run.path, resumed.manifest.journals if resumed else {})
        self._run_files = bind_run_files(run.path)

    @property
    def notes(self) -> tuple[str, ...]:
        """What was wrong with the journals that were taken up."""
        return self._journals.notes

    def note(self, record: Record) -> None:
        """Append a record to its journal."""
        self._journals.append(record)

    def save_plan(self, plan: Plan) -> None:
        """Keep the plan."""
        self._run.write_plan(plan.to_json())

    def save_last(self, state: TrainerState) -> None:
        """Keep all that resuming needs, the averaged weights where a reader looks for weights."""
        files = {
            WEIGHTS: state.weights(averaged=True),
            TRAINER_ARRAYS: state.arrays(),
            TRAINER_PROGRESS: state.progress.to_json(),
        }
        best = state.progress.best_bits_per_char
        self._save("last", files, state.progress.step, best)

    def save_best(self, state: TrainerState, bits_per_char: float | None) -> None:
        """Keep the averaged weights as the best so far."""
        files = {WEIGHTS: state.weights(averaged=True)}
        self._save("best", files, state.progress.step, bits_per_char)

    def load_best(self) -> dict[str, NDArray[np.float32]]:
        """The weights that `save_best` kept last."""
        return self._run.best(WEIGHTS).weights(self._shape)

    def close(self) -> None:
        """Close the journals."""
        self._journals.close()

    def _save(
        self, slot: Any, files: dict[str, dict[str, Any]], step: int, bits_per_char: float | None
    ) -> None:
        scores = {} if bits_per_char is None else {"bits_per_char": bits_per_char}
        save_checkpoint(
            self._run.path,
            slot,
            files,
            step=step,
            scores=scores,
            run_files=self._run_files,
            journals=self._journals.marks(),
        )


def restore(state: TrainerState, checkpoint: Checkpoint, shape: ModelShape) -> None:
    """Put a state where a checkpoint left it.

    Raises:
        RunDamagedError: the checkpoint does not fit the run's network or options.
    """
    arrays = checkpoint.tensors(TRAINER_ARRAYS)
    try:
        progress = Progress.from_json(checkpoint.document(TRAINER_PROGRESS))
        state.load(checkpoint.weights(shape), arrays, progress)
    except RunDamagedError as error:
        raise RunDamagedError(f"{checkpoint.folder}: {error}") from None
