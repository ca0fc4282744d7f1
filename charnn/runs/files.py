"""Bytes from folders and files that nobody vouches for.

Every file of a run is read through here: links and odd files are refused, and no more memory is
taken than a file is long. A path into a run that is one file, such as
`novel.charnn/best/weights.safetensors`, is read like any other. What the bytes mean is left to
the modules beside this one, writing to storage.py.
"""

import contextlib
import hashlib
import io
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from charnn.corpus.plain import plain_descriptor
from charnn.errors import RunDamagedError, RunError
from charnn.runs.archive import SIGNATURE, Member, read_directory
from charnn.runs.layout import SLOTS
from charnn.runs.storage import BINARY, BLOCK_BYTES, NO_WAIT, Checksum

MAX_FILE_BYTES = 1 << 36
ALIGNMENT = 64  # bytes; a cache line, and the widest vector register


class Part(NamedTuple):
    """The bytes of a file of a run: a whole file on disk, or a part of one.

    Attributes:
        file: unbuffered, placed at the first of them.
        length: how many there are.
    """

    file: io.FileIO
    length: int


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


def open_plain(path: Path, flags: int = os.O_RDONLY) -> int:
    """A descriptor of an ordinary file; links, pipes and devices are refused unopened.

    Raises:
        RunDamagedError: it is missing, cannot be read, or is no plain file.
    """
    with reading(path):
        try:
            return plain_descriptor(path, flags)
        except ValueError:
            raise RunDamagedError(f"{path} is not a plain file") from None


@contextlib.contextmanager
def open_bytes(path: Path) -> Iterator[Part]:
    """The bytes of a file of a run, wherever they are.

    Raises:
        RunDamagedError: it is missing, cannot be read, or is no plain file.
    """
    archive = archive_of(path)
    if archive is None:
        with os.fdopen(open_plain(path), "rb", buffering=0) as file, reading(path):
            yield Part(file, os.fstat(file.fileno()).st_size)
        return
    with _open_archive(archive) as (file, members), reading(path):
        name = path.relative_to(archive).as_posix()
        if name not in members:
            raise RunDamagedError(f"{path} is missing")
        file.seek(members[name].start)
        yield Part(file, members[name].length)


@contextlib.contextmanager
def _open_archive(path: Path) -> Iterator[tuple[io.FileIO, dict[str, Member]]]:
    with reading(path):
        descriptor = os.open(path, os.O_RDONLY | NO_WAIT | BINARY)
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        with reading(path):
            members = read_directory(file, str(path))
        yield file, members


def archive_of(path: Path) -> Path | None:
    """The file that is a whole run and that the path leads into; None if it leads through folders.

    The path of the file itself leads into no file.
    """
    if os.path.lexists(path):
        return None
    for parent in list(path.parents)[:2]:
        with contextlib.suppress(OSError, ValueError):
            return parent if stat.S_ISREG(parent.stat().st_mode) else None
    return None


def is_archive(path: Path) -> bool:
    """Whether a path is that of a run in one file, as far as its first bytes tell."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return False
        with path.open("rb") as file:
            return file.read(len(SIGNATURE)) == SIGNATURE
    except (OSError, ValueError):
        return False


def members_of(archive: Path) -> dict[str, Member]:
    """What is in a run in one file, in order of the names.

    Raises:
        RunDamagedError: it cannot be read, or is none.
    """
    with _open_archive(archive) as (_, members):
        return members


def is_there(path: Path) -> bool:
    """Whether something is called so in a run, whatever it is."""
    if (archive := archive_of(path)) is None:
        return os.path.lexists(path)
    with contextlib.suppress(RunDamagedError):
        return path.relative_to(archive).as_posix() in members_of(archive)
    return True  # that it cannot be read shows when it is


def check_folder(path: Path) -> None:
    """Refuse what is not a folder of its own.

    Raises:
        RunDamagedError: it is missing, a link, or no folder.
    """
    if (archive := archive_of(path)) is not None:
        if path.name not in SLOTS or not _has_folder(archive, path.name):
            raise RunDamagedError(f"{path} is missing")
        return
    with reading(path):
        mode = path.lstat().st_mode
    if not stat.S_ISDIR(mode):
        raise RunDamagedError(f"{path} is not a folder of its own")


def _has_folder(archive: Path, folder: str) -> bool:
    return any(name.startswith(f"{folder}/") for name in members_of(archive))


def identity(folder: Path) -> tuple[int, int] | None:
    """What tells a folder from another one in its place; None if there is none."""
    archive = archive_of(folder)
    try:
        if archive is not None:
            check_folder(folder)
        status = (archive or folder).lstat()
    except (OSError, RunDamagedError):
        return None
    return status.st_ino, status.st_mtime_ns


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
    with open_bytes(path) as part:
        _check_length(path, part.length, limit, expected)
        data = bytearray(part.length)
        _fill(memoryview(data), part, path, expected)
    return data


def read_aligned(path: Path, limit: int, expected: Checksum | None = None) -> memoryview:
    """The same as `read_file`, in memory that begins at a multiple of ALIGNMENT."""
    with open_bytes(path) as part:
        _check_length(path, part.length, limit, expected)
        room = np.empty(part.length + ALIGNMENT - 1, np.uint8)
        skipped = -room.__array_interface__["data"][0] % ALIGNMENT
        view = room.data[skipped : skipped + part.length]
        _fill(view, part, path, expected)
    return view


def _fill(view: memoryview, part: Part, path: Path, expected: Checksum | None) -> None:
    rest = view
    while rest and (count := part.file.readinto(rest)):
        rest = rest[count:]
    if rest:
        raise RunDamagedError(f"{path} was cut short while it was read")
    if expected and hashlib.sha256(view).hexdigest() != expected.sha256:
        raise RunDamagedError(f"{path} was altered: its checksum differs from the manifest's")


def blocks_of(part: Part) -> Iterator[memoryview]:
    """The bytes block by block, each valid until the next is asked for; fewer if the file ends."""
    block, left = bytearray(min(BLOCK_BYTES, max(1, part.length))), part.length
    while left and (count := part.file.readinto(memoryview(block)[: min(left, len(block))])):
        left -= count
        yield memoryview(block)[:count]


def measure_file(path: Path, expected: Checksum | None = None) -> Checksum:
    """The checksum of a file, read block by block.

    Args:
        path: a plain file.
        expected: what it should be; a wrong length is refused before anything is read.

    Raises:
        RunDamagedError: missing, no plain file, or not what was expected.
    """
    digest, length = hashlib.sha256(), 0
    with open_bytes(path) as part:
        _check_length(path, part.length, MAX_FILE_BYTES, expected)
        for block in blocks_of(part):
            digest.update(block)
            length += len(block)
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
    return min(MAX_FILE_BYTES, machine_memory() // 2)


def machine_memory() -> int:
    """Bytes of memory that the machine has; as if it had much where it does not tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 2 * MAX_FILE_BYTES
