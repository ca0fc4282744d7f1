"""Tokens as text: which of them may come, where it is known which characters may.

A token is whole characters or a part of one. Of a half-written character it is always known which
ones it can still become: UTF-8 and Hangul both lay them side by side, so it is a range of code
points. A part may come if one of them may.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from charnn.corpus.tokenizers.automaton import TokenClass
from charnn.corpus.tokenizers.base import Tokenizer
from charnn.corpus.tokenizers.tokens import Token
from charnn.generation.automaton import Booleans, Texts, one_text
from charnn.generation.outlook import Outlook
from charnn.generation.symbols import CODE_POINTS
from charnn.text import hangul

_LEAD_SIZE = hangul.VOWELS * (hangul.TAILS + 1)
_VOWEL_SIZE = hangul.TAILS + 1
_SAMPLES = 4  # characters a range is first tried with: one that may come is mostly among them
_RANGE = 1 << 12  # longer ranges are not looked through for samples
_WAYS_KEPT = 512  # beginnings of characters; those of Hangul syllables are 418
_UTF8_FIRST = {2: 0x80, 3: 0x800, 4: 0x10000}


class Held(NamedTuple):
    """A half-written character.

    Attributes:
        first: the first code point it can become.
        last: the last one.
        written: the bytes of it that are written; none of a syllable.
        is_open: whether it is a syllable that lacks no more than a tail, and may lack it: `first`.
    """

    first: int
    last: int
    written: bytes = b""
    is_open: bool = False


class _Ways(NamedTuple):
    """Parts that may come, and some of the characters that can come of each.

    Attributes:
        tokens: the parts, (ways,).
        after: what is half written after each.
        samples: characters that can come of them, one a text.
        owners: the way of each sample.
        unsampled: the ways of which more can come than is in the samples.
    """

    tokens: NDArray[np.intp]
    after: list[Held]
    samples: Texts
    owners: NDArray[np.intp]
    unsampled: list[int]


class Lexicon:
    """The tokens of a tokenizer as text.

    Attributes:
        texts: the text of every token that is whole characters.
        longest: characters of the longest of them.
        spelled: which characters have no token of their own, (0x110000,).
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._vocabulary = tokenizer.vocabulary
        whole = [
            (token, entry.content.decode())
            for token, entry in enumerate(self._vocabulary)
            if entry.kind == TokenClass.TEXT
        ]
        self._whole = np.array([token for token, _ in whole], dtype=np.intp)
        self.texts = _side_by_side([text for _, text in whole])
        self.longest = self.texts.code_points.shape[1]
        self.spelled = np.ones(CODE_POINTS, dtype=np.bool_)
        self.spelled[self.texts.code_points[self.texts.lengths == 1, 0]] = False
        self._parts = [
            (token, entry)
            for token, entry in enumerate(self._vocabulary)
            if entry.kind not in (TokenClass.BOUNDARY, TokenClass.TEXT, TokenClass.NEVER)
        ]
        self._ways = lru_cache(_WAYS_KEPT)(self._ways_on)

    def token_of(self, character: str) -> int:
        """The token of a character that has one."""
        texts, code_point = self.texts, ord(character)
        alone = (texts.lengths == 1) & (texts.code_points[:, 0] == code_point)
        return int(self._whole[alone][0])

    def tokens_beginning_in(self, first: int, last: int) -> NDArray[np.intp]:
        """The tokens with which a text writes a character from `first` to `last`, code points.

        Where syllables are spelled in jamo, a byte begins none of them.
        """
        begin = self.texts.code_points[:, 0]
        spells_jamo = any(entry.kind == TokenClass.LEAD for _, entry in self._parts)
        parts = [
            token
            for token, entry in self._parts
            if (held := _begun(entry)) and held.first <= last and first <= held.last
            if not (spells_jamo and held.written)
        ]
        return np.append(self._whole[(begin >= first) & (begin <= last)], parts).astype(np.intp)

    def hold(self, held: Held | None, token: int) -> Held | None:
        """What is half written after one more token that may come."""
        entry = self._vocabulary[token]
        if entry.kind in (TokenClass.TEXT, TokenClass.BOUNDARY):
            return None
        if held is None or (held.is_open and entry.kind != TokenClass.TAIL):
            return _begun(entry)
        after = _continued(held, entry)
        return None if after is None or after.first == after.last else after

    def mask(self, held: Held | None, outlook: Outlook) -> Booleans:
        """Which tokens may come, (V,), as far as the outlook is concerned.

        A character that has a token of its own is not spelled out, unless it is half spelled and
        can become nothing else: models have hardly ever seen that.

        Args:
            held: what is half written; None between two characters.
            outlook: before that half character.
        """
        mask = np.zeros(len(self._vocabulary), dtype=np.bool_)
        if held is None:
            mask[self._whole] = outlook.permits(self.texts)
        self._mask_parts(mask, held, outlook, spelled_only=True)
        if held is not None and held.is_open:
            alone = chr(held.first)
            if outlook.permits(one_text(alone)).all():
                mask |= self.mask(None, outlook.after(alone))
        if held is not None and not mask.any():
            self._mask_parts(mask, held, outlook, spelled_only=False)
        return mask

    def _mask_parts(
        self, mask: Booleans, held: Held | None, outlook: Outlook, *, spelled_only: bool
    ) -> None:
        ways = self._ways(held, spelled_only=spelled_only)
        mask[ways.tokens[ways.owners[outlook.permits(ways.samples)]]] = True
        for number in ways.unsampled:
            token, after = int(ways.tokens[number]), ways.after[number]
            mask[token] = mask[token] or outlook.permits_one_of(
                after.first, after.last, spelled_only=spelled_only
            )

    def _ways_on(self, held: Held | None, *, spelled_only: bool) -> _Ways:
        """The parts that may come."""
        tokens, after = [], []
        for token, entry in self._parts:
            ahead = _begun(entry) if held is None else _continued(held, entry)
            if ahead is not None:
                tokens.append(token)
                after.append(ahead)
        owners: list[int] = []
        samples: list[int] = []
        unsampled = []
        for number, ahead in enumerate(after):
            code_points = np.arange(ahead.first, min(ahead.last + 1, ahead.first + _RANGE))
            if spelled_only:
                code_points = code_points[self.spelled[code_points]]
            owners += [number] * len(code_points[:_SAMPLES])
            samples += code_points[:_SAMPLES].tolist()
            if len(code_points) > _SAMPLES or ahead.last - ahead.first >= _RANGE:
                unsampled.append(number)
        texts = Texts(np.array(samples, dtype=np.int64)[:, None], np.ones(len(samples), np.intp))
        return _Ways(np.array(tokens, np.intp), after, texts, np.array(owners, np.intp), unsampled)


def _side_by_side(texts: list[str]) -> Texts:
    lengths = np.array([len(text) for text in texts], dtype=np.intp)
    code_points = np.zeros((len(texts), int(lengths.max(initial=1))), dtype=np.int64)
    for row, text in enumerate(texts):
        code_points[row, : len(text)] = [*map(ord, text)]
    return Texts(code_points, lengths)


def _begun(entry: Token) -> Held | None:
    """What a character can become that begins with a token; None if none does."""
    if entry.kind == TokenClass.LEAD:
        lead = ord(entry.content.decode()) - hangul.LEAD_BASE
        first = hangul.SYLLABLE_BASE + lead * _LEAD_SIZE
        return Held(first, first + _LEAD_SIZE - 1)
    return _utf8_range(entry.content) if entry.kind >= TokenClass.BYTE_C2 else None


def _continued(held: Held, entry: Token) -> Held | None:
    """What a half-written character can become after a token; None if it may not come."""
    if held.written:
        is_byte = TokenClass.BYTE_80 <= entry.kind <= TokenClass.BYTE_A0
        return _utf8_range(held.written + entry.content) if is_byte else None
    if held.is_open:
        if entry.kind != TokenClass.TAIL:
            return None
        whole = held.first + ord(entry.content.decode()) - hangul.TAIL_BASE
        return Held(whole, whole)
    if entry.kind != TokenClass.VOWEL:
        return None
    first = held.first + (ord(entry.content.decode()) - hangul.VOWEL_BASE) * _VOWEL_SIZE
    return Held(first, first + _VOWEL_SIZE - 1, is_open=True)


def _utf8_range(written: bytes) -> Held | None:
    r"""The code points whose UTF-8 begins so; None if there are none.

    >>> _utf8_range(b"\xea\xb0") == Held(0xAC00, 0xAC3F, b"\xea\xb0")
    True
    """
    size = 2 if written[0] < 0xE0 else 3 if written[0] < 0xF0 else 4
    value = written[0] & 0x7F >> size
    for byte in written[1:]:
        value = value << 6 | byte & 0x3F
    missing = 6 * (size - len(written))
    first, last = value << missing, (value + 1 << missing) - 1
    if written[0] == 0xED:
        last = min(last, 0xD7FF)  # behind it lie the surrogates
    first, last = max(first, _UTF8_FIRST[size]), min(last, CODE_POINTS - 1)
    return Held(first, last, written) if first <= last else None
