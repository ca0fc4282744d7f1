"""What can be counted in a written text: words that were seen before, and how much repeats.

Verbatim spans are left to copying.py, Korean particles to particles.py; what is compared with what
is for the caller to say.
"""

import unicodedata
from collections.abc import Collection, Sequence
from functools import cache


def words_of(text: str) -> list[str]:
    """The words: what stands between white space, without punctuation and symbols at its ends.

    In Korean these are the eojeol. What is nothing but punctuation is no word.

    >>> words_of("“형식은, (놀라) 보았다.” — it's 3")
    ['형식은', '놀라', '보았다', "it's", '3']
    """
    stripped = (_strip(word) for word in text.split())
    return [word for word in stripped if word]


def known_share(words: Sequence[str], known: Collection[str]) -> float | None:
    """The share of the words, each as often as it occurs, that are known; None without words.

    >>> known_share(["the", "cat", "the", "qzx"], {"the", "cat"})
    0.75
    """
    if not words:
        return None
    return sum(word in known for word in words) / len(words)


def distinct_share(texts: Sequence[Sequence[str]], size: int) -> float | None:
    """Different n-grams as a share of all; None where no text is long enough for one.

    It falls with the length of the texts: only texts of one length can be compared.

    Args:
        texts: words, or characters; no n-gram goes from one text into the next.
        size: n, >= 1.

    Source: Li et al. 2016, arXiv:1510.03055 (distinct-n).

    >>> distinct_share(["abab", "ab"], 2)
    0.5
    """
    seen: set[tuple[str, ...]] = set()
    total = 0
    for text in texts:
        grams = list(zip(*(text[start:] for start in range(size)), strict=False))
        seen.update(grams)
        total += len(grams)
    return len(seen) / total if total else None


def _strip(word: str) -> str:
    """The word without what is no letter, digit or mark at its ends."""
    first, last = 0, len(word)
    while first < last and _is_margin(word[first]):
        first += 1
    while first < last and _is_margin(word[last - 1]):
        last -= 1
    return word[first:last]


@cache
def _is_margin(character: str) -> bool:
    return unicodedata.category(character)[0] in "PSZC"
