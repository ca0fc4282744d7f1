"""What a trainer is given: the task it works on, and the Keeper of what must outlive it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from charnn.corpus.stream import TokenStream
from charnn.model.ngram import Ngram
from charnn.records import Control, Record
from charnn.training.device import Device
from charnn.training.options import TrainOptions
from charnn.training.plan import Plan
from charnn.training.progress import Progress
from charnn.training.recipe import Recipe
from charnn.training.saver import Outcome
from charnn.training.state import TrainerState

Tokens = NDArray[np.integer[Any]]


class Keeper(Protocol):
    """Keeps what must outlive the process: journals, the plan, checkpoints.

    Nothing here raises when the disk refuses; `outcomes` tells.
    """

    @property
    def unsaved(self) -> dict[str, str]:
        """The checkpoints, "best" or "last", that could not be written, and why."""

    def note(self, record: Record) -> None:
        """Append a record to its journal."""

    def save_plan(self, plan: Plan) -> None:
        """Keep the plan."""

    def save_last(self, state: TrainerState) -> None:
        """Keep all that resuming needs."""

    def save_best(self, state: TrainerState, bits_per_char: float | None) -> None:
        """Keep the averaged weights as the best so far."""

    def load_best(self, progress: Progress) -> tuple[dict[str, NDArray[Any]], int | None]:
        """The weights that `save_best` had kept last where the progress stands, and their step."""

    def wait(self) -> None:
        """Wait until everything is written, or has failed."""

    def outcomes(self) -> list[Outcome]:
        """How writing has ended since the last call."""


@dataclass(frozen=True)
class Task:
    """What a trainer works on; all of it fixed before the first step.

    Attributes:
        options: what the user said.
        recipe: every choice made.
        device: where it trains.
        stream: the text as tokens.
        control: what a person asks for meanwhile.
        path: of the run, as it is shown.
        clock: seconds since the training command began.
        counts: the n-gram model that predicts beside the network; None if there is none.
    """

    options: TrainOptions
    recipe: Recipe
    device: Device
    stream: TokenStream
    control: Control
    path: str
    clock: Callable[[], float]
    counts: Ngram | None = None

    @property
    def training_tokens(self) -> Tokens:
        """What the network is trained on, (n,)."""
        return self.recipe.trained_on(self.stream.part("train"))

    @property
    def weight_tokens(self) -> Tokens:
        """What the n-gram model's weight and the temperature are fitted on, (m,); maybe nothing."""
        return self.recipe.kept_for_weight(self.stream.part("train"))

    @property
    def chars_per_token(self) -> float:
        """Characters of the training part per token."""
        part = self.stream.parts["train"]
        return part.characters / max(1, part.stop - part.start)
