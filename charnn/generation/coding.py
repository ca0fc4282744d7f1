"""Tokens to bytes and back by what somebody predicts; the coder itself is corpus/arithmetic.py."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from charnn.corpus.arithmetic import Decoder, Encoder
from charnn.corpus.tokenizers.base import Tokenizer
from charnn.model.expert import Expert

LEAST_PROBABILITY = 1e-300
"""What an expert holds for impossible costs 997 bits, so that every text can be coded."""

Tokens = NDArray[np.integer[Any]]


class Predictor(Protocol):
    """Says what comes next, and is told what came."""

    def probs(self) -> NDArray[np.float64]:
        """Probabilities of the next token, (vocab_size,), all above 0."""

    def read(self, token: int) -> None:
        """Take what came into account."""


class ExpertPredictor:
    """An expert that reads a text token by token, from a document boundary on.

    Args:
        expert: who predicts.
    """

    def __init__(self, expert: Expert) -> None:
        self._expert = expert
        self._last: int = Tokenizer.boundary
        self._state = expert.initial_state(1)

    def probs(self) -> NDArray[np.float64]:
        """Probabilities of the next token, (vocab_size,), all above 0; to be asked for once."""
        log_probs, self._state = self._expert.step(np.array([self._last]), self._state)
        probabilities: NDArray[np.float64] = np.exp(log_probs[0].astype(np.float64))
        return np.maximum(probabilities, LEAST_PROBABILITY, out=probabilities)

    def read(self, token: int) -> None:
        """Take what came into account."""
        self._last = token


def encode_tokens(expert: Expert, tokens: Tokens | Sequence[int]) -> bytes:
    """Tokens as a code of about as many bits as they cost the expert.

    Args:
        expert: predicts them, one after another, from a document boundary on.
        tokens: (n,).
    """
    encoder = Encoder()
    encode_on(encoder, ExpertPredictor(expert), tokens)
    return encoder.finish()


def encode_on(
    encoder: Encoder, predictor: Predictor, tokens: Tokens | Sequence[int]
) -> NDArray[np.float64]:
    """Write tokens behind those that are written already.

    Args:
        encoder: where to.
        predictor: predicts them; it has read all before them.
        tokens: (n,).

    Returns:
        What each of them costs in bits, (n,): the sum is the length of a perfect code.
    """
    costs = []
    for token in np.asarray(tokens).tolist():
        probabilities = predictor.probs()
        encoder.encode(probabilities, token)
        costs.append(-np.log2(probabilities[token] / probabilities.sum()))
        predictor.read(token)
    return np.array(costs, np.float64)


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
    return decode_on(Decoder(code), ExpertPredictor(expert), count)


def decode_on(decoder: Decoder, predictor: Predictor, count: int) -> NDArray[np.int64]:
    """Read tokens behind those that are read already.

    Args:
        decoder: of the code.
        predictor: bit for bit as it was when they were encoded.
        count: n, how many to read.

    Returns:
        (n,).

    Raises:
        StreamError: the code is another predictor's.
    """
    tokens = []
    for _ in range(count):
        tokens.append(decoder.decode(predictor.probs()))
        predictor.read(tokens[-1])
    return np.array(tokens, np.int64)
