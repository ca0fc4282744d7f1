"""The subword tokenizer: pieces of words learned by byte-pair encoding, bytes for the rest.

sentencepiece learns the pieces and splits the text; it is imported where that happens, so that
decoding starts without it. It never sees what it would alter, and decoding is our own.

Source: Sennrich et al. 2016, arXiv:1508.07909; Kudo and Richardson 2018, arXiv:1808.06226.
"""

import hashlib
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar, Final, Self

import numpy as np
from numpy.typing import NDArray

from charnn.corpus.tokenizers.base import Pieces, Tokenizer, check_vocab_size
from charnn.corpus.tokenizers.blocks import (
    BLOCK,
    CODE_POINTS,
    Progress,
    blocks_of,
    code_points_of,
    count_code_points,
    enough,
    frequent_code_points,
)
from charnn.corpus.tokenizers.spelling import Tokens
from charnn.corpus.tokenizers.subword_model import (
    FIRST_PIECE,
    LONGEST_PIECE,
    MOST_PIECES,
    read_model,
    write_model,
)
from charnn.corpus.tokenizers.tokens import byte_token, text_token
from charnn.errors import TextError, TokenizerError

MODEL_FILE: Final = "subword.model"
DEFAULT_VOCAB_SIZE: Final = 4000
SMALLEST_VOCAB_SIZE: Final = 300
SAMPLE_CHARACTERS: Final = 64 * BLOCK  # 4,194,304; sentencepiece learns from them in a second

_LINES: Final = re.compile(r"[^\n]*\n|[^\n]+")
_LONGEST_LINE: Final = 1000  # characters; sentencepiece learns nothing from over 4,192 bytes
# In what it learns from, it reads a tab as a field separator, "▅" as an unknown character, "▁" as
# a space, and drops "\r" at the end of a line.
_RESERVED: Final = [ord(character) for character in "\0\t\n\r▅▁"]

_LEARNING: Final[Mapping[str, Any]] = {
    "model_type": "bpe",
    "hard_vocab_limit": False,
    "character_coverage": 1.0,
    "max_sentencepiece_length": LONGEST_PIECE,
    "byte_fallback": True,
    "normalization_rule_name": "identity",
    "add_dummy_prefix": False,
    "remove_extra_whitespaces": False,
    "unk_id": 0,
    "bos_id": -1,
    "eos_id": -1,
    "pad_id": -1,
    "num_threads": 1,
    "minloglevel": 2,  # silent: the terminal belongs to the view
}


class SubwordTokenizer(Tokenizer):
    """Tokens in this order: boundary, 256 bytes, pieces.

    Args:
        pieces: the pieces; where several could be made, the first of them is made first.

    Raises:
        TokenizerError: the pieces cannot be a vocabulary.
    """

    kind: ClassVar[str] = "subword"
    vocab_sizes: ClassVar[tuple[int, int, str]] = (
        *(SMALLEST_VOCAB_SIZE, FIRST_PIECE + MOST_PIECES),
        "it holds 256 bytes and the boundary",
    )

    def __init__(self, pieces: Sequence[str]) -> None:
        self._model = write_model(pieces)
        super().__init__(
            [
                *map(byte_token, range(256)),
                *map(text_token, pieces),
            ]
        )

    @classmethod
    def train(
        cls, pieces: Pieces, vocab_size: int | None = None, progress: Progress | None = None
    ) -> Self:
        """The tokenizer whose pieces are learned from a text.

        Characters that are frequent enough are pieces, the most frequent of them if there are too
        many for half of the vocabulary. Longer pieces are learned from at most 4,194,304 characters
        spread over the text. The same text gives the same pieces.

        Args:
            pieces: gives the text.
            vocab_size: the largest vocabulary, 4000 if None; a short text gives a smaller one.
            progress: told how many characters have been read.

        Raises:
            OptionError: vocab_size is outside [300, 65536].
            TextError: a surrogate is in the text, or sentencepiece cannot learn from it.
        """
        check_vocab_size(cls, vocab_size)
        size = DEFAULT_VOCAB_SIZE if vocab_size is None else vocab_size
        sample = _Sample()
        counts = count_code_points(sample.watch(pieces()), progress)
        least = enough(counts)
        counts[_RESERVED] = 0
        kept = frequent_code_points(counts, least, most=(size - FIRST_PIECE) // 2)
        return cls(_learn(sample.lines(kept), size))

    @classmethod
    def from_json(cls, data: Mapping[str, Any], files: Mapping[str, bytes] | None = None) -> Self:
        """The tokenizer of a model file whose length and SHA-256 are told.

        Raises:
            TokenizerError: the file is missing, is another one or is damaged.
        """
        model = (files or {}).get(MODEL_FILE)
        if model is None:
            raise TokenizerError(f"{MODEL_FILE} is missing")
        if data.get("model") != _description(model):
            raise TokenizerError(f"{MODEL_FILE} is not the file that the tokenizer was saved with")
        return cls(read_model(model))

    def files(self) -> dict[str, bytes]:
        """The sentencepiece model."""
        return {MODEL_FILE: self._model}

    def _content(self) -> dict[str, Any]:
        return {"model": _description(self._model)}

    def _encodable(self, blocks: Iterable[str]) -> Iterator[str]:
        """Cut behind a line end or before a space: no piece reaches across either.

        A block without them is cut at its end. Where that is depends on the text alone.
        """
        held = ""
        for block in blocks:
            text = held + block
            cut = max(text.rfind("\n") + 1, text.rfind(" ")) or len(text)
            yield text[:cut]
            held = text[cut:]
        if held:
            yield held

    def _encode_block(self, block: str) -> Tokens:
        block.encode()  # a surrogate shows here, before sentencepiece stumbles over it
        lines = _LINES.findall(block)  # twice as fast as the block as a whole, and the same
        tokens = np.concatenate(self._processor.encode(lines, out_type="numpy"))
        return tokens.astype(self.dtype)

    @cached_property
    def _processor(self) -> Any:
        from sentencepiece import SentencePieceProcessor  # noqa: PLC0415 - only where it is needed

        return SentencePieceProcessor(model_proto=self._model, num_threads=1)


class _Sample:
    """Whole blocks spread evenly over a text that is read once, its length not known before."""

    def __init__(self) -> None:
        self._blocks: list[str] = []
        self._stride = 1

    def watch(self, pieces: Iterable[str]) -> Iterator[str]:
        """Hand the text on, in blocks, and keep every so-manieth of them."""
        for index, block in enumerate(blocks_of(pieces)):
            if index % self._stride == 0:
                self._blocks.append(block)
            if len(self._blocks) > SAMPLE_CHARACTERS // BLOCK:
                self._blocks, self._stride = self._blocks[::2], self._stride * 2
            yield block

    def lines(self, kept: NDArray[np.integer[Any]]) -> list[str]:
        """Lines of the sample, cut at every character that is not kept; none is empty."""
        is_kept = np.zeros(CODE_POINTS, dtype=np.bool_)
        is_kept[kept] = True
        found: list[str] = []
        for block in self._blocks:
            code_points = code_points_of(block)
            text = np.where(is_kept[code_points], code_points, ord("\n")).astype("<u4").tobytes()
            for line in text.decode("utf-32-le").split("\n"):
                starts = range(0, len(line), _LONGEST_LINE)
                found += (line[start : start + _LONGEST_LINE] for start in starts)
        return found


def _learn(lines: list[str], vocab_size: int) -> list[str]:
    """The pieces for these lines, in the order in which they are merged."""
    import sentencepiece  # noqa: PLC0415 - only where it is needed

    if not lines:
        return []
    model = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(lines),  # a list: nothing of ours can be interrupted in there
            model_writer=model,
            vocab_size=vocab_size,
            **_LEARNING,
        )
    except RuntimeError as error:
        raise TextError(
            f"no subwords can be learned from this text ({' '.join(str(error).split())}): use "
            "another tokenizer"
        ) from None
    processor = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    pieces = map(processor.id_to_piece, range(FIRST_PIECE, len(processor)))
    return [piece.replace("▁", " ") for piece in pieces]


def _description(model: bytes) -> dict[str, Any]:
    return {
        "file": MODEL_FILE,
        "bytes": len(model),
        "sha256": hashlib.sha256(model).hexdigest(),
    }
