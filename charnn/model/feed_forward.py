"""The gated block behind the recurrent layers, in torch; the same in NumPy is in `gating.py`.

A recurrent layer has to hold what it remembers and what comes next in the same numbers. The block
turns the one into the other: it adds to what the last layer says a gated function of it. All tokens
of a window go through it at once, so that it learns more in its time than a wider layer would.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from charnn.model.recurrence import drop_mask


class FeedForward(nn.Module):
    """Outputs of the last layer -> the same and what the block makes of them.

    x + outer(silu(gate) * value), where gate and value are the halves of inner(norm(x)).

    Args:
        hidden_size: H, numbers that come in and go out.
        size: F, gated units.

    Source: Shazeer 2020, arXiv:2002.05202 (SwiGLU); layer norm: Ba et al. 2016, arXiv:1607.06450;
    a feed-forward layer behind an LSTM: Merity 2019, arXiv:1911.11423.
    """

    def __init__(self, hidden_size: int, size: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(hidden_size)
        self.inner = nn.Linear(hidden_size, 2 * size)
        self.outer = nn.Linear(size, hidden_size, bias=False)

    def forward(
        self, x: Tensor, share: float = 0.0, generator: torch.Generator | None = None
    ) -> Tensor:
        """(seq_len, batch, hidden_size) -> the same shape.

        Args:
            x: what the last layer says.
            share: of the gated units to drop, for the whole window.
            generator: source of what is dropped; torch's global one if None.
        """
        gate, value = self.inner(self.norm(x)).chunk(2, dim=-1)
        units = F.silu(gate) * value
        if share > 0:
            units = units * drop_mask(units, share, (1, *units.shape[1:]), generator)
        added: Tensor = self.outer(units)
        return x + added

    @torch.no_grad()
    def initialise(self, generator: torch.Generator | None = None) -> None:
        """Begin as if it were not there: it adds nothing until it has learnt something."""
        self.norm.reset_parameters()
        nn.init.xavier_uniform_(self.inner.weight, generator=generator)
        self.inner.bias.zero_()
        self.outer.weight.zero_()
