"""One step of truncated BPTT: a window forward, backward, and the update it asks for."""

import math
import time
from collections.abc import Sequence

import torch
from torch import Tensor

from charnn.model.ensemble import apart, joined
from charnn.model.language_model import LanguageModel
from charnn.model.recurrence import State, detach, roll_rows
from charnn.training.device import Device
from charnn.training.feed import Feed
from charnn.training.loss import mean_nats
from charnn.training.plan import ema_decay_at
from charnn.training.recipe import Recipe
from charnn.training.side_by_side import SideBySide
from charnn.training.state import TrainerState


class Updates:
    """Takes steps on a state and keeps their sums in its progress.

    Nothing in a step waits for a GPU: losses and norms stay on the device until `drain`, and what
    is no number is dropped there, by the optimiser's own kernel.

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
        self._side_by_side = SideBySide(state.model.shape, device)
        # The fused AdamW alone can leave a step out by itself.
        self._looks_late = device.kind == "cuda" and recipe.optimizer == "adamw"
        self._waited = 0.0
        self.halfway = False
        """Whether an error has left the weights between two steps."""

    def take_step(self, learning_rate: float) -> float:
        """Train on the next window; returns the seconds since the last one that it took."""
        started = time.perf_counter()
        state, progress = self._state, self._state.progress
        inputs, targets, starts_epoch = self._feed.window(progress.step)
        before = state.carried
        if starts_epoch and progress.step:
            before = roll_rows(before)
        loss, carried = self._add_gradients(inputs, targets, before)
        with self._side_by_side.alone():
            norm = self._clip()
            self._finish_step(loss, norm, before, carried, learning_rate)
        self._pending.append((targets.numel(), loss, norm))
        progress.step += 1
        progress.settled = []
        seconds = time.perf_counter() - started
        progress.seconds += seconds
        waited, self._waited = self._waited, 0.0
        return seconds + waited

    def drain(self) -> None:
        """Add what the steps since the last call left on the device to the progress.

        A GPU is waited for here: that time belongs to the steps, whose own is that of asking it.
        """
        started = time.perf_counter()
        progress = self._state.progress
        for count, loss, norm in self._pending:
            nats, norm_of_step = float(loss), float(norm)
            if not math.isfinite(nats + norm_of_step):
                if self._looks_late:
                    progress.note_dropped()
                continue
            if self._looks_late:
                progress.dropped_in_a_row = 0
            progress.tokens += count
            progress.updates += 1
            progress.nats += nats * count
            progress.grad_norm += norm_of_step
        self._pending.clear()
        waited = time.perf_counter() - started
        progress.seconds += waited
        self._waited += waited

    def _add_gradients(
        self, inputs: Tensor, targets: Tensor, before: State
    ) -> tuple[Tensor, State]:
        """Forward and backward through each network by itself; their mean loss in nats a token."""
        self._state.optimizer.zero_grad(set_to_none=True)
        networks = apart(self._state.model, before)
        self._draw_seeds([network for network, _ in networks])

        def learn(number: int) -> tuple[Tensor, State]:
            network, held = networks[number]
            with self._device.autocast():
                logits, after = network(inputs, held)
            loss = mean_nats(logits, targets)
            loss.backward()  # type: ignore[no-untyped-call]
            return loss.detach(), detach(after)

        losses, carried = zip(*self._side_by_side.run(learn), strict=True)
        return torch.stack(losses).mean(), joined(carried)

    def _draw_seeds(self, networks: Sequence[LanguageModel]) -> None:
        """Give each of several networks on a CPU random numbers of its own for one step.

        What is dropped must not depend on which thread is faster.
        """
        if len(networks) == 1 or self._device.kind != "cpu":
            return
        seeds = torch.randint(2**63 - 1, (len(networks),)).tolist()
        for network, seed in zip(networks, seeds, strict=True):
            generator = network.dropout_generator or torch.Generator()
            network.dropout_generator = generator.manual_seed(seed)

    def _clip(self) -> Tensor:
        """Shorten gradients that are too long; how long a network's were, at root mean square."""
        model, several = self._state.model, self._recipe.networks**0.5
        longest = self._recipe.grad_clip * several
        norm: Tensor = torch.nn.utils.clip_grad_norm_(model.parameters(), longest)
        return norm.div(several)

    def _finish_step(
        self, loss: Tensor, norm: Tensor, before: State, after: State, learning_rate: float
    ) -> None:
        """Update the weights and carry the state on, unless the step came to no number."""
        state = self._state
        is_number = (loss + norm).isfinite()
        if self._looks_late:
            state.carried = _chosen(is_number, after, before)
            state.optimizer.found_inf = (~is_number).float()  # type: ignore[attr-defined]
            self._update(learning_rate)
        elif is_number:
            state.carried = after
            state.progress.dropped_in_a_row = 0
            self._update(learning_rate)
        else:
            state.carried = before
            state.progress.note_dropped()

    def _update(self, learning_rate: float) -> None:
        self.halfway = True
        for group in self._state.optimizer.param_groups:
            group["lr"] = learning_rate
        self._state.optimizer.step()
        self._state.update_average(ema_decay_at(self._state.progress.step, self._recipe))
        self.halfway = False


def _chosen(condition: Tensor, state: State, other: State) -> State:
    """One state or the other, by a condition that stays where it is; (batch, hidden) each."""
    return tuple(
        tuple(
            torch.where(condition, one, two.to(one.dtype)) for one, two in zip(*layers, strict=True)
        )
        for layers in zip(state, other, strict=True)
    )
