"""Repairs that look at one character, or a run of them, at a time.

Compatibility Hanja, full-width characters, control characters, old Hangul in Hanyang's private use.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Final

from charnn.text.clean.streams import Tally, after_last, in_whole_stretches

COMPATIBILITY_HANJA: Final = re.compile("[\uf900-\ufaff\U0002f800-\U0002fa1f]")
FULL_WIDTH: Final = re.compile("[\u3000\uff01-\uff5e\uffe0-\uffe6]")

# Tab and line ends stay. Zero-width joiners stay too: Indic scripts and emoji need them.
UNSEEN: Final = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]"
)
_BREAKS: Final = {"\x0b": "\n", "\x0c": "\n", "\x85": "\n"}  # these end a line or a page

# The code points that Hanyang University gave to old Hangul, as hypua2jamo 0.7 knows them.
HANYANG: Final = re.compile("[\ue0bc-\uefff\uf100-\uf66e\uf784-\uf800\uf806-\uf864\uf86a-\uf8f7]")
_HANYANG_RUN: Final = re.compile(f"{HANYANG.pattern}+")


def unify_hanja(texts: Iterable[str], tally: Tally) -> Iterator[str]:
    r"""Compatibility ideographs made the unified ones they are canonically equivalent to.

    Twelve of U+FA0E to U+FA29 are unified ideographs themselves and stay.

    >>> list(unify_hanja(["\uf9e1\uf9da"], Tally()))
    ['李栗']
    """
    return _each(texts, COMPATIBILITY_HANJA, unified, tally)


@cache
def unified(ideograph: str) -> str:
    r"""The unified form of a compatibility ideograph; itself where there is none.

    >>> unified("\uf900")
    '豈'
    """
    return unicodedata.normalize("NFC", ideograph)


def halve_width(texts: Iterable[str], tally: Tally) -> Iterator[str]:
    """Full-width Latin, digits, punctuation, signs and the ideographic space made common ones.

    >>> list(halve_width(["ＡＢＣ　（１）￦"], Tally()))
    ['ABC (1)₩']
    """
    return _each(texts, FULL_WIDTH, half_width, tally)


@cache
def half_width(character: str) -> str:
    """The common form of a full-width character.

    >>> half_width("＇"), half_width("￣")
    ("'", '¯')
    """
    name, _, code = unicodedata.decomposition(character).partition(" ")
    return chr(int(code, 16)) if name == "<wide>" else character


def drop_unseen(texts: Iterable[str], tally: Tally) -> Iterator[str]:
    r"""Control characters and marks that are not seen removed; VT, FF and NEL become line ends.

    Removed are the C0 and C1 controls but tab and line ends, soft hyphens, zero-width and
    no-break zero-width spaces, word joiners and the marks of writing direction.

    >>> list(drop_unseen(["a\x00b\u200b\x0cc"], Tally()))
    ['ab\nc']
    """
    return _each(texts, UNSEEN, lambda character: _BREAKS.get(character, ""), tally)


def hanyang_to_jamo(texts: Iterable[str], tally: Tally) -> Iterator[str]:
    """Old Hangul in Hanyang's private-use code points made conjoining jamo.

    Without the package that knows the correspondence, they are counted and stay.
    """
    translate = _hanyang_table()
    if translate is None:
        return _count_only(texts, HANYANG, tally)

    def repair(text: str) -> str:
        return _HANYANG_RUN.sub(lambda run: _translated(run[0], translate, tally), text)

    return in_whole_stretches(texts, after_last(HANYANG), repair)


def hanyang_is_known() -> bool:
    """Whether the package that knows the correspondence is installed."""
    return _hanyang_table() is not None


@cache
def _hanyang_table() -> Callable[[str], str] | None:
    """The translation of hypua2jamo; None without it."""
    try:
        from hypua2jamo import translate  # noqa: PLC0415  # an extra
    except ImportError:
        return None
    table: Callable[[str], str] = translate
    return table


def _translated(run: str, translate: Callable[[str], str], tally: Tally) -> str:
    """A run of private-use characters as jamo; itself where nothing would be left of it."""
    jamo = translate(run)
    if not jamo or HANYANG.search(jamo):
        tally.passed_over(run, len(run))
        return run
    tally.changed(run, jamo)
    return jamo


def _count_only(texts: Iterable[str], pattern: re.Pattern[str], tally: Tally) -> Iterator[str]:
    for text in texts:
        for match in pattern.finditer(text):
            tally.passed_over(match[0])
        yield text


def _each(
    texts: Iterable[str], pattern: re.Pattern[str], repair: Callable[[str], str], tally: Tally
) -> Iterator[str]:
    """Every character of a class repaired by itself."""

    def counted(match: re.Match[str]) -> str:
        after = repair(match[0])
        if after != match[0]:
            tally.changed(match[0], after)
        return after

    for text in texts:
        yield pattern.sub(counted, text)
