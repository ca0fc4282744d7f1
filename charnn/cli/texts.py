"""Texts that are written side by side, shown one after the other: as text, or as lines of JSON."""

import json
import signal
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from io import StringIO
from typing import TYPE_CHECKING, Any

from charnn.cli.interrupts import Interrupted
from charnn.cli.sink import Sink

if TYPE_CHECKING:
    from charnn.generation.sampler import SamplingOptions, TextPiece

Show = Callable[[int, "TextPiece | None"], None]
Pieces = Iterable[tuple[int, "TextPiece | None"]]

_WIDTH = 24


def show_in_order(together: Pieces, show: Show) -> None:
    """Show texts in their order: the first that has not ended while it is written.

    Args:
        together: the number of a text and a piece of it, None at its end.
        show: told the same, text by text. After Ctrl-C also what was held back until then.

    Raises:
        Interrupted: Ctrl-C.
    """
    queue = InOrder()
    try:
        for index, piece in together:
            for shown in queue.push(index, piece):
                show(*shown)
    except KeyboardInterrupt:
        for shown in queue.rest():
            show(*shown)
        raise Interrupted(signal.SIGINT) from None


class InOrder:
    """Puts the pieces of texts that are written at once into the order of the texts."""

    def __init__(self) -> None:
        self._current = 0
        self._begun = False
        self._held: dict[int, list[TextPiece | None]] = {}

    def push(self, index: int, piece: "TextPiece | None") -> "list[tuple[int, TextPiece | None]]":
        """What can be shown now that this piece has come."""
        if index != self._current:
            self._held.setdefault(index, []).append(piece)
            return []
        self._begun = piece is not None
        return [(index, piece)] if piece is not None else [(index, None), *self._next()]

    def rest(self) -> "Iterator[tuple[int, TextPiece | None]]":
        """What is held, every text with its end."""
        if self._begun:
            yield self._current, None
        for index in sorted(self._held):
            pieces = self._held[index]
            yield from ((index, piece) for piece in pieces)
            if pieces[-1] is not None:
                yield index, None

    def _next(self) -> "Iterator[tuple[int, TextPiece | None]]":
        """What is held of the next text and, as far as texts have ended, of those behind it."""
        self._current += 1
        pieces = self._held.pop(self._current, [])
        self._begun = bool(pieces) and pieces[-1] is not None
        yield from ((self._current, piece) for piece in pieces)
        if pieces and pieces[-1] is None:
            yield from self._next()


class TextShower:
    """Writes each text behind its prompt, with a line between texts.

    Args:
        sink: where to.
        prompt: what stands before each text.
        headed: whether each text has a heading that says which one it is.
    """

    def __init__(self, sink: Sink, prompt: str, *, headed: bool) -> None:
        self._sink = sink
        self._prompt = prompt
        self._headed = headed
        self._open = False
        self._heading = ""

    def begin(self, options: "SamplingOptions", num_samples: int) -> Show:
        """Show texts that are written with these options."""
        self._heading = f"temp {options.temperature:g}"

        def show(index: int, piece: "TextPiece | None") -> None:
            if not self._open:
                number = f", {index + 1} of {num_samples}" if num_samples > 1 else ""
                self._head(index, number)
            self._open = piece is not None
            if piece is None:
                self._sink.end_line()
            else:
                self._sink.write(piece.text, piece.bits)

        return show

    def _head(self, index: int, number: str) -> None:
        if self._headed:
            self._sink.write_exactly(f"── {self._heading}{number} ".ljust(_WIDTH, "─") + "\n")
        elif index:
            self._sink.write_exactly("─" * _WIDTH + "\n")
        self._sink.write(self._prompt)


class JsonShower:
    """Writes a JSON object for each text, one a line, when the text has ended.

    Args:
        sink: where to.
        head: what every object begins with.
    """

    def __init__(self, sink: Sink, head: dict[str, Any]) -> None:
        self._sink = sink
        self._head = head

    def begin(self, options: "SamplingOptions", num_samples: int) -> Show:
        """Show texts that are written with these options."""
        text, bits = StringIO(), 0.0

        def show(index: int, piece: "TextPiece | None") -> None:
            nonlocal text, bits
            if piece is not None:
                text.write(piece.text)
                bits += piece.bits
                return
            self._write(text.getvalue(), bits, index, options)
            text, bits = StringIO(), 0.0

        return show

    def _write(self, text: str, bits: float, index: int, options: "SamplingOptions") -> None:
        data = {
            **self._head,
            "text": text,
            "index": index,
            "bits_per_char": bits / len(text) if text else None,
            "options": asdict(options),
        }
        self._sink.write_exactly(json.dumps(data, ensure_ascii=False) + "\n")
