"""Hangul arithmetic: syllables and their jamo, kinds of code points, borders of clusters.

A code point is an int, a text is a str. What a jamo costs or which token it becomes is left to
the tokenizers, how it looks on a terminal to the view.
"""

import re
import unicodedata
from enum import StrEnum
from functools import cache
from typing import Final

from charnn.errors import OptionError

SYLLABLE_BASE: Final = 0xAC00
LEAD_BASE: Final = 0x1100
VOWEL_BASE: Final = 0x1161
TAIL_BASE: Final = 0x11A7  # tail 0 is "none", so the first real tail is U+11A8

LEADS: Final = 19
VOWELS: Final = 21
TAILS: Final = 27  # not counting "none"
SYLLABLES: Final = LEADS * VOWELS * (TAILS + 1)

LEAD_LETTERS: Final = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ"
VOWEL_LETTERS: Final = "ㅏㅐㅑㅒㅓㅔㅕㅖㅗㅘㅙㅚㅛㅜㅝㅞㅟㅠㅡㅢㅣ"
TAIL_LETTERS: Final = (
    "ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ"  # tail t is letter t - 1
)

_IDEOGRAPHS: Final = (
    (0x2E80, 0x2FDF),  # radicals
    (0x3005, 0x3005),  # iteration mark
    (0x3007, 0x3007),  # zero
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),  # compatibility ideographs, 268 of them for Korean
    (0x20000, 0x3FFFF),  # planes 2 and 3
)

# Which type of Hangul code point goes on after which: rules GB6, GB7 and GB8 of UAX #29.
_GOES_ON: Final = {
    "lead": {"lead", "vowel", "open", "closed"},
    "vowel": {"vowel", "tail"},
    "open": {"vowel", "tail"},
    "closed": {"tail"},
    "tail": {"tail"},
}

_MODERN_RUN: Final = re.compile("[\u1100-\u1112\u1161-\u1175\u11a8-\u11c2\uac00-\ud7a3]{2,}")


class Kind(StrEnum):
    """What sort of character a code point is."""

    SYLLABLE = "Hangul syllable"
    CONJOINING = "conjoining jamo"
    COMPATIBILITY = "compatibility jamo"
    HANJA = "Hanja"
    KANA = "kana"
    LATIN = "Latin letter"
    LETTER = "other letter"
    DIGIT = "digit"
    PUNCTUATION = "punctuation"
    SYMBOL = "symbol"
    SPACE = "space"
    CONTROL = "control or unassigned"


_KIND_OF_CATEGORY: Final = {
    "L": Kind.LETTER,
    "M": Kind.LETTER,
    "N": Kind.DIGIT,
    "P": Kind.PUNCTUATION,
    "S": Kind.SYMBOL,
    "Z": Kind.SPACE,
    "C": Kind.CONTROL,
}


def compose(lead: int, vowel: int, tail: int = 0) -> int:
    """The code point of a syllable from the positions of its jamo.

    Args:
        lead: position among the leads, 0 to 18.
        vowel: position among the vowels, 0 to 20.
        tail: 0 for none, else 1 to 27.

    Raises:
        OptionError: a position is outside its range.

    Source: The Unicode Standard, section 3.12.

    >>> chr(compose(18, 6, 21))
    '형'
    """
    for name, value, limit in (
        ("lead", lead, LEADS - 1),
        ("vowel", vowel, VOWELS - 1),
        ("tail", tail, TAILS),
    ):
        if not 0 <= value <= limit:
            raise OptionError(f"{name} must be in 0..{limit}, got {value}")
    return SYLLABLE_BASE + (lead * VOWELS + vowel) * (TAILS + 1) + tail


def decompose(code_point: int) -> tuple[int, int, int]:
    """The positions (lead, vowel, tail) of a syllable's jamo; the inverse of `compose`.

    Raises:
        OptionError: the code point is no syllable.

    >>> decompose(ord("형"))
    (18, 6, 21)
    """
    if not is_syllable(code_point):
        raise OptionError(
            f"code_point must be a Hangul syllable, U+AC00 to U+D7A3, got U+{code_point:04X}"
        )
    rest, tail = divmod(code_point - SYLLABLE_BASE, TAILS + 1)
    lead, vowel = divmod(rest, VOWELS)
    return lead, vowel, tail


def compose_text(text: str) -> str:
    """The text with its modern conjoining jamo joined to syllables; all else is left as it is.

    >>> compose_text("\u1112\u1167\u11bc") + compose_text("\u1112\u119e\u11ab")
    '형\u1112\u119e\u11ab'
    """
    # On nothing but Hangul, canonical composition is exactly the arithmetic above.
    return _MODERN_RUN.sub(lambda run: unicodedata.normalize("NFC", run[0]), text)


def decompose_text(text: str) -> str:
    """The text with its syllables taken apart into conjoining jamo; all else is left as it is.

    >>> [f"{ord(jamo):04X}" for jamo in decompose_text("형")]
    ['1112', '1167', '11BC']
    """
    return re.sub("[\uac00-\ud7a3]+", lambda run: unicodedata.normalize("NFD", run[0]), text)


def is_syllable(code_point: int) -> bool:
    """Whether it is one of the 11,172 precomposed syllables, U+AC00 to U+D7A3."""
    return SYLLABLE_BASE <= code_point < SYLLABLE_BASE + SYLLABLES


def is_conjoining_lead(code_point: int) -> bool:
    """Whether it is a conjoining lead consonant, old ones and the filler U+115F included."""
    return 0x1100 <= code_point <= 0x115F or 0xA960 <= code_point <= 0xA97C


def is_conjoining_vowel(code_point: int) -> bool:
    """Whether it is a conjoining vowel, old ones and the filler U+1160 included."""
    return 0x1160 <= code_point <= 0x11A7 or 0xD7B0 <= code_point <= 0xD7C6


def is_conjoining_tail(code_point: int) -> bool:
    """Whether it is a conjoining tail consonant, old ones included."""
    return 0x11A8 <= code_point <= 0x11FF or 0xD7CB <= code_point <= 0xD7FB


def is_conjoining(code_point: int) -> bool:
    """Whether it is a conjoining lead, vowel or tail."""
    return (
        is_conjoining_lead(code_point)
        or is_conjoining_vowel(code_point)
        or is_conjoining_tail(code_point)
    )


def is_tone_mark(code_point: int) -> bool:
    """Whether it is one of the two Hangul tone marks, U+302E and U+302F."""
    return code_point in (0x302E, 0x302F)


def is_compatibility_jamo(code_point: int) -> bool:
    """Whether it is a compatibility jamo, U+3131 to U+318E, the filler U+3164 included."""
    return 0x3131 <= code_point <= 0x318E


def is_hanja(code_point: int) -> bool:
    """Whether it is a Chinese character or a part of one."""
    return any(first <= code_point <= last for first, last in _IDEOGRAPHS)


def has_final(code_point: int) -> bool:
    """Whether a syllable ends in a consonant, which decides 은/는, 이/가 and 을/를.

    Raises:
        OptionError: the code point is no syllable.

    >>> has_final(ord("형")), has_final(ord("자"))
    (True, False)
    """
    return decompose(code_point)[2] > 0


_KINDS_BY_RANGE: Final = (
    (Kind.SYLLABLE, is_syllable),
    (Kind.CONJOINING, is_conjoining),
    (Kind.CONJOINING, is_tone_mark),
    (Kind.COMPATIBILITY, is_compatibility_jamo),
)


@cache
def compatibility_letters(code_point: int) -> str:
    """A conjoining jamo as free-standing letters; "" where there are none.

    Old clusters without a letter of their own are spelled in those of their parts.

    >>> compatibility_letters(0x11BC), compatibility_letters(0x112D), compatibility_letters(0x1113)
    ('ㅇ', 'ㅺ', 'ㄴㄱ')
    """
    name = unicodedata.name(chr(code_point), "")
    for prefix in ("HANGUL CHOSEONG ", "HANGUL JUNGSEONG ", "HANGUL JONGSEONG "):
        if name.startswith(prefix):
            return _letters(name.removeprefix(prefix))
    return ""


def kind_of(code_point: int) -> Kind:
    """What sort of character a code point is; tone marks count as conjoining jamo.

    >>> [kind_of(ord(character)).value for character in "형ㅎ形h1 "]
    ['Hangul syllable', 'compatibility jamo', 'Hanja', 'Latin letter', 'digit', 'space']
    """
    for kind, belongs in _KINDS_BY_RANGE:
        if belongs(code_point):
            return kind
    character = chr(code_point)
    category = unicodedata.category(character)
    if is_hanja(code_point) and category != "Cn":
        return Kind.HANJA
    if character in "\t\n\r":
        return Kind.SPACE
    return _kind_of_letter(character) if category[0] == "L" else _KIND_OF_CATEGORY[category[0]]


def ends_inside_cluster(text: str, next_character: str) -> bool:
    """Whether a cut between a text and the character after it would split a Hangul cluster.

    A cluster is leads, vowels and tails that are read as one syllable, precomposed syllables
    among them, and the tone marks after it.

    Args:
        text: what stands before the cut; only its last character counts.
        next_character: what stands after it; only its first character counts.

    Source: Unicode Standard Annex #29, rules GB6, GB7, GB8 and, for tone marks, GB9.

    >>> ends_inside_cluster("\u1112", "\u119e"), ends_inside_cluster("형", "식")
    (True, False)
    """
    if not text or not next_character:
        return False
    before, after = ord(text[-1]), ord(next_character[0])
    type_before = _cluster_type(before)
    if is_tone_mark(after):
        return bool(type_before) or is_tone_mark(before)
    return _cluster_type(after) in _GOES_ON.get(type_before, ())


def _cluster_type(code_point: int) -> str:
    """The Hangul_Syllable_Type; "open" is LV, "closed" is LVT, "" is no Hangul."""
    if is_syllable(code_point):
        return "closed" if has_final(code_point) else "open"
    if is_conjoining_lead(code_point):
        return "lead"
    if is_conjoining_vowel(code_point):
        return "vowel"
    return "tail" if is_conjoining_tail(code_point) else ""


def _letters(name: str) -> str:
    """The compatibility letters for the last words of a conjoining jamo's Unicode name."""
    # ARAEA-I is the one cluster whose letter is named otherwise.
    own = "ARAEAE" if name == "ARAEA-I" else name
    try:
        return unicodedata.lookup(f"HANGUL LETTER {own}")
    except KeyError:
        parts = name.split("-")
    if len(parts) == 1:
        if not name.startswith("SSANG"):
            return ""
        parts = 2 * [name.removeprefix("SSANG")]
    letters = [_letters(part) for part in parts]
    return "".join(letters) if all(letters) else ""


def _kind_of_letter(character: str) -> Kind:
    """LATIN, KANA or LETTER."""
    name = unicodedata.name(character, "")
    if name.startswith(("LATIN ", "FULLWIDTH LATIN ")):
        return Kind.LATIN
    if "HIRAGANA" in name or "KATAKANA" in name:
        return Kind.KANA
    return Kind.LETTER
