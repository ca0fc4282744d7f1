"""The loss of a step: one pass over the logits there, one back.

Before `F.cross_entropy` logits in bfloat16 are copied to float32, then it makes their log-softmax,
and a gradient of zeros to put its ones into; with a vocabulary of syllables that is a tenth of a
step.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

_LEAST = torch.finfo(torch.float32).tiny  # a probability below it costs as much as it


def mean_nats(logits: Tensor, targets: Tensor) -> Tensor:
    """The mean of -ln p of targets, a float32 scalar; 87.3 at most for each.

    Args:
        logits: (..., vocab_size), float32 or bfloat16; the gradient has the same type.
        targets: int64, (...).
    """
    loss: Tensor = _MeanNats.apply(  # type: ignore[no-untyped-call]
        logits.flatten(0, -2), targets.flatten()
    )
    return loss


class _MeanNats(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, logits: Tensor, targets: Tensor) -> Tensor:
        probs = logits.softmax(-1, dtype=torch.float32)
        ctx.save_for_backward(probs, targets)
        ctx.kind = logits.dtype
        held = probs.gather(1, targets[:, None])
        return -held.clamp(min=_LEAST).log().mean()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        """(probabilities - what came) / tokens, in place of the probabilities: called once."""
        probs, targets = ctx.saved_tensors
        came = probs.new_full((len(targets), 1), -1.0)
        probs.scatter_add_(1, targets[:, None], came)
        probs.mul_(gradient / len(targets))
        return probs.to(ctx.kind), None
