"""Runs a network over held-out tokens; what the nats mean is left to corpus/accounting.py.

The part is read from its beginning to its end with carried state and every token is scored once.
To use the machine, a long part is read as several rows at a time; a row that begins in the middle
first reads the tokens before it, unscored, so that its state has seen its true past.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from charnn.model.ensemble import Model, apart, joined, mean_logits
from charnn.model.language_model import LanguageModel
from charnn.model.recurrence import State
from charnn.training.device import Device
from charnn.training.side_by_side import Result, SideBySide

Tokens = NDArray[np.integer]
Nats = NDArray[np.float64]
_WINDOW_TOKENS = 4096
_WINDOW_LOGITS = 1 << 25
"""Of all networks together; a window of tokens is shorter where there would be more."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How a part is read.

    Attributes:
        rows: rows read side by side, at most.
        past: tokens each row but the first reads unscored before its own.
        least_row: tokens a row has at least; shorter parts are read as fewer rows.
    """

    rows: int
    past: int
    least_row: int


WHOLE = Reading(rows=16, past=2048, least_row=32768)
"""For results: up to 65,535 tokens are one single pass."""
QUICK = Reading(rows=16, past=64, least_row=256)
"""For the curve while training."""
QUICK_TOKENS = 40_000
"""Tokens of the part that are read while training; always the same ones."""


def rows_of(tokens: int, reading: Reading) -> int:
    """How many rows a part of so many tokens is read as."""
    return max(1, min(reading.rows, tokens // reading.least_row))


def token_nats(
    model: Model,
    tokens: Tokens,
    boundary: int,
    device: Device,
    reading: Reading = WHOLE,
    on_progress: Callable[[int], bool] | None = None,
    temperature: float = 1.0,
) -> Nats | None:
    """What each token of a text costs the model at one temperature; see `nats_at`.

    Returns:
        -ln p of each token, (n,); None if `on_progress` broke it off.
    """
    nats = nats_at((temperature,), model, tokens, boundary, device, reading, on_progress)
    return None if nats is None else nats[0]


@torch.no_grad()
def nats_at(
    temperatures: Sequence[float],
    model: Model,
    tokens: Tokens,
    boundary: int,
    device: Device,
    reading: Reading = WHOLE,
    on_progress: Callable[[int], bool] | None = None,
) -> Nats | None:
    """What each token of a text costs the model at some temperatures.

    Args:
        temperatures: (t,), > 0: what the logits are divided by.
        model: in any mode; it is put back into the mode it was in.
        tokens: (n,), n >= 1; the first is predicted from a document boundary and zero state.
        boundary: the token between documents.
        device: where the model is.
        reading: how many rows, and their unscored past.
        on_progress: told after each window how many tokens were scored; returns whether to go on.

    Returns:
        -ln p of each token, (t, n); None if `on_progress` broke it off.
    """
    was_training = model.training
    model.eval()
    try:
        reader = _Reader(model, device, temperatures)
        return _read(reader, tokens, boundary, reading, on_progress)
    finally:
        model.train(was_training)


def _read(
    reader: "_Reader",
    tokens: Tokens,
    boundary: int,
    reading: Reading,
    on_progress: Callable[[int], bool] | None,
) -> Nats | None:
    """Nats of each token at each temperature, (t, n); None if broken off."""
    count = rows_of(len(tokens), reading)
    length = len(tokens) // count
    body = np.asarray(tokens[: count * length]).reshape(count, length)
    before = np.full(count, boundary, dtype=np.int64)
    before[1:] = body[:-1, -1]
    starts = np.arange(count) * length
    state = _past_state(reader, tokens, starts, boundary, reading.past, on_progress)
    if state is None:
        return None
    window = max(1, reader.window // count)
    nats = np.empty((len(reader.temperatures), count, length))
    for start in range(0, length, window):
        rows = body[:, start : start + window].T.astype(np.int64)
        costs, state = reader.score(before, rows, state)
        nats[:, :, start : start + window] = costs.swapaxes(1, 2)
        before = rows[-1]
        if on_progress is not None and not on_progress((start + len(rows)) * count):
            return None
    scored: Nats = nats.reshape(len(nats), -1)
    rest = np.asarray(tokens[count * length :], dtype=np.int64)[:, None]  # fewer than `count`
    if not len(rest):
        return scored
    last = tuple(tuple(part[-1:] for part in layer) for layer in state)
    return np.concatenate([scored, reader.score(before[-1:], rest, last)[0][:, :, 0]], axis=1)


class _Reader:
    """Networks in evaluation that read side by side; `model` is put on `device` by the caller."""

    def __init__(self, model: Model, device: Device, temperatures: Sequence[float]) -> None:
        self.model = model
        self.temperatures = temperatures
        shape = model.shape
        self.window = min(_WINDOW_TOKENS, _WINDOW_LOGITS // (shape.networks * shape.vocab_size))
        self._device = device
        self._side_by_side = SideBySide(model.shape, device)

    def score(
        self, before: NDArray[np.int64], targets: NDArray[np.int64], state: State
    ) -> tuple[Nats, State]:
        """What targets cost that follow some tokens.

        Args:
            before: the token before each row's first target, (rows,).
            targets: (seq_len, rows).
            state: before them.

        Returns:
            Nats at each temperature, (t, seq_len, rows), and the state.
        """
        inputs = self._on_device(np.concatenate((before[None], targets[:-1])))
        expected = self._on_device(targets).flatten()

        def predict(network: LanguageModel, start: State) -> tuple[Tensor, State]:
            logits, end = network(inputs, start)
            return logits, end

        held, after = zip(*self._each(predict, state), strict=True)
        logits = mean_logits(held).flatten(0, 1)
        nats = torch.stack(
            [
                F.cross_entropy(logits if t == 1 else logits / t, expected, reduction="none")
                for t in self.temperatures
            ]
        )
        return nats.view(-1, *targets.shape).cpu().double().numpy(), joined(after)

    def read(self, inputs: NDArray[np.int64], state: State) -> State:
        """The state behind inputs (seq_len, rows)."""
        tokens = self._on_device(inputs)
        return joined(self._each(lambda network, start: network.read(tokens, start), state))

    def _each(self, work: Callable[[LanguageModel, State], Result], state: State) -> list[Result]:
        """What is made of each network and its part of the state; see `SideBySide.run`."""
        networks = apart(self.model, state)

        def run(number: int) -> Result:
            with torch.no_grad(), self._device.autocast():  # both are a thread's own
                return work(*networks[number])

        return self._side_by_side.run(run)

    def _on_device(self, tokens: NDArray[np.int64]) -> Tensor:
        return torch.from_numpy(tokens).to(self._device.torch_device)


def _past_state(
    reader: _Reader,
    tokens: Tokens,
    starts: NDArray[np.int64],
    boundary: int,
    past: int,
    on_progress: Callable[[int], bool] | None,
) -> State | None:
    """The state each row has reached where it begins, zero for the first; None if broken off."""
    state = reader.model.initial_state(len(starts))
    if len(starts) == 1:
        return state
    past = min(past, int(starts[1]) - 1)
    window = max(1, reader.window // len(starts))
    for start in range(-past, 0, window):
        if on_progress is not None and not on_progress(0):
            return None
        # token s - 1 is an input of the row that begins at s: it is the row's `before`
        where = starts[1:, None] + np.arange(start, min(start + window, 0))[None] - 1
        inputs = np.full((where.shape[1], len(starts)), boundary, dtype=np.int64)
        inputs[:, 1:] = tokens[where].T
        state = reader.read(inputs, state)
    for layer in state:
        for part in layer:
            part[0] = 0
    return state
