"""Bytes that outlive a power cut, and bytes from folders that nobody vouches for.

Everything a run folder is changed by goes through here: writing ends with the data on the disk,
reading refuses links and odd files, and never takes more memory than the file is long. What the
bytes mean is left to the modules beside this one.
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

from charnn.errors import RunDamagedError, RunError
from charnn.runs.layout import NEW

if sys.platform == "darwin":
    import fcntl

Buffer = bytes | bytearray | memoryview

BLOCK_BYTES = 1 << 22
MAX_FILE_BYTES = 1 << 36
# Zero where the system has no such flag (Windows).
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
_NO_WAIT = getattr(os, "O_NONBLOCK", 0)  # opening a FIFO would wait for ever
_BINARY = getattr(os, "O_BINARY", 0)
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


@contextlib.contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn an error of the system inside the block into a complaint about the file.

    Raises:
        RunDamagedError: the file is missing or cannot be read.
        RunError: there is not enough memory for it.
    """
    try:
        yield
    except (FileNotFoundError, NotADirectoryError):
        raise RunDamagedError(f"{path} is missing") from None
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise RunDamagedError(f"{path} cannot be read ({reason})") from error
    except MemoryError:
        raise RunError(f"{path} does not fit into memory: close other programs") from None


def write_file(path: Path, parts: Iterable[Buffer]) -> Checksum:
    """Write a file that was not there, and wait until the disk has it.

    Args:
        path: where; nothing may be there, not even a link.
        parts: the bytes, in any division.

    Raises:
        OSError: the system refused; a part of the file may be left.
    """
    digest, length = hashlib.sha256(), 0
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_FOLLOW | _BINARY
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


def replace_file(path: Path, data: bytes) -> Checksum:
    """Write a file so that a reader, or a crash, finds the old bytes or the new, never a mixture.

    Raises:
        RunError: the system refused; the old file is untouched.
    """
    new = path.with_name(path.name + NEW)
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
        descriptor = os.open(path, os.O_RDWR | _NO_FOLLOW | _NO_WAIT | _BINARY)
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


def check_folder(path: Path) -> None:
    """Refuse what is not a folder of its own.

    Raises:
        RunDamagedError: it is missing, a link, or no folder.
    """
    with reading(path):
        mode = path.lstat().st_mode
    if not stat.S_ISDIR(mode):
        raise RunDamagedError(f"{path} is not a folder of its own")


def open_plain(path: Path, flags: int = os.O_RDONLY) -> int:
    """A descriptor of an ordinary file; links, pipes and devices are refused unopened.

    Raises:
        RunDamagedError: it is missing, cannot be read, or is no plain file.
    """
    with reading(path):
        mode = path.lstat().st_mode
        if not stat.S_ISREG(mode):
            raise RunDamagedError(f"{path} is not a plain file")
        return os.open(path, flags | _NO_FOLLOW | _NO_WAIT | _BINARY)


def read_file(path: Path, limit: int, expected: Checksum | None = None) -> bytearray:
    """All bytes of a file, checked against what they should be.

    The bytes are read, not mapped: a mapped file that somebody cuts short ends the process.

    Args:
        path: a plain file.
        limit: most bytes to read.
        expected: length and checksum it should have.

    Raises:
        RunDamagedError: missing, too long, no plain file, or not what was expected.
        RunError: there is not enough memory for it.
    """
    with os.fdopen(open_plain(path), "rb", buffering=0) as file, reading(path):
        length = os.fstat(file.fileno()).st_size
        _check_length(path, length, limit, expected)
        data = bytearray(length)
        view = memoryview(data)
        while view and (count := file.readinto(view)):
            view = view[count:]
    if view:
        raise RunDamagedError(f"{path} was cut short while it was read")
    if expected and hashlib.sha256(data).hexdigest() != expected.sha256:
        raise RunDamagedError(f"{path} was altered: its checksum differs from the manifest's")
    return data


def measure_file(path: Path, expected: Checksum | None = None) -> Checksum:
    """The checksum of a file, read block by block.

    Args:
        path: a plain file.
        expected: what it should be; a wrong length is refused before anything is read.

    Raises:
        RunDamagedError: missing, no plain file, or not what was expected.
    """
    digest, length, block = hashlib.sha256(), 0, bytearray(BLOCK_BYTES)
    with os.fdopen(open_plain(path), "rb", buffering=0) as file, reading(path):
        _check_length(path, os.fstat(file.fileno()).st_size, MAX_FILE_BYTES, expected)
        while count := file.readinto(block):
            digest.update(memoryview(block)[:count])
            length += count
    found = Checksum(length, digest.hexdigest())
    if expected and found != expected:
        raise RunDamagedError(f"{path} was altered: its checksum differs from the manifest's")
    return found


def _check_length(path: Path, length: int, limit: int, expected: Checksum | None) -> None:
    if expected and length != expected.length:
        raise RunDamagedError(
            f"{path} was altered: it has {length:,} bytes, the manifest says {expected.length:,}"
        )
    if length > limit:
        raise RunDamagedError(f"{path} is too large: {length:,} bytes, at most {limit:,} are read")


def memory_limit() -> int:
    """The most bytes to read at once: half of what the machine has, if it tells."""
    try:
        machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return MAX_FILE_BYTES
    return min(MAX_FILE_BYTES, machine // 2)
