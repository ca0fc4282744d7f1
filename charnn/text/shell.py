"""Commands as a person types them: quoted where a shell needs it, Korean names left as they are."""

import re
import shlex
from collections.abc import Iterable
from typing import Final

_PLAIN: Final = re.compile(r"[\w@%+=:,./-]+")


def quoted(word: str) -> str:
    """A word for a command line; `shlex.quote` would put everything but ASCII in quotes.

    >>> quoted("무정-2"), quoted("my texts/무정.txt"), quoted("")
    ('무정-2', "'my texts/무정.txt'", "''")
    """
    return word if _PLAIN.fullmatch(word) else shlex.quote(word)


def joined(words: Iterable[str]) -> str:
    """A command line of these words.

    >>> joined(["charnn", "train", "무정 (1917).txt"])
    "charnn train '무정 (1917).txt'"
    """
    return " ".join(map(quoted, words))
