"""Tokens to bytes and back by what an expert predicts; the coder itself is corpus/arithmetic.py."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charnn.corpus.arithmetic import Decoder, Encoder
from charnn.corpus.tokenizers.base import Tokenizer
from charnn.model.stepper import Expert

LEAST_PROBABILITY = 1e-300
"""What an expert holds for impossible costs 997 bits, so that every text can be coded."""

Tokens = NDArray[np.integer[Any]]


def encode_tokens(expert: Expert, tokens: Tokens | Sequence[int]) -> bytes:
    """Tokens as a code of about as many bits as they cost the expert.

    Args:
        expert: predicts them, one after another, from a document boundary on.
        tokens: (n,).
    """
    encoder = Encoder()
    predictions = _Predictions(expert)
    for token in np.asarray(tokens).tolist():
        encoder.encode(predictions.next(), token)
        predictions.read(token)
    return encoder.finish()


def decode_tokens(expert: Expert, code: bytes, count: int) -> NDArray[np.int64]:
    """The tokens that an expert which predicts the same made a code of.

    Args:
        expert: bit for bit as it was when they were encoded.
        code: what `encode_tokens` returned.
        count: n, how many tokens it holds.

    Returns:
        (n,).

    Raises:
        StreamError: the code is another expert's.
    """
    decoder = Decoder(code)
    predictions = _Predictions(expert)
    tokens = []
    for _ in range(count):
        tokens.append(decoder.decode(predictions.next()))
        predictions.read(tokens[-1])
    return np.array(tokens, np.int64)


def token_bits(expert: Expert, tokens: Tokens | Sequence[int]) -> NDArray[np.float64]:
    """What each token costs the expert in bits, (n,): the sum is the length of a perfect code."""
    predictions = _Predictions(expert)
    costs = []
    for token in np.asarray(tokens).tolist():
        probabilities = predictions.next()
        costs.append(-np.log2(probabilities[token] / probabilities.sum()))
        predictions.read(token)
    return np.array(costs, np.float64)


class _Predictions:
    """Runs the expert over a text, token by token, from a document boundary on."""

    def __init__(self, expert: Expert) -> None:
        self._expert = expert
        self._last: int = Tokenizer.boundary
        self._state = expert.initial_state(1)

    def next(self) -> NDArray[np.float64]:
        """Probabilities of the next token, (vocab_size,), all above 0."""
        log_probs, self._state = self._expert.step(np.array([self._last]), self._state)
        probabilities: NDArray[np.float64] = np.exp(log_probs[0].astype(np.float64))
        return np.maximum(probabilities, LEAST_PROBABILITY, out=probabilities)

    def read(self, token: int) -> None:
        """What came."""
        self._last = token
