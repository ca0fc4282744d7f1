"""Bytes that outlive a power cut.

Everything a run folder is changed by goes through here: writing ends with the data on the disk.
Reading is left to files.py, what the bytes mean to the modules beside this one.
"""

import contextlib
import errno
import hashlib
import os
import shutil
import stat
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from charnn.errors import RunError
from charnn.runs.layout import NEW, OLD

if sys.platform == "darwin":
    import fcntl

Buffer = bytes | bytearray | memoryview

BLOCK_BYTES = 1 << 22
# Zero where the system has no such flag (Windows).
NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
NO_WAIT = getattr(os, "O_NONBLOCK", 0)  # opening a FIFO would wait for ever
BINARY = getattr(os, "O_BINARY", 0)
_REMEDIES = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some space",
    errno.EROFS: "make the disk writable",
    errno.EACCES: "check the permissions of the folder",
    errno.EPERM: "check the permissions of the folder",
    errno.ENOLCK: "move the run to a disk where files can be locked",
    errno.ENOENT: "put the folder back where it was",
}


@dataclass(frozen=True, slots=True)
class Checksum:
    """What tells whether bytes are the ones that were written.

    Attributes:
        length: how many bytes.
        sha256: their SHA-256, 64 lower-case hexadecimal digits.
    """

    length: int
    sha256: str


EMPTY = Checksum(0, hashlib.sha256().hexdigest())


@contextlib.contextmanager
def writing(what: str) -> Iterator[None]:
    """Turn an error of the system inside the block into one for people.

    Raises:
        RunError: the system refused; the OSError is its cause.
    """
    try:
        yield
    except OSError as error:
        remedy = _REMEDIES.get(error.errno or 0, "check the disk")
        reason = error.strerror or type(error).__name__
        raise RunError(f"{what} cannot be written ({reason}): {remedy}") from error


def write_file(path: Path, parts: Iterable[Buffer]) -> Checksum:
    """Write a file that was not there, and wait until the disk has it.

    Args:
        path: where; nothing may be there, not even a link.
        parts: the bytes, in any division.

    Raises:
        OSError: the system refused; a part of the file may be left.
    """
    digest, length = hashlib.sha256(), 0
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | NO_FOLLOW | BINARY
    descriptor = os.open(path, flags, 0o666)
    try:
        for part in parts:
            view = memoryview(part)
            for start in range(0, len(view), BLOCK_BYTES):
                block = view[start : start + BLOCK_BYTES]
                digest.update(block)
                write_all(descriptor, block)
            length += len(view)
        flush(descriptor)
    finally:
        os.close(descriptor)
    return Checksum(length, digest.hexdigest())


def write_all(descriptor: int, data: Buffer) -> None:
    """Write every byte, in as many calls as the system wants."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def replace_file(path: Path, data: bytes, *, by_many: bool = False) -> Checksum:
    """Write a file so that a reader, or a crash, finds the old bytes or the new, never a mixture.

    Args:
        path: where.
        data: all of it.
        by_many: whether other processes may be writing it too, for nobody has the folder locked.

    Raises:
        RunError: the system refused; the old file is untouched.
    """
    new = path.with_name(f"{path.name}.{os.getpid()}{NEW}" if by_many else path.name + NEW)
    with writing(str(path)):
        try:
            remove(new)
            checksum = write_file(new, [data])
            new.replace(path)
            flush_folder(path.parent)
        except OSError:
            with contextlib.suppress(OSError):
                remove(new)
            raise
    return checksum


def flush(descriptor: int) -> None:
    """Wait until the disk itself has what was written."""
    os.fsync(descriptor)
    if sys.platform == "darwin":
        # fsync there stops at the drive's cache; not every file system knows the stronger call.
        with contextlib.suppress(OSError):
            fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)


def flush_file(path: Path) -> None:
    """Wait until the disk has a file that somebody else has written, if it is there."""
    with contextlib.suppress(FileNotFoundError):
        descriptor = os.open(path, os.O_RDWR | NO_FOLLOW | NO_WAIT | BINARY)
        try:
            flush(descriptor)
        finally:
            os.close(descriptor)


def flush_folder(path: Path) -> None:
    """Wait until the disk knows the folder's names; nothing where a system has no such call."""
    if os.name == "nt":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        flush(descriptor)
    except OSError as error:
        # Some network and FUSE file systems flush files but refuse folders.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


def remove_whole(path: Path) -> None:
    """Remove what `remove` does, so that a crash leaves all of it or nothing that is called so."""
    old = path.with_name(path.name + OLD)
    remove(old)
    if os.path.lexists(path):
        path.rename(old)
        remove(old)


def remove(path: Path) -> None:
    """Remove a file, a link (not what it points to) or a folder; nothing if it is not there."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if stat.S_ISDIR(mode):
        shutil.rmtree(path)
    else:
        path.unlink()
