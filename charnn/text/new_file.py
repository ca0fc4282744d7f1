"""A file that appears whole or not at all, and never in the place of another."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from charnn.errors import OptionError, TextError
from charnn.text.files import shown_path


def refuse_existing(path: Path) -> None:
    """Raise if something is at a path, even a link that leads nowhere.

    Raises:
        OptionError: it is.
    """
    if os.path.lexists(path):
        raise _taken(path)


def refuse_no_room(path: Path) -> None:
    """Raise if the folder of a path takes no new file; nothing is left in it.

    Raises:
        TextError: it does not.
    """
    try:
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise _unwritable(path, error) from None


def make_folder(path: Path) -> None:
    """Make a folder, unless it is there.

    Raises:
        TextError: it cannot be made.
    """
    try:
        path.mkdir(exist_ok=True)
    except OSError as error:
        raise _unwritable(path, error) from None


@contextlib.contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """A file to write to, that stands at the path when the block ends without an error.

    Raises:
        OptionError: something is there already; it is left as it is, whenever it came.
        TextError: the file cannot be written.
    """
    refuse_existing(path)
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name[:50]}.", dir=path.parent)
    except OSError as error:
        raise _unwritable(path, error) from None
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            yield stream
            _finish(stream)
        _put(temporary, path)
    except OSError as error:
        raise _unwritable(path, error) from None
    finally:
        temporary.unlink(missing_ok=True)


def _finish(stream: BinaryIO) -> None:
    """Wait until the disk has it, with the permissions of any new file."""
    stream.flush()
    os.fsync(stream.fileno())
    if hasattr(os, "fchmod"):
        mask = os.umask(0)
        os.umask(mask)
        os.fchmod(stream.fileno(), 0o666 & ~mask)


def _put(temporary: Path, path: Path) -> None:
    """Give the finished file its name, unless another has taken it meanwhile."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise _taken(path) from None
    except OSError:  # no hard links here, as on FAT: not quite whole-or-nothing, still exclusive
        with path.open("xb") as stream, temporary.open("rb") as source:
            while block := source.read(1 << 20):
                stream.write(block)


def _taken(path: Path) -> OptionError:
    return OptionError(
        f"{shown_path(path)} is there already and is not overwritten: name another -o"
    )


def _unwritable(path: Path, error: OSError) -> TextError:
    return TextError(
        f"{shown_path(path)} cannot be written ({error.strerror}): check the folder and the disk"
    )
