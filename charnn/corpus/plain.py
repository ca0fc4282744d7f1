"""Files beside a run that may be anybody's: opened only where they are plain, read with a limit.

The tokens of a text lie beside the runs that share them, and may come with a stranger's. The files
of the runs themselves are read by runs/files.py, which opens them with this and says what is wrong.
"""

import os
import stat
from pathlib import Path
from typing import BinaryIO, Final

# Zero where the system has no such flag (Windows).
_FLAGS: Final = (
    getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)  # opening a FIFO would wait for ever
    | getattr(os, "O_BINARY", 0)
)


def plain_descriptor(path: Path, flags: int = os.O_RDONLY) -> int:
    """A descriptor of a plain file; a link is not followed and nothing is waited for.

    Raises:
        OSError: it is not there, became a link, or the system refused.
        ValueError: it is no plain file.
    """
    if not stat.S_ISREG(path.lstat().st_mode):
        raise ValueError(f"{path.name} is no plain file")
    descriptor = os.open(path, flags | _FLAGS)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ValueError(f"{path.name} is no plain file")
    return descriptor


def open_plain(path: Path) -> BinaryIO:
    """A plain file to read, unbuffered; see `plain_descriptor`."""
    return os.fdopen(plain_descriptor(path), "rb", buffering=0)


def read_plain(path: Path, most: int) -> bytes:
    """All of a short file.

    Raises:
        OSError: it is not there, is a link, or the system refused.
        ValueError: it is no plain file, or is longer than `most` bytes.
    """
    with open_plain(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > most:
            raise ValueError(f"{path.name} has {size:,} bytes, at most {most:,} are read")
        parts = []
        while most > 0 and (part := file.read(most)):
            parts.append(part)
            most -= len(part)
    return b"".join(parts)
