"""Token embeddings; those of Hangul syllables can be composed of their jamo.

A syllable is then its own vector plus the vectors of its lead, vowel and tail, which it shares
with all others that have them: a rare syllable begins where it sounds and looks. What is saved
and what writes is the sum, an ordinary embedding matrix; the parts are a matter of training.
"""

from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from charnn.text import hangul

_FIRST_VOWEL: Final = hangul.LEADS
_FIRST_TAIL: Final = _FIRST_VOWEL + hangul.VOWELS
PARTS: Final = _FIRST_TAIL + hangul.TAILS + 1
"""Leads, vowels, tails, and that there is no tail."""


class Embedding(nn.Module):
    """Vectors of tokens, (vocab_size, embedding_size).

    Args:
        vocab_size: number of tokens.
        embedding_size: of each vector.
        spelling: which parts each token has, (vocab_size, PARTS) of 0 and 1; None for none.

    Source: the idea of sub-character composition in Stratos 2017, arXiv:1707.06341; here a sum.
    """

    spelling: Tensor | None

    def __init__(
        self, vocab_size: int, embedding_size: int, spelling: NDArray[np.float32] | None = None
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(vocab_size, embedding_size))
        held = None if spelling is None else torch.from_numpy(spelling)
        self.register_buffer("spelling", held, persistent=False)
        if held is not None:
            self.parts = nn.Parameter(torch.empty(PARTS, embedding_size))

    def matrix(self) -> Tensor:
        """The vector of each token, (vocab_size, embedding_size)."""
        if self.spelling is None:
            return self.weight
        with torch.autocast(self.weight.device.type, enabled=False):
            return torch.addmm(self.weight, self.spelling, self.parts)

    @torch.no_grad()
    def initialise(self, generator: torch.Generator | None = None) -> None:
        """Normal vectors of unit expected length, half of a syllable's square from its parts."""
        deviation = self.weight.shape[1] ** -0.5
        self.weight.normal_(0, deviation, generator=generator)
        if self.spelling is not None:
            self.parts.normal_(0, deviation * 6**-0.5, generator=generator)
            self.weight[self.spelling.sum(dim=1) > 0] *= 0.5**0.5

    @torch.no_grad()
    def take(self, matrix: Tensor) -> None:
        """Begin from vectors of another run, (vocab_size, embedding_size).

        Raises:
            RuntimeError: they have another shape.
        """
        if matrix.shape != self.weight.shape:
            raise RuntimeError(f"embedding.weight has shape {tuple(matrix.shape)}")
        self.weight.copy_(matrix)
        if self.spelling is not None:
            self.parts.zero_()


def spell_syllables(texts: list[str | None]) -> NDArray[np.float32] | None:
    """Which jamo each token's text has, (tokens, PARTS); None if none is a syllable or a jamo.

    Args:
        texts: of each token; None for a token that is no text.

    >>> spell_syllables(["가", "a"]).sum(axis=1).tolist()
    [3.0, 0.0]
    """
    spelling = np.zeros((len(texts), PARTS), np.float32)
    for row, text in zip(spelling, texts, strict=True):
        if text and len(text) == 1 and hangul.is_syllable(ord(text)):
            lead, vowel, tail = hangul.decompose(ord(text))
            row[[lead, _FIRST_VOWEL + vowel, _FIRST_TAIL + tail]] = 1
    return spelling if spelling.any() else None
