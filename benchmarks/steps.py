"""Training steps to be timed: charnn's own, and those of a bare loop around the same network."""

import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from machine import synchronise
from torch import Tensor, nn
from torch.nn import functional as F

from charnn.corpus.batches import Batches
from charnn.corpus.stream import TokenStream
from charnn.model.feed_forward import FeedForward
from charnn.model.shapes import ModelShape
from charnn.training.beginning import new_state
from charnn.training.device import Device
from charnn.training.feed import Feed
from charnn.training.options import TrainOptions
from charnn.training.recipe import Recipe
from charnn.training.saved import recipe_for
from charnn.training.texts import Text, prepare_text
from charnn.training.updates import Updates

Step = Callable[[], object]


class OurSteps:
    """charnn's steps on a text, everything in them switched on.

    Args:
        path: the text.
        options: sizes, batch and window.
        device: where.
        side_by_side: whether several networks have a thread each on a CPU; else they take turns,
            each with all of them.

    Attributes:
        stream: the text as tokens.
        recipe: what was chosen for it.
        shape: of the network.
    """

    def __init__(
        self, path: Path, options: TrainOptions, device: Device, *, side_by_side: bool = True
    ) -> None:
        with tempfile.TemporaryDirectory() as folder:
            stream, _, _ = prepare_text(Text((str(path),)), options, Path(folder), None, None)
            self.stream: TokenStream = stream
            self.recipe: Recipe = recipe_for(options, stream, device.kind)
            self.shape: ModelShape = self.recipe.shape(stream.tokenizer.vocab_size)
            batches = Batches(
                stream.part("train")[:].copy(),  # its file is about to go
                self.recipe.batch_size,
                self.recipe.seq_len,
                stream.tokenizer.boundary,
            )
        self.feed = Feed(batches, device)
        state = new_state(options, self.recipe, stream, device)
        crew = device if side_by_side else replace(device, threads=1)
        self._updates = Updates(state, self.feed, self.recipe, crew)

    @property
    def tokens(self) -> int:
        """How many a step has."""
        return self.recipe.batch_size * self.recipe.seq_len

    @property
    def characters_per_token(self) -> float:
        """Of the training part."""
        part = self.stream.parts["train"]
        return part.characters / (part.stop - part.start)

    def take(self) -> None:
        """One step, at the rate of the middle of a schedule."""
        self._updates.take_step(self.recipe.learning_rate / 2)

    def drain(self) -> None:
        """Read the losses, as a record of the steps does."""
        self._updates.drain()


class BareSteps:
    """Forward, backward, clipping and AdamW around nn.LSTM, in the same precision.

    No data: the same windows again and again, already on the device. No dropout, no average, no
    composed syllables, no look at the loss.

    Args:
        ours: whose shapes and windows it takes.
        device: where, and in which precision.
        windows: how many of them.
    """

    def __init__(self, ours: OurSteps, device: Device, windows: int = 4) -> None:
        self._device = device
        self._model = _Bare(ours.shape).to(device.torch_device)
        self._windows = [ours.feed.window(step)[:2] for step in range(windows)]
        rate = ours.recipe.learning_rate / 2
        self._optimizer = torch.optim.AdamW(self._model.parameters(), lr=rate, fused=True)
        self._state: tuple[Tensor, Tensor] | None = None
        self._turn = 0

    def take(self) -> None:
        """One step."""
        inputs, targets = self._windows[self._turn % len(self._windows)]
        self._turn += 1
        self._optimizer.zero_grad(set_to_none=True)
        with self._device.autocast():
            logits, after = self._model(inputs, self._state)
        loss = F.cross_entropy(logits.float().flatten(0, 1), targets.flatten())
        loss.backward()
        nn.utils.clip_grad_norm_(self._model.parameters(), 1.0)
        self._optimizer.step()
        self._state = (after[0].detach(), after[1].detach())


class _Bare(nn.Module):
    """The same network as torch has it: embedding, one nn.LSTM of all layers, block, output."""

    def __init__(self, shape: ModelShape) -> None:
        super().__init__()
        self.embedding = nn.Embedding(shape.vocab_size, shape.embedding_size)
        self.lstm = nn.LSTM(shape.embedding_size, shape.hidden_size, shape.num_layers)
        self.projection = (
            nn.Linear(shape.hidden_size, shape.embedding_size, bias=False)
            if shape.projected
            else nn.Identity()
        )
        self.block = (
            FeedForward(shape.hidden_size, shape.feed_forward_size)
            if shape.feed_forward_size
            else nn.Identity()
        )
        below = shape.embedding_size if shape.projected else shape.hidden_size
        self.output = nn.Linear(below, shape.vocab_size)
        if shape.tied:
            self.output.weight = self.embedding.weight

    def forward(
        self, tokens: Tensor, state: tuple[Tensor, Tensor] | None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Logits (seq_len, batch, vocab_size) and the state behind."""
        hidden, after = self.lstm(self.embedding(tokens), state)
        return self.output(self.projection(self.block(hidden))), after


def timer(step: Step, device: str, seconds: float) -> Callable[[], float]:
    """What takes as many steps as fit into some seconds, and returns the seconds of one."""
    for _ in range(2):  # the first builds kernels and caches
        once = _time(step, device, 1)
    count = max(1, round(seconds / once))
    return lambda: _time(step, device, count) / count


def medians(contestants: Sequence[Callable[[], float]], turns: int) -> list[float]:
    """The median of what each returns; they take turns, so that a slow machine slows them all."""
    rounds = [[contestant() for contestant in contestants] for _ in range(turns)]
    return [statistics.median(found) for found in zip(*rounds, strict=True)]


def _time(step: Step, device: str, count: int) -> float:
    synchronise(device)
    began = time.perf_counter()
    for _ in range(count):
        step()
    synchronise(device)
    return time.perf_counter() - began
