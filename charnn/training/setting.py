"""What a training has besides its state: where it is kept, what it is made of, who listens."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from charnn.corpus.stream import TokenStream
from charnn.model.ngram import Ngram
from charnn.records import Control, Record
from charnn.runs.checkpoints import Checkpoint
from charnn.runs.layout import WEIGHTS
from charnn.runs.run import Run
from charnn.runs.storage import Checksum
from charnn.training.beginning import new_state
from charnn.training.device import Device
from charnn.training.keeper import RunKeeper
from charnn.training.options import TrainOptions
from charnn.training.recipe import Recipe
from charnn.training.state import TrainerState
from charnn.training.task import Task


@dataclass(frozen=True, slots=True)
class Callbacks:
    """How a training talks to the one who started it.

    Attributes:
        on_record: told every record, preparations among them.
        control: what a person asks for meanwhile.
        clock: seconds since the command began.
    """

    on_record: Callable[[Record], None]
    control: Control
    clock: Callable[[], float]


@dataclass(frozen=True)
class Setting:
    """What a training has besides its state."""

    run: Run
    options: TrainOptions
    recipe: Recipe
    device: Device
    stream: TokenStream
    callbacks: Callbacks
    counts: Ngram | None = None

    def state(self, init_from: Run | None = None) -> TrainerState:
        """The state it begins with."""
        state = new_state(self.options, self.recipe, self.stream, self.device)
        if init_from is not None:
            state.load_weights(init_from.chosen(WEIGHTS).weights(state.model.shape))
        return state

    def keeper(
        self,
        state: TrainerState,
        resumed: Checkpoint | None = None,
        journals: Mapping[str, Checksum] | None = None,
        earlier: Sequence[Mapping[str, Any]] = (),
    ) -> RunKeeper:
        """The keeper of its run; see there."""
        control, shape = self.callbacks.control, state.model.shape
        return RunKeeper(self.run, shape, resumed, journals, earlier, lambda: control.stopping)

    def task(self) -> Task:
        """What is trained."""
        callbacks, path = self.callbacks, str(self.run.path)
        return Task(
            *(self.options, self.recipe, self.device, self.stream, callbacks.control, path),
            callbacks.clock,
            self.counts,
        )
