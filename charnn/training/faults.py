"""What a training does when its numbers explode, and how it knows that memory has run out.

A step whose loss or gradient is no number is dropped where it is taken, in updates.py. What
follows from it is here, and follows from the step, the text and the options alone: a training that
was stopped in between does the same.
"""

import contextlib
import math
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

from charnn.errors import TrainingError
from charnn.records import Record
from charnn.text.shell import quoted
from charnn.training.state import TrainerState
from charnn.training.task import Keeper, Task
from charnn.training.telling import Teller

MOST_IN_A_ROW = 5
"""Dropped steps in a row after which the best weights come back."""
MOST_RESTORES = 6
"""How often they do; the rate is then 2 to the -21st of the plan's."""
_HOPELESS = 2.0
"""Times the loss of knowing nothing: weights that reach it have learned worse than nothing.

A token counts 87 nats at most there (`loss.mean_nats`), which is far above any such limit.
"""
_MEMORY = (
    *("out of memory", "not enough memory", "can't allocate memory"),
    *("ALLOC_FAILED", "ALLOCATION_FAILED"),  # cuBLAS, cuDNN
)


class ExplodedError(TrainingError):
    """Training came to no number again and again; the best weights are kept."""


class NoMemoryError(TrainingError):
    """There was not enough memory.

    Attributes:
        early: whether nothing is lost by beginning again with fewer rows.
    """

    def __init__(self, message: str, *, early: bool) -> None:
        super().__init__(message)
        self.early = early


def too_many_rows(rows: int, seq_len: int) -> NoMemoryError:
    """The error of a training that does not fit from its beginning on."""
    return NoMemoryError(
        f"there is not enough memory for {rows} rows of {seq_len} tokens: make the network or the "
        "text's windows smaller with --hidden, --feed-forward, --networks or --seq-len",
        early=True,
    )


def memory_ran_out(path: str, step: int, rows: int) -> NoMemoryError:
    """The error of a training that has something to go on from."""
    name = quoted(Path(path).name)
    return NoMemoryError(
        f"memory ran out at step {step:,}, the newest checkpoint is kept: close other programs and "
        f"go on with 'charnn train --resume {name}', or begin a new run from it with --init-from "
        f"{name} and a --batch-size below {rows}",
        early=False,
    )


@contextlib.contextmanager
def noticing_no_memory(error: Callable[[], NoMemoryError]) -> Iterator[None]:
    """Raise the error that this makes where memory runs out inside the block."""
    try:
        yield
        return
    except (RuntimeError, MemoryError) as found:
        if not is_out_of_memory(found):
            raise
    raise error()


class Faults:
    """Watches the numbers of a training, and goes back to its best weights where it must.

    The best weights are those of `best/`: validation has vouched for them, and they are the same
    whether or not the training was stopped meanwhile. They begin again without momentum and
    without a carried state, at a learning rate that rises anew to half of what it was, to a
    quarter of that the next time, and so on.

    Args:
        task: what is trained.
        state: what is watched.
        keeper: has the best weights.
        teller: tells what was done.
        drain: adds up what the steps so far have left.
    """

    def __init__(
        self,
        task: Task,
        state: TrainerState,
        keeper: Keeper,
        teller: Teller,
        drain: Callable[[], None],
    ) -> None:
        self._task = task
        self._state = state
        self._keeper = keeper
        self._teller = teller
        self._drain = drain
        self._told = state.progress.dropped
        self._nothing = math.log(task.stream.tokenizer.vocab_size)

    def look(self) -> Iterator[Record]:
        """Tell of steps that were dropped since the last call; go back if they were too many.

        Raises:
            ExplodedError: training has gone back too often.
        """
        progress = self._state.progress
        if progress.dropped == self._told:
            return
        count, self._told = progress.dropped - self._told, progress.dropped
        steps = "1 step was" if count == 1 else f"{count} steps were"
        yield self._teller.event(
            "dropped",
            f"{steps} dropped, for the loss or the gradient was no number; "
            f"the learning rate is {self._share()} of the plan's now",
        )
        if progress.dropped_in_a_row >= MOST_IN_A_ROW:
            yield from self.go_back(f"{progress.dropped_in_a_row} steps in a row were dropped")

    def check_loss(self) -> Generator[Record, None, bool]:
        """Go back if the loss since the last record is hopeless; whether training did.

        Raises:
            ExplodedError: training has gone back too often.
        """
        progress = self._state.progress
        if not progress.tokens:
            return False
        loss = progress.nats / progress.tokens
        if loss <= self._limit():
            return False
        yield from self.go_back(f"the loss was {loss:,.1f} nats a token")
        return True

    def go_back(self, reason: str) -> Iterator[Record]:
        """Begin again from the best weights, and say why.

        Raises:
            ExplodedError: training has gone back too often.
            RunError: the best weights are gone.
        """
        progress = self._state.progress
        rate = self._task.recipe.learning_rate * progress.rate_share(progress.step)
        self._drain()  # the sums begin anew
        weights, step = self._keeper.load_best(progress)
        self._state.begin_again(weights)
        progress.note_restored()
        where = "" if progress.best_step is None else f" of step {step:,}"
        if progress.best_step not in (None, step):
            where += f" (those of step {progress.best_step:,} are gone)"
        yield self._teller.event(
            "warning",
            f"{reason}: back to the best weights{where}; the learning rate is "
            f"{self._share()} of the plan's now",
        )
        if progress.restores > MOST_RESTORES:
            raise ExplodedError(
                f"the numbers exploded at step {progress.step:,} again, after {MOST_RESTORES} "
                f"returns to the best weights{where}, which are kept: start a new run with a "
                f"--learning-rate below {rate:.1g}"
            )

    def _limit(self) -> float:
        """The loss, in nats a token, that no training has which is not lost."""
        best = self._state.progress.best_bits_per_char
        known = (best or 0.0) * math.log(2) * self._task.chars_per_token
        return _HOPELESS * max(self._nothing, known)

    def _share(self) -> str:
        return f"{100 * self._state.progress.rate_factor:.2g} %"


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory has run out.

    >>> is_out_of_memory(RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"))
    True
    """
    if isinstance(error, MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _MEMORY)
