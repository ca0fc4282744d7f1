"""Dynamic evaluation: the network goes on learning from the text it is scored on.

The text is read as one stream in segments of a few tokens. Each segment is scored first and then
learnt from, by one step of gradient descent whose gradient stays inside the segment; every weight
moves by its gradient over the root mean square that its gradient had in training, and is drawn
back towards its trained value the more the larger that is. Dropout is off, the state is carried
from segment to segment, and begins at zero behind a document boundary. All weights adapt; of
several networks each learns from what the text cost it alone.

Source: Krause et al. 2018, arXiv:1709.07432, section 4 (RMS with decay to the trained weights).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from charnn.model.ensemble import Model, apart, joined, mean_logits
from charnn.model.language_model import Dropout
from charnn.model.recurrence import State, detach
from charnn.model.shapes import ModelShape
from charnn.training.device import Device
from charnn.training.scores import Nats, Tokens

_FEED_FORWARD = "feed_forward."  # in the names of its weights
_SHORTEST = 1e-30  # a length to divide by where there is none


@dataclass(frozen=True, slots=True)
class Dynamics:
    """How fast a network adapts.

    Attributes:
        segment: tokens that are scored before they are learnt from.
        rate: of the steps.
        feed_forward: what the block behind the layers has of that rate.
        decay: share of the way back to the trained weights after each step, on average.
        floor: added to each root mean square, as a share of their mean, so that weights which
            had hardly any gradient do not run away.
        longest: root mean square of a step over all weights, in multiples of the rate, above which
            the step is shortened to it. A trained network stays below 7; one of a few steps, whose
            gradients have not been known for long, would leave all numbers behind.
    """

    segment: int = 32
    rate: float = 6e-4
    feed_forward: float = 1.0
    decay: float = 1e-2
    floor: float = 0.5
    longest: float = 10.0

    def rate_of(self, weight: str) -> float:
        """The rate of a weight with this name."""
        return self.rate * (self.feed_forward if _FEED_FORWARD in weight else 1.0)


_USUAL = Dynamics()
_USUAL_WITH_BLOCK = Dynamics(rate=4.5e-4, feed_forward=0.3)


def usual_dynamics(shape: ModelShape) -> Dynamics:
    """How fast networks of these sizes adapt best; with a block they soon say too much."""
    return _USUAL_WITH_BLOCK if shape.feed_forward_size else _USUAL


class Adaptation:
    """A network that adapts to what it reads.

    Args:
        model: on its device; its weights are changed, and it drops nothing any more.
        roots: root mean square of each weight's gradient in training, by weight name.
        dynamics: how fast; the usual if None.
    """

    def __init__(
        self,
        model: Model,
        roots: Mapping[str, NDArray[np.float32]],
        dynamics: Dynamics | None = None,
    ) -> None:
        dynamics = dynamics or usual_dynamics(model.shape)
        self.segment = dynamics.segment
        """Tokens that are scored before they are learnt from."""
        # Training without dropout: cuDNN has no gradients for a network that is in evaluation.
        model.dropout = Dropout()
        model.train().requires_grad_(True)
        named = dict(model.named_parameters())
        self._weights: list[Tensor] = list(named.values())
        self._trained = [weight.detach().clone() for weight in self._weights]
        held = [torch.from_numpy(np.array(roots[name])).to(w.device) for name, w in named.items()]
        # One mean over all weights: their gradients are compared with one another.
        mean = sum(float(root.sum()) for root in held) / sum(root.numel() for root in held)
        self._rates = [
            dynamics.rate_of(name) / (root + dynamics.floor * mean)
            for name, root in zip(named, held, strict=True)
        ]
        count = sum(weight.numel() for weight in self._weights)
        self._longest = dynamics.longest * dynamics.rate * count**0.5
        self._decays = [(dynamics.decay * root / mean).clamp(max=1.0) for root in held]

    def learn(self, loss: Tensor) -> None:
        """Take one step against the gradient of a loss, and part of the way back."""
        gradients = torch.autograd.grad(loss, self._weights)
        with torch.no_grad():
            steps = [gradient * rate for gradient, rate in zip(gradients, self._rates, strict=True)]
            length = torch.stack([torch.linalg.vector_norm(step) for step in steps]).norm()
            share = (self._longest / length.clamp(min=_SHORTEST)).clamp(max=1.0)
            for weight, step, decay, trained in zip(
                self._weights, steps, self._decays, self._trained, strict=True
            ):
                weight.addcmul_(step, share, value=-1)
                weight.addcmul_(decay, trained - weight)


def dynamic_nats(
    model: Model,
    tokens: Tokens,
    boundary: int,
    roots: Mapping[str, NDArray[np.float32]],
    device: Device,
    dynamics: Dynamics | None = None,
    on_progress: Callable[[int], bool] | None = None,
) -> Nats | None:
    """What each token of a text costs a network that learns from it as it reads.

    Args:
        model: a network of its own: its weights are changed.
        tokens: (n,), n >= 1; the first is predicted from a document boundary and zero state.
        boundary: the token between documents.
        roots: see `Adaptation`.
        device: where the model is.
        dynamics: how fast it adapts; as usual if None.
        on_progress: told after each segment how many tokens were scored; returns whether to go on.

    Returns:
        -ln p of each token before it was learnt from, (n,); None if `on_progress` broke it off.
    """
    adaptation = Adaptation(model, roots, dynamics)
    text = torch.from_numpy(np.concatenate([[boundary], tokens]).astype(np.int64))
    text = text.to(device.torch_device)
    state: State = model.initial_state(1)
    nats = np.empty(len(tokens))
    for start in range(0, len(tokens), adaptation.segment):
        stop = min(start + adaptation.segment, len(tokens))
        costs, loss, state = segment_costs(model, text[start : stop + 1], state)
        nats[start:stop] = costs
        adaptation.learn(loss)
        if on_progress is not None and not on_progress(stop):
            return None
    return nats


def segment_costs(model: Model, text: Tensor, state: State) -> tuple[Nats, Tensor, State]:
    """What a segment costs a model, and what it can learn from it.

    Args:
        model: in training, dropping nothing.
        text: the token before the segment, and its tokens, (n + 1,).
        state: before them.

    Returns:
        -ln p of each of the n tokens; the loss of each network by itself, summed; and the state.
    """
    held, after = [], []
    for network, before in apart(model, detach(state)):
        logits, newest = network(text[:-1, None], before)  # (n, 1, vocab)
        held.append(logits[:, 0])
        after.append(newest)
    costs = [F.cross_entropy(logits, text[1:], reduction="none") for logits in held]
    loss = torch.stack([nats.mean() for nats in costs]).sum()
    together = costs[0].detach()
    if len(held) > 1:
        mean = mean_logits([logits.detach() for logits in held])
        together = F.cross_entropy(mean, text[1:], reduction="none")
    return together.cpu().double().numpy(), loss, joined(after)
