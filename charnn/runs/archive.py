"""A run in one file: a ZIP of uncompressed members, written in exactly one form and read strictly.

Any program for ZIP files opens it. This reader opens nothing but what could have been written
here: it takes names, lengths and CRCs out of the directory at the end, lays out what would be
written for them, and compares that with the file, byte for byte. So there is no place for two
members of one name, compressed bombs, links, foreign paths, gaps or overlaps. What the members
mean, and their SHA-256, are left to who reads a run.

Source: PKWARE, APPNOTE.TXT 6.3 (local file header, central directory, end record).
"""

import io
import struct
from collections.abc import Sequence
from typing import Final, NamedTuple

from charnn.errors import RunDamagedError
from charnn.runs.layout import SLOTS, check_file_name

SIGNATURE: Final = b"PK\x03\x04"
MAX_BYTES: Final = (1 << 32) - 2  # lengths and offsets are 32 bits, and all ones means "elsewhere"
MAX_MEMBERS: Final = 256

_LOCAL: Final = struct.Struct("<4s5H3L2H")
_CENTRAL: Final = struct.Struct("<4s6H3L5H2L")
_END: Final = struct.Struct("<4s4H2LH")
_VERSION: Final = 10  # of ZIP: nothing but storing
_MADE_BY: Final = 3 << 8 | 20  # Unix, so that the mode below is understood
_DATE: Final = 1 << 5 | 1  # 1 January 1980: the same run gives the same bytes
_PLAIN_FILE: Final = 0o100644 << 16
_MAX_NAME: Final = 80


class Entry(NamedTuple):
    """A member that is to be written: its name in the run's folder, its length and its CRC-32."""

    name: str
    length: int
    crc: int


class Member(NamedTuple):
    """Where in the file a member's bytes are."""

    start: int
    length: int
    crc: int


def lay_out(entries: Sequence[Entry]) -> tuple[list[bytes], bytes]:
    """What stands before each member, and the directory behind the last of them.

    Args:
        entries: in order of their names, each name once.

    Raises:
        OverflowError: they do not fit into such a file.
    """
    heads, directory, offset = [], bytearray(), 0
    for name, length, crc in entries:
        plain = name.encode("ascii")
        shared = (_VERSION, 0, 0, 0, _DATE, crc, length, length, len(plain), 0)
        heads.append(_LOCAL.pack(SIGNATURE, *shared) + plain)
        directory += _CENTRAL.pack(b"PK\x01\x02", _MADE_BY, *shared, 0, 0, 0, _PLAIN_FILE, offset)
        directory += plain
        offset += len(heads[-1]) + length
        if offset > MAX_BYTES or len(heads) > MAX_MEMBERS:
            raise OverflowError(f"{len(entries)} members of {offset:,} bytes")
    counts = (0, 0, len(heads), len(heads), len(directory), offset, 0)
    return heads, bytes(directory + _END.pack(b"PK\x05\x06", *counts))


def read_directory(file: io.RawIOBase, where: str) -> dict[str, Member]:
    """The members of a run in one file, in order of their names.

    Args:
        file: open for reading; left anywhere.
        where: what it is called in an error.

    Raises:
        RunDamagedError: it is cut short or altered, or another program has written it.
    """
    size = file.seek(0, io.SEEK_END)
    tail = _read_at(file, max(0, size - _END.size), _END.size)
    if len(tail) == _END.size and tail[:4] == b"PK\x05\x06":
        count, length, offset = struct.unpack_from("<8xH2L", tail, 2)
        most = count * (_CENTRAL.size + _MAX_NAME)
        if count <= MAX_MEMBERS and length <= most and offset + length + _END.size == size:
            entries = _entries(_read_at(file, offset, length), where)
            members = _members(file, entries, size)
            if members is not None:
                return members
    raise RunDamagedError(
        f"{where} is cut short, or not as 'charnn runs --export' writes it: take it from a copy"
    )


def _entries(directory: bytes, where: str) -> list[Entry]:
    """What the directory says, in as far as it can be made out; nothing is believed yet."""
    entries, position = [], 0
    while position + _CENTRAL.size <= len(directory):
        fields = _CENTRAL.unpack_from(directory, position)
        crc, length, name_length = fields[7], fields[8], fields[10]
        position += _CENTRAL.size
        name = directory[position : position + name_length].decode("ascii", "replace")
        entries.append(Entry(check_member_name(name, where), length, crc))
        position += name_length
    return entries


def check_member_name(name: str, where: str) -> str:
    """The name back, if it is that of a file in a run's folder or in one of its checkpoints.

    >>> check_member_name("best/weights.safetensors", "novel.charnn")
    'best/weights.safetensors'

    Raises:
        RunDamagedError: it is another path.
    """
    folder, slash, plain = name.rpartition("/")
    if slash and folder not in SLOTS:
        raise RunDamagedError(f"{where} names a file {name[:80]!r}, which no run has")
    check_file_name(plain, where)
    return name


def _members(file: io.RawIOBase, entries: list[Entry], size: int) -> dict[str, Member] | None:
    """Where the members are, if the file is what would be written for them."""
    names = [entry.name for entry in entries]
    if names != sorted(set(names)):
        return None
    try:
        heads, directory = lay_out(entries)
    except OverflowError:
        return None
    members, offset = {}, 0
    for entry, head in zip(entries, heads, strict=True):
        if _read_at(file, offset, len(head)) != head:
            return None
        members[entry.name] = Member(offset + len(head), entry.length, entry.crc)
        offset += len(head) + entry.length
    if offset + len(directory) != size or _read_at(file, offset, len(directory)) != directory:
        return None
    return members


def _read_at(file: io.RawIOBase, offset: int, length: int) -> bytes:
    """Bytes from a place on; fewer where the file ends."""
    file.seek(offset)
    data = bytearray()
    while len(data) < length and (block := file.read(length - len(data))):
        data += block
    return bytes(data)
