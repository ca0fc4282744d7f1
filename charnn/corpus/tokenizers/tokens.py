"""What a single token is: its class, what it writes, and what it is called when people look.

How tokens are numbered is left to each tokenizer, how they are strung together to `decoding.py`.
"""

from typing import Final, NamedTuple

from charnn.corpus.tokenizers.automaton import TokenClass, class_of_byte
from charnn.text import hangul


class Token(NamedTuple):
    """One entry of a vocabulary.

    Attributes:
        kind: its class.
        content: UTF-8 of the text it stands for; for a byte that byte, for a part of a syllable
            the conjoining jamo, for the boundary nothing.
    """

    kind: TokenClass
    content: bytes

    @property
    def text(self) -> str | None:
        """The text it stands for wherever it occurs; None for a part of a character."""
        if self.kind in (TokenClass.BOUNDARY, TokenClass.TEXT):
            return self.content.decode()
        return None

    @property
    def characters(self) -> int:
        """How many characters it accounts for; a spelled one is counted where it begins."""
        if self.kind == TokenClass.TEXT:
            return len(self.content.decode())
        return int(self.kind == TokenClass.LEAD or self.kind >= TokenClass.BYTE_C2)

    @property
    def bytes(self) -> int:
        """How many bytes of UTF-8 it accounts for; a spelled syllable counts with its lead."""
        if self.kind in (TokenClass.VOWEL, TokenClass.TAIL):
            return 0
        return len(self.content)


BOUNDARY: Final = Token(TokenClass.BOUNDARY, b"")
LEADS: Final = tuple(
    Token(TokenClass.LEAD, chr(hangul.LEAD_BASE + index).encode()) for index in range(hangul.LEADS)
)
VOWELS: Final = tuple(
    Token(TokenClass.VOWEL, chr(hangul.VOWEL_BASE + index).encode())
    for index in range(hangul.VOWELS)
)
TAILS: Final = tuple(
    Token(TokenClass.TAIL, chr(hangul.TAIL_BASE + index).encode())
    for index in range(1, hangul.TAILS + 1)
)

_SHOWN: Final = {" ": "␣", "\n": "⏎", "\t": "⇥"}


def text_token(text: str) -> Token:
    """The token that stands for a text of one or more characters."""
    return Token(TokenClass.TEXT, text.encode())


def byte_token(byte: int) -> Token:
    """The token that stands for one byte of UTF-8; below 0x80 that is a whole character."""
    return Token(class_of_byte(byte), bytes((byte,)))


def name_of(token: Token) -> str:
    """What to call a token when people look at it.

    >>> [name_of(token) for token in (BOUNDARY, text_token(" 는"), byte_token(0xE3), LEADS[0])]
    ['<boundary>', '␣는', '<E3>', 'ㄱ-']
    """
    if token.kind == TokenClass.BOUNDARY:
        return "<boundary>"
    if token.kind == TokenClass.TEXT:
        return "".join(_shown(character) for character in token.content.decode())
    if token.kind in (TokenClass.LEAD, TokenClass.VOWEL, TokenClass.TAIL):
        letters = hangul.compatibility_letters(ord(token.content.decode()))
        return f"{letters}-" if token.kind == TokenClass.LEAD else f"-{letters}"
    return f"<{token.content.hex().upper()}>"


def _shown(character: str) -> str:
    if character in _SHOWN:
        return _SHOWN[character]
    return character if character.isprintable() else f"<U+{ord(character):04X}>"
