"""Recurrent cells in NumPy: what a layer does to its state for one token.

Written from their published equations, not from torch; the same in torch is in `recurrence.py`.
"""

import numpy as np

from charnn.model.products import Floats, Product

LayerState = tuple[Floats, ...]
"""(h, c) for LSTM, (h,) for GRU and RNN; each (batch, hidden_size)."""


class Layer:
    """One recurrent layer; the gates lie side by side in what the products give.

    Args:
        size: hidden_size.
        from_below: (n, size below) -> (n, gates * hidden_size), times the input weights.
        from_before: (n, hidden_size) -> (n, gates * hidden_size), times the recurrent weights.
        bias_ih: (gates * hidden_size,).
        bias_hh: (gates * hidden_size,).
    """

    carried = 1

    def __init__(
        self,
        size: int,
        from_below: Product,
        from_before: Product,
        bias_ih: Floats,
        bias_hh: Floats,
    ) -> None:
        self.size = size
        self.from_below = from_below
        self.from_before = from_before
        self.bias = bias_ih + bias_hh
        self._prepare(bias_ih, bias_hh)

    def _prepare(self, bias_ih: Floats, bias_hh: Floats) -> None:
        """Make what stays the same for every token, where a cell has more than its bias."""

    def project(self, below: Floats) -> Floats:
        """The input side of the gates and all that is constant, (n, gates), from (n, below)."""
        inputs = self.from_below(below)
        inputs += self.bias
        return inputs

    def advance(self, inputs: Floats, state: LayerState) -> LayerState:
        """The state one token later, from inputs (batch, gates); changes neither of them."""
        raise NotImplementedError

    def run(self, inputs: Floats, state: LayerState) -> tuple[Floats, LayerState]:
        """Outputs (n, hidden_size) and last state of one row over inputs (n, gates)."""
        outputs = np.empty((len(inputs), self.size), inputs.dtype)
        for position in range(len(inputs)):
            state = self.advance(inputs[position : position + 1], state)
            outputs[position] = state[0]
        return outputs, state


class LSTM(Layer):
    """Hochreiter & Schmidhuber 1997, with the forget gate of Gers et al. 2000.

    i, f, o = sigmoid(W x + U h + b), g = tanh(W x + U h + b); c' = f c + i g; h' = o tanh(c').
    """

    carried = 2

    def _prepare(self, bias_ih: Floats, bias_hh: Floats) -> None:
        # sigmoid(x) = (1 + tanh(x / 2)) / 2 turns all four gates into one tanh over the row.
        self._scale = np.full(4 * self.size, 0.5, bias_hh.dtype)
        self._scale[2 * self.size : 3 * self.size] = 1.0
        self._offset = 1 - self._scale

    def advance(self, inputs: Floats, state: LayerState) -> LayerState:
        """See `Layer.advance`."""
        h, c = state
        gates = self.from_before(h)  # (batch, 4 * hidden_size)
        gates += inputs
        gates *= self._scale
        np.tanh(gates, gates)
        gates *= self._scale
        gates += self._offset
        size = self.size
        i, f = gates[:, :size], gates[:, size : 2 * size]
        g, o = gates[:, 2 * size : 3 * size], gates[:, 3 * size :]
        c = f * c
        i *= g
        c += i
        h = np.tanh(c)
        h *= o
        return h, c


class GRU(Layer):
    """Cho et al. 2014, with the reset gate behind the recurrent product as torch has it.

    r, z = sigmoid(W x + U h + b); n = tanh(W x + b + r (U h + b')); h' = (1 - z) n + z h.
    """

    def _prepare(self, bias_ih: Floats, bias_hh: Floats) -> None:
        inner = 2 * self.size  # n's recurrent bias is scaled by r, so it is no part of the input
        self.bias[inner:] = bias_ih[inner:]
        self._inner_bias = bias_hh[inner:]

    def advance(self, inputs: Floats, state: LayerState) -> LayerState:
        """See `Layer.advance`."""
        (h,) = state
        inner = 2 * self.size
        gates = self.from_before(h)  # (batch, 3 * hidden_size)
        rz, n = gates[:, :inner], gates[:, inner:]
        rz += inputs[:, :inner]
        rz *= 0.5
        np.tanh(rz, out=rz)
        rz *= 0.5
        rz += 0.5
        n += self._inner_bias
        n *= rz[:, : self.size]
        n += inputs[:, inner:]
        np.tanh(n, out=n)
        after = h - n
        after *= rz[:, self.size :]
        after += n
        return (after,)


class RNN(Layer):
    """Elman 1990 with tanh: h' = tanh(W x + U h + b)."""

    def advance(self, inputs: Floats, state: LayerState) -> LayerState:
        """See `Layer.advance`."""
        h = self.from_before(state[0])  # (batch, hidden_size)
        h += inputs
        np.tanh(h, out=h)
        return (h,)


LAYERS: dict[str, type[Layer]] = {"lstm": LSTM, "gru": GRU, "rnn": RNN}
