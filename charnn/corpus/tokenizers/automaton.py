"""Which token may follow which: the one automaton that all tokenizers share.

Most tokens stand for whole characters. Some stand for a part of one: a byte of its UTF-8
sequence, or the lead, vowel or tail of a Hangul syllable. A half-written character is a state,
a sort of tokens is a class, and what may come next is a row of `TRANSITIONS`. What tokens look
like as text is left to `base.py`.

Source: The Unicode Standard, table 3-7 (well-formed UTF-8) and section 3.12 (Hangul syllables).
"""

from enum import IntEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray


class State(IntEnum):
    """What has been written of the character at hand."""

    START = 0  # nothing: between two characters
    NEEDS_1 = 1  # that many continuation bytes are missing
    NEEDS_2 = 2
    NEEDS_3 = 3
    AFTER_E0 = 4  # after these four the first continuation byte is restricted
    AFTER_ED = 5
    AFTER_F0 = 6
    AFTER_F4 = 7
    AFTER_LEAD = 8  # a lead that needs its vowel
    AFTER_VOWEL = 9  # an open syllable: whole as it is, but a tail may still close it


class TokenClass(IntEnum):
    """What sort of token it is, as far as its neighbours are concerned."""

    BOUNDARY = 0  # between two documents
    TEXT = 1  # one or more whole characters
    LEAD = 2
    VOWEL = 3
    TAIL = 4
    BYTE_80 = 5  # continuation bytes 80..8F
    BYTE_90 = 6  # 90..9F
    BYTE_A0 = 7  # A0..BF
    BYTE_C2 = 8  # C2..DF, of two bytes
    BYTE_E0 = 9  # of three bytes
    BYTE_E1 = 10  # E1..EC, EE, EF
    BYTE_ED = 11
    BYTE_F0 = 12  # of four bytes
    BYTE_F1 = 13  # F1..F3
    BYTE_F4 = 14
    NEVER = 15  # bytes that are nowhere in UTF-8: C0, C1, F5..FF


_CONTINUATIONS: Final = (TokenClass.BYTE_80, TokenClass.BYTE_90, TokenClass.BYTE_A0)

_FROM_START: Final = {
    TokenClass.BOUNDARY: State.START,
    TokenClass.TEXT: State.START,
    TokenClass.LEAD: State.AFTER_LEAD,
    TokenClass.BYTE_C2: State.NEEDS_1,
    TokenClass.BYTE_E0: State.AFTER_E0,
    TokenClass.BYTE_E1: State.NEEDS_2,
    TokenClass.BYTE_ED: State.AFTER_ED,
    TokenClass.BYTE_F0: State.AFTER_F0,
    TokenClass.BYTE_F1: State.NEEDS_3,
    TokenClass.BYTE_F4: State.AFTER_F4,
}

_NEXT: Final[dict[State, dict[TokenClass, State]]] = {
    State.START: _FROM_START,
    State.NEEDS_1: dict.fromkeys(_CONTINUATIONS, State.START),
    State.NEEDS_2: dict.fromkeys(_CONTINUATIONS, State.NEEDS_1),
    State.NEEDS_3: dict.fromkeys(_CONTINUATIONS, State.NEEDS_2),
    State.AFTER_E0: {TokenClass.BYTE_A0: State.NEEDS_1},
    State.AFTER_ED: dict.fromkeys((TokenClass.BYTE_80, TokenClass.BYTE_90), State.NEEDS_1),
    State.AFTER_F0: dict.fromkeys((TokenClass.BYTE_90, TokenClass.BYTE_A0), State.NEEDS_2),
    State.AFTER_F4: {TokenClass.BYTE_80: State.NEEDS_2},
    State.AFTER_LEAD: {TokenClass.VOWEL: State.AFTER_VOWEL},
    State.AFTER_VOWEL: {**_FROM_START, TokenClass.TAIL: State.START},
}

TRANSITIONS: Final[tuple[tuple[int, ...], ...]] = tuple(
    tuple(_NEXT[state].get(kind, -1) for kind in TokenClass) for state in State
)
"""`TRANSITIONS[state][token_class]` is the state after such a token, -1 where it may not come."""

_FIRST_OF_CLASS: Final = (
    (0x00, TokenClass.TEXT),
    (0x80, TokenClass.BYTE_80),
    (0x90, TokenClass.BYTE_90),
    (0xA0, TokenClass.BYTE_A0),
    (0xC0, TokenClass.NEVER),
    (0xC2, TokenClass.BYTE_C2),
    (0xE0, TokenClass.BYTE_E0),
    (0xE1, TokenClass.BYTE_E1),
    (0xED, TokenClass.BYTE_ED),
    (0xEE, TokenClass.BYTE_E1),
    (0xF0, TokenClass.BYTE_F0),
    (0xF1, TokenClass.BYTE_F1),
    (0xF4, TokenClass.BYTE_F4),
    (0xF5, TokenClass.NEVER),
)


def class_of_byte(byte: int) -> TokenClass:
    """The class of a token that stands for one byte, 0 to 255.

    >>> class_of_byte(0x41).name, class_of_byte(0xED).name, class_of_byte(0xFF).name
    ('TEXT', 'BYTE_ED', 'NEVER')
    """
    return max((first, kind) for first, kind in _FIRST_OF_CLASS if first <= byte)[1]


def allowed_classes(state: int) -> NDArray[np.bool_]:
    """Which token classes may come in a state, (number of classes,)."""
    return np.array(TRANSITIONS[state], dtype=np.int8) >= 0
