"""What others print while the screen is taken: kept aside, and let out when it is given back."""

import io
import sys
from collections import deque
from collections.abc import Callable
from typing import Final, TextIO

_LINES_KEPT: Final = 200


class Aside(io.TextIOBase):
    """Stands in for a stream such as sys.stderr and keeps its lines, the newest of too many.

    Args:
        stream: the stream it stands in for.
        on_line: called with each line that is complete, without its newline.
    """

    def __init__(self, stream: TextIO, on_line: Callable[[str], None]) -> None:
        self._stream = stream
        self._on_line = on_line
        self._lines: deque[str] = deque(maxlen=_LINES_KEPT)
        self._begun = ""

    def write(self, text: str, /) -> int:
        """Keep a text; each line of it is told of once it is complete."""
        *complete, self._begun = (self._begun + text).split("\n")
        for line in complete:
            self._lines.append(line)
            if line.strip():
                self._on_line(line)
        return len(text)

    def fileno(self) -> int:
        """The descriptor of the stream itself; who writes there directly is not held back."""
        return self._stream.fileno()

    def kept(self) -> str:
        """Everything that was kept, as it was printed; it is kept no longer."""
        text = "".join(line + "\n" for line in self._lines) + self._begun
        self._lines.clear()
        self._begun = ""
        return text


class AsideStreams:
    """sys.stderr and, where it is a terminal too, sys.stdout kept aside; and put back.

    Args:
        on_line: called with each line that somebody prints meanwhile.
    """

    def __init__(self, on_line: Callable[[str], None]) -> None:
        self._on_line = on_line
        self._replaced: list[tuple[str, TextIO, Aside]] = []

    def replace(self) -> None:
        """Put an Aside in the place of each stream that would write to the screen."""
        for name in ("stderr", "stdout"):
            stream = getattr(sys, name)
            if stream is not None and stream.isatty():
                aside = Aside(stream, self._on_line)
                self._replaced.append((name, stream, aside))
                setattr(sys, name, aside)

    def restore(self) -> str:
        """Put the streams back; what was printed meanwhile."""
        text = ""
        for name, stream, aside in self._replaced:
            if getattr(sys, name) is aside:
                setattr(sys, name, stream)
            text += aside.kept()
        self._replaced = []
        return text
