"""Trainings that take a fraction of a second, and what it takes to look into them."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
import torch

import charnn
from charnn.corpus.preparing import prepare_stream
from charnn.corpus.stream import TokenStream
from charnn.model.ensemble import make_model
from charnn.model.language_model import Dropout
from charnn.records import Control, Record, StepRecord
from charnn.text.reading import open_texts
from charnn.training.device import Device
from charnn.training.options import TrainOptions
from charnn.training.plan import Plan
from charnn.training.progress import Progress
from charnn.training.recipe import Recipe, make_recipe
from charnn.training.saver import Outcome
from charnn.training.state import TrainerState
from charnn.training.task import Task

BUNDLED = Path(__file__).parents[2] / "corpora" / "meongnae.txt"
SMALL: dict[str, Any] = {
    "hidden": 12,
    "networks": 1,
    "batch_size": 4,
    "seq_len": 8,
    "threads": 1,
    "device": "cpu",
    "precision": "fp32",
    "sample_length": 6,
    "temps": (0.8,),
    "save_every": "5steps",
    "sample_every": "7steps",
    "no_ngram": True,
}


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """Two busy cores are no faster than one here, and every test is then alike."""
    torch.set_num_threads(1)


@pytest.fixture
def tmp_path(memory_path: Path) -> Path:
    """A folder in memory: these tests save all the time."""
    return memory_path


@pytest.fixture(autouse=True)
def flushed(no_waiting: None) -> None:
    """No test waits for the disk; tests/runs sees to it that everything is flushed."""


@pytest.fixture(scope="session")
def story() -> str:
    """The beginning of the bundled text."""
    return BUNDLED.read_text("utf-8")[:2500]


@pytest.fixture
def text(tmp_path: Path, story: str) -> Path:
    """The story as a file."""
    path = tmp_path / "story.txt"
    path.write_text(story, encoding="utf-8")
    return path


@dataclass
class Trained:
    """A finished training: its model and what it told."""

    model: charnn.Model
    records: list[Record] = field(default_factory=list)

    def of(self, kind: type[Any]) -> list[Any]:
        return [record for record in self.records if isinstance(record, kind)]


@pytest.fixture
def checkpoints(tmp_path: Path) -> Path:
    return tmp_path / "checkpoints"


@pytest.fixture
def train(text: Path, checkpoints: Path) -> Callable[..., Trained]:
    """Train a small run; options as of `charnn.train`."""

    def train(texts: Any = text, **options: Any) -> Trained:
        records: list[Record] = []
        budget = {} if {"minutes", "epochs", "steps"} & set(options) else {"steps": 10}
        options = {"checkpoints": checkpoints, "on_record": records.append, **SMALL, **options}
        return Trained(charnn.train(texts, **budget, **options), records)

    return train


class StopAt(Control):
    """Stops a training when it has taken so many steps; it is also who is told the records."""

    def __init__(self, step: int) -> None:
        super().__init__()
        self._step = step

    def __call__(self, record: Record) -> None:
        if isinstance(record, StepRecord) and record.step >= self._step:
            self.stop()


@pytest.fixture
def stop_at() -> type[StopAt]:
    return StopAt


@pytest.fixture(scope="session")
def stream(story: str) -> Iterator[TokenStream]:
    """The story in characters."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "story.txt"
        path.write_text(story, encoding="utf-8")
        with open_texts([path]) as source:
            yield prepare_stream(source, Path(folder) / "streams")[0]


@pytest.fixture
def make_task(stream: TokenStream) -> Callable[..., Task]:
    """A task on the story; keywords are options of the training, or parts of the task."""

    def make_task(**given: Any) -> Task:
        parts = {name: given.pop(name) for name in ("control", "clock", "stream") if name in given}
        options = TrainOptions(**{**SMALL, **given})
        text = parts.get("stream", stream)
        device = Device("cpu", "fp32", 1)
        recipe = make_recipe(options, len(text.part("train")), text.tokenizer.vocab_size, "cpu")
        values = {"stream": text, "control": Control(), "clock": lambda: 0.0, **parts}
        return Task(options=options, recipe=recipe, device=device, path="run", **values)

    return make_task


@pytest.fixture
def make_state() -> Callable[..., TrainerState]:
    """A state as a run begins with it; `dropout=False` leaves the recipe's dropouts out."""

    def make_state(task: Task, *, dropout: bool = True, seed: int = 0) -> TrainerState:
        recipe = task.recipe
        torch.manual_seed(seed)
        shares = Dropout(
            recipe.token_dropout,
            recipe.input_dropout,
            recipe.layer_dropout,
            recipe.output_dropout,
            recipe.state_dropout,
            recipe.weight_dropout,
        )
        shape = recipe.shape(task.stream.tokenizer.vocab_size)
        generator = torch.Generator().manual_seed(seed)
        model = make_model(shape, shares if dropout else None, generator)
        return TrainerState(model, recipe, recipe.batch_size)

    return make_state


class MemoryKeeper:
    """A Keeper without a disk."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.plans: list[Plan] = []
        self.saved: list[tuple[int, dict[str, Any]]] = []
        self.bests: list[tuple[int, float | None]] = []
        self.best: dict[str, np.ndarray] = {}
        self.unsaved: dict[str, str] = {}
        self.told: list[Outcome] = []

    def note(self, record: Record) -> None:
        self.records.append(record)

    def save_plan(self, plan: Plan) -> None:
        self.plans.append(plan)

    def save_last(self, state: TrainerState) -> None:
        self.saved.append((state.progress.step, state.progress.to_json()))
        self.told.append(Outcome("last", state.progress.step))

    def save_best(self, state: TrainerState, bits_per_char: float | None) -> None:
        self.best = state.weights(averaged=True)
        self.bests.append((state.progress.step, bits_per_char))

    def load_best(self, progress: Progress) -> tuple[dict[str, np.ndarray], int | None]:
        return self.best, progress.best_step

    def wait(self) -> None:
        pass

    def outcomes(self) -> list[Outcome]:
        told, self.told = self.told, []
        return told


@pytest.fixture
def keeper() -> MemoryKeeper:
    return MemoryKeeper()


@pytest.fixture
def fields_of() -> Callable[[Recipe], dict[str, Any]]:
    return asdict
