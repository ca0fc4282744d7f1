"""The characters that a row of tokens stands for, as code points, chunk by chunk."""

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from charnn.corpus.tokenizers.base import Tokenizer
from charnn.generation.symbols import CODE_POINTS, CodePoints

BETWEEN: Final = CODE_POINTS
"""Stands between two documents; no character."""
_SPELLED: Final = -1  # a token that is not just one character

Tokens = npt.NDArray[np.integer[Any]]


def code_points_of(
    tokens: Tokens, tokenizer: Tokenizer, chunk: int
) -> Iterator[tuple[CodePoints, int]]:
    """The characters of a text with BETWEEN between documents, and how many tokens are read.

    Args:
        tokens: of a text, (n,).
        tokenizer: what made them.
        chunk: how many tokens are read at a time, and a few more: characters stay whole.
    """
    single = _single_characters(tokenizer)
    pieces = bool((tokenizer.token_characters > 1).any())
    begins = tokenizer.token_characters > 0
    begins[tokenizer.boundary] = True
    start = 0
    while start < len(tokens):
        stop = min(start + chunk, len(tokens))
        while stop < len(tokens) and not begins[tokens[stop]]:
            stop += 1
        part = np.asarray(tokens[start:stop])
        read = _decoded(part, tokenizer) if pieces else _looked_up(part, single, begins, tokenizer)
        yield read, stop
        start = stop


def _single_characters(tokenizer: Tokenizer) -> CodePoints:
    """What each token stands for, (V,): a code point, BETWEEN or _SPELLED."""
    texts = [token.text for token in tokenizer.vocabulary]
    points = [ord(text) if text is not None and len(text) == 1 else _SPELLED for text in texts]
    points[tokenizer.boundary] = BETWEEN
    return np.array(points, dtype=np.int64)


def _looked_up(
    tokens: Tokens,
    single: CodePoints,
    begins: npt.NDArray[np.bool_],
    tokenizer: Tokenizer,
) -> CodePoints:
    """Characters of tokens that stand for one at most: most are known, the rest is decoded.

    What is between two characters with tokens of their own is whole characters, so that it can be
    decoded without them.
    """
    points: CodePoints = single[tokens]
    spelled = points == _SPELLED
    if not spelled.any():
        return points
    points[spelled & begins[tokens]] = _points(tokenizer.decode(tokens[spelled]))
    kept: CodePoints = points[points != _SPELLED]
    return kept


def _decoded(tokens: Tokens, tokenizer: Tokenizer) -> CodePoints:
    points = _points(tokenizer.decode(tokens))
    ends = np.cumsum(tokenizer.token_characters[tokens], dtype=np.int64)
    return np.insert(points, ends[tokens == tokenizer.boundary], BETWEEN)


def _points(text: str) -> CodePoints:
    return np.frombuffer(text.encode("utf-32-le"), dtype="<u4").astype(np.int64)
