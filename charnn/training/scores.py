"""What each expert pays for a text, and what they pay together."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charnn.corpus.accounting import Score, score_tokens
from charnn.corpus.tokenizers import Tokenizer
from charnn.model.mixture import mix_adaptively, mix_log_probs
from charnn.model.ngram import Ngram
from charnn.model.ngram_scores import score_adaptive, score_frozen

Tokens = NDArray[np.integer]
Nats = NDArray[np.float64]
OnNats = Callable[[str, NDArray[np.floating[Any]]], None]
"""Told a name and what each token cost, (n,)."""


@dataclass(frozen=True, slots=True)
class Scores:
    """One text, as every expert sees it.

    Attributes:
        score: of everything that predicts together.
        network: of the network alone.
        ngram: of the n-gram model alone; None where there is none.
    """

    score: Score
    network: Score
    ngram: Score | None = None


def adaptive_nats(counts: Ngram | None, tokens: Tokens, boundary: int) -> Nats:
    """What each token of a document costs counts that count it as soon as it is predicted, (n,)."""
    if counts is None:
        return np.empty(0)
    return -score_adaptive(counts, np.array([boundary]), tokens)


def counted_nats(counts: Ngram | None, tokens: Tokens, boundary: int) -> Nats:
    """What each token of a document costs the n-gram model, (n,); nothing, (0,), without one."""
    if counts is None:
        return np.empty(0)
    return -score_frozen(counts, np.array([boundary]), tokens)


def score_together(
    network: Nats,
    counted: Nats,
    weight: float,
    tokens: Tokens,
    tokenizer: Tokenizer,
    *,
    adapting: bool = False,
    on_nats: OnNats | None = None,
) -> Scores:
    """The scores of a text from what each of its tokens costs.

    Args:
        network: -ln p under the network, (n,).
        counted: under the n-gram model, (n,); (0,) where there is none.
        weight: of the n-gram model.
        tokens: (n,).
        tokenizer: what made them.
        adapting: whether the weight, too, follows what was read.
        on_nats: told what each token costs whom; see `Manner` in scoring.py.
    """
    tell = _teller("dynamic_" if adapting else "", on_nats)
    tell("network", network)
    alone = score_tokens(network.sum(), tokens, tokenizer)
    if not len(counted):
        return Scores(alone, alone)
    mix = mix_adaptively if adapting else mix_log_probs
    mixed = -mix(-network, -counted, weight)
    tell("ngram", counted)
    tell("both", mixed)
    return Scores(
        score=score_tokens(mixed.sum(), tokens, tokenizer),
        network=alone,
        ngram=score_tokens(counted.sum(), tokens, tokenizer),
    )


def _teller(prefix: str, on_nats: OnNats | None) -> OnNats:
    """What tells the listener, if there is one."""

    def tell(name: str, nats: NDArray[np.floating[Any]]) -> None:
        if on_nats:
            on_nats(prefix + name, nats)

    return tell
