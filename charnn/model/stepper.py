"""The network in NumPy, one token at a time: what generation runs on.

The cells are written from their published equations, not from torch; that makes this the twin
the torch model is tested against. Weights may be read-only arrays mapped from a file. Training,
dropout and sampling are left to others.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from charnn.errors import OptionError
from charnn.model.cells import LAYERS, LayerState
from charnn.model.gating import FeedForward
from charnn.model.products import Bf16Product, FloatProduct, Floats, Product, laid_out
from charnn.model.row_table import RowTable
from charnn.model.shapes import GATES, ModelShape, weight_shapes
from charnn.model.softmax import log_softmax_, softmax_

Tokens = npt.NDArray[np.integer[Any]]
State = tuple[LayerState, ...]
"""One tuple a layer: (h, c) for LSTM, (h,) for GRU and RNN; each (batch, hidden_size)."""

_EMBEDDING = "embedding.weight"

TABLE_BYTES = 24 << 20  # largest table of embedding times input weights
_READ_CHUNK = 256  # tokens of a prompt whose input side is made at once


class Stepper:
    """A network as an `Expert`.

    Args:
        shape: the sizes.
        weights: the arrays `weight_shapes(shape)` names; not copied where the dtype fits.
        dtype: float32 or float64, that of all arithmetic but bf16's.
        own: whether nobody else needs the weights any more: then they are laid out for speed in
            their own memory, so that they cost it once.
        bf16: whether products are made in bfloat16, from a copy of the weights; all else stays
            float32. Needs numkong; see `charnn.model.products`.
        table_bytes: how large the table of embedding times input weights may grow.

    Raises:
        OptionError: a weight is missing or of another shape.
    """

    def __init__(
        self,
        shape: ModelShape,
        weights: Mapping[str, npt.NDArray[Any]],
        dtype: npt.DTypeLike = np.float32,
        *,
        own: bool = False,
        bf16: bool = False,
        table_bytes: int = TABLE_BYTES,
    ) -> None:
        arrays = _checked(shape, weights, dtype)
        multiplied = [
            n for n, a in arrays.items() if a.ndim == 2 and (shape.tied or n != _EMBEDDING)
        ]
        if bf16:  # copies of the others, so that nothing keeps the weights as they were read
            others = [n for n, a in arrays.items() if a.ndim == 1 or n == _EMBEDDING]
            arrays |= {name: arrays[name].copy() for name in others}
        elif own:
            arrays |= {name: laid_out(arrays[name]) for name in multiplied}
        product: type[Bf16Product | FloatProduct] = Bf16Product if bf16 else FloatProduct
        times = {name: product(arrays[name]) for name in multiplied}
        self.shape = shape
        self._bf16 = bf16
        self._layers = [
            LAYERS[shape.cell](
                shape.hidden_size,
                times[f"layers.{index}.weight_ih_l0"],
                times[f"layers.{index}.weight_hh_l0"],
                arrays[f"layers.{index}.bias_ih_l0"],
                arrays[f"layers.{index}.bias_hh_l0"],
            )
            for index in range(shape.num_layers)
        ]
        self._block = _block(arrays, times) if shape.feed_forward_size else None
        self._projection = times["projection.weight"] if shape.projected else None
        self._output = times[_EMBEDDING if shape.tied else "output.weight"]
        self._embedding = arrays[_EMBEDDING]
        self._output_bias = arrays["output.bias"]
        gates = GATES[shape.cell] * shape.hidden_size
        self._table = RowTable(
            self._make_first_inputs, shape.vocab_size, gates, self._embedding.dtype, table_bytes
        )

    @property
    def vocab_size(self) -> int:
        """Number of tokens."""
        return self.shape.vocab_size

    def initial_state(self, batch_size: int) -> State:
        """The zero state of `batch_size` rows."""
        size = (batch_size, self.shape.hidden_size)
        dtype = self._embedding.dtype
        return tuple(
            tuple(np.zeros(size, dtype) for _ in range(layer.carried)) for layer in self._layers
        )

    def step(self, tokens: Tokens, state: State) -> tuple[Floats, State]:
        """Read one more token in every row.

        Args:
            tokens: (batch,).
            state: of as many rows.

        Returns:
            Log-probabilities of what comes next in nats, (batch, vocab_size), and the new state.
        """
        logits, after = self.step_logits(tokens, state)
        return log_softmax_(logits), after

    def step_probs(self, tokens: Tokens, state: State, share: float = 1) -> tuple[Floats, State]:
        """The same with probabilities, times a share, for those who mix them."""
        logits, after = self.step_logits(tokens, state)
        return softmax_(logits, share), after

    def step_logits(self, tokens: Tokens, state: State) -> tuple[Floats, State]:
        """The same with logits, which nobody else holds, for those who add them up."""
        newest = self._layers[0].advance(self._first_inputs(tokens), state[0])
        after = [newest]
        for layer, before in zip(self._layers[1:], state[1:], strict=True):
            newest = layer.advance(layer.project(newest[0]), before)
            after.append(newest)
        return self._logits(newest[0]), tuple(after)

    def read(self, tokens: Tokens, state: State) -> tuple[Floats, State]:
        """Read many tokens in one row.

        Args:
            tokens: (n,).
            state: of one row.

        Returns:
            Log-probabilities behind the last token, (1, vocab_size), and the new state.
        """
        logits, after = self.read_logits(tokens, state)
        return log_softmax_(logits), after

    def read_logits(self, tokens: Tokens, state: State) -> tuple[Floats, State]:
        """The same with logits, which nobody else holds."""
        after = list(state)
        for start in range(0, len(tokens), _READ_CHUNK):
            inputs = self._first_inputs(tokens[start : start + _READ_CHUNK])
            for index, layer in enumerate(self._layers):
                outputs, after[index] = layer.run(inputs, after[index])
                if index + 1 < len(self._layers):
                    inputs = self._layers[index + 1].project(outputs)
        return self._logits(after[-1][0]), tuple(after)

    def select(self, state: State, rows: Sequence[int]) -> State:
        """The state of the named rows in that order; a row may be named often or not at all."""
        return tuple(tuple(part[np.asarray(rows, np.intp)] for part in layer) for layer in state)

    def _first_inputs(self, tokens: Tokens) -> Floats:
        """What the tokens add to the gates of layer 0, (n, gates * hidden_size)."""
        return self._table.rows(tokens.tolist())

    def _make_first_inputs(self, tokens: Sequence[int]) -> Floats:
        """The same without the table: one product where its rows do not depend on each other."""
        project = self._layers[0].project
        if self._bf16:
            return project(self._embedding[list(tokens)])
        return np.concatenate([project(self._embedding[t : t + 1]) for t in tokens])

    def _logits(self, hidden: Floats) -> Floats:
        """The output, (batch, vocab_size), from hidden (batch, hidden_size) of the last layer."""
        if self._block is not None:
            hidden = self._block(hidden)
        if self._projection is not None:
            hidden = self._projection(hidden)
        logits = self._output(hidden)
        logits += self._output_bias
        return logits


def _block(arrays: Mapping[str, Floats], times: Mapping[str, Product]) -> FeedForward:
    """The block behind the last layer."""
    return FeedForward(
        arrays["feed_forward.norm.weight"],
        arrays["feed_forward.norm.bias"],
        times["feed_forward.inner.weight"],
        arrays["feed_forward.inner.bias"],
        times["feed_forward.outer.weight"],
    )


def _checked(
    shape: ModelShape, weights: Mapping[str, npt.NDArray[Any]], dtype: npt.DTypeLike
) -> dict[str, Floats]:
    """The weights of the shape as contiguous arrays of the dtype."""
    arrays: dict[str, Floats] = {}
    for name, size in weight_shapes(shape).items():
        if name not in weights:
            raise OptionError(f"weights must hold {name} of shape {size}, got none")
        if weights[name].shape != size:
            raise OptionError(f"{name} must have shape {size}, got {weights[name].shape}")
        arrays[name] = np.asarray(weights[name], dtype, order="C")
    return arrays
