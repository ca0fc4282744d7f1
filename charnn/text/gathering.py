"""Files, whatever they are, to counts of the whole and a sample of it.

What is told of a text besides is left to inspect.py.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from charnn.errors import OptionError
from charnn.text.counting import Counts, undecodable
from charnn.text.detection import Detected, detect_encoding
from charnn.text.documents import LineEnds, normalise_newlines
from charnn.text.files import TextFile, unreadable
from charnn.text.lenient import marked_text
from charnn.text.sampling import Sample, Spread
from charnn.text.spool import Copies

Tell = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""


@dataclass(frozen=True, slots=True)
class FileFacts:
    """One file as it was found.

    Attributes:
        name: what to call it.
        bytes: its length.
        detected: its encoding and how sure that is.
        byte_order_mark: whether it begins with one.
        undecodable: bytes that are not valid in its encoding.
        line_ends: those other than LF.
    """

    name: str
    bytes: int
    detected: Detected
    byte_order_mark: bool
    undecodable: int
    line_ends: LineEnds


class Gatherer:
    """Reads files one after another, whatever they are; keeps what is to be told of each.

    Args:
        files: in their order.
        given: the encoding of all, by its Python name; None finds out.
        tell: told of the progress.

    Raises:
        OptionError: there is no file.
    """

    def __init__(self, files: Sequence[TextFile], given: str | None, tell: Tell) -> None:
        if not files:
            raise OptionError("texts must name at least one file, folder or - (stdin), got none")
        self.files = files
        self.facts: list[FileFacts] = []
        self._given = given
        self._tell = tell
        self._total = self._before = 0

    def read(self, copies: Copies, most_bytes: int | None) -> tuple[Counts, Sample]:
        """Count the whole and keep a sample; `facts` are there afterwards.

        Args:
            copies: where the files can be read.
            most_bytes: of the sample; None keeps all.

        Raises:
            TextError: one of them cannot be read, or is no text.
        """
        self._total = sum(copies.size(file) for file in self.files)
        counts, spread = Counts(), Spread(self._total, most_bytes)
        for file in self.files:
            lost = undecodable(counts.code_points)
            try:
                with copies.path(file).open("rb") as stream:
                    detected = detect_encoding(stream, file.shown, self._given)
                    ends = LineEnds()
                    texts = _File(stream, detected.encoding)
                    counts.add(self._texts(texts, ends, spread))
            except OSError as error:
                raise unreadable(file.shown, error) from None
            spread.end_file()
            size = copies.size(file)
            lost = undecodable(counts.code_points) - lost
            facts = FileFacts(file.shown, size, detected, texts.byte_order_mark, lost, ends)
            self.facts.append(facts)
            self._before += size
        return counts, spread.sample()

    def _texts(self, file: "_File", ends: LineEnds, spread: Spread) -> Iterator[str]:
        """The characters of a file; on the way some are kept, and the progress is told."""
        for text in normalise_newlines(file.texts(), ends):
            spread.add(text, self._before + file.position)
            self._tell("counting", self._before + file.position, self._total)
            yield text


class _File:
    """The characters of one file without its byte order mark."""

    def __init__(self, stream: BinaryIO, encoding: str) -> None:
        self._stream = stream
        self._encoding = encoding
        self.byte_order_mark = False
        self.position = 0

    def texts(self) -> Iterator[str]:
        """From the beginning, in stretches; `position` is where in the file each begins."""
        self._stream.seek(0)
        at_start = True
        for text in marked_text(self._stream, self._encoding):
            if at_start and text:
                self.byte_order_mark = text[0] == "\N{ZERO WIDTH NO-BREAK SPACE}"
                at_start = False
                yield text[self.byte_order_mark :]
            else:
                yield text
            self.position = self._stream.tell()
