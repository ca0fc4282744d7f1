"""Texts that are written side by side, shown one after the other: as text, or as lines of JSON."""

import contextlib
import math
import signal
import struct
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from charnn.cli.as_json import escaped, json_text
from charnn.cli.interrupts import Interrupted, ending_signals
from charnn.cli.sink import Sink
from charnn.errors import TextError

if TYPE_CHECKING:
    from charnn.generation.sampler import SamplingOptions, TextPiece

Show = Callable[[int, "TextPiece | None"], None]
Pieces = Iterable[tuple[int, "TextPiece | None"]]

_WIDTH = 24
_MEMORY = 128 << 10  # bytes of each text that waits; 64 are written at once
_HEAD = struct.Struct("<dI")  # of a piece that waits: its bits, bytes of its text


def show_in_order(together: Pieces, show: Show) -> None:
    """Show texts in their order: the first that has not ended while it is written.

    Args:
        together: the number of a text and a piece of it, None at its end.
        show: told the same, text by text. After a signal or an error also what was held back until
            then, as far as it can be read and shown.

    Raises:
        Interrupted: Ctrl-C, SIGTERM or SIGHUP.
        TextError: there is no room to hold texts back.
    """
    with contextlib.closing(InOrder()) as queue, ending_signals(_raise):
        try:
            for index, piece in together:
                for shown in queue.push(index, piece):
                    show(*shown)
        except BrokenPipeError:
            raise
        except (Exception, KeyboardInterrupt, Interrupted) as error:
            with contextlib.suppress(TextError):
                for shown in queue.rest():
                    show(*shown)
            if isinstance(error, KeyboardInterrupt):
                raise Interrupted(signal.SIGINT) from None
            raise


def _raise(error: Interrupted) -> None:
    raise error


class InOrder:
    """Puts the pieces of texts that are written at once into the order of the texts.

    Args:
        memory: bytes that are held of each text; what is more goes to a temporary file.
    """

    def __init__(self, memory: int = _MEMORY) -> None:
        self._memory = memory
        self._current = 0
        self._begun = False
        self._held: dict[int, _Held] = {}

    def push(
        self, index: int, piece: "TextPiece | None"
    ) -> "Iterator[tuple[int, TextPiece | None]]":
        """Take a piece; yields what can be shown now that it has come.

        Raises:
            TextError: there is no room to hold it back.
        """
        if index != self._current:
            if index not in self._held:
                self._held[index] = _Held(self._memory)
            self._held[index].push(piece)
            return
        self._begun = piece is not None
        yield index, piece
        if piece is None:
            yield from self._next()

    def rest(self) -> "Iterator[tuple[int, TextPiece | None]]":
        """What is held, as far as it can be read, every text with its end."""
        begun = {self._current} if self._begun else set()
        for index in sorted(begun | self._held.keys()):
            if index in self._held:
                with contextlib.suppress(TextError):
                    yield from ((index, piece) for piece in self._held[index].read())
            yield index, None

    def close(self) -> None:
        """Forget what is held."""
        for held in self._held.values():
            held.close()
        self._held.clear()

    def _next(self) -> "Iterator[tuple[int, TextPiece | None]]":
        """What is held of the next text and, as far as texts have ended, of those behind it."""
        self._current += 1
        while (held := self._held.get(self._current)) is not None:
            for piece in held.read():
                self._begun = True
                yield self._current, piece
            held.close()
            del self._held[self._current]
            if not held.ended:
                return
            self._begun = False
            yield self._current, None
            self._current += 1


class _Held:
    """The pieces of a text that has to wait; read once, when no more of them come.

    Args:
        memory: bytes that stay in memory.

    Attributes:
        ended: whether the text has ended.
    """

    def __init__(self, memory: int) -> None:
        # Not in a with block: it lives as long as its text waits.
        self._file = tempfile.SpooledTemporaryFile(memory, prefix="charnn-")  # noqa: SIM115
        self._reading = False
        self.ended = False

    def push(self, piece: "TextPiece | None") -> None:
        """Take a piece, or None at the end.

        Raises:
            TextError: there is no room for it.
        """
        if piece is None:
            self.ended = True
            return
        text = piece.text.encode()
        with _room():
            self._file.write(_HEAD.pack(piece.bits, len(text)) + text)

    def read(self) -> "Iterator[TextPiece]":
        """The pieces; a second time, those that were not read the first.

        Raises:
            TextError: there is no room for the last of them.
        """
        from charnn.generation.sampler import TextPiece

        if not self._reading:
            with _room():
                self._file.seek(0)  # what is left in a buffer is written first
            self._reading = True
        while len(head := self._file.read(_HEAD.size)) == _HEAD.size:
            bits, length = _HEAD.unpack(head)
            if len(text := self._file.read(length)) < length:
                return  # there was no room for the rest of it
            yield TextPiece(text.decode(), bits)

    def close(self) -> None:
        """Forget the pieces."""
        self._file.close()


@contextlib.contextmanager
def _room() -> Iterator[None]:
    """Say what to do if the disk is full.

    Raises:
        TextError: it is.
    """
    try:
        yield
    except OSError as error:
        raise TextError(
            f"a text cannot be held back in a temporary file ({error.strerror}): make room "
            "for it, name another folder with TMPDIR, or take fewer --num-samples"
        ) from None


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
    """Writes a JSON object for each text, one a line, the text in it as it comes.

    On a terminal that gets safe text, what is not safe is escaped.

    Args:
        sink: where to.
        head: what every object begins with.
    """

    def __init__(self, sink: Sink, head: dict[str, Any]) -> None:
        self._sink = sink
        self._head = json_text({**head, "text": ""})[:-2]

    def begin(self, options: "SamplingOptions", num_samples: int) -> Show:
        """Show texts that are written with these options."""
        told = {name: _finite(value) for name, value in asdict(options).items()}
        begun, characters, bits = False, 0, 0.0

        def show(index: int, piece: "TextPiece | None") -> None:
            nonlocal begun, characters, bits
            if not begun:
                self._write(self._head)
            begun = piece is not None
            if piece is not None:
                self._write(json_text(piece.text)[1:-1])
                characters += len(piece.text)
                bits += piece.bits
                return
            cost = bits / characters if characters and math.isfinite(bits) else None
            tail = {"index": index, "bits_per_char": cost, "options": told}
            self._write('", ' + json_text(tail)[1:] + "\n")
            characters, bits = 0, 0.0

        return show

    def _write(self, part: str) -> None:
        self._sink.write_exactly(escaped(part) if self._sink.is_safe else part)


def _finite(value: object) -> object:
    """The value, or the largest number for an infinite one, which JSON does not know."""
    return min(value, sys.float_info.max) if isinstance(value, float) else value
