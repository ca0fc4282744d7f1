"""Where generated text goes: a new file, a pipe, or a terminal, which gets safe text."""

import contextlib
import os
import sys
from pathlib import Path
from typing import Protocol, TextIO

from charnn.errors import OptionError, TextError


class _Passage(Protocol):
    """What text passes on its way; the last part of it may be held back until `finish`."""

    def push(self, text: str, bits: float | None) -> str: ...

    def finish(self) -> str: ...


class Sink:
    """Takes generated text, and passes each piece on at once.

    Args:
        output: a file that is not there yet; None is stdout.
        raw: whether a terminal gets the exact text too.
        heat: whether characters are tinted by surprise, where that is possible.
        bold: whether a person's own words are bold, where that is possible.

    Attributes:
        tinted: whether characters are tinted.
        is_safe: whether what is written is made safe for a terminal.
        failed: whether something could not be written.

    Raises:
        OptionError: the file is there already.
        TextError: it cannot be written.
    """

    def __init__(
        self,
        output: str | None = None,
        *,
        raw: bool = False,
        heat: bool = False,
        bold: bool = False,
    ) -> None:
        self._file = new_file(output, "name another -o") if output is not None else None
        self._name = output or "stdout"
        self._stream: TextIO = self._file or sys.stdout
        self._passage: _Passage = _Exact()
        self.tinted = self.failed = False
        self._last = "\n"
        self.is_safe = self._stream.isatty() and not raw
        if self.is_safe:
            self._show_safely(heat, bold)

    def __enter__(self) -> "Sink":
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.end_line()
        finally:
            if self._file:
                self._close(self._file)

    def write(self, text: str, bits: float | None = None) -> None:
        """Write text at once.

        Args:
            text: the next piece.
            bits: what it cost the model; None for a person's words.
        """
        if text:
            self.write_exactly(self._passage.push(text, bits))
            self._last = text[-1]

    def end_line(self) -> None:
        """End a text with a line end, unless it has one."""
        self.write_exactly(self._passage.finish())
        if self._last != "\n":
            self.write_exactly("\n")
            self._last = "\n"

    def write_exactly(self, text: str) -> None:
        """Write text that is no model's, or was made safe.

        Raises:
            BrokenPipeError: nobody reads any more.
            TextError: there is no room.
        """
        if not text:
            return
        try:
            self._stream.write(text)
            self._stream.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            self.failed = True
            raise cannot_write(self._name, error) from None

    def _close(self, file: TextIO) -> None:
        try:
            file.close()
        except OSError as error:
            raise cannot_write(self._name, error) from None

    def _show_safely(self, heat: bool, bold: bool) -> None:
        self._passage = _Safe()
        if heat or bold:
            from charnn.view.heat import heat_stream

            styled = heat_stream(self._stream, tinted=heat)
            if styled is not None:
                self._passage = styled
                self.tinted = styled.tinted


class _Exact:
    """Text as it is."""

    def push(self, text: str, bits: float | None) -> str:
        return text

    def finish(self) -> str:
        return ""


class _Safe:
    """Text as a terminal shows it safely."""

    def __init__(self) -> None:
        from charnn.view.display_text import SafeStream

        self._stream = SafeStream()

    def push(self, text: str, bits: float | None) -> str:
        return self._stream.push(text)

    def finish(self) -> str:
        return self._stream.finish()


def refuse_existing(output: str, advice: str) -> None:
    """Refuse to write where something is already.

    Args:
        output: a path.
        advice: what to do instead.

    Raises:
        OptionError: something is there.
    """
    if os.path.lexists(output):
        raise OptionError(f"{output} is there already and is not overwritten: {advice}")


def new_file(output: str, advice: str) -> TextIO:
    """A new file to write text to; never in the place of another.

    Args:
        output: its path.
        advice: what to do if there is one.

    Raises:
        OptionError: something is there.
        TextError: the file cannot be written.
    """
    refuse_existing(output, advice)
    try:
        return Path(output).open("x", encoding="utf-8", newline="")
    except OSError as error:
        raise TextError(f"cannot write {output}: {error.strerror}: {advice}") from None
    except ValueError:
        raise TextError(f"cannot write {output!r}: no file can be called so: {advice}") from None


def save_text(text: str, output: str, advice: str) -> None:
    """Write a text to a new file; where that fails there is none afterwards.

    Args:
        text: what to write.
        output: the path of the file.
        advice: what to do if there is one already, or it cannot be written.

    Raises:
        OptionError: something is there.
        TextError: the file cannot be written.
    """
    file = new_file(output, advice)
    try:
        with file:
            file.write(text)
    except OSError as error:
        with contextlib.suppress(OSError):
            Path(output).unlink()
        raise TextError(f"cannot write {output}: {error.strerror}: {advice}") from None


def cannot_write(name: str, error: OSError) -> TextError:
    """What to say if there is no room where text was being written.

    Args:
        name: of the file or stream.
        error: what the system said.
    """
    return TextError(f"cannot write {name}: {error.strerror}: make room, or write elsewhere")
