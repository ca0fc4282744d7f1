"""The gated block behind the recurrent layers, in NumPy; the same in torch is `feed_forward.py`."""

import numpy as np

from charnn.model.products import Floats, Product

_EPSILON = 1e-5  # added to the variance, as torch's layer norm does


class FeedForward:
    """x + outer(silu(gate) * value), where gate and value are the halves of inner(norm(x)).

    Args:
        norm_weight: (hidden_size,).
        norm_bias: (hidden_size,).
        inner: (n, hidden_size) -> (n, 2 * size).
        inner_bias: (2 * size,).
        outer: (n, size) -> (n, hidden_size).

    Source: Shazeer 2020, arXiv:2002.05202 (SwiGLU); layer norm: Ba et al. 2016, arXiv:1607.06450.
    """

    def __init__(
        self,
        norm_weight: Floats,
        norm_bias: Floats,
        inner: Product,
        inner_bias: Floats,
        outer: Product,
    ) -> None:
        self._norm_weight = norm_weight
        self._norm_bias = norm_bias
        self._inner = inner
        self._inner_bias = inner_bias
        self._outer = outer
        self._size = len(inner_bias) // 2
        self._share = norm_weight.dtype.type(1 / len(norm_weight))

    def __call__(self, x: Floats) -> Floats:
        """Outputs of the last layer (n, hidden_size) -> an array of the same shape."""
        both = self._inner(self._normed(x))
        both += self._inner_bias
        gate, value = both[:, : self._size], both[:, self._size :]
        value *= gate
        gate *= 0.5  # silu(z) = z sigmoid(z), and sigmoid(z) = (1 + tanh(z / 2)) / 2
        gated = np.tanh(gate)
        gated += 1
        gated *= value
        gated *= 0.5
        outputs = self._outer(gated)
        outputs += x
        return outputs

    def _normed(self, x: Floats) -> Floats:
        """Each row with mean 0 and variance 1, scaled and moved, (n, hidden_size)."""
        rest = x - np.add.reduce(x, axis=1, keepdims=True) * self._share
        squares = np.add.reduce(rest * rest, axis=1, keepdims=True)
        squares *= self._share
        squares += _EPSILON
        rest /= np.sqrt(squares)
        rest *= self._norm_weight
        rest += self._norm_bias
        return rest
