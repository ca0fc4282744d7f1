r"""Newlines and documents: how a stream of text becomes pieces of documents.

Where the text comes from is left to reading.py.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple


class Piece(NamedTuple):
    """A stretch of text, never empty; `new_document` marks the first of each document."""

    text: str
    new_document: bool


@dataclass(slots=True)
class LineEnds:
    """How many line ends other than LF were met."""

    crlf: int = 0
    cr: int = 0


def normalise_newlines(texts: Iterable[str], met: LineEnds) -> Iterator[str]:
    r"""The same text with "\r\n" and "\r" made "\n", wherever it is cut.

    Args:
        texts: stretches of one text.
        met: counts what was replaced.

    >>> list(normalise_newlines(["a\r", "\nb\rc"], LineEnds()))
    ['a', '\nb\nc']
    """
    held = ""
    for new in texts:
        text = held + new
        held = "\r" if text.endswith("\r") else ""  # the next stretch may begin with its "\n"
        if held:
            text = text[:-1]
        if "\r" in text:
            pairs = text.count("\r\n")
            met.crlf += pairs
            met.cr += text.count("\r") - pairs
            text = text.replace("\r\n", "\n").replace("\r", "\n")
        yield text
    if held:
        met.cr += 1
        yield "\n"


def cut_documents(texts: Iterable[str], separator: str | None, piece_chars: int) -> Iterator[Piece]:
    """The pieces of one file's documents; the separator itself is gone, empty documents too.

    Args:
        texts: stretches of one file's text; however it is cut, a separator is found.
        separator: what stands between documents; None makes one document of all.
        piece_chars: the most characters a piece may have.

    >>> [tuple(piece) for piece in cut_documents(["one=t", "wo"], "=", 9)]
    [('one', True), ('t', True), ('wo', False)]
    """
    new_document = True
    for text, ends in _split(texts, separator):
        for start in range(0, len(text), piece_chars):
            yield Piece(text[start : start + piece_chars], new_document)
            new_document = False
        new_document = new_document or ends


def _split(texts: Iterable[str], separator: str | None) -> Iterator[tuple[str, bool]]:
    """Stretches of text and whether a document ends after each."""
    if separator is None:
        yield from ((text, False) for text in texts)
        return
    held = ""
    for text in texts:
        *ended, rest = (held + text).split(separator)
        yield from ((document, True) for document in ended)
        cut = max(0, len(rest) - len(separator) + 1)  # a separator may begin after the cut
        held = rest[cut:]
        yield rest[:cut], False
    yield held, True
