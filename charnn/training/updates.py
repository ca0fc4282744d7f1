"""One step of truncated BPTT: a window forward, backward, and the update it asks for."""

import math
import time

import torch
from torch import Tensor
from torch.nn import functional as F

from charnn.errors import TrainingError
from charnn.model.language_model import detach, roll_rows
from charnn.training.device import Device
from charnn.training.feed import Feed
from charnn.training.plan import ema_decay_at
from charnn.training.recipe import Recipe
from charnn.training.state import TrainerState


class Updates:
    """Takes steps on a state and keeps their sums in its progress.

    Nothing in a step waits for a GPU: losses and norms stay on the device until `drain`.

    Args:
        state: what is trained.
        feed: its windows.
        recipe: clipping and averaging.
        device: for autocast.
    """

    def __init__(self, state: TrainerState, feed: Feed, recipe: Recipe, device: Device) -> None:
        self._state = state
        self._feed = feed
        self._recipe = recipe
        self._device = device
        self._pending: list[tuple[int, Tensor, Tensor]] = []

    def take_step(self, learning_rate: float) -> float:
        """Train on the next window; returns the seconds it took on this side."""
        started = time.perf_counter()
        state, progress = self._state, self._state.progress
        inputs, targets, starts_epoch = self._feed.window(progress.step)
        if starts_epoch and progress.step:
            state.carried = roll_rows(state.carried)
        state.optimizer.zero_grad(set_to_none=True)
        with self._device.autocast():
            logits, carried = state.model(inputs, state.carried)
        loss = F.cross_entropy(logits.float().flatten(0, 1), targets.flatten())  # nats a token
        loss.backward()  # type: ignore[no-untyped-call]
        norm = torch.nn.utils.clip_grad_norm_(state.model.parameters(), self._recipe.grad_clip)
        if self._may_update(norm):  # a dropped step carries nothing on: it may be no number
            state.carried = detach(carried)
            self._update(learning_rate)
            self._pending.append((targets.numel(), loss.detach(), norm))
        progress.step += 1
        progress.settled = []
        seconds = time.perf_counter() - started
        progress.seconds += seconds
        return seconds

    def drain(self) -> None:
        """Add what the steps since the last call left on the device to the progress."""
        progress = self._state.progress
        for count, loss, norm in self._pending:
            progress.tokens += count
            progress.updates += 1
            progress.nats += float(loss) * count
            progress.grad_norm += float(norm)
        self._pending.clear()

    def check(self) -> None:
        """Refuse to go on with numbers that have exploded.

        Raises:
            TrainingError: the loss since the last record is not a number.
        """
        progress = self._state.progress
        if progress.updates and math.isfinite(progress.nats):
            return
        raise TrainingError(
            f"the loss is not a number any more at step {progress.step}: the last checkpoint is "
            "kept; start a new run with a smaller --learning-rate"
        )

    def _update(self, learning_rate: float) -> None:
        for group in self._state.optimizer.param_groups:
            group["lr"] = learning_rate
        self._state.optimizer.step()
        self._state.update_average(ema_decay_at(self._state.progress.step, self._recipe))

    def _may_update(self, norm: Tensor) -> bool:
        """Whether the gradient is finite; looked at only where looking does not stall a GPU."""
        if norm.device.type == "cuda" or bool(norm.isfinite()):
            return True
        self._state.progress.dropped += 1
        return False
