"""Two experts as one: the equations by which a network and an n-gram model predict together.

p = (1 - weight) * p_network + weight * p_ngram, token by token. On a text the size of a novel the
counts know names and phrases that a small network has not learnt yet, the network knows what lies
further back than a few characters; the average is far ahead of both.

Source: linear interpolation, Jelinek & Mercer 1980.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charnn.errors import OptionError
from charnn.model.averaging import Averaging
from charnn.model.ngram_expert import NgramExpert
from charnn.model.stepper import Stepper

USUAL_WEIGHT = 0.4
"""Of the n-gram model, on a text the size of a novel after some minutes of training."""
TEMPERATURES = (0.95, 1.0, 1.05, 1.1, 1.15, 1.2)
"""Those that a network's is chosen from."""
_PRIOR_TOKENS = 100
_PRIOR_SPREAD = 0.1  # of ln temperature around 0
_FIRST_TOKENS = 1000
_ROUNDS = 50

Tokens = NDArray[np.integer[Any]]
Floats = NDArray[np.floating[Any]]
State = tuple[Any, Any]


class Mixture:
    """A network and an n-gram model that write together.

    Args:
        network: over some tokens.
        ngram: over the same tokens.
        weight: of the n-gram model, in [0, 1].

    Raises:
        OptionError: the weight is out of range, or the vocabularies differ.
    """

    def __init__(self, network: Stepper | Averaging, ngram: NgramExpert, weight: float) -> None:
        check_weight(weight)
        if network.vocab_size != ngram.vocab_size:
            raise OptionError(
                f"experts must share their tokens, got {network.vocab_size} and {ngram.vocab_size}"
            )
        self._network = network
        self._ngram = ngram
        self._weight = weight

    @property
    def vocab_size(self) -> int:
        """Number of tokens."""
        return self._network.vocab_size

    def initial_state(self, batch_size: int) -> State:
        """The state of `batch_size` rows that have read nothing."""
        return self._network.initial_state(batch_size), self._ngram.initial_state(batch_size)

    def step(self, tokens: Tokens, state: State) -> tuple[Floats, State]:
        """Read one more token in every row; see `Expert.step`."""
        probs, network = self._network.step_probs(tokens, state[0], 1 - self._weight)
        ngram = self._ngram.follow(tokens, state[1])
        return self._mix(probs, ngram), (network, ngram)

    def read(self, tokens: Tokens, state: State) -> tuple[Floats, State]:
        """Read many tokens in one row; see `Expert.read`."""
        log_probs, network = self._network.read(tokens, state[0])
        ngram = self._ngram.follow_all(tokens, state[1])
        probs = np.exp(log_probs, out=log_probs)
        probs *= 1 - self._weight
        return self._mix(probs, ngram), (network, ngram)

    def select(self, state: State, rows: Sequence[int]) -> State:
        """The state of the named rows in that order; a row may be named often or not at all."""
        return self._network.select(state[0], rows), self._ngram.select(state[1], rows)

    def _mix(self, probs: Floats, contexts: Any) -> Floats:
        """Ln of the mixed probabilities, (batch, vocab_size), in place of the network's share."""
        self._ngram.add_probs(contexts, self._weight, probs)
        with np.errstate(divide="ignore"):  # a weight of 0 or 1 may leave nothing
            return np.log(probs, out=probs)


def mix_log_probs(network: Floats, ngram: Floats, weight: float) -> Floats:
    """Ln p of each token under the mixture, from ln p under each expert.

    Args:
        network: in nats, any shape.
        ngram: the same shape.
        weight: of the n-gram model, in [0, 1].

    Raises:
        OptionError: the weight is out of range.

    >>> np.exp(mix_log_probs(np.log([0.5]), np.log([0.1]), 0.25)).round(3).tolist()
    [0.4]
    """
    check_weight(weight)
    with np.errstate(divide="ignore", invalid="ignore"):  # a network may come to no number
        mixed: Floats = np.logaddexp(network + np.log1p(-weight), ngram + np.log(weight))
    return mixed


def mix_adaptively(network: Floats, ngram: Floats, weight: float) -> Floats:
    """Ln p of each token under a mixture whose weight is what the tokens before spoke for.

    Args:
        network: ln p of each token under the network, (n,).
        ngram: the same under the n-gram model.
        weight: where the n-gram model's weight begins; worth as much as 1,000 tokens.

    Returns:
        ln p under the mixture, (n,); each uses nothing but the tokens before it.

    Raises:
        OptionError: the weight is out of range.
    """
    return _follow(network, ngram, weight)[0]


def adapted_weight(network: Floats, ngram: Floats, weight: float) -> float:
    """The weight that `mix_adaptively` would give the next token; the arguments are the same."""
    return _follow(network, ngram, weight)[1]


def _follow(network: Floats, ngram: Floats, weight: float) -> tuple[Floats, float]:
    """Ln p of each token under a weight that follows the text, and the weight behind it."""
    check_weight(weight)
    spoken, heard = weight * _FIRST_TOKENS, float(_FIRST_TOKENS)
    mixed = np.empty(len(network))
    for place, (one, other) in enumerate(zip(network.tolist(), ngram.tolist(), strict=True)):
        weight = spoken / heard
        top = max(one, other)
        own = weight * math.exp(other - top)
        both = own + (1 - weight) * math.exp(one - top)
        mixed[place] = top + math.log(both)
        spoken, heard = spoken + own / both, heard + 1
    return mixed, spoken / heard


@dataclass(frozen=True, slots=True)
class Blend:
    """How a network and an n-gram model predict together.

    Attributes:
        weight: of the n-gram model, in [0, 1].
        temperature: what the network's logits are divided by, > 0.
    """

    weight: float
    temperature: float = 1.0


def fit_blend(network: Floats, ngram: Floats | None) -> Blend:
    """The temperature under which a text is most probable to the network, and the weight beside it.

    A network that has read a text often is too sure of itself. Its temperature is that which fits
    it alone: beside an n-gram model a text so near to what was read asks for too little. One near
    1 is held more likely beforehand, so that a short text cannot give an extreme one.

    Args:
        network: ln p of each token under the network at each of `TEMPERATURES`, (t, n); of text
            that it was not trained on.
        ngram: the same under the n-gram model, (n,), which must not have counted it either; None
            where the network is alone.

    Returns:
        One of `TEMPERATURES`, and the weight beside it: in (0, 1), or 0 for a network alone.

    Source: Guo et al. 2017, arXiv:1706.04599 (temperature scaling); weights: see `fit_weight`.
    """
    distance = np.log(TEMPERATURES) / _PRIOR_SPREAD
    best = int((network.sum(axis=1) - distance**2 / 2).argmax())
    weight = 0.0 if ngram is None else fit_weight(network[best], ngram)
    return Blend(weight, TEMPERATURES[best])


def fit_weight(network: Floats, ngram: Floats) -> float:
    """The n-gram model's weight under which a text is most probable, by expectation maximisation.

    Some tokens that speak for the usual weight are counted in, so that a short text cannot give
    an extreme one.

    Args:
        network: ln p of each token under the network, (n,); of text that it was not trained on.
        ngram: the same under the n-gram model, which must not have counted it either.

    Returns:
        A weight in (0, 1).

    Source: Jelinek & Mercer 1980, deleted interpolation.
    """
    weight = USUAL_WEIGHT
    for _ in range(_ROUNDS):
        with np.errstate(over="ignore"):
            odds = np.exp(network - ngram) * ((1 - weight) / weight)
        speaking = float((1 / (1 + odds)).sum()) + _PRIOR_TOKENS * USUAL_WEIGHT
        weight = speaking / (len(network) + _PRIOR_TOKENS)
    return weight


def check_weight(weight: float) -> None:
    """Refuse a weight that is no share.

    Raises:
        OptionError: it is outside [0, 1] or not a number.
    """
    if not 0 <= weight <= 1:
        raise OptionError(f"ngram weight must be in [0, 1], got {weight}")
