"""Everything of a training that changes from step to step, as arrays and JSON and back.

What is restored continues bit for bit (same device, same thread count): weights, their moving
average, optimiser, random generators, carried state, running sums, best-so-far.
"""

import math
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from charnn.errors import RunDamagedError
from charnn.model.language_model import LanguageModel, State
from charnn.training.recipe import Recipe

Arrays = dict[str, NDArray[Any]]
_RAW = "weights."
LOWERED_BY_A_DROP = 0.9
"""What a dropped step multiplies the learning rate by, from there on."""
REWARM_STEPS = 50
"""Steps in which the learning rate rises again after going back to the best weights."""


@dataclass
class Progress:
    """The scalar part of the state.

    Attributes:
        step: updates made.
        settled: tasks already done at this step boundary ("step", "validation", "sample", "save").
        elapsed: seconds of training before this session.
        best_bits_per_char: of the best validation so far; None before the first.
        best_step: when that was.
        validations_since_best: how long ago, counted in validations.
        dropped: steps that were dropped for a loss or gradient that is not finite.
        dropped_in_a_row: how many of them since the last step that was none of them.
        rate_factor: what the plan's learning rate is multiplied by; every fault lowers it.
        restores: how often training went back to the best weights.
        restored_at: the step at which it did so last; None if it never did.
        ngram_weight: of the n-gram model beside the weights of the last validation.
        best_ngram_weight: beside the best ones.
        tokens, nats, grad_norm, updates, seconds: sums since the last step record.
    """

    step: int = 0
    settled: list[str] = field(default_factory=list)
    elapsed: float = 0.0
    best_bits_per_char: float | None = None
    best_step: int | None = None
    validations_since_best: int = 0
    dropped: int = 0
    dropped_in_a_row: int = 0
    rate_factor: float = 1.0
    restores: int = 0
    restored_at: int | None = None
    ngram_weight: float = 0.0
    best_ngram_weight: float = 0.0
    tokens: int = 0
    nats: float = 0.0
    grad_norm: float = 0.0
    updates: int = 0
    seconds: float = 0.0

    def start_sums(self) -> None:
        """Begin the sums of the next step record."""
        self.tokens, self.updates = 0, 0
        self.nats, self.grad_norm, self.seconds = 0.0, 0.0, 0.0

    def note_dropped(self) -> None:
        """A step was dropped: the rate is a little too high for what the text holds there."""
        self.dropped += 1
        self.dropped_in_a_row += 1
        self.rate_factor *= LOWERED_BY_A_DROP

    def note_restored(self) -> None:
        """Training begins again from the best weights, each time more carefully."""
        self.restores += 1
        self.restored_at = self.step
        self.rate_factor *= 0.5**self.restores
        self.dropped_in_a_row = 0
        self.start_sums()

    def begin_more(self) -> None:
        """Another plan begins behind the end of one: what belonged to that is forgotten."""
        self.validations_since_best = 0
        self.restores, self.restored_at = 0, None
        self.dropped_in_a_row = 0
        self.start_sums()

    def rate_share(self, step: int) -> float:
        """The share of the plan's learning rate that step number `step` takes."""
        if self.restored_at is None:
            return self.rate_factor
        return self.rate_factor * min(1.0, (step - self.restored_at + 1) / REWARM_STEPS)

    def note_validation(self, bits_per_char: float) -> bool:
        """Take a validation at this step into account; whether it is the best so far."""
        best = math.inf if self.best_bits_per_char is None else self.best_bits_per_char
        if not bits_per_char < best:  # also where it is not a number
            self.validations_since_best += 1
            return False
        self.best_bits_per_char, self.best_step = bits_per_char, self.step
        self.best_ngram_weight = self.ngram_weight
        self.validations_since_best = 0
        return True

    def to_json(self) -> dict[str, Any]:
        """The sums and counters as a JSON object; floats survive it exactly."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Progress":
        """What `to_json` made.

        Raises:
            RunDamagedError: a field is missing or of another kind.
        """
        try:
            values = {field.name: data[field.name] for field in fields(cls)}
        except KeyError as error:
            raise RunDamagedError(f"the saved training state is incomplete: {error}") from None
        for name, value in values.items():
            if not _is_progress(name, value):
                raise RunDamagedError(f"the saved training state has {name} {value!r}")
        return cls(**values)


def _is_progress(name: str, value: Any) -> bool:
    """Whether a field of the progress may have this value."""
    if name == "settled":
        return isinstance(value, list) and all(isinstance(task, str) for task in value)
    if name in ("best_bits_per_char", "best_step", "restored_at") and value is None:
        return True
    floats = (
        *("elapsed", "best_bits_per_char", "rate_factor", "nats", "grad_norm", "seconds"),
        *("ngram_weight", "best_ngram_weight"),
    )
    return (type(value) is int and value >= 0) or (type(value) is float and name in floats)


class TrainerState:
    """Model, average, optimiser, carried state and progress of one training.

    Args:
        model: on its device.
        recipe: for the optimiser and the average.
        batch_size: rows whose state is carried.
    """

    def __init__(self, model: LanguageModel, recipe: Recipe, batch_size: int) -> None:
        self.model = model
        self.averaged = plain_copy(model) if recipe.ema > 0 else model
        self.optimizer = make_optimizer(model, recipe)
        self.carried: State = model.initial_state(batch_size)
        self.progress = Progress(ngram_weight=recipe.ngram_weight)

    def weights(self, *, averaged: bool) -> Arrays:
        """The weights as float32 arrays; the averaged ones are those a run writes with."""
        model = self.averaged if averaged else self.model
        return {name: _to_numpy(tensor) for name, tensor in model.plain_parameters().items()}

    def arrays(self) -> Arrays:
        """Everything but the averaged weights and the progress, by name."""
        arrays = {f"optimizer.{key}": _to_numpy(t) for key, t in self._optimizer_tensors().items()}
        if self.averaged is not self.model:
            own = self.model.named_parameters()
            arrays.update({f"{_RAW}{name}": _to_numpy(parameter) for name, parameter in own})
        for index, layer in enumerate(self.carried):
            for part, tensor in enumerate(layer):
                arrays[f"carried.{index}.{part}"] = _to_numpy(tensor)
        arrays["random.cpu"] = torch.get_rng_state().numpy()
        if self._is_on("cuda"):
            arrays["random.cuda"] = torch.cuda.get_rng_state().numpy()
        return arrays

    def gradient_roots(self) -> Arrays:
        """Root mean square of each saved weight's gradient lately; empty if nobody kept count."""
        roots = {}
        for name, parameter in self.model.named_parameters():
            squares = self.optimizer.state.get(parameter, {}).get("exp_avg_sq")
            if squares is None:
                return {}
            roots[name] = _to_numpy(squares.sqrt())
        roots.pop("embedding.parts", None)
        return roots

    def load(self, averaged: Arrays, arrays: Arrays, progress: Progress) -> None:
        """Take up a saved state.

        Args:
            averaged: what `weights(averaged=True)` said.
            arrays: what `arrays` said.
            progress: where it stood.

        Raises:
            RunDamagedError: an array is missing or has another shape.
        """
        try:
            take_weights(self.averaged, averaged)
            if self.averaged is not self.model:
                raw = {k[len(_RAW) :]: v for k, v in arrays.items() if k.startswith(_RAW)}
                self.model.load_state_dict({k: torch.from_numpy(v.copy()) for k, v in raw.items()})
            self._load_optimizer(arrays)
            self.carried = tuple(
                tuple(_from_numpy(arrays[f"carried.{i}.{j}"], part) for j, part in enumerate(layer))
                for i, layer in enumerate(self.carried)
            )
            torch.set_rng_state(torch.from_numpy(arrays["random.cpu"].copy()))
            if self._is_on("cuda") and "random.cuda" in arrays:
                torch.cuda.set_rng_state(torch.from_numpy(arrays["random.cuda"].copy()))
        except (KeyError, RuntimeError, TypeError, ValueError) as error:
            raise RunDamagedError(f"the saved training state does not fit: {error}") from None
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
            self.optimizer.state.clear()
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
        return self.model.embedding.weight.device.type == kind

    def _optimizer_tensors(self) -> dict[str, Tensor]:
        """The optimiser's tensors by "weight name/slot name"."""
        names: dict[Tensor, str] = {p: name for name, p in self.model.named_parameters()}
        return {
            f"{names[parameter]}/{slot}": value
            for parameter, slots in self.optimizer.state.items()
            for slot, value in slots.items()
        }

    def _load_optimizer(self, arrays: Arrays) -> None:
        parameters = dict(self.model.named_parameters())
        self.optimizer.state.clear()
        for key, array in arrays.items():
            kind, _, rest = key.partition(".")
            if kind == "optimizer":
                name, _, slot = rest.rpartition("/")
                parameter = parameters[name]
                if array.shape not in ((), tuple(parameter.shape)):
                    raise ValueError(f"{key} has shape {array.shape}")
                # Adam's step counter lives on the parameter's device only where it is fused
                value = torch.from_numpy(array.copy()).to(parameter.device)
                self.optimizer.state[parameter][slot] = value


def plain_copy(model: LanguageModel) -> LanguageModel:
    """The same network as it is saved: nothing composed, no gradients."""
    unused = torch.Generator()  # weights that are replaced at once are nobody's business
    copied = LanguageModel(model.shape, model.dropout, unused)
    copied.take(model.plain_parameters())
    return copied.to(model.embedding.weight.device).requires_grad_(False)


def take_weights(model: LanguageModel, weights: Arrays) -> None:
    """Give a model saved weights, by the names of `weight_shapes`.

    Raises:
        KeyError: one is missing or unknown.
        RuntimeError: one has another shape.
    """
    model.take({name: torch.from_numpy(np.array(array)) for name, array in weights.items()})


def make_optimizer(model: LanguageModel, recipe: Recipe) -> torch.optim.Optimizer:
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
    return torch.optim.AdamW(groups, lr=recipe.learning_rate, betas=(0.9, 0.99), fused=True)


def _to_numpy(tensor: Tensor) -> NDArray[Any]:
    """A copy as float32 where it is floating point (bfloat16 fits exactly), else as it is."""
    tensor = tensor.detach()
    if tensor.is_floating_point():
        tensor = tensor.float()
    return np.array(tensor.cpu().numpy())


def _from_numpy(array: NDArray[Any], like: Tensor) -> Tensor:
    if array.shape != tuple(like.shape):
        raise ValueError(f"carried state has shape {array.shape}, not {tuple(like.shape)}")
    return torch.from_numpy(array.copy()).to(like.device)
