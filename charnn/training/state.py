"""Everything of a training that changes from step to step, as arrays and JSON and back.

What is restored continues bit for bit (same device, same thread count): weights, their moving
average, optimiser, random generators, carried state, running sums, best-so-far.
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from charnn.errors import RunDamagedError
from charnn.model.ensemble import Model, make_model
from charnn.model.recurrence import State
from charnn.model.shapes import weight_shapes
from charnn.training.fitting import (
    RANDOM_CPU,
    RANDOM_CUDA,
    RAW,
    SLOTS,
    carried_name,
    check_arrays,
    slot_name,
)
from charnn.training.progress import Progress
from charnn.training.recipe import Recipe

Arrays = dict[str, NDArray[Any]]
_BETAS = (0.9, 0.99)  # horizons of AdamW's means of gradients and of their squares


class TrainerState:
    """Model, average, optimiser, carried state and progress of one training.

    Args:
        model: on its device.
        recipe: for the optimiser and the average.
        batch_size: rows whose state is carried.
    """

    def __init__(self, model: Model, recipe: Recipe, batch_size: int) -> None:
        self._recipe = recipe
        self.model = model
        self.averaged = plain_copy(model) if recipe.ema > 0 else model
        self.optimizer = make_optimizer(model, recipe)
        self.carried: State = model.initial_state(batch_size)
        self.progress = Progress(ngram_weight=recipe.ngram_weight)

    def weights(self, *, averaged: bool, copy: bool = True) -> Arrays:
        """The weights as float32 arrays; the averaged ones are those a run writes with.

        Args:
            averaged: which ones.
            copy: whether the arrays stay as they are when training goes on.
        """
        model = self.averaged if averaged else self.model
        return {name: _to_numpy(tensor, copy) for name, tensor in model.plain_parameters().items()}

    def arrays(self, *, copy: bool = True) -> Arrays:
        """Everything but the averaged weights and the progress, by name.

        Args:
            copy: whether the arrays stay as they are when training goes on.
        """
        tensors = self._optimizer_tensors()
        if self.averaged is not self.model:
            tensors |= {RAW + name: p for name, p in self.model.named_parameters()}
        for index, layer in enumerate(self.carried):
            tensors |= {carried_name(index, part): tensor for part, tensor in enumerate(layer)}
        arrays = {name: _to_numpy(tensor, copy) for name, tensor in tensors.items()}
        arrays[RANDOM_CPU] = torch.get_rng_state().numpy()
        if self._is_on("cuda"):
            arrays[RANDOM_CUDA] = torch.cuda.get_rng_state().numpy()
        return arrays

    def gradient_roots(self) -> Arrays:
        """Root mean square of each saved weight's gradient lately; empty if nobody kept count."""
        roots = {}
        saved = weight_shapes(self.model.shape)  # parts of embeddings are no weights of their own
        for name, parameter in self.model.named_parameters():
            kept = self.optimizer.state.get(parameter, {})
            if "exp_avg_sq" not in kept or not kept["step"]:
                return {}
            # Adam's mean begins at zero: after t steps all of its weights are 1 - beta ** t
            whole = 1 - _BETAS[1] ** float(kept["step"])
            if name in saved:
                roots[name] = _to_numpy((kept["exp_avg_sq"] / whole).sqrt())
        return roots

    def load(self, averaged: Arrays, arrays: Arrays, progress: Progress) -> None:
        """Take up a saved state.

        Args:
            averaged: what `weights(averaged=True)` said.
            arrays: what `arrays` said.
            progress: where it stood.

        Raises:
            RunDamagedError: an array is missing, unknown, or of another shape or type.
        """
        own = self.averaged is not self.model
        check_arrays(arrays, self.model, self.optimizer, self.carried, with_weights=own)
        try:
            take_weights(self.averaged, averaged)
            if own:
                raw = {k[len(RAW) :]: v for k, v in arrays.items() if k.startswith(RAW)}
                self.model.load_state_dict({k: torch.from_numpy(v.copy()) for k, v in raw.items()})
            self._load_optimizer(arrays)
            self.carried = tuple(
                tuple(_from_numpy(arrays[carried_name(i, j)], part) for j, part in enumerate(layer))
                for i, layer in enumerate(self.carried)
            )
            torch.set_rng_state(torch.from_numpy(arrays[RANDOM_CPU].copy()))
            if self._is_on("cuda") and RANDOM_CUDA in arrays:
                torch.cuda.set_rng_state(torch.from_numpy(arrays[RANDOM_CUDA].copy()))
        except (KeyError, RuntimeError, TypeError, ValueError) as error:
            reason = " ".join(str(error).split())
            raise RunDamagedError(f"the saved training state does not fit: {reason}") from None
        self.progress = progress

    def load_weights(self, weights: Arrays) -> None:
        """Begin from other weights, the average too; for a new run that continues another.

        Raises:
            RunDamagedError: an array is missing or has another shape.
        """
        try:
            for model in (self.model, self.averaged):
                take_weights(model, weights)
        except (KeyError, RuntimeError) as error:
            raise RunDamagedError(f"the saved weights do not fit: {error}") from None

    def begin_again(self, weights: Arrays, *, keep_moments: bool = False) -> None:
        """Go on from other weights as if nothing had been read: nothing is carried.

        Args:
            weights: by name.
            keep_moments: whether the optimiser goes on with what it knows of the gradients.

        Raises:
            RunDamagedError: an array is missing or has another shape.
        """
        self.load_weights(weights)
        if not keep_moments:
            self._forget_moments()
        self.carried = tuple(tuple(torch.zeros_like(part) for part in c) for c in self.carried)

    @torch.no_grad()
    def update_average(self, decay: float) -> None:
        """Move the average towards the weights: averaged = decay averaged + (1 - decay) model."""
        if self.averaged is not self.model:
            newest = self.model.plain_parameters()
            averages = dict(self.averaged.named_parameters())
            torch._foreach_lerp_(
                list(averages.values()), [newest[name] for name in averages], 1 - decay
            )

    def _is_on(self, kind: str) -> bool:
        return device_of(self.model).type == kind

    def _optimizer_tensors(self) -> dict[str, Tensor]:
        """The optimiser's tensors as a checkpoint names them."""
        names: dict[Tensor, str] = {p: name for name, p in self.model.named_parameters()}
        return {
            slot_name(names[parameter], slot): value
            for parameter, slots in self.optimizer.state.items()
            for slot, value in slots.items()
        }

    def _load_optimizer(self, arrays: Arrays) -> None:
        """Take up the optimiser's arrays, which have been looked at; a weight may have none."""
        self._forget_moments()
        for name, parameter in self.model.named_parameters():
            for slot in SLOTS[type(self.optimizer)]:
                if (key := slot_name(name, slot)) in arrays:
                    # Adam's step counter lives on the parameter's device only where it is fused
                    value = torch.from_numpy(arrays[key].copy()).to(parameter.device)
                    self.optimizer.state[parameter][slot] = value

    def _forget_moments(self) -> None:
        """Leave the optimiser as it was before the first step."""
        self.optimizer.state.clear()
        # Adagrad has its sums from the beginning, the others at their first step
        self.optimizer.state.update(make_optimizer(self.model, self._recipe).state)


def device_of(model: Model) -> torch.device:
    """Where a model is."""
    return next(model.parameters()).device


def plain_copy(model: Model) -> Model:
    """The same model as it is saved: nothing composed, no gradients."""
    unused = torch.Generator()  # weights that are replaced at once are nobody's business
    copied = make_model(model.shape, model.dropout, unused)
    copied.take(model.plain_parameters())
    return copied.to(device_of(model)).requires_grad_(False)


def take_weights(model: Model, weights: Arrays) -> None:
    """Give a model saved weights, by the names of `weight_shapes`.

    Raises:
        KeyError: one is missing or unknown.
        RuntimeError: one has another shape.
    """
    model.take({name: torch.from_numpy(np.array(array)) for name, array in weights.items()})


def make_optimizer(model: Model, recipe: Recipe) -> torch.optim.Optimizer:
    """The optimiser of a recipe; weight decay acts on matrices, not on biases.

    Source: Loshchilov & Hutter 2019, arXiv:1711.05101; Duchi et al. 2011.
    """
    matrices = [p for p in model.parameters() if p.ndim > 1]
    biases = [p for p in model.parameters() if p.ndim == 1]
    groups = [
        {"params": matrices, "weight_decay": recipe.weight_decay},
        {"params": biases, "weight_decay": 0.0},
    ]
    if recipe.optimizer == "adagrad":
        return torch.optim.Adagrad(groups, lr=recipe.learning_rate, eps=1e-8)
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=recipe.learning_rate)
    return torch.optim.AdamW(groups, lr=recipe.learning_rate, betas=_BETAS, fused=True)


def _to_numpy(tensor: Tensor, copy: bool = True) -> NDArray[Any]:
    """As float32 where it is floating point (bfloat16 fits exactly), else as it is."""
    tensor = tensor.detach()
    if tensor.is_floating_point():
        tensor = tensor.float()
    array: NDArray[Any] = tensor.cpu().numpy()
    return np.array(array) if copy else array


def _from_numpy(array: NDArray[Any], like: Tensor) -> Tensor:
    return torch.from_numpy(array.copy()).to(like.device)
