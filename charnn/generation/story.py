"""A text that a person and a model write in turns: added to, written on, taken back, tried anew.

A turn costs what it adds, however long the text has become: the model's state behind every turn is
kept. How the text is shown, and where it comes from, is left to others.
"""

from collections.abc import Callable, Iterator
from io import StringIO
from typing import Protocol

from charnn.errors import OptionError
from charnn.generation.filters import check_whole
from charnn.generation.sampler import SamplingOptions, Start, TextPiece


class _Write(Protocol):
    """What writes on from a start: sample number `index` of a seed."""

    def __call__(
        self, prompt: Start, options: SamplingOptions, seed: int, /, *, index: int
    ) -> Iterator[TextPiece]: ...


class Story:
    """A text in turns.

    Args:
        read: reads a text that comes after another, or at the beginning of a document.
        write: writes on from what was read.
        seed: the same seed and the same turns make the same text.

    Raises:
        OptionError: the seed is negative.
    """

    def __init__(self, read: Callable[[str, Start | None], Start], write: _Write, seed: int):
        check_whole("seed", seed, 0)
        self._read = read
        self._write = write
        self._seed = seed
        self._turns: list[_Turn] = []
        self._written = 0  # texts, those that were taken back too: each is another sample

    @property
    def text(self) -> str:
        """All there is of it."""
        return "".join(turn.added + turn.written.getvalue() for turn in self._turns)

    @property
    def characters(self) -> int:
        """Code points of the text; asked for at every key, and told without joining it."""
        return sum(len(turn.added) + turn.characters for turn in self._turns)

    @property
    def added(self) -> str:
        """What the person began the last turn with; "" before the first."""
        return self._turns[-1].added if self._turns else ""

    def write(self, added: str, options: SamplingOptions) -> Iterator[TextPiece]:
        """Add a text, and let the model write on from there.

        What has been yielded is part of the story, also if no more of it is asked for.

        Args:
            added: stands right behind what there is; may be empty.
            options: how to write.

        Yields:
            Pieces of what the model writes.

        Raises:
            OptionError: the text is no valid Unicode; the story is left as it was.
        """
        turn = _Turn(added, self._start(added))
        pieces = self._sample(turn, options)
        self._turns.append(turn)
        return turn.keep(pieces)

    def retry(self, options: SamplingOptions) -> Iterator[TextPiece]:
        """Write the model's part of the last turn anew; see `write`.

        Raises:
            OptionError: there is no turn yet.
        """
        if not self._turns:
            raise OptionError("there is nothing to write anew yet: begin with a text")
        turn = self._turns[-1]
        pieces = self._sample(turn, options)
        turn.written, turn.characters = StringIO(), 0
        return turn.keep(pieces)

    def undo(self) -> None:
        """Take back the last turn, the person's part and the model's.

        Raises:
            OptionError: there is no turn to take back.
        """
        if not self._turns:
            raise OptionError("there is nothing to take back: the text is empty")
        self._turns.pop()

    def _start(self, added: str) -> Start:
        """The model behind the text so far and what is added to it."""
        if not self._turns:
            return self._read(added, None)
        last = self._turns[-1]
        unread = last.written.getvalue() + added
        return self._read(unread, last.start) if unread else last.start

    def _sample(self, turn: "_Turn", options: SamplingOptions) -> Iterator[TextPiece]:
        pieces = self._write(turn.start, options, self._seed, index=self._written)
        self._written += 1
        return pieces


class _Turn:
    """What the person added, the model behind that, and what it wrote."""

    def __init__(self, added: str, start: Start) -> None:
        self.added = added
        self.start = start
        self.written = StringIO()
        self.characters = 0

    def keep(self, pieces: Iterator[TextPiece]) -> Iterator[TextPiece]:
        """The same pieces, each kept before it is passed on."""
        return self._keep(pieces, self.written)

    def _keep(self, pieces: Iterator[TextPiece], written: StringIO) -> Iterator[TextPiece]:
        for piece in pieces:
            count = written.write(piece.text)
            if written is self.written:  # not written anew meanwhile
                self.characters += count
            yield piece
