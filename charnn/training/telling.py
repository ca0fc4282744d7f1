"""Records of a training: made with its time, and handed to its Keeper."""

import re
from collections.abc import Iterator

from charnn.records import Event, Record
from charnn.training.state import TrainerState
from charnn.training.task import Keeper, Task


class Teller:
    """Tells what happens to a training, and what became of what was to be written.

    Args:
        task: for the clock.
        state: its progress says which step it is.
        keeper: keeps what is told.
    """

    def __init__(self, task: Task, state: TrainerState, keeper: Keeper) -> None:
        self._clock = task.clock
        self._progress = state.progress
        self._keeper = keeper
        self._before = self._progress.elapsed - (task.clock() if self._progress.step else 0.0)
        self._problems: dict[str, str] = {}

    def elapsed(self) -> float:
        """Seconds of training, those of earlier sessions among them."""
        return self._before + self._clock()

    def note(self, record: Record) -> Record:
        """The record, which is kept."""
        self._keeper.note(record)
        return record

    def event(self, kind: str, message: str) -> Record:
        """Something a person may want to know, which is kept."""
        return self.note(Event(kind, self._progress.step, message, self.elapsed()))

    def outcomes(self) -> Iterator[Record]:
        """What was written since the last call; a problem once, until it is another or gone."""
        for what, step, problem in self._keeper.outcomes():
            if problem is None:
                self._problems.pop(what, None)
                if what == "last":
                    yield self.event("saved", f"checkpoint at step {step:,}")
                continue
            kind = re.sub(r"\d+", "", problem)
            if self._problems.get(what) != kind:
                self._problems[what] = kind
                yield self.event(
                    "warning", f"{problem}; training goes on and tries again at the next save"
                )
