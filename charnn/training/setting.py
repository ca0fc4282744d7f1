"""What a training has besides its state: where it is kept, what it is made of, who listens."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from charnn.corpus.stream import TokenStream
from charnn.errors import DeviceError
from charnn.model.ngram import Ngram
from charnn.records import Control, Record
from charnn.runs.checkpoints import Checkpoint
from charnn.runs.config import RunConfig
from charnn.runs.layout import WEIGHTS
from charnn.runs.run import Run
from charnn.runs.storage import Checksum
from charnn.text.shell import quoted
from charnn.training.beginning import new_state
from charnn.training.device import Device, choose_device
from charnn.training.keeper import RunKeeper, restore
from charnn.training.needs import check_memory
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


def device_again(
    run: Run, config: RunConfig, options: TrainOptions, precision: str
) -> tuple[Device, str | None]:
    """The device that a saved training goes on with.

    Args:
        run: the run.
        config: of the run.
        options: which device, and how many threads.
        precision: the run's.

    Returns:
        The device, and what is to be said where it is of another kind than the run began on.

    Raises:
        DeviceError: this machine has none that the run could go on with.
    """
    begun = config.training["device"].get("kind")
    try:
        device = choose_device(options.device, precision, options.threads)
    except DeviceError:
        raise DeviceError(
            f"run {run.name} was begun in {precision} on {begun}, and this machine cannot go on "
            f"with that: begin a new run from it with --init-from {quoted(run.name)}"
        ) from None
    if begun in (None, device.kind):
        return device, None
    return device, (
        f"the run was begun on {begun} and goes on on {device.kind}: numbers differ in their last "
        f"digits, and its plan was made for {begun}"
    )


def _nothing() -> None:
    return None


@dataclass(frozen=True)
class Setting:
    """What a training has besides its state.

    Attributes:
        check: raises a RunError where the run's folder is another one than was locked.
    """

    run: Run
    options: TrainOptions
    recipe: Recipe
    device: Device
    stream: TokenStream
    callbacks: Callbacks
    counts: Ngram | None = None
    check: Callable[[], None] = _nothing

    def state(self, init_from: Run | None = None) -> TrainerState:
        """The state it begins with."""
        state = new_state(self.options, self.recipe, self.stream, self.device)
        if init_from is not None:
            state.load_weights(init_from.chosen(WEIGHTS).weights(state.model.shape))
        return state

    def saved_state(self, checkpoint: Checkpoint | None) -> TrainerState:
        """The state that a checkpoint left; the one a run begins with where there is none.

        The run may be a stranger's. Nothing of a declared size is made before there is room for
        it, and before the weights that it is for have been found to be there.

        Raises:
            NoMemoryError: the machine does not have the memory for it.
            RunDamagedError: the checkpoint does not fit the run's network or options.
        """
        shape = self.recipe.shape(self.stream.tokenizer.vocab_size)
        if self.device.kind == "cpu":
            check_memory(self.recipe, shape, len(self.stream.part("train")))
        if checkpoint is not None:
            checkpoint.weights(shape)
        state = self.state()
        if checkpoint is not None:
            restore(state, checkpoint, shape)
        return state

    def keeper(
        self,
        state: TrainerState,
        resumed: Checkpoint | None = None,
        journals: Mapping[str, Checksum] | None = None,
        earlier: Sequence[Mapping[str, Any]] = (),
        plan: Mapping[str, Any] | None = None,
    ) -> RunKeeper:
        """The keeper of its run; see there."""
        control, shape = self.callbacks.control, state.model.shape
        begun_from = self.run.config().begun_from
        return RunKeeper(
            *(self.run, shape, resumed, journals, earlier, lambda: control.stopping),
            plan=plan,
            check=self.check,
            usual_weight=self.recipe.ngram_weight if begun_from is None else None,
        )

    def task(self) -> Task:
        """What is trained."""
        callbacks, path = self.callbacks, str(self.run.path)
        return Task(
            *(self.options, self.recipe, self.device, self.stream, callbacks.control, path),
            callbacks.clock,
            self.counts,
        )
