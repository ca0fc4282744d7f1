"""Tokens back to text: one at a time, as a stream is written, or a whole array at once.

Both give the same text for every sequence of tokens. Where a sequence is no text, each half
character becomes one U+FFFD and so does each part that has no beginning, as the Unicode Standard
recommends for UTF-8 (section 3.9, "substitution of maximal subparts").
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from charnn.corpus.tokenizers.automaton import TRANSITIONS, State, TokenClass
from charnn.corpus.tokenizers.tokens import LEADS, TAILS, VOWELS, Token
from charnn.errors import TokenizerError
from charnn.text import hangul

_REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"
_CHUNK: Final = 1 << 16  # tokens; keeps the index arrays inside the processor's cache
_JAMO: Final = {
    token.content: index
    for parts, first in ((LEADS, 0), (VOWELS, 0), (TAILS, 1))
    for index, token in enumerate(parts, start=first)
}


class Decoder:
    """Writes text token by token and holds back what is not certain yet.

    A half-written character is held until it is whole, an open syllable that was spelled out
    until it is known that no tail follows.

    Args:
        vocabulary: what each token is.
        whole: the text of tokens that stand for whole characters, as far as they were met; may be
            shared by decoders of the same vocabulary.
    """

    def __init__(self, vocabulary: Sequence[Token], whole: dict[int, str]) -> None:
        self._vocabulary = vocabulary
        self._whole = whole
        self._state: int = State.START
        self._held: list[Token] = []

    @property
    def state(self) -> int:
        """What has been written of the character at hand; see `automaton.State`."""
        return self._state

    def push(self, token: int) -> str:
        """The text that is certain after one more token; often "".

        Raises:
            TokenizerError: there is no such token.
        """
        if self._state == State.START and token in self._whole:
            return self._whole[token]
        if not 0 <= token < len(self._vocabulary):
            raise unknown_token(token, len(self._vocabulary))
        entry = self._vocabulary[token]
        ended = ""
        if self._state != State.START and self._ends_before(entry.kind):
            ended = self.finish()
        state = TRANSITIONS[self._state][entry.kind]
        if state < 0:
            return ended + _REPLACEMENT
        self._state = state
        if entry.kind == TokenClass.TEXT:
            self._whole[token] = entry.content.decode()
        self._held.append(entry)
        return ended if state != State.START else ended + self._take()

    def finish(self) -> str:
        """The text of what is held, and the decoder at its start again."""
        whole = self._state in (State.START, State.AFTER_VOWEL)
        text = self._take()
        self._state = State.START
        return text if whole else _REPLACEMENT

    def _ends_before(self, kind: TokenClass) -> bool:
        if self._state == State.AFTER_VOWEL:
            return kind != TokenClass.TAIL
        return TRANSITIONS[self._state][kind] < 0

    def _take(self) -> str:
        """The held tokens as text, nothing held any more."""
        held, self._held = self._held, []
        contents = [token.content for token in held]
        if len(held) > 1 and held[0].kind == TokenClass.LEAD:
            return chr(hangul.compose(*(_JAMO[content] for content in contents)))
        return b"".join(contents).decode("utf-8", "replace")


class BulkDecoder:
    """Decodes whole arrays of tokens.

    Tokens are turned into glyphs (a token, or a syllable that several tokens spell), glyphs into
    bytes by one ragged gather, bytes into text by Python.
    """

    def __init__(self, vocabulary: Sequence[Token]) -> None:
        self._kinds = np.array([token.kind for token in vocabulary], dtype=np.uint8)
        contents = [_alone(token) for token in vocabulary]
        self._jamo = None
        if TokenClass.LEAD in self._kinds:
            self._jamo = np.array([_JAMO.get(token.content, 0) for token in vocabulary])
            first = hangul.SYLLABLE_BASE
            contents += [chr(first + index).encode() for index in range(hangul.SYLLABLES)]
        lengths = np.array([len(content) for content in contents])
        self._lengths = lengths
        self._starts = np.cumsum(lengths) - lengths
        self._bytes = np.frombuffer(b"".join(contents), dtype=np.uint8)

    def decode(self, tokens: NDArray[np.integer[Any]]) -> str:
        """The text of tokens (count,), all of them below vocab_size."""
        kinds = self._kinds[tokens]
        # A boundary ends what is half written: it is no byte, so the pieces are decoded apart.
        cuts = np.flatnonzero(kinds == TokenClass.BOUNDARY)
        starts, stops = [0, *(cuts + 1).tolist()], [*cuts.tolist(), len(tokens)]
        return "".join(
            self._decode_document(tokens[start:stop], kinds[start:stop])
            for start, stop in zip(starts, stops, strict=True)
            if start < stop
        )

    def _decode_document(self, tokens: NDArray[np.integer[Any]], kinds: NDArray[np.uint8]) -> str:
        glyphs = tokens if self._jamo is None else self._join_jamo(tokens, kinds, self._jamo)
        chunks = (glyphs[start : start + _CHUNK] for start in range(0, len(glyphs), _CHUNK))
        return b"".join(map(self._gather, chunks)).decode("utf-8", "replace")

    def _join_jamo(
        self,
        tokens: NDArray[np.integer[Any]],
        kinds: NDArray[np.uint8],
        jamo: NDArray[np.integer[Any]],
    ) -> NDArray[np.integer[Any]]:
        """Every lead and vowel, and the tail behind them if there is one, as one glyph."""
        is_lead, is_vowel = kinds[:-1] == TokenClass.LEAD, kinds[1:] == TokenClass.VOWEL
        leads = np.flatnonzero(is_lead & is_vowel)
        if leads.size == 0:
            return tokens
        has_tail = np.append(kinds, TokenClass.TEXT)[leads + 2] == TokenClass.TAIL
        tails = leads[has_tail] + 2
        syllables = jamo[tokens[leads]] * hangul.VOWELS + jamo[tokens[leads + 1]]
        syllables *= hangul.TAILS + 1
        syllables[has_tail] += jamo[tokens[tails]]
        glyphs = tokens.astype(np.int64)
        glyphs[leads] = len(self._kinds) + syllables
        keep = np.ones(len(glyphs), dtype=np.bool_)
        keep[leads + 1] = False
        keep[tails] = False
        return glyphs[keep]

    def _gather(self, glyphs: NDArray[np.integer[Any]]) -> bytes:
        lengths = self._lengths[glyphs]
        ends = np.cumsum(lengths)
        total = int(ends[-1])
        source = np.repeat(self._starts[glyphs] - (ends - lengths), lengths)
        source += np.arange(total)
        return self._bytes.take(source).tobytes()


def unknown_token(token: int, vocab_size: int) -> TokenizerError:
    """The error for a token that is not in the vocabulary."""
    return TokenizerError(
        f"token must be in [0, {vocab_size}), got {token}: these tokens are of another tokenizer"
    )


def _alone(token: Token) -> bytes:
    """What a token writes where no neighbour makes it part of a syllable."""
    if token.kind in (TokenClass.LEAD, TokenClass.VOWEL, TokenClass.TAIL):
        return _REPLACEMENT.encode()
    return token.content
