"""Page numbers and running headers that an e-text took over from the printed page.

A number that stands alone on its line may as well be a chapter's: such lines are counted and stay.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from charnn.text.clean.streams import DISTINCT_KEPT, Tally

LEAST_NUMBERS: Final = 3  # fewer than these may be anything
LEAST_HEADERS: Final = 5
HEADER_SHARE: Final = 0.1  # of the page numbers; in a long book each chapter has its header
HEADER_CHARS: Final = 40

_DASH: Final = "[-\u2010-\u2015\u2500\u2501~\u223c\u301c\uff5e=*\u00b7|]"
_NUMBER: Final = re.compile(
    rf"{_DASH}+ ?\d{{1,4}}(?: ?/ ?\d{{1,4}})? ?{_DASH}+"
    r"|\d{1,4} ?/ ?\d{1,4}"
    r"|(?:[pP]\.|[pP]ages?|PAGE|쪽|페이지|면) ?\d{1,4}"
    r"|(?:제 ?)?\d{1,4} ?(?:쪽|페이지)"
)
_BARE: Final = re.compile(r"\d{1,4}")


@dataclass(frozen=True, slots=True)
class PageLines:
    """What a text has of the printed page.

    Attributes:
        numbered: whether it has page numbers at all.
        headers: lines that stand again and again beside them.
    """

    numbered: bool = False
    headers: frozenset[str] = frozenset()


def is_page_number(line: str) -> bool:
    """Whether a line, without the spaces around it, is a page number and can be nothing else.

    >>> [is_page_number(line) for line in ("- 12 -", "p. 7", "12 / 340", "31쪽", "12", "(3)")]
    [True, True, True, True, False, False]
    """
    return len(line) <= HEADER_CHARS and _NUMBER.fullmatch(line) is not None


def find_page_lines(texts: Iterable[str]) -> PageLines:
    """Read a text for its page numbers and for the headers that stand beside them."""
    numbers, beside = 0, Counter[str]()
    last, after_number = "", False
    for line in _lines(texts):
        key = line.strip()
        if is_page_number(key):
            numbers += 1
            _count(beside, last)
            last, after_number = "", True
        elif key:
            if after_number:
                _count(beside, key)
            last, after_number = key, False
    if numbers < LEAST_NUMBERS:
        return PageLines()
    least = max(LEAST_HEADERS, HEADER_SHARE * numbers)
    return PageLines(True, frozenset(line for line, count in beside.items() if count >= least))


def drop_page_lines(texts: Iterable[str], tally: Tally, found: PageLines) -> Iterator[str]:
    r"""Page numbers removed, and the headers beside them; blank lines around them stay.

    >>> text = "끝이\n- 1 -\n무정\n없다"
    >>> "".join(drop_page_lines([text], Tally(), PageLines(True, frozenset(["무정"]))))
    '끝이\n없다'
    """
    held: list[str] = []  # a header, and the blank lines after it: does a number follow?
    after_number = False
    for line in _lines(texts):
        key = line.strip()
        if found.numbered and is_page_number(key):
            tally.changed(key, "")
            if held:
                tally.changed(held[0].strip(), "")
                yield from held[1:]
            held, after_number = [], True
        elif not key:
            if held:
                held.append(line)
            else:
                yield line
        elif key in found.headers and after_number:
            tally.changed(key, "")
            after_number = False
        else:
            if _BARE.fullmatch(key):
                tally.passed_over(key)
            yield from held
            held, after_number = ([line] if key in found.headers else []), False
            if not held:
                yield line
    yield from held


def _count(lines: Counter[str], line: str) -> None:
    if 0 < len(line) <= HEADER_CHARS and (line in lines or len(lines) < DISTINCT_KEPT):
        lines[line] += 1


def _lines(texts: Iterable[str]) -> Iterator[str]:
    """Whole lines with their line feeds."""
    held: list[str] = []
    for text in texts:
        *ended, rest = text.split("\n")
        for end in ended:
            yield "".join((*held, end, "\n"))
            held.clear()
        if rest:
            held.append(rest)
    if held:
        yield "".join(held)
