"""Runs a network over held-out tokens; what the nats mean is left to corpus/accounting.py.

The part is read from its beginning to its end with carried state and every token is scored once.
To use the machine, a long part is read as several rows at a time; a row that begins in the middle
first reads the tokens before it, unscored, so that its state has seen its true past.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from charnn.corpus.accounting import Score, score_tokens
from charnn.corpus.tokenizers import Tokenizer
from charnn.model.ensemble import Model, apart, joined, log_mean
from charnn.model.recurrence import State
from charnn.training.device import Device

Tokens = NDArray[np.integer]
Nats = NDArray[np.float64]
_WINDOW_TOKENS = 4096


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


def evaluate(
    model: Model,
    tokens: Tokens,
    tokenizer: Tokenizer,
    device: Device,
    *,
    reading: Reading = WHOLE,
    on_progress: Callable[[int], bool] | None = None,
) -> Score | None:
    """What a text costs the model; arguments are those of `token_nats`.

    Returns:
        Nats, tokens, characters and bytes; None if `on_progress` broke it off.
    """
    nats = token_nats(model, tokens, tokenizer.boundary, device, reading, on_progress)
    return None if nats is None else score_tokens(nats.sum(), tokens, tokenizer)


@torch.no_grad()
def token_nats(
    model: Model,
    tokens: Tokens,
    boundary: int,
    device: Device,
    reading: Reading = WHOLE,
    on_progress: Callable[[int], bool] | None = None,
) -> Nats | None:
    """What each token of a text costs the model.

    Args:
        model: in any mode; it is put back into the mode it was in.
        tokens: (n,), n >= 1; the first is predicted from a document boundary and zero state.
        boundary: the token between documents.
        device: where the model is.
        reading: how many rows, and their unscored past.
        on_progress: told after each window how many tokens were scored; returns whether to go on.

    Returns:
        -ln p of each token, (n,); None if `on_progress` broke it off.
    """
    was_training = model.training
    model.eval()
    try:
        return _read(model, tokens, boundary, device, reading, on_progress)
    finally:
        model.train(was_training)


def _read(
    model: Model,
    tokens: Tokens,
    boundary: int,
    device: Device,
    reading: Reading,
    on_progress: Callable[[int], bool] | None,
) -> Nats | None:
    """Nats of each token; None if broken off."""
    count = rows_of(len(tokens), reading)
    length = len(tokens) // count
    body = np.asarray(tokens[: count * length]).reshape(count, length)
    before = np.full(count, boundary, dtype=np.int64)
    before[1:] = body[:-1, -1]
    starts = np.arange(count) * length
    state = _past_state(model, tokens, starts, boundary, device, reading.past, on_progress)
    if state is None:
        return None
    window = max(1, _WINDOW_TOKENS // count)
    nats = np.empty((count, length))
    for start in range(0, length, window):
        rows = body[:, start : start + window].T.astype(np.int64)
        costs, state = _score(model, before, rows, state, device)
        nats[:, start : start + window] = costs.T
        before = rows[-1]
        if on_progress is not None and not on_progress((start + len(rows)) * count):
            return None
    rest = np.asarray(tokens[count * length :], dtype=np.int64)[:, None]  # fewer than `count`
    if not len(rest):
        return nats.ravel()
    last = tuple(tuple(part[-1:] for part in layer) for layer in state)
    return np.concatenate([nats.ravel(), _score(model, before[-1:], rest, last, device)[0][:, 0]])


def _score(
    model: Model,
    before: NDArray[np.int64],
    targets: NDArray[np.int64],
    state: State,
    device: Device,
) -> tuple[Nats, State]:
    """Nats of targets (seq_len, rows) that follow the tokens `before` (rows,); and the state."""
    inputs = torch.from_numpy(np.concatenate((before[None], targets[:-1]))).to(device.torch_device)
    expected = torch.from_numpy(targets).to(device.torch_device).flatten()
    held, after = [], []
    for network, start in apart(model, state):  # the logits of one at a time
        with device.autocast():
            logits, end = network(inputs, start)
        losses = F.cross_entropy(logits.float().flatten(0, 1), expected, reduction="none")
        held.append(-losses)
        after.append(end)
    nats = -log_mean(held)
    return nats.view(targets.shape).cpu().double().numpy(), joined(after)


def _past_state(
    model: Model,
    tokens: Tokens,
    starts: NDArray[np.int64],
    boundary: int,
    device: Device,
    past: int,
    on_progress: Callable[[int], bool] | None,
) -> State | None:
    """The state each row has reached where it begins, zero for the first; None if broken off."""
    state = model.initial_state(len(starts))
    if len(starts) == 1:
        return state
    past = min(past, int(starts[1]) - 1)
    window = max(1, _WINDOW_TOKENS // len(starts))
    for start in range(-past, 0, window):
        if on_progress is not None and not on_progress(0):
            return None
        # token s - 1 is an input of the row that begins at s: it is the row's `before`
        where = starts[1:, None] + np.arange(start, min(start + window, 0))[None] - 1
        inputs = np.full((where.shape[1], len(starts)), boundary, dtype=np.int64)
        inputs[:, 1:] = tokens[where].T
        with device.autocast():
            state = model.read(torch.from_numpy(inputs).to(device.torch_device), state)
    for layer in state:
        for part in layer:
            part[0] = 0
    return state
