"""The network in torch: embedding -> stacked recurrent layers -> projection -> logits.

State goes in as an argument and comes out as a result. Each layer is one single-layer module of
torch (this takes the fused oneDNN and cuDNN paths); dropout is ours. Names and shapes of the
weights are those of `shapes.py`; the same equations in NumPy are in `stepper.py`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from charnn.errors import OptionError
from charnn.model.embedding import Embedding
from charnn.model.shapes import ModelShape

State = tuple[tuple[Tensor, ...], ...]
"""One tuple a layer: (h, c) for LSTM, (h,) for GRU and RNN; each (batch, hidden_size)."""

LayerWeights = tuple[Tensor, Tensor, Tensor, Tensor]
"""Of a recurrent layer: input weights, recurrent weights, input bias, recurrent bias."""

_MODULES = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}


@dataclass(frozen=True, slots=True)
class Dropout:
    """Shares of units dropped in training, each in [0, 1).

    One mask holds for a whole window, so that a unit is there or not for all its tokens; random
    numbers for each token would take a tenth of the step.

    Attributes:
        token: whole input tokens replaced by a zero embedding.
        input: units of the embedding.
        layer: units between layers.
        output: units of the last layer.
        state: units of the carried h (takes a slower step-by-step loop).
        weight: weights of the recurrent matrices, in steps of 1/256.

    Source: Gal & Ghahramani 2016, arXiv:1512.05287; weights: Wan et al. 2013 (DropConnect), in
    recurrent layers Merity et al. 2018, arXiv:1708.02182.

    Raises:
        OptionError: a share is outside [0, 1).
    """

    token: float = 0.0
    input: float = 0.0
    layer: float = 0.0
    output: float = 0.0
    state: float = 0.0
    weight: float = 0.0

    def __post_init__(self) -> None:
        for name in self.__slots__:
            if not 0 <= (share := getattr(self, name)) < 1:
                raise OptionError(f"{name} dropout must be in [0, 1), got {share}")


class LanguageModel(nn.Module):
    """A recurrent language model: `logits, state = model(tokens, state)`.

    Args:
        shape: the sizes.
        dropout: the shares dropped while `model.training`.
        generator: source of the initial weights; torch's global one if None.
        spelling: which jamo each token has; see `Embedding`.

    Source: Hochreiter & Schmidhuber 1997; tied output weights: Press & Wolf 2017,
    arXiv:1608.05859, Inan et al. 2017, arXiv:1611.01462.
    """

    def __init__(
        self,
        shape: ModelShape,
        dropout: Dropout | None = None,
        generator: torch.Generator | None = None,
        spelling: NDArray[np.float32] | None = None,
    ) -> None:
        super().__init__()
        self.shape = shape
        self.dropout = dropout or Dropout()
        self.embedding = Embedding(shape.vocab_size, shape.embedding_size, spelling)
        sizes = [shape.embedding_size] + [shape.hidden_size] * shape.num_layers
        self.layers = nn.ModuleList(
            _MODULES[shape.cell](below, above) for below, above in pairwise(sizes)
        )
        if shape.projected:
            self.projection = nn.Linear(shape.hidden_size, shape.embedding_size, bias=False)
        self.output = _Output(shape)
        initialise(self, generator)

    def initial_state(self, batch_size: int) -> State:
        """The zero state of `batch_size` rows: per layer tensors of (batch_size, hidden_size)."""
        weight = self.embedding.weight
        size = (batch_size, self.shape.hidden_size)
        count = 2 if self.shape.cell == "lstm" else 1
        return tuple(
            tuple(weight.new_zeros(size) for _ in range(count))
            for _ in range(self.shape.num_layers)
        )

    def forward(self, tokens: Tensor, state: State) -> tuple[Tensor, State]:
        """Predict each next token.

        Args:
            tokens: int64 or int32, (seq_len, batch).
            state: what `initial_state` or an earlier call returned.

        Returns:
            Logits (seq_len, batch, vocab_size) and the state behind the last token.
        """
        vectors = self.embedding.matrix()  # composed once for both ends
        hidden, state = self._features(tokens, state, vectors)
        return self._logits(hidden, vectors), state

    def features(self, tokens: Tensor, state: State) -> tuple[Tensor, State]:
        """The last layer's output (seq_len, batch, hidden_size), dropout applied, and the state."""
        return self._features(tokens, state, self.embedding.matrix())

    def logits(self, hidden: Tensor) -> Tensor:
        """Logits (..., vocab_size) of last-layer outputs (..., hidden_size)."""
        return self._logits(hidden, self.embedding.matrix())

    def plain_parameters(self) -> dict[str, Tensor]:
        """The weights that are saved and write, by the names of `weight_shapes`; no gradient."""
        names = {name: p.detach() for name, p in self.named_parameters()}
        names.pop("embedding.parts", None)
        return names | {"embedding.weight": self.embedding.matrix().detach()}

    @torch.no_grad()
    def take(self, weights: Mapping[str, Tensor]) -> None:
        """Begin from saved weights, named as `plain_parameters` names them.

        Raises:
            KeyError: one is missing or unknown.
            RuntimeError: one has another shape.
        """
        own = dict(self.named_parameters())
        own.pop("embedding.parts", None)
        if unknown := set(weights) ^ set(own):
            raise KeyError(min(unknown))
        self.embedding.take(weights["embedding.weight"])
        for name, parameter in own.items():
            if name != "embedding.weight":
                _copy(parameter, weights[name], name)

    def _features(self, tokens: Tensor, state: State, vectors: Tensor) -> tuple[Tensor, State]:
        drop = self.dropout
        x = F.embedding(tokens, vectors)  # (seq_len, batch, embedding)
        if self.training and drop.token > 0:
            x = x * _mask(x, drop.token, (*x.shape[:2], 1))
        x = self._drop(x, drop.input)
        after: list[tuple[Tensor, ...]] = []
        for index, (layer, start) in enumerate(zip(self.layers, state, strict=True)):
            if index:
                x = self._drop(x, drop.layer)
            x, end = self._run_layer(layer, x, start)
            after.append(end)
        return self._drop(x, drop.output), tuple(after)

    def _drop(self, x: Tensor, share: float) -> Tensor:
        """Some units of x (seq_len, batch, size) set to zero for the whole window."""
        if not self.training or share == 0:
            return x
        return x * _mask(x, share, (1, *x.shape[1:]))

    def _logits(self, hidden: Tensor, vectors: Tensor) -> Tensor:
        if self.shape.projected:
            hidden = self.projection(hidden)
        return F.linear(
            hidden, vectors if self.shape.tied else self.output.weight, self.output.bias
        )

    @torch.no_grad()
    def set_output_bias(self, counts: Tensor) -> None:
        """Begin with the tokens' own frequencies: bias = log((count + 0.1) / total).

        Args:
            counts: how often each token occurs in the training part, (vocab_size,).
        """
        smoothed = counts.double() + 0.1
        self.output.bias.copy_((smoothed / smoothed.sum()).log())

    def _run_layer(
        self, layer: nn.Module, x: Tensor, start: tuple[Tensor, ...]
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        drop = self.dropout
        if self.training and (drop.state > 0 or drop.weight > 0):
            weights = layer_weights(layer, drop.weight)
            if drop.state > 0:
                return _run_steps(type(layer), x, start, weights, drop.state)
            return _run_at_once(type(layer), x, start, weights)
        if self.shape.cell == "lstm":
            x, (h, c) = layer(x, (start[0].unsqueeze(0), start[1].unsqueeze(0)))
            return x, (h[0], c[0])
        x, h = layer(x, start[0].unsqueeze(0))
        return x, (h[0],)


class _Output(nn.Module):
    """Holds what the output adds to the embedding: the bias, and weights if they are not tied."""

    def __init__(self, shape: ModelShape) -> None:
        super().__init__()
        if not shape.tied:
            self.weight = nn.Parameter(torch.empty(shape.vocab_size, shape.hidden_size))
        self.bias = nn.Parameter(torch.empty(shape.vocab_size))


def layer_weights(layer: nn.Module, share: float = 0.0) -> LayerWeights:
    """A recurrent layer's input weights, recurrent weights, input bias and recurrent bias.

    Args:
        layer: of torch, a single one.
        share: of the recurrent weights to drop.
    """
    names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
    from_input, recurrent, *biases = (cast(Tensor, getattr(layer, name)) for name in names)
    if share > 0:
        recurrent = _drop_weights(recurrent, share)
    return from_input, recurrent, biases[0], biases[1]


def _drop_weights(weight: Tensor, share: float) -> Tensor:
    """Some weights set to zero, the others grown; a matrix of the same shape.

    Eight random bytes come from one draw: a draw for each weight would take a tenth of the step.
    """
    count, dropped = weight.numel(), max(1, round(256 * share))
    draws = torch.empty(-(-count // 8), dtype=torch.int64, device=weight.device)
    draws.random_(-(2**63), None)
    kept = draws.view(torch.uint8)[:count].view_as(weight) >= dropped
    return weight * kept.to(weight.dtype).mul_(256 / (256 - dropped))


def _copy(parameter: Tensor, value: Tensor, name: str) -> None:
    if parameter.shape != value.shape:
        raise RuntimeError(f"{name} has shape {tuple(value.shape)}")
    parameter.copy_(value)


def _mask(like: Tensor, share: float, size: Sequence[int]) -> Tensor:
    """A mask of zeros (a `share` of them) and 1 / (1 - share), broadcastable over `like`."""
    return like.new_empty(size).bernoulli_(1 - share).div_(1 - share)


def _run_at_once(
    kind: type[nn.Module], x: Tensor, start: tuple[Tensor, ...], weights: LayerWeights
) -> tuple[Tensor, tuple[Tensor, ...]]:
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
    start: tuple[Tensor, ...],
    weights: LayerWeights,
    share: float,
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """The layer step by step with one dropout mask a window on the recurrent h.

    Source: Gal & Ghahramani 2016, arXiv:1512.05287.
    """
    step = _STEPS[kind]
    mask = _mask(start[0], share, start[0].shape)
    input_weight, recurrent_weight, input_bias, recurrent_bias = weights
    outputs, state = [], start
    for gates in F.linear(x, input_weight, input_bias).unbind(0):
        recurrent = F.linear(state[0] * mask, recurrent_weight, recurrent_bias)
        state = step(gates, recurrent, state)
        outputs.append(state[0])
    return torch.stack(outputs), state


def _lstm_step(x: Tensor, r: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    i, f, g, o = (x + r).chunk(4, dim=-1)
    c = f.sigmoid() * state[1] + i.sigmoid() * g.tanh()
    return o.sigmoid() * c.tanh(), c


def _gru_step(x: Tensor, r: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    x_r, x_z, x_n = x.chunk(3, dim=-1)
    r_r, r_z, r_n = r.chunk(3, dim=-1)
    z = (x_z + r_z).sigmoid()
    n = (x_n + (x_r + r_r).sigmoid() * r_n).tanh()
    return ((1 - z) * n + z * state[0],)


def _rnn_step(x: Tensor, r: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return ((x + r).tanh(),)


_KERNELS: dict[type[nn.Module], Any] = {nn.GRU: torch.gru, nn.RNN: torch.rnn_tanh}
_STEPS: dict[type[nn.Module], Any] = {nn.LSTM: _lstm_step, nn.GRU: _gru_step, nn.RNN: _rnn_step}


@torch.no_grad()
def initialise(model: LanguageModel, generator: torch.Generator | None = None) -> None:
    """Set every weight anew.

    Recurrent matrices are orthogonal gate by gate (Saxe et al. 2014, arXiv:1312.6120), input
    matrices uniform after Glorot & Bengio 2010, the forget gate's bias 1 (Jozefowicz et al.
    2015), other biases 0, embeddings normal with standard deviation E ** -0.5, so that tied
    logits begin near unit size.
    """
    shape = model.shape
    model.embedding.initialise(generator)
    for layer in model.layers:
        input_weight, recurrent_weight, input_bias, recurrent_bias = layer_weights(layer)
        for gate in input_weight.chunk(len(input_weight) // shape.hidden_size):
            nn.init.xavier_uniform_(gate, generator=generator)
        for gate in recurrent_weight.chunk(len(recurrent_weight) // shape.hidden_size):
            nn.init.orthogonal_(gate, generator=generator)
        input_bias.zero_()
        recurrent_bias.zero_()
        if shape.cell == "lstm":
            input_bias[shape.hidden_size : 2 * shape.hidden_size] = 1.0
    if shape.projected:
        nn.init.xavier_uniform_(model.projection.weight, generator=generator)
    if not shape.tied:
        nn.init.xavier_uniform_(model.output.weight, generator=generator)
    model.output.bias.zero_()


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
