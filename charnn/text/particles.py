"""Whether Korean particles fit the sound they follow: 형식이 but 선형가 is wrong.

Counted only where real text is all but certain to agree. What cannot be told without a dictionary
or the sound of Hanja, Latin letters and digits is left out.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

from charnn.text.hangul import decompose, is_syllable

LIQUID: Final = 8
"""The tail ㄹ, behind which 로 stands as behind a vowel."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A particle in its two forms.

    Attributes:
        closed: after a consonant.
        open: after a vowel.
        liquid_open: whether ㄹ counts as a vowel.
    """

    closed: str
    open: str
    liquid_open: bool = False

    def fits(self, stem: str, particle: str) -> bool:
        """Whether this form belongs behind the stem."""
        tail = decompose(ord(stem[-1]))[2]
        is_open = tail == 0 or (self.liquid_open and tail == LIQUID)
        return particle == (self.open if is_open else self.closed)


CERTAIN: Final = (Pair("을", "를"), Pair("과", "와"), Pair("으로", "로", liquid_open=True))
"""Counted behind every stem."""
AMBIGUOUS: Final = (Pair("은", "는"), Pair("이", "가"))
"""Also endings of verbs and of nouns: counted behind nouns alone, see `nouns_of`."""

_ALTERNATING: Final = {"을": CERTAIN[0], "를": CERTAIN[0], "과": CERTAIN[1], "와": CERTAIN[1]}
_OF_NOUNS: Final = (*_ALTERNATING, "에게", "에서", "까지", "부터", "에", "의", "도", "만")


@dataclass(frozen=True, slots=True)
class Agreement:
    """How often a particle fitted.

    Attributes:
        fitting: words whose particle fits.
        counted: words that were looked at.
    """

    fitting: int = 0
    counted: int = 0

    @property
    def share(self) -> float | None:
        """The share that fits; None where nothing was counted."""
        return self.fitting / self.counted if self.counted else None


def nouns_of(words: Iterable[str], least: int = 2) -> frozenset[str]:
    """Stems that stand before at least so many different particles which only nouns take.

    을, 은 and 이 also end verbs, so one alone proves nothing: 있을 is no noun 있.

    Args:
        words: of a text that is taken to be right, without punctuation.
        least: how many of 을/를, 와/과, 에게, 에서, 까지, 부터, 에, 의, 도, 만.

    >>> sorted(nouns_of(["나무를", "나무에", "있을", "먹도", "먹을", "길의", "길과"]))
    ['길', '나무', '먹']
    """
    seen = defaultdict(set)
    for word in words:
        for particle in filter(word.endswith, _OF_NOUNS) if word.endswith(_OF_NOUNS) else ():
            stem = word.removesuffix(particle)
            if not stem or not is_syllable(ord(stem[-1])):
                continue
            pair = _ALTERNATING.get(particle)
            if pair is None or pair.fits(stem, particle):
                seen[stem].add(pair or particle)
    return frozenset(stem for stem, particles in seen.items() if len(particles) >= least)


def agreement(
    words: Iterable[str], pairs: Iterable[Pair], nouns: Collection[str], *, any_stem: bool
) -> Agreement:
    """How often the particles at the ends of words fit the syllable before them.

    A word that is itself a noun (마을, 나이, 장로) has no particle and is not counted.

    Args:
        words: without punctuation; those that are not Hangul syllables throughout are passed over.
        pairs: `CERTAIN` or `AMBIGUOUS`.
        nouns: see `nouns_of`.
        any_stem: count behind every stem; else behind nouns alone.

    >>> agreement(["나무를", "나무을", "마을", "길로"], CERTAIN, {"마을"}, any_stem=True)
    Agreement(fitting=2, counted=3)
    """
    pairs = tuple(pairs)
    fitting = counted = 0
    for word in words:
        if word in nouns or not all(is_syllable(ord(character)) for character in word):
            continue
        for pair in pairs:
            # the longer form first: 으로 ends in 로
            particle = next((p for p in (pair.closed, pair.open) if word.endswith(p)), "")
            stem = word.removesuffix(particle)
            if particle and stem and (any_stem or stem in nouns):
                counted += 1
                fitting += pair.fits(stem, particle)
    return Agreement(fitting, counted)
