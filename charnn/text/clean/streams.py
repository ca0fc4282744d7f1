"""A text that is repaired while it streams by, and a tally of what was done to it.

What is repaired is left to the modules beside this one.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

DISTINCT_KEPT: Final = 10_000
EXAMPLE_CHARS: Final = 40


class Example(NamedTuple):
    """What became of a stretch of text, and how often; `after` is "" for what was removed."""

    before: str
    after: str
    times: int


@dataclass(slots=True)
class Tally:
    """What one repair did.

    Attributes:
        count: how many places it changed.
        left: how many places it recognised and left as they are.
    """

    count: int = 0
    left: int = 0
    _kinds: Counter[tuple[str, str]] = field(default_factory=Counter)
    _left: Counter[tuple[str, str]] = field(default_factory=Counter)

    def changed(self, before: str, after: str, times: int = 1) -> None:
        """Note a change."""
        self.count += times
        _keep(self._kinds, before, after, times)

    def passed_over(self, text: str, times: int = 1) -> None:
        """Note what was recognised and not changed."""
        self.left += times
        _keep(self._left, text, text, times)

    def examples(self, most: int) -> list[Example]:
        """The most frequent changes; equally frequent ones in the order they were met."""
        return [Example(*kind, count) for kind, count in self._kinds.most_common(most)]

    def examples_left(self, most: int) -> list[Example]:
        """The most frequent things that were left as they are."""
        return [Example(*kind, count) for kind, count in self._left.most_common(most)]


def _keep(kinds: Counter[tuple[str, str]], before: str, after: str, times: int) -> None:
    """Count one more of a kind; memory stays bounded, whatever the text."""
    kind = (before[:EXAMPLE_CHARS], after[:EXAMPLE_CHARS])
    if kind in kinds or len(kinds) < DISTINCT_KEPT:
        kinds[kind] += times


def replace_matches(
    text: str, pattern: re.Pattern[str], replacement: Callable[[re.Match[str]], str], tally: Tally
) -> str:
    """The text with every match replaced; those that stay the same are not counted.

    >>> tally = Tally()
    >>> replace_matches("a1b22", re.compile("[0-9]+"), lambda match: "#", tally), tally.count
    ('a#b#', 2)
    """

    def counted(match: re.Match[str]) -> str:
        after = replacement(match)
        if after != match[0]:
            tally.changed(match[0], after)
        return after

    return pattern.sub(counted, text)


def in_whole_stretches(
    texts: Iterable[str], cut_in: Callable[[str], int], repair: Callable[[str], str]
) -> Iterator[str]:
    """Repair stretches that nothing reaches across.

    Memory stays bounded as long as cuts are met.

    Args:
        texts: stretches of one text, cut anywhere.
        cut_in: the last place in a stretch where the text may be cut; -1 for none.
        repair: makes a new stretch of one that begins and ends at such places.
    """
    held: list[str] = []
    for text in texts:
        cut = cut_in(text)
        if cut < 0:
            held.append(text)
            continue
        yield repair("".join((*held, text[:cut])))
        held = [text[cut:]]
    yield repair("".join(held))


def after_last(members: re.Pattern[str]) -> Callable[[str], int]:
    """A cut behind the last character that does not belong to a class of characters.

    Args:
        members: matches one character of the class.

    >>> after_last(re.compile("[a-z]"))("a b1cd")
    4
    """

    def cut_in(text: str) -> int:
        cut = len(text)
        while cut and members.match(text, cut - 1):
            cut -= 1
        return cut or -1

    return cut_in


def before_last(starts: re.Pattern[str]) -> Callable[[str], int]:
    """A cut before the last character of a class of characters.

    >>> before_last(re.compile("[A-Z]"))("abCde")
    2
    """

    def cut_in(text: str) -> int:
        cut = len(text) - 1
        while cut >= 0 and not starts.match(text, cut):
            cut -= 1
        return cut

    return cut_in
