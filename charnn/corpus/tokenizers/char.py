"""The char and the jamo tokenizer: one token for each character, or for each part of a syllable.

Both have a token for every ASCII character and for those others that were seen often enough; what
is left is spelled out (see `spelling.py`). The char tokenizer has tokens for syllables too, the
jamo tokenizer spells every one of them. Jamo that stand in the text by themselves are characters
like any other, with tokens of their own, so that decoding never joins them.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Final, Self

import numpy as np
from numpy.typing import NDArray

from charnn.corpus.tokenizers.base import Pieces, Tokenizer, check_vocab_size
from charnn.corpus.tokenizers.blocks import (
    CODE_POINTS,
    Progress,
    code_points_of,
    count_code_points,
    enough,
    frequent_code_points,
)
from charnn.corpus.tokenizers.spelling import Speller, Tokens
from charnn.corpus.tokenizers.tokens import LEADS, TAILS, VOWELS, byte_token, text_token
from charnn.errors import TokenizerError
from charnn.text import hangul

_ASCII: Final = 0x80
# EB and EC begin nothing but syllables, which are spelled in jamo instead.
_BYTES: Final = tuple(byte for byte in range(0x80, 0xF5) if byte not in (0xC0, 0xC1, 0xEB, 0xEC))
_ALWAYS: Final = 1 + _ASCII + len(LEADS + VOWELS + TAILS) + len(_BYTES)
_SYLLABLES: Final = slice(hangul.SYLLABLE_BASE, hangul.SYLLABLE_BASE + hangul.SYLLABLES)
_SURROGATES: Final = slice(0xD800, 0xE000)


class CharTokenizer(Tokenizer):
    """Tokens in this order: boundary, ASCII, `characters`, leads, vowels, tails, bytes.

    Args:
        characters: the characters beyond ASCII that have tokens, in ascending order.

    Raises:
        TokenizerError: they are not in ascending order, ASCII, surrogates or, for jamo, syllables.

    >>> tokenizer = CharTokenizer("가")
    >>> [tokenizer.token_text(token) for token in tokenizer.encode("가각")]
    ['가', 'ㄱ-', '-ㅏ', '-ㄱ']
    """

    kind: ClassVar[str] = "char"
    keeps_syllables: ClassVar[bool] = True
    vocab_sizes: ClassVar[tuple[int, int, str]] = (
        *(_ALWAYS, CODE_POINTS),
        "ASCII, parts of syllables, bytes and the boundary are always there",
    )

    def __init__(self, characters: str) -> None:
        kept = self._checked(characters)
        self.characters = characters
        super().__init__(
            [
                *(byte_token(byte) for byte in range(_ASCII)),
                *map(text_token, characters),
                *(LEADS + VOWELS + TAILS),
                *map(byte_token, _BYTES),
            ]
        )
        byte_tokens = np.zeros(256, dtype=np.int64)
        byte_tokens[list(_BYTES)] = np.arange(self.vocab_size - len(_BYTES), self.vocab_size)
        ascii_ = np.arange(_ASCII, dtype=np.uint32)
        lead = 1 + _ASCII + len(characters)
        self._speller = Speller(np.append(ascii_, kept), lead, byte_tokens, self.dtype)

    @classmethod
    def train(
        cls,
        pieces: Pieces,
        vocab_size: int | None = None,
        progress: Progress | None = None,
        *,
        min_count: int | None = None,
    ) -> Self:
        """The tokenizer with the characters that are frequent in a text.

        Args:
            pieces: gives the text.
            vocab_size: the largest vocabulary; the most frequent characters stay, of equally
                frequent ones those that come first in Unicode.
            progress: told how many characters have been counted.
            min_count: how often a character must occur, 1 or more; None is 3 times, and once in
                ten million characters.

        Raises:
            OptionError: vocab_size is too small for the tokens that are always there.
            TextError: a surrogate is in the text.
        """
        check_vocab_size(cls, vocab_size)
        counts = count_code_points(pieces(), progress)
        least = enough(counts) if min_count is None else min_count
        counts[:_ASCII] = 0
        if not cls.keeps_syllables:
            counts[_SYLLABLES] = 0
        most = None if vocab_size is None else vocab_size - _ALWAYS
        kept = frequent_code_points(counts, least, most)
        return cls("".join(map(chr, kept.tolist())))

    @classmethod
    def from_json(cls, data: Mapping[str, Any], files: Mapping[str, bytes] | None = None) -> Self:
        """The tokenizer whose "characters" are told.

        Raises:
            TokenizerError: they are missing or cannot be.
        """
        del files
        characters = data.get("characters")
        if not isinstance(characters, str):
            raise TokenizerError(f"characters must be a string, got {type(characters).__name__}")
        return cls(characters)

    def _content(self) -> dict[str, Any]:
        return {"characters": self.characters}

    def _encode_block(self, block: str) -> Tokens:
        return self._speller.spell(code_points_of(block))

    def _checked(self, characters: str) -> NDArray[np.uint32]:
        kept = np.frombuffer(characters.encode("utf-32-le", "surrogatepass"), dtype="<u4")
        banned = np.zeros(CODE_POINTS, dtype=np.bool_)
        banned[:_ASCII] = banned[_SURROGATES] = True
        banned[_SYLLABLES] = not self.keeps_syllables
        if (wrong := np.flatnonzero(banned[kept])).size:
            raise TokenizerError(
                f"characters of a {self.kind} tokenizer cannot hold U+{kept[wrong[0]]:04X}, "
                f"which is at {wrong[0]}"
            )
        if (wrong := np.flatnonzero(kept[:-1] >= kept[1:])).size:
            before, after = kept[wrong[0]], kept[wrong[0] + 1]
            raise TokenizerError(
                "characters must be in ascending order, each of them once, got "
                f"U+{after:04X} behind U+{before:04X} at {wrong[0] + 1}"
            )
        return kept


class JamoTokenizer(CharTokenizer):
    """Like `CharTokenizer`, but every syllable is spelled out.

    >>> tokenizer = JamoTokenizer("")
    >>> [tokenizer.token_text(token) for token in tokenizer.encode("형식")]
    ['ㅎ-', '-ㅕ', '-ㅇ', 'ㅅ-', '-ㅣ', '-ㄱ']
    """

    kind: ClassVar[str] = "jamo"
    keeps_syllables: ClassVar[bool] = False
