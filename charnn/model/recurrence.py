"""Recurrent layers in torch: one layer over one window, with whatever is dropped in it.

A layer is a single-layer module of torch, which takes the fused oneDNN and cuDNN paths; dropout
is ours. The same equations in NumPy are in `cells.py`.
"""

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

LayerState = tuple[Tensor, ...]
"""(h, c) for LSTM, (h,) for GRU and RNN; each (batch, hidden_size)."""

State = tuple[LayerState, ...]
"""One for each layer."""

LayerWeights = tuple[Tensor, Tensor, Tensor, Tensor]
"""Of a recurrent layer: input weights, recurrent weights, input bias, recurrent bias."""


def run_layer(
    layer: nn.Module,
    x: Tensor,
    start: LayerState,
    *,
    state_share: float,
    weight_share: float,
    generator: torch.Generator | None = None,
) -> tuple[Tensor, LayerState]:
    """One layer over a window.

    Args:
        layer: nn.LSTM, nn.GRU or nn.RNN with one layer.
        x: what goes in, (seq_len, batch, size below).
        start: its state before.
        state_share: of the carried h to drop (takes a slower step-by-step loop).
        weight_share: of the recurrent weights to drop, in steps of 1/256.
        generator: source of what is dropped; torch's global one if None.

    Returns:
        Outputs, (seq_len, batch, hidden_size), and the state after them.
    """
    if state_share > 0:
        weights = layer_weights(layer, weight_share, generator)
        mask = drop_mask(start[0], state_share, start[0].shape, generator)
        return _run_steps(type(layer), x, start, weights, mask)
    if weight_share > 0:
        weights = layer_weights(layer, weight_share, generator)
        return _run_at_once(type(layer), x, start, weights)
    if isinstance(layer, nn.LSTM):
        x, (h, c) = layer(x, (start[0].unsqueeze(0), start[1].unsqueeze(0)))
        return x, (h[0], c[0])
    x, h = layer(x, start[0].unsqueeze(0))
    return x, (h[0],)


def layer_weights(
    layer: nn.Module, share: float = 0.0, generator: torch.Generator | None = None
) -> LayerWeights:
    """A recurrent layer's input weights, recurrent weights, input bias and recurrent bias.

    Args:
        layer: of torch, a single one.
        share: of the recurrent weights to drop.
        generator: source of what is dropped; torch's global one if None.
    """
    names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
    from_input, recurrent, *biases = (cast(Tensor, getattr(layer, name)) for name in names)
    if share > 0:
        recurrent = _drop_weights(recurrent, share, generator)
    return from_input, recurrent, biases[0], biases[1]


def _drop_weights(weight: Tensor, share: float, generator: torch.Generator | None) -> Tensor:
    """Some weights set to zero, the others grown; a matrix of the same shape.

    Eight random bytes come from one draw: a draw for each weight would take a tenth of the step.
    """
    count, dropped = weight.numel(), min(255, max(1, round(256 * share)))
    draws = torch.empty(-(-count // 8), dtype=torch.int64, device=weight.device)
    draws.random_(-(2**63), None, generator=generator)
    kept = draws.view(torch.uint8)[:count].view_as(weight) >= dropped
    return weight * kept.to(weight.dtype).mul_(256 / (256 - dropped))


def drop_mask(
    like: Tensor, share: float, size: Sequence[int], generator: torch.Generator | None = None
) -> Tensor:
    """A mask of zeros (a `share` of them) and 1 / (1 - share), broadcastable over `like`."""
    return like.new_empty(size).bernoulli_(1 - share, generator=generator).div_(1 - share)


def _run_at_once(
    kind: type[nn.Module], x: Tensor, start: LayerState, weights: LayerWeights
) -> tuple[Tensor, LayerState]:
    """The layer by torch's own kernel, with weights that are not the module's."""
    held = [part.unsqueeze(0) for part in start]
    settings = (list(weights), True, 1, 0.0, True, False, False)
    if kind is nn.LSTM:
        x, h, c = torch.lstm(x, held, *settings)
        return x, (h[0], c[0])
    x, h = _KERNELS[kind](x, held[0], *settings)
    return x, (h[0],)


def _run_steps(
    kind: type[nn.Module],
    x: Tensor,
    start: LayerState,
    weights: LayerWeights,
    mask: Tensor,
) -> tuple[Tensor, LayerState]:
    """The layer step by step with one dropout mask a window, (batch, hidden), on the recurrent h.

    Source: Gal & Ghahramani 2016, arXiv:1512.05287.
    """
    step = _STEPS[kind]
    input_weight, recurrent_weight, input_bias, recurrent_bias = weights
    outputs, state = [], start
    for gates in F.linear(x, input_weight, input_bias).unbind(0):
        recurrent = F.linear(state[0] * mask, recurrent_weight, recurrent_bias)
        state = step(gates, recurrent, state)
        outputs.append(state[0])
    return torch.stack(outputs), state


def _lstm_step(x: Tensor, r: Tensor, state: LayerState) -> LayerState:
    i, f, g, o = (x + r).chunk(4, dim=-1)
    c = f.sigmoid() * state[1] + i.sigmoid() * g.tanh()
    return o.sigmoid() * c.tanh(), c


def _gru_step(x: Tensor, r: Tensor, state: LayerState) -> LayerState:
    x_r, x_z, x_n = x.chunk(3, dim=-1)
    r_r, r_z, r_n = r.chunk(3, dim=-1)
    z = (x_z + r_z).sigmoid()
    n = (x_n + (x_r + r_r).sigmoid() * r_n).tanh()
    return ((1 - z) * n + z * state[0],)


def _rnn_step(x: Tensor, r: Tensor, state: LayerState) -> LayerState:
    return ((x + r).tanh(),)


_KERNELS: dict[type[nn.Module], Any] = {nn.GRU: torch.gru, nn.RNN: torch.rnn_tanh}
_STEPS: dict[type[nn.Module], Any] = {nn.LSTM: _lstm_step, nn.GRU: _gru_step, nn.RNN: _rnn_step}


def detach(state: State) -> State:
    """The state cut off from the graph: no gradient crosses a window boundary."""
    return tuple(tuple(part.detach() for part in layer) for layer in state)


def roll_rows(state: State) -> State:
    """The state at an epoch's end: row r takes that of row r - 1, where its text comes from.

    Row 0 starts at zero, for it begins the text again.
    """

    def roll(part: Tensor) -> Tensor:
        rolled = part.roll(1, dims=0)
        rolled[0] = 0
        return rolled

    return tuple(tuple(roll(part) for part in layer) for layer in state)
