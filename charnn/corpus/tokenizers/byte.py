"""The byte tokenizer: 256 bytes of UTF-8 and the boundary. It has nothing to learn."""

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np

from charnn.corpus.tokenizers.base import Pieces, Tokenizer, check_vocab_size
from charnn.corpus.tokenizers.blocks import Progress
from charnn.corpus.tokenizers.spelling import Tokens
from charnn.corpus.tokenizers.tokens import byte_token


class ByteTokenizer(Tokenizer):
    """Token b + 1 is byte b.

    >>> ByteTokenizer().encode("가").tolist()
    [235, 177, 129]
    """

    kind: ClassVar[str] = "byte"
    vocab_sizes: ClassVar[tuple[int, int, str]] = (257, 257, "256 bytes, boundary")

    def __init__(self) -> None:
        super().__init__([byte_token(byte) for byte in range(256)])

    @classmethod
    def train(
        cls, pieces: Pieces, vocab_size: int | None = None, progress: Progress | None = None
    ) -> Self:
        """The tokenizer, which is the same for every text: `pieces` is not read.

        Raises:
            OptionError: vocab_size is not 257.
        """
        del pieces, progress
        check_vocab_size(cls, vocab_size)
        return cls()

    @classmethod
    def from_json(cls, data: Mapping[str, Any], files: Mapping[str, bytes] | None = None) -> Self:
        """The tokenizer; there is nothing more to read."""
        del data, files
        return cls()

    def _content(self) -> dict[str, Any]:
        return {}

    def _encode_block(self, block: str) -> Tokens:
        data = np.frombuffer(block.encode("utf-8"), dtype=np.uint8)
        return np.add(data, 1, dtype=np.uint16)
