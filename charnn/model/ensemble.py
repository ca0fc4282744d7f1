"""Several networks that predict together, and what one and several have in common.

Each network learns as if it were alone, from first weights of its own and with its own units
dropped; what they hold of the next token is the geometric mean of what each holds of it: the mean
of their logits. They err in different places, so that the mean is better than any of them, the
more so the more often a text has been read.

Source: Hansen & Salamon 1990; recurrent language models: Zaremba et al. 2014, arXiv:1409.2329;
geometric means: Heskes 1998 (logarithmic opinion pools).
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from charnn.model.language_model import Dropout, LanguageModel
from charnn.model.recurrence import State
from charnn.model.shapes import ModelShape, join_weights, split_weights


class Ensemble(nn.Module):
    """Networks of the same sizes: `logits, state = model(tokens, state)`, as of one.

    A state is that of the first network's layers, then that of the second's, and so on.

    Args:
        shape: the sizes.
        dropout: the shares dropped while `model.training`, in each network on its own.
        generator: source of the initial weights; torch's global one if None.
        spelling: which jamo each token has; see `Embedding`.
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
        self.networks = nn.ModuleList(
            LanguageModel(shape.single, dropout, generator, spelling) for _ in range(shape.networks)
        )

    @property
    def each(self) -> list[LanguageModel]:
        """The networks."""
        return [network for network in self.networks if isinstance(network, LanguageModel)]

    @property
    def dropout(self) -> Dropout:
        """What each network drops."""
        return self.each[0].dropout

    @dropout.setter
    def dropout(self, dropout: Dropout) -> None:
        """Let each network drop so much."""
        for network in self.each:
            network.dropout = dropout

    def initial_state(self, batch_size: int) -> State:
        """The zero state of `batch_size` rows; see `LanguageModel.initial_state`."""
        return joined(network.initial_state(batch_size) for network in self.each)

    def forward(self, tokens: Tensor, state: State) -> tuple[Tensor, State]:
        """Predict each next token.

        Args:
            tokens: int64 or int32, (seq_len, batch).
            state: what `initial_state` or an earlier call returned.

        Returns:
            Logits (seq_len, batch, vocab_size) and the state behind the last token.
        """
        results = [network(tokens, before) for network, before in apart(self, state)]
        return mean_logits([logits for logits, _ in results]), joined(s for _, s in results)

    def plain_parameters(self) -> dict[str, Tensor]:
        """The weights that are saved and write, by the names of `weight_shapes`; no gradient."""
        return join_weights([network.plain_parameters() for network in self.each])

    def take(self, weights: Mapping[str, Tensor]) -> None:
        """Begin from saved weights, named as `plain_parameters` names them.

        Raises:
            KeyError: one is missing or unknown.
            RuntimeError: one has another shape.
        """
        of_each = split_weights(weights, self.shape.networks)
        for network, own in zip(self.each, of_each, strict=True):
            network.take(own)

    def set_output_bias(self, counts: Tensor) -> None:
        """Begin with the tokens' own frequencies; see `LanguageModel.set_output_bias`."""
        for network in self.each:
            network.set_output_bias(counts)


Model = LanguageModel | Ensemble


def make_model(
    shape: ModelShape,
    dropout: Dropout | None = None,
    generator: torch.Generator | None = None,
    spelling: NDArray[np.float32] | None = None,
) -> Model:
    """One network or several, as the shape says; the arguments are those of both."""
    kind = LanguageModel if shape.networks == 1 else Ensemble
    return kind(shape, dropout, generator, spelling)


def apart(model: Model, state: State) -> list[tuple[LanguageModel, State]]:
    """Each network of a model with its part of the state."""
    if isinstance(model, LanguageModel):
        return [(model, state)]
    layers = model.shape.num_layers
    states = [state[first : first + layers] for first in range(0, len(state), layers)]
    return list(zip(model.each, states, strict=True))


def joined(states: Iterable[State]) -> State:
    """The states of several networks as one."""
    return tuple(layer for state in states for layer in state)


def mean_logits(logits: Sequence[Tensor]) -> Tensor:
    """The mean of the logits of several networks.

    Args:
        logits: of each network, all of one shape, at least one.

    Returns:
        Of that shape, in float32 at least.
    """
    first, *others = logits
    total = first.to(torch.promote_types(first.dtype, torch.float32))
    for more in others:
        total = total + more
    return total / len(logits) if others else total
