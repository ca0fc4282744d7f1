"""Temporary copies of stdin and pipes, which can be read only once but are needed more often."""

import contextlib
import os
import select
import sys
import tempfile
import weakref
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import BinaryIO, Final

from charnn.errors import TextError
from charnn.text.encodings import HEAD_BYTES, NULS_ALLOWED, refuse_binary
from charnn.text.files import STDIN, TextFile, unreadable

ANY_ENCODING: Final = "utf-16"  # before it is known: NULs are no reason to refuse a text
_BLOCK_BYTES: Final = 1 << 20
_OPEN_FILES: Final = "/proc/self/fd"  # of Linux: opening one of these begins at its beginning
_PATIENCE: Final = 0.2  # seconds; a signal that comes just before a read blocks waits so long

Progress = Callable[[int, int | None], None]


class Copy:
    """A temporary file; where the system can open it again without a name it never has one.

    So nothing is left of it when the process is killed. Elsewhere it has one until it is removed.

    Attributes:
        path: where to read it, as often as wanted.

    Raises:
        OSError: the system refused.
    """

    def __init__(self) -> None:
        handle, name = tempfile.mkstemp(prefix="charnn-", suffix=".txt")
        self.path, self._named = Path(name), True
        self.file = os.fdopen(handle, "wb")
        nameless = Path(_OPEN_FILES, str(handle))
        if nameless.exists():
            self.path.unlink()
            self.path, self._named = nameless, False

    def remove(self) -> None:
        """Remove it; may be called again."""
        with contextlib.suppress(OSError):
            self.file.close()
        if self._named:
            self.path.unlink(missing_ok=True)
            self._named = False


class Copies:
    """Where to read each file: in its place, or in a copy that vanishes with this object."""

    def __init__(self, stdin: BinaryIO | None) -> None:
        self._stdin = stdin
        self._copies: dict[TextFile, Copy] = {}
        # Not __del__: a finalizer also runs when the program ends by an exception.
        self._remove = weakref.finalize(self, _remove, self._copies)

    @property
    def closed(self) -> bool:
        """Whether the copies are gone."""
        return not self._remove.alive

    def close(self) -> None:
        """Remove the copies; may be called again."""
        self._remove()

    def make(
        self,
        files: Iterable[TextFile],
        encoding: str,
        progress: Progress | None,
        nuls_allowed: float = NULS_ALLOWED,
    ) -> None:
        """Copy what can be read only once and is not copied yet.

        Args:
            files: those that do not need it are passed over.
            encoding: what they will be read with.
            progress: called with the bytes copied so far and None.
            nuls_allowed: as for `refuse_binary`.

        Raises:
            TextError: one of them is no text, or the copy cannot be written.
        """
        for file in files:
            if file.reads_once and file not in self._copies:
                with self._open(file) as stream:
                    copy = spool(stream, file.shown, encoding, progress, nuls_allowed)
                    self._copies[file] = copy

    def path(self, file: TextFile) -> Path:
        """Where to read a file, as often as wanted."""
        copy = self._copies.get(file)
        return file.path if copy is None else copy.path

    def size(self, file: TextFile) -> int:
        """How many bytes there are to read in a file that is in its place or copied."""
        return self.path(file).stat().st_size if file.size is None else file.size

    def _open(self, file: TextFile) -> AbstractContextManager[BinaryIO]:
        if file != STDIN:
            try:
                return file.path.open("rb")
            except OSError as error:
                raise unreadable(file.shown, error) from None
        stdin = self._stdin or getattr(sys.stdin, "buffer", None)
        if stdin is None:
            raise TextError("stdin is closed: name a file instead of -")
        return nullcontext(stdin)


def spool(
    stream: BinaryIO,
    shown: str,
    encoding: str,
    progress: Progress | None = None,
    nuls_allowed: float = NULS_ALLOWED,
) -> Copy:
    """Copy a stream to a temporary file, which comes out.

    Args:
        stream: read to its end.
        shown: what to call it in errors.
        encoding: what it will be read with.
        progress: called with the bytes copied so far and None.
        nuls_allowed: as for `refuse_binary`.

    Raises:
        TextError: it is no text, or the copy cannot be written.
    """
    try:
        return _copy(
            stream, lambda head: refuse_binary(shown, head, encoding, nuls_allowed), progress
        )
    except OSError as error:
        raise TextError(
            f"{shown} cannot be copied to a temporary file ({error.strerror}): "
            "make room for it, or name another folder with TMPDIR"
        ) from None


def _copy(stream: BinaryIO, check: Callable[[bytes], None], progress: Progress | None) -> Copy:
    """The copy, whole; if anything goes wrong, there is none."""
    copy = Copy()
    try:
        while block := _read(stream):
            if copy.file.tell() == 0:  # an endless /dev/zero must not fill the disk
                check(block[:HEAD_BYTES])
            copy.file.write(block)
            if progress:
                progress(copy.file.tell(), None)
        copy.file.flush()
    except BaseException:
        copy.remove()
        raise
    return copy


def _read(stream: BinaryIO) -> bytes:
    """What comes next; b"" at the end.

    A read that waits for data would not heed a signal that came just before it, so it is only
    begun when there is something to read.
    """
    if os.name == "posix" and (descriptor := _descriptor(stream)) is not None:
        while not select.select([descriptor], [], [], _PATIENCE)[0]:
            pass  # signals are heeded here
        at_once: Callable[[int], bytes] = getattr(stream, "read1", stream.read)
        return at_once(_BLOCK_BYTES)
    return stream.read(_BLOCK_BYTES)


def _descriptor(stream: BinaryIO) -> int | None:
    try:
        return stream.fileno()
    except (AttributeError, OSError, ValueError):  # no file at all, such as io.BytesIO
        return None


def _remove(copies: dict[TextFile, Copy]) -> None:
    for copy in copies.values():
        copy.remove()
    copies.clear()
