"""Hanja glosses: 선형(善馨), kept, dropped or swapped to 善馨(선형).

A gloss has at most as many Hanja as there are syllables before it: 중(列國中) tells more than how a
word is written, so it is counted and stays.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from charnn.text.clean.streams import Tally, after_last, in_whole_stretches, replace_matches

HOW: Final = ("keep", "drop", "swap")

_HANJA: Final = (
    "\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # no radicals, no marks
)
_BETWEEN: Final = " ·ㆍ・,、"  # may stand within a gloss: 동광학교(東光 學校)
_INSIDE: Final = f"[{_HANJA}](?:[{_HANJA}{_BETWEEN}]*[{_HANJA}])?"
_BRACKETED: Final = rf"(?:\({_INSIDE}\)|（{_INSIDE}）|〔{_INSIDE}〕|\[{_INSIDE}\])"
# A mark or a tail behind the gloss would combine with the syllable before it.
_NOT_GLUED: Final = "(?![\u0300-\u036f\u1160-\u11ff\u302a-\u302f\u3099\u309a\ud7b0-\ud7fb])"
# Only from the first syllable of a run on, for each start would read the run to its end.
_GLOSS: Final = re.compile(f"(?<![\uac00-\ud7a3])([\uac00-\ud7a3]+)((?:{_BRACKETED})+){_NOT_GLUED}")
_MEMBER: Final = re.compile(
    f"[\uac00-\ud7a3{_HANJA}{_BETWEEN}()（）〔〕\\[\\]"
    "\u0300-\u036f\u1160-\u11ff\u302a-\u302f\u3099\u309a\ud7b0-\ud7fb]"
)
_SINGLE: Final = re.compile(f"(.)([{_HANJA}]+)(.)\\Z")
_ONE: Final = re.compile(_BRACKETED)
_IDEOGRAPH: Final = re.compile(f"[{_HANJA}]")


def drop_glosses(texts: Iterable[str], tally: Tally) -> Iterator[str]:
    """The Hangul alone.

    >>> "".join(drop_glosses(["김장로의 딸 선형(善", "馨)이가"], Tally()))
    '김장로의 딸 선형이가'
    """

    def dropped(gloss: re.Match[str]) -> str:
        most = max(len(_IDEOGRAPH.findall(one)) for one in _ONE.findall(gloss[2]))
        if most > len(gloss[1]):
            tally.passed_over(gloss[0])
            return gloss[0]
        return gloss[1]

    return _rewrite(texts, dropped, tally)


def swap_glosses(texts: Iterable[str], tally: Tally) -> Iterator[str]:
    """Hanja first, the Hangul in brackets; as many syllables as there are Hanja.

    A gloss that is not one for each syllable is counted and stays.

    >>> "".join(swap_glosses(["김장로의 딸 선형(善", "馨)이가"], Tally()))
    '김장로의 딸 善馨(선형)이가'
    """

    def swapped(gloss: re.Match[str]) -> str:
        hangul, bracketed = gloss[1], _SINGLE.fullmatch(gloss[2])
        if bracketed is None or len(hangul) < len(bracketed[2]):
            tally.passed_over(gloss[0])
            return gloss[0]
        opening, hanja, closing = bracketed.groups()
        cut = len(hangul) - len(hanja)
        return f"{hangul[:cut]}{hanja}{opening}{hangul[cut:]}{closing}"

    return _rewrite(texts, swapped, tally)


def count_glosses(texts: Iterable[str], tally: Tally) -> Iterator[str]:
    """The text as it is, its glosses counted."""

    def kept(gloss: re.Match[str]) -> str:
        tally.passed_over(gloss[0])
        return gloss[0]

    return _rewrite(texts, kept, tally)


def _rewrite(
    texts: Iterable[str], replacement: Callable[[re.Match[str]], str], tally: Tally
) -> Iterator[str]:
    return in_whole_stretches(
        texts,
        after_last(_MEMBER),
        lambda text: replace_matches(text, _GLOSS, replacement, tally),
    )
