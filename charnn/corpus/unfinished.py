"""A preparation that was interrupted: what its folder says of it, and whether that can be believed.

The folder holds the tokenizer, the tokens so far, and unfinished.json: the key of the stream, which
stands for the whole text, its split and its tokenizer, and how far the tokens go. Nothing is waited
for to reach the disk: what a crash has torn does not have the checksum that stands there, and is
made anew. Whose the folder is, and how long it stays, is left to `scratch.py`.
"""

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from charnn._version import __version__
from charnn.corpus.plain import open_plain, read_plain
from charnn.corpus.scratch import UNFINISHED
from charnn.corpus.split import PARTS
from charnn.corpus.stream import MOST_BYTES, TOKENS, checksum_of, read_checked
from charnn.corpus.tokenizers import Tokenizer, load_tokenizer
from charnn.errors import CharnnError

_BLOCK_BYTES: Final = 1 << 22

Read = Callable[[int, int], None]
"""Told how many bytes of how many have been looked at."""


@dataclass(frozen=True, slots=True)
class Mark:
    """How far the tokens of a text are written.

    Attributes:
        chunks: how many chunks the encoder has given.
        length: bytes of the file of tokens.
        sha256: of them.
        counts: part -> tokens, characters and bytes in it.
    """

    chunks: int
    length: int
    sha256: str
    counts: dict[str, list[int]]

    @property
    def characters(self) -> int:
        """How many characters of the text are behind the mark."""
        return sum(count[1] for count in self.counts.values())


NOTHING: Final = Mark(0, 0, hashlib.sha256().hexdigest(), {name: [0, 0, 0] for name in PARTS})


def save_mark(folder: Path, key: str, tokenizer: Tokenizer, mark: Mark) -> None:
    """Say how far the tokens in a folder go.

    Raises:
        OSError: the system refused.
    """
    said: dict[str, Any] = {
        "charnn": __version__,
        "key": key,
        "tokenizer": tokenizer.fingerprint,
        **asdict(mark),
    }
    said["checksum"] = checksum_of(said)
    new = folder / f"{UNFINISHED}.new"
    new.write_text(json.dumps(said), encoding="utf-8")
    new.replace(folder / UNFINISHED)


def load_mark(
    folder: Path, key: str, read: Read | None = None
) -> tuple[Mark, Tokenizer, Any] | None:
    """How far the tokens in a folder go, what made them, and their SHA-256 so far.

    Args:
        folder: where somebody may have prepared a stream.
        key: of the stream that is wanted.
        read: told how far the tokens have been read.

    Returns:
        None if there is nothing that can be gone on with: another stream, or not what was written.
    """
    try:
        said = read_checked(read_plain(folder / UNFINISHED, MOST_BYTES).decode())
        mark = Mark(said["chunks"], said["length"], said["sha256"], said["counts"])
        if (said["charnn"], said["key"]) != (__version__, key) or not _makes_sense(mark):
            return None
        tokenizer = load_tokenizer(folder, read_plain)
        tokens = sum(tokens for tokens, _, _ in mark.counts.values())
        if tokenizer.fingerprint != said["tokenizer"]:
            return None
        if tokens * tokenizer.dtype.itemsize != mark.length:
            return None
        digest = _digest(folder / TOKENS, mark.length, read) if mark.length else hashlib.sha256()
    except (OSError, ValueError, KeyError, TypeError, AttributeError, CharnnError):
        return None
    return (mark, tokenizer, digest) if digest.hexdigest() == mark.sha256 else None


def _makes_sense(mark: Mark) -> bool:
    rows = list(mark.counts.values())
    numbers = [mark.chunks, mark.length, *(number for row in rows for number in row)]
    return (
        tuple(mark.counts) == PARTS
        and all(len(row) == 3 for row in rows)
        and all(type(number) is int and number >= 0 for number in numbers)
    )


def _digest(path: Path, length: int, read: Read | None) -> Any:
    """The SHA-256 of the first bytes of a file, to be gone on with.

    Raises:
        ValueError: it is no plain file, or is shorter.
    """
    digest, left = hashlib.sha256(), length
    with open_plain(path) as file:
        status = os.fstat(file.fileno())
        if status.st_nlink != 1 or status.st_size < length:
            raise ValueError("no file of tokens")
        while left and (block := file.read(min(left, _BLOCK_BYTES))):
            digest.update(block)
            left -= len(block)
            if read:
                read(length - left, length)
    return digest
