"""Unicode normalisation: of Hangul alone, or of everything."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from itertools import zip_longest
from typing import Final

from charnn.text.clean.streams import Tally, after_last, before_last, in_whole_stretches

# The jamo that modern syllables are composed of, and the syllables that can take a tail.
_JAMO: Final = re.compile("[\u1100-\u1112\u1161-\u1175\u11a8-\u11c2\uac00-\ud7a3]")
_RUN: Final = re.compile(
    f"(?<!{_JAMO.pattern}){_JAMO.pattern}*[\u1161-\u1175\u11a8-\u11c2]{_JAMO.pattern}*"
)
_SEQUENCE: Final = re.compile(
    "[\u1100-\u1112][\u1161-\u1175][\u11a8-\u11c2]?|[\uac00-\ud7a3][\u11a8-\u11c2]"
)

# Characters that nothing before them can combine with (a test goes through all of Unicode).
_STARTS: Final = re.compile(
    "[\\x00-\u02ff\u1100-\u1112\u3000-\u3029\u3030-\u3098\u309b-\u9fff\uac00-\ud7a3]"
)


def compose_hangul(texts: Iterable[str], tally: Tally) -> Iterator[str]:
    r"""Modern jamo joined to syllables, as NFC does it; old jamo and all else stay as they are.

    Source: The Unicode Standard, section 3.12.

    >>> "".join(compose_hangul(["\u1112\u1167", "\u11bc e\u0301"], Tally())) == "형 e\u0301"
    True
    """
    return in_whole_stretches(texts, after_last(_JAMO), lambda text: _compose(text, tally))


def normalise(texts: Iterable[str], tally: Tally) -> Iterator[str]:
    r"""All of the text in NFC: Hangul, accents, and compatibility Hanja made unified.

    >>> "".join(normalise(["e", "\u0301\uf9e1"], Tally()))
    'é李'
    """
    return in_whole_stretches(texts, before_last(_STARTS), lambda text: _normalise(text, tally))


def _compose(text: str, tally: Tally) -> str:
    def joined(run: re.Match[str]) -> str:
        for sequence in _SEQUENCE.findall(run[0]):
            if (after := unicodedata.normalize("NFC", sequence)) != sequence:
                tally.changed(sequence, after)
        return unicodedata.normalize("NFC", run[0])

    return _RUN.sub(joined, text)


def _normalise(text: str, tally: Tally) -> str:
    if unicodedata.is_normalized("NFC", text):
        return text
    return "".join(_normalise_unit(unit, tally) for unit in _units(text))


def _units(text: str) -> Iterator[str]:
    """The text cut before every character that nothing before it can combine with."""
    starts = [match.start() for match in _STARTS.finditer(text) if match.start()]
    for start, end in zip_longest([0, *starts], starts):
        yield text[start:end]


def _normalise_unit(unit: str, tally: Tally) -> str:
    after = unicodedata.normalize("NFC", unit)
    if after != unit:
        tally.changed(unit, after)
    return after
