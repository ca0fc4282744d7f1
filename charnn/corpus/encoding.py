"""A text as tokens, chunk by chunk, with a boundary between documents; nothing is stored here."""

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charnn.corpus.split import Split, split_pieces
from charnn.corpus.tokenizers import Tokenizer
from charnn.text.reading import TextSource

Tokens = NDArray[np.integer[Any]]


def encode_source(source: TextSource, tokenizer: Tokenizer) -> Iterator[Tokens]:
    """The tokens of a whole text."""
    whole = Split(train=2**63, validation=0, test=0)
    for _, tokens in encode_parts(split_pieces(source.pieces(), whole), tokenizer):
        yield tokens


def encode_parts(
    pieces: Iterable[tuple[str, int, str]], tokenizer: Tokenizer, skip: int = 0
) -> Iterator[tuple[str, Tokens]]:
    """Part name and tokens, chunk by chunk: each document of each part is encoded by itself.

    Args:
        pieces: as `split_pieces` gives them.
        tokenizer: encodes them.
        skip: how many chunks at the beginning are read only, and come out empty.
    """
    boundary = np.array([tokenizer.boundary], dtype=tokenizer.dtype)
    done = 0
    for (part, _, is_text), group in groupby(pieces, key=lambda p: (p[0], p[1], bool(p[2]))):
        texts = (text for _, _, text in group)
        if is_text:
            for tokens in tokenizer.encode_pieces(texts, skip=max(0, skip - done)):
                done += 1
                yield part, tokens
            continue
        for _ in texts:
            done += 1
            yield part, boundary[done <= skip :]
