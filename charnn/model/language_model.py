"""A network in torch: embedding -> recurrent layers -> gated block -> projection -> logits.

State goes in as an argument and comes out as a result; what a layer does is in `recurrence.py`,
the block in `feed_forward.py`.
Names and shapes of the weights are those of `shapes.py`; `stepper.py` is the same in NumPy.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from charnn.errors import OptionError
from charnn.model.embedding import Embedding
from charnn.model.feed_forward import FeedForward
from charnn.model.recurrence import State, drop_mask, layer_weights, run_layer
from charnn.model.shapes import ModelShape

_MODULES = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}


@dataclass(frozen=True, slots=True)
class Dropout:
    """Shares of units dropped in training, each in [0, 1).

    One mask of units holds for a whole window, so that a unit is there or not for all its tokens;
    random numbers for each unit of each token would take a tenth of the step.

    Attributes:
        token: whole input tokens replaced by a zero embedding.
        input: units of the embedding.
        layer: units between layers, and the gated ones of a block.
        output: units of what the output is made from.
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
        self.dropout_generator: torch.Generator | None = None
        """Source of what is dropped; torch's global one if None."""
        self.embedding = Embedding(shape.vocab_size, shape.embedding_size, spelling)
        sizes = [shape.embedding_size] + [shape.hidden_size] * shape.num_layers
        self.layers = nn.ModuleList(
            _MODULES[shape.cell](below, above) for below, above in pairwise(sizes)
        )
        if shape.feed_forward_size:
            self.feed_forward = FeedForward(shape.hidden_size, shape.feed_forward_size)
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

    def read(self, tokens: Tensor, state: State) -> State:
        """The state behind tokens (seq_len, batch)."""
        return self.features(tokens, state)[1]

    def features(self, tokens: Tensor, state: State) -> tuple[Tensor, State]:
        """What the output is made from, dropout applied, and the state.

        Returns:
            The last layer's output behind the block, (seq_len, batch, hidden_size), and the state.
        """
        return self._features(tokens, state, self.embedding.matrix())

    def logits(self, hidden: Tensor) -> Tensor:
        """Logits (..., vocab_size) of what `features` returns, (..., hidden_size)."""
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
            x = x * drop_mask(x, drop.token, (*x.shape[:2], 1), self.dropout_generator)
        x = self._drop(x, drop.input)
        after: list[tuple[Tensor, ...]] = []
        for index, (layer, start) in enumerate(zip(self.layers, state, strict=True)):
            if index:
                x = self._drop(x, drop.layer)
            x, end = run_layer(
                layer,
                x,
                start,
                state_share=drop.state if self.training else 0,
                weight_share=drop.weight if self.training else 0,
                generator=self.dropout_generator,
            )
            after.append(end)
        if self.shape.feed_forward_size:
            x = self.feed_forward(x, drop.layer if self.training else 0.0, self.dropout_generator)
        return self._drop(x, drop.output), tuple(after)

    def _drop(self, x: Tensor, share: float) -> Tensor:
        """Some units of x (seq_len, batch, size) set to zero for the whole window."""
        if not self.training or share == 0:
            return x
        return x * drop_mask(x, share, (1, *x.shape[1:]), self.dropout_generator)

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


class _Output(nn.Module):
    """Holds what the output adds to the embedding: the bias, and weights if they are not tied."""

    def __init__(self, shape: ModelShape) -> None:
        super().__init__()
        if not shape.tied:
            self.weight = nn.Parameter(torch.empty(shape.vocab_size, shape.hidden_size))
        self.bias = nn.Parameter(torch.empty(shape.vocab_size))


def _copy(parameter: Tensor, value: Tensor, name: str) -> None:
    if parameter.shape != value.shape:
        raise RuntimeError(f"{name} has shape {tuple(value.shape)}")
    parameter.copy_(value)


@torch.no_grad()
def initialise(model: LanguageModel, generator: torch.Generator | None = None) -> None:
    """Set every weight anew.

    Recurrent matrices are orthogonal gate by gate (Saxe et al. 2014, arXiv:1312.6120), input
    matrices uniform after Glorot & Bengio 2010, the forget gate's bias 1 (Jozefowicz et al.
    2015), other biases 0, embeddings normal with standard deviation E ** -0.5, so that tied logits
    begin near unit size. A block adds nothing yet.
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
    if shape.feed_forward_size:
        model.feed_forward.initialise(generator)
    if shape.projected:
        nn.init.xavier_uniform_(model.projection.weight, generator=generator)
    if not shape.tied:
        nn.init.xavier_uniform_(model.output.weight, generator=generator)
    model.output.bias.zero_()
