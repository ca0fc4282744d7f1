"""Repairs of lines: their ends, spaces before these, runs of blank ones."""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from charnn.text.clean.streams import Tally, after_last, in_whole_stretches, replace_matches
from charnn.text.documents import LineEnds, normalise_newlines

_SPACES: Final = re.compile("[ \t\u00a0\u3000]")
_SPACES_AT_END: Final = re.compile(f"(?<!{_SPACES.pattern}){_SPACES.pattern}+(?=[\r\n]|\\Z)")
_LINE_END: Final = re.compile("\n")
_BLANK_LINES: Final = re.compile("\n{3,}")


def mend_newlines(texts: Iterable[str], tally: Tally) -> Iterator[str]:
    r"""CRLF and CR made LF.

    >>> "".join(mend_newlines(["a\r", "\nb\rc"], Tally()))
    'a\nb\nc'
    """
    met = LineEnds()
    yield from normalise_newlines(texts, met)
    for before, count in (("\r\n", met.crlf), ("\r", met.cr)):
        if count:
            tally.changed(before, "\n", count)


def drop_trailing_spaces(texts: Iterable[str], tally: Tally) -> Iterator[str]:
    r"""Spaces and tabs before a line end or the end of the text removed.

    >>> "".join(drop_trailing_spaces(["a ", " \nb c "], Tally()))
    'a\nb c'
    """
    return in_whole_stretches(
        texts,
        after_last(_SPACES),
        lambda text: replace_matches(text, _SPACES_AT_END, lambda match: "", tally),
    )


def join_blank_lines(texts: Iterable[str], tally: Tally) -> Iterator[str]:
    r"""Several blank lines one after another made one.

    >>> "".join(join_blank_lines(["a\n\n", "\n\nb\n\nc"], Tally()))
    'a\n\nb\n\nc'
    """
    return in_whole_stretches(
        texts,
        after_last(_LINE_END),
        lambda text: replace_matches(text, _BLANK_LINES, lambda match: "\n\n", tally),
    )
