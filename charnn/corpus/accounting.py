"""Nats per token to bits per character and per byte of the original text.

Two tokenizers can be compared only in a unit that neither of them chose: characters (code points
after newline normalisation) or bytes of UTF-8. Who pays the nats is left to the models.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charnn.corpus.tokenizers import Tokenizer


@dataclass(frozen=True, slots=True)
class Score:
    """What a model paid for a text, and how long the text is in every unit.

    Scores of parts add up to the score of the whole. A rate over nothing is NaN.

    Attributes:
        nats: total of -ln p over the tokens.
        tokens: how many were scored, boundaries among them.
        characters: code points of the original text in them.
        bytes: the same in UTF-8.

    >>> whole = Score(nats=6.0, tokens=3, characters=2, bytes=6) + Score(2.0, 1, 2, 2)
    >>> whole.loss, whole.nats_per_char, round(whole.bits_per_byte, 3)
    (2.0, 2.0, 1.443)
    """

    nats: float = 0.0
    tokens: int = 0
    characters: int = 0
    bytes: int = 0

    def __add__(self, other: "Score") -> "Score":
        return Score(
            self.nats + other.nats,
            self.tokens + other.tokens,
            self.characters + other.characters,
            self.bytes + other.bytes,
        )

    @property
    def loss(self) -> float:
        """Nats per token."""
        return _ratio(self.nats, self.tokens)

    @property
    def perplexity(self) -> float:
        """Per token: exp(loss), infinity where that is beyond a float."""
        try:
            return math.exp(self.loss)
        except OverflowError:
            return math.inf

    @property
    def nats_per_char(self) -> float:
        """Nats per character of the original text."""
        return _ratio(self.nats, self.characters)

    @property
    def bits_per_char(self) -> float:
        """Bits per character of the original text."""
        return self.nats_per_char / math.log(2)

    @property
    def bits_per_byte(self) -> float:
        """Bits per byte of the original text in UTF-8."""
        return _ratio(self.nats, self.bytes) / math.log(2)


def score_tokens(nats: float, tokens: NDArray[np.integer[Any]], tokenizer: Tokenizer) -> Score:
    """The score of tokens that cost a model `nats` in all.

    Args:
        nats: total of -ln p over the tokens.
        tokens: the tokens that were predicted, of any shape; a character that several tokens
            spell is counted where the first of them is.
        tokenizer: what made them.
    """
    return Score(
        nats=float(nats),
        tokens=tokens.size,
        characters=int(tokenizer.token_characters[tokens].sum(dtype=np.int64)),
        bytes=int(tokenizer.token_bytes[tokens].sum(dtype=np.int64)),
    )


def _ratio(nats: float, count: int) -> float:
    return nats / count if count else math.nan
