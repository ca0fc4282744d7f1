"""What sorts of characters a text is made of, from how often each code point stands in it.

The counting is left to counting.py, sequences of code points too.
"""

import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Final

from charnn.text import hangul
from charnn.text.hangul import Kind
from charnn.text.lenient import MARKS


class Sort(StrEnum):
    """What a code point counts as in the report of a text; each has exactly one."""

    SYLLABLE = "modern_syllables"
    HANJA = "hanja"
    HANJA_EXTENSION_A = "hanja_extension_a"
    HANJA_COMPATIBILITY = "hanja_compatibility"
    HANJA_PLANE_2 = "hanja_plane_2"
    HANJA_PLANE_3 = "hanja_plane_3"
    HANJA_PARTS = "hanja_radicals_and_marks"
    JAMO = "conjoining_jamo_modern"
    JAMO_OLD = "conjoining_jamo_old"
    TONE_MARK = "hangul_tone_marks"
    LETTER_JAMO = "compatibility_jamo_modern"
    LETTER_JAMO_OLD = "compatibility_jamo_old"
    HALF_WIDTH_JAMO = "half_width_jamo"
    HANYANG = "private_use_hanyang"
    PRIVATE = "private_use_other"
    LATIN = "latin"
    LATIN_FULL_WIDTH = "latin_full_width"
    KANA = "kana"
    LETTER = "other_letters"
    DIGIT = "digits"
    PUNCTUATION = "punctuation"
    SYMBOL = "symbols"
    SPACE = "spaces"
    NEWLINE = "newlines"
    CONTROL = "control_characters"
    REPLACEMENT = "replacement_characters"
    BYTE_ORDER_MARK = "byte_order_marks"
    ZERO_WIDTH = "zero_width"
    UNASSIGNED = "unassigned"
    UNDECODABLE = "undecodable_bytes"


# 5,299 syllables in two stretches, then 125 leads, 95 vowels and 142 tails.
_HANYANG: Final = (
    (0xE0BC, 0xEFFF),
    (0xF100, 0xF66E),
    (0xF784, 0xF800),
    (0xF806, 0xF864),
    (0xF86A, 0xF8F7),
)
# First and last code point of what is told by its place; an earlier line goes before a later one.
_FIXED: Final = (
    (0x0A, 0x0A, Sort.NEWLINE),
    (0xFFFD, 0xFFFD, Sort.REPLACEMENT),
    (0xFEFF, 0xFEFF, Sort.BYTE_ORDER_MARK),
    (MARKS, MARKS + 0xFF, Sort.UNDECODABLE),
    (0x034F, 0x034F, Sort.ZERO_WIDTH),
    (0x3164, 0x3164, Sort.ZERO_WIDTH),  # the filler of letters
    (0xFFA0, 0xFFA0, Sort.ZERO_WIDTH),
    (0xFE00, 0xFE0F, Sort.ZERO_WIDTH),  # variation selectors
    (0xE0100, 0xE01EF, Sort.ZERO_WIDTH),
    (0x3131, 0x3163, Sort.LETTER_JAMO),
    (0x3165, 0x318E, Sort.LETTER_JAMO_OLD),
    (0xFFA1, 0xFFDC, Sort.HALF_WIDTH_JAMO),
    *((first, last, Sort.HANYANG) for first, last in _HANYANG),
    (0xE000, 0xF8FF, Sort.PRIVATE),
    (0xF0000, 0x10FFFF, Sort.PRIVATE),
)
_OF_KIND: Final = {
    Kind.SYLLABLE: Sort.SYLLABLE,
    Kind.KANA: Sort.KANA,
    Kind.LATIN: Sort.LATIN,
    Kind.COMPATIBILITY: Sort.LETTER_JAMO,
    Kind.LETTER: Sort.LETTER,
    Kind.DIGIT: Sort.DIGIT,
    Kind.PUNCTUATION: Sort.PUNCTUATION,
    Kind.SYMBOL: Sort.SYMBOL,
    Kind.SPACE: Sort.SPACE,
}
_OF_CATEGORY: Final = {"Cc": Sort.CONTROL, "Cf": Sort.ZERO_WIDTH, "Cn": Sort.UNASSIGNED}
_QUOTES: Final = "\"'“”‘’「」『』《》〈〉«»„‚＂＇"


@dataclass(frozen=True, slots=True)
class CompatibilityHanja:
    """A compatibility ideograph: it looks like its unified form and is another character.

    Attributes:
        char: the character.
        unified: what Unicode normalisation makes of it.
        count: how often it stands in the text.
    """

    char: str
    unified: str
    count: int


@dataclass(frozen=True, slots=True)
class Counted:
    """A character and how often it stands in a text."""

    char: str
    count: int


@dataclass(frozen=True, slots=True)
class Composition:
    """What a text is made of.

    Attributes:
        sorts: how many characters there are of each sort, the sorts without any left out.
        compatibility_hanja: the most frequent first.
        quotes: the kinds of quotation marks, the most frequent first.
        odd: control, zero-width, private, unassigned and replacement characters, likewise.
        full_width: characters of the full-width forms U+FF01 to U+FF5E.
    """

    sorts: Mapping[Sort, int]
    compatibility_hanja: tuple[CompatibilityHanja, ...]
    quotes: tuple[Counted, ...]
    odd: tuple[Counted, ...]
    full_width: int

    def count(self, *sorts: Sort) -> int:
        """How many characters of these sorts there are together."""
        return sum(self.sorts.get(sort, 0) for sort in sorts)


_ODD: Final = frozenset(
    {
        Sort.CONTROL,
        Sort.ZERO_WIDTH,
        Sort.BYTE_ORDER_MARK,
        Sort.HANYANG,
        Sort.PRIVATE,
        Sort.UNASSIGNED,
        Sort.REPLACEMENT,
    }
)


def compose(counts: Mapping[int, int]) -> Composition:
    """What a text is made of.

    Args:
        counts: how often each code point stands in it; marks of lenient.py among them.
    """
    sorts: dict[Sort, int] = {}
    for code_point, count in counts.items():
        sort = sort_of(code_point)
        sorts[sort] = sorts.get(sort, 0) + count
    return Composition(
        sorts={sort: sorts[sort] for sort in Sort if sort in sorts},
        compatibility_hanja=tuple(_compatibility_hanja(counts)),
        quotes=_most((ord(quote) for quote in _QUOTES), counts),
        odd=_most((point for point in counts if sort_of(point) in _ODD), counts),
        full_width=sum(counts.get(point, 0) for point in range(0xFF01, 0xFF5F)),
    )


@cache
def sort_of(code_point: int) -> Sort:
    """What a code point counts as.

    >>> [sort_of(ord(character)).value for character in "형形\uf90aㅎ１\ue0bc"]
    ['modern_syllables', 'hanja', 'hanja_compatibility', 'compatibility_jamo_modern', 'digits', \
'private_use_hanyang']
    """
    for first, last, sort in _FIXED:
        if first <= code_point <= last:
            return sort
    kind = hangul.kind_of(code_point)
    if kind is Kind.HANJA:
        return _hanja(code_point)
    if kind is Kind.CONJOINING:
        return _conjoining(code_point)
    if kind is Kind.LATIN and code_point >= 0xFF00:
        return Sort.LATIN_FULL_WIDTH
    if kind is Kind.CONTROL:
        return _OF_CATEGORY.get(unicodedata.category(chr(code_point)), Sort.UNASSIGNED)
    return _OF_KIND[kind]


def is_hanyang(code_point: int) -> bool:
    """Whether it is where the fonts of Hanyang have old Hangul in the private use area.

    5,299 syllables and 362 jamo. Another font may have anything else there.

    Source: the Hanyang PUA code as KTUG's tables tell it.
    """
    return any(first <= code_point <= last for first, last in _HANYANG)


def is_old_jamo(code_point: int) -> bool:
    """Whether it is a conjoining jamo of which no modern syllable is made, fillers included."""
    return hangul.is_conjoining(code_point) and not (
        0 <= code_point - hangul.LEAD_BASE < hangul.LEADS
        or 0 <= code_point - hangul.VOWEL_BASE < hangul.VOWELS
        or 0 < code_point - hangul.TAIL_BASE <= hangul.TAILS
    )


def _hanja(code_point: int) -> Sort:
    """Where a Chinese character stands in Unicode."""
    character = chr(code_point)
    if unicodedata.normalize("NFC", character) != character:
        return Sort.HANJA_COMPATIBILITY
    if code_point >= 0x30000:
        return Sort.HANJA_PLANE_3
    if code_point >= 0x20000:
        return Sort.HANJA_PLANE_2
    if 0x3400 <= code_point <= 0x4DBF:
        return Sort.HANJA_EXTENSION_A
    return Sort.HANJA if code_point >= 0x4E00 else Sort.HANJA_PARTS


def _conjoining(code_point: int) -> Sort:
    if hangul.is_tone_mark(code_point):
        return Sort.TONE_MARK
    return Sort.JAMO_OLD if is_old_jamo(code_point) else Sort.JAMO


def _compatibility_hanja(counts: Mapping[int, int]) -> Iterator[CompatibilityHanja]:
    found = [point for point in counts if sort_of(point) is Sort.HANJA_COMPATIBILITY]
    for point in sorted(found, key=lambda point: (-counts[point], point)):
        unified = unicodedata.normalize("NFC", chr(point))
        yield CompatibilityHanja(chr(point), unified, counts[point])


def _most(points: Iterator[int], counts: Mapping[int, int]) -> tuple[Counted, ...]:
    """Those of the code points that occur, the most frequent first."""
    found = sorted((point for point in points if point in counts), key=lambda p: (-counts[p], p))
    return tuple(Counted(chr(point), counts[point]) for point in found)
