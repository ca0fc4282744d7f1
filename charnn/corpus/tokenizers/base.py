"""The tokenizer: what the four of them share.

A tokenizer is a vocabulary, a list of `Token`, and a way to write any text in it. Decoding,
masks, counts and the saved form follow from the vocabulary and are here; how text becomes tokens
is left to the subclasses, files to `storage.py`.
"""

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar, Final, Self

import numpy as np
from numpy.typing import NDArray

from charnn.corpus.tokenizers.automaton import State, allowed_classes
from charnn.corpus.tokenizers.blocks import Progress, blocks_of, surrogate_error
from charnn.corpus.tokenizers.decoding import BulkDecoder, Decoder, unknown_token
from charnn.corpus.tokenizers.spelling import Tokens
from charnn.corpus.tokenizers.tokens import BOUNDARY, Token, name_of
from charnn.errors import OptionError, TokenizerError

FORMAT: Final = "charnn tokenizer"
VERSION: Final = 1

Pieces = Callable[[], Iterable[str]]


class Tokenizer(ABC):
    """Writes every text without surrogates in tokens from which it is read back exactly.

    Attributes:
        kind: "char", "jamo", "byte" or "subword".
        vocab_sizes: the smallest and the largest vocabulary it may have, and why.
        vocab_size: V, number of tokens.
        boundary: the token between two documents, always 0; it decodes to nothing.
        initial_state: the state between two characters, where a text begins.
        dtype: type of encoded tokens, uint16 or, above 65,536 tokens, uint32.
        token_characters: characters of the original text that each token accounts for, (V,); a
            character of several tokens is counted at the first.
        token_bytes: the same in bytes of UTF-8, (V,).
    """

    kind: ClassVar[str]
    vocab_sizes: ClassVar[tuple[int, int, str]]
    boundary: Final[int] = 0
    initial_state: Final[int] = int(State.START)

    def __init__(self, vocabulary: Sequence[Token]) -> None:
        self._vocabulary = (BOUNDARY, *vocabulary)
        self.vocab_size = len(self._vocabulary)
        self.dtype = np.dtype(np.uint16 if self.vocab_size <= 1 << 16 else np.uint32)
        self.token_characters = _frozen([token.characters for token in self._vocabulary])
        self.token_bytes = _frozen([token.bytes for token in self._vocabulary])
        self._classes = _frozen([token.kind for token in self._vocabulary])
        self._masks: dict[int, NDArray[np.bool_]] = {}
        self._whole: dict[int, str] = {}

    def __repr__(self) -> str:
        return f"<{self.kind} tokenizer, {self.vocab_size} tokens>"

    @classmethod
    @abstractmethod
    def train(
        cls, pieces: Pieces, vocab_size: int | None = None, progress: Progress | None = None
    ) -> Self:
        """The tokenizer for a text; see `train_tokenizer`."""

    def encode(self, text: str) -> Tokens:
        """The tokens of a text, (count,).

        Raises:
            TextError: a surrogate is in it.
        """
        return np.concatenate([np.empty(0, dtype=self.dtype), *self.encode_pieces((text,))])

    def encode_pieces(self, pieces: Iterable[str], skip: int = 0) -> Iterator[Tokens]:
        """The tokens of a text that comes in pieces, a block at a time.

        Together they are `encode` of the joined pieces, however the text was cut.

        Args:
            pieces: the text.
            skip: how many blocks at the beginning are read only, and come out empty.

        Raises:
            TextError: a surrogate is in it.
        """
        read, nothing = 0, np.empty(0, dtype=self.dtype)
        for number, block in enumerate(self._encodable(blocks_of(pieces))):
            try:
                yield nothing if number < skip else self._encode_block(block)
            except UnicodeEncodeError as error:
                raise surrogate_error(error, read) from None
            read += len(block)

    def decode(self, tokens: NDArray[np.integer[Any]] | Sequence[int]) -> str:
        """The text of tokens (count,); a half character becomes U+FFFD, a boundary nothing.

        Raises:
            TokenizerError: one of them is not in the vocabulary.
        """
        array = np.asarray(tokens)
        if array.size == 0:
            return ""
        if array.ndim != 1 or array.dtype.kind not in "iu":
            raise TokenizerError(
                f"tokens must be a row of whole numbers, got {array.dtype} of shape {array.shape}"
            )
        for token in (int(array.min()), int(array.max())):
            if not 0 <= token < self.vocab_size:
                raise unknown_token(token, self.vocab_size)
        return self._bulk_decoder.decode(array)

    def decoder(self) -> Decoder:
        """A decoder for one stream of tokens."""
        return Decoder(self._vocabulary, self._whole)

    def allowed(self, state: int) -> NDArray[np.bool_]:
        """Which tokens may come next in a state of the decoder, (V,), read-only.

        A text may end, and a document with it, where the boundary is allowed.

        Raises:
            TokenizerError: there is no such state.
        """
        if state not in self._masks:
            if state not in tuple(State):
                raise TokenizerError(f"state must be in [0, {len(State)}), got {state}")
            self._masks[state] = allowed_classes(state)[self._classes]
            self._masks[state].setflags(write=False)
        return self._masks[state]

    def token_string(self, token: int) -> str | None:
        """The text a token stands for wherever it occurs; None for a part of a character.

        Raises:
            TokenizerError: there is no such token.
        """
        return self._entry(token).text

    def token_text(self, token: int) -> str:
        """What to call a token when people look at it: "⏎", "<E3>", "ㄱ-".

        Raises:
            TokenizerError: there is no such token.
        """
        return name_of(self._entry(token))

    def to_json(self) -> dict[str, Any]:
        """All there is of the tokenizer but for its `files`, as a JSON object."""
        head = {"format": FORMAT, "version": VERSION, "kind": self.kind}
        return {**head, "vocab_size": self.vocab_size, **self._content()}

    def files(self) -> dict[str, bytes]:
        """What is saved beside the JSON object: file name -> content."""
        return {}

    @classmethod
    @abstractmethod
    def from_json(cls, data: Mapping[str, Any], files: Mapping[str, bytes] | None = None) -> Self:
        """The tokenizer that `to_json` and `files` tell.

        Raises:
            TokenizerError: they do not describe a tokenizer.
        """

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the canonical JSON: equal exactly where tokenizers behave the same."""
        canonical = json.dumps(self.to_json(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode("ascii")).hexdigest()

    @property
    def vocabulary(self) -> tuple[Token, ...]:
        """What each token is, the boundary first."""
        return self._vocabulary

    @abstractmethod
    def _content(self) -> dict[str, Any]:
        """What `to_json` holds beside the head."""

    @abstractmethod
    def _encode_block(self, block: str) -> Tokens:
        """The tokens of a block; UnicodeEncodeError where a surrogate is in it."""

    def _encodable(self, blocks: Iterable[str]) -> Iterable[str]:
        """The same text in blocks that can be encoded independently of each other."""
        return blocks

    def _entry(self, token: int) -> Token:
        if not 0 <= token < self.vocab_size:
            raise unknown_token(token, self.vocab_size)
        return self._vocabulary[token]

    @cached_property
    def _bulk_decoder(self) -> BulkDecoder:
        return BulkDecoder(self._vocabulary)


def check_vocab_size(kind: type[Tokenizer], vocab_size: int | None) -> None:
    """Refuse a vocabulary that this kind of tokenizer cannot have; None leaves it to the text.

    Raises:
        OptionError: vocab_size is outside the range of the kind.
    """
    smallest, largest, why = kind.vocab_sizes
    if vocab_size is not None and not smallest <= vocab_size <= largest:
        raise OptionError(
            f"vocab-size must be in [{smallest}, {largest}] for the {kind.kind} tokenizer ({why}), "
            f"got {vocab_size}"
        )


def _frozen(values: list[int]) -> NDArray[np.int32]:
    array = np.array(values, dtype=np.int32)
    array.setflags(write=False)
    return array
