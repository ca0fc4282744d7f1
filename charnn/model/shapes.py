"""Sizes of a network -> names, shapes and count of its weights.

What torch, the NumPy stepper and the checked load of a run agree on. Names follow the
state_dict of `LanguageModel`; the gates are stacked in torch's order (LSTM: i f g o, GRU: r z n).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Literal, TypeVar, get_args

from charnn.errors import OptionError

Cell = Literal["lstm", "gru", "rnn"]
CELLS: tuple[str, ...] = get_args(Cell)
GATES = {"lstm": 4, "gru": 3, "rnn": 1}
Weight = TypeVar("Weight")


@dataclass(frozen=True, slots=True)
class ModelShape:
    """The sizes that fix every weight of a network.

    Attributes:
        vocab_size: V, number of tokens.
        embedding_size: E, numbers per token embedding.
        hidden_size: H, units of each recurrent layer.
        num_layers: number of recurrent layers.
        cell: "lstm", "gru" or "rnn" (Elman, tanh).
        tied: whether the output weights are the embedding; with E != H a projection stands between.
        networks: how many networks of these sizes predict together, by the mean of their
            probabilities.
        feed_forward_size: F, units of the gated block behind the last layer; 0 if there is none.

    Raises:
        OptionError: a size is below 1 (the block's below 0) or the cell is unknown.
    """

    vocab_size: int
    embedding_size: int
    hidden_size: int
    num_layers: int
    cell: str
    tied: bool = True
    networks: int = 1
    feed_forward_size: int = 0

    def __post_init__(self) -> None:
        for name in ("vocab_size", "embedding_size", "hidden_size", "num_layers", "networks"):
            if (value := getattr(self, name)) < 1:
                raise OptionError(f"{name} must be >= 1, got {value}")
        if self.feed_forward_size < 0:
            raise OptionError(f"feed_forward_size must be >= 0, got {self.feed_forward_size}")
        if self.cell not in CELLS:
            raise OptionError(f"cell must be one of {', '.join(CELLS)}, got {self.cell!r}")

    @property
    def projected(self) -> bool:
        """Whether a projection (E, H) stands between the last layer and tied output weights."""
        return self.tied and self.embedding_size != self.hidden_size

    @property
    def single(self) -> "ModelShape":
        """One of the networks."""
        return self if self.networks == 1 else replace(self, networks=1)

    def __str__(self) -> str:
        """Sizes for people.

        >>> str(ModelShape(5, 3, 3, 1, "gru", networks=2, feed_forward_size=4))
        '2 networks of 1 x 3 gru + 4'
        """
        return size_in_words(
            self.num_layers, self.hidden_size, self.cell, self.networks, self.feed_forward_size
        )


def size_in_words(
    num_layers: int, hidden_size: int, cell: str, networks: int, feed_forward_size: int
) -> str:
    """A network, or several of one shape, for people; the arguments are those of `ModelShape`."""
    block = f" + {feed_forward_size}" if feed_forward_size else ""
    one = f"{num_layers} x {hidden_size} {cell}{block}"
    return one if networks == 1 else f"{networks} networks of {one}"


def size_in_brief(
    num_layers: int, hidden_size: int, cell: str, networks: int, feed_forward_size: int
) -> str:
    """The same where there is little room.

    >>> size_in_brief(1, 256, "lstm", networks=4, feed_forward_size=384)
    '4x 1x256+384 lstm'
    """
    block = f"+{feed_forward_size}" if feed_forward_size else ""
    one = f"{num_layers}x{hidden_size}{block} {cell}"
    return one if networks == 1 else f"{networks}x {one}"


def weight_shapes(shape: ModelShape) -> dict[str, tuple[int, ...]]:
    """The name and shape of every weight, in the order of the network's state_dict.

    >>> list(weight_shapes(ModelShape(5, 3, 3, 1, "gru")))[:3]
    ['embedding.weight', 'layers.0.weight_ih_l0', 'layers.0.weight_hh_l0']
    >>> list(weight_shapes(ModelShape(5, 3, 3, 1, "gru", networks=2)))[-1]
    'networks.1.output.bias'
    """
    if shape.networks > 1:
        single = weight_shapes(shape.single)
        return join_weights([single] * shape.networks)
    hidden, gates = shape.hidden_size, GATES[shape.cell] * shape.hidden_size
    shapes: dict[str, tuple[int, ...]] = {
        "embedding.weight": (shape.vocab_size, shape.embedding_size)
    }
    for layer in range(shape.num_layers):
        below = shape.embedding_size if layer == 0 else hidden
        shapes[f"layers.{layer}.weight_ih_l0"] = (gates, below)
        shapes[f"layers.{layer}.weight_hh_l0"] = (gates, hidden)
        shapes[f"layers.{layer}.bias_ih_l0"] = (gates,)
        shapes[f"layers.{layer}.bias_hh_l0"] = (gates,)
    if inner := shape.feed_forward_size:
        shapes["feed_forward.norm.weight"] = (hidden,)
        shapes["feed_forward.norm.bias"] = (hidden,)
        shapes["feed_forward.inner.weight"] = (2 * inner, hidden)
        shapes["feed_forward.inner.bias"] = (2 * inner,)
        shapes["feed_forward.outer.weight"] = (hidden, inner)
    if shape.projected:
        shapes["projection.weight"] = (shape.embedding_size, hidden)
    if not shape.tied:
        shapes["output.weight"] = (shape.vocab_size, hidden)
    shapes["output.bias"] = (shape.vocab_size,)
    return shapes


def parameter_count(shape: ModelShape) -> int:
    """The number of trained numbers in the network."""
    return sum(prod(sizes) for sizes in weight_shapes(shape).values())


def join_weights(networks: Sequence[Mapping[str, Weight]]) -> dict[str, Weight]:
    """The weights of several networks, each by its own names, under the names of all together."""
    return {
        f"networks.{index}.{name}": weight
        for index, weights in enumerate(networks)
        for name, weight in weights.items()
    }


def split_weights(weights: Mapping[str, Weight], networks: int) -> list[dict[str, Weight]]:
    """The weights of each of several networks by its own names; what `join_weights` joined.

    Raises:
        KeyError: a weight belongs to none of them.
    """
    apart: list[dict[str, Weight]] = [{} for _ in range(networks)]
    of = {f"networks.{index}.": own for index, own in enumerate(apart)}
    for name, weight in weights.items():
        start = name[: name.find(".", name.find(".") + 1) + 1]
        of[start][name.removeprefix(start)] = weight
    return apart
