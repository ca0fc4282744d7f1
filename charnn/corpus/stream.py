"""Tokens on disk: a memory-mapped file with a description, shared by every run on the same text.

A stream is found again by what it is made of (content of the text, split, tokenizer), never by a
path. A stream that can be seen is complete. Making one is left to `preparing.py`, cutting it into
batches to `batches.py`.
"""

import hashlib
import json
import os
import reprlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from charnn.corpus.plain import open_plain, read_plain
from charnn.corpus.split import PARTS
from charnn.corpus.tokenizers import Tokenizer, load_tokenizer
from charnn.errors import CharnnError, StreamError
from charnn.text.reading import Survey

FORMAT: Final = 1
TOKENS: Final = "tokens.bin"
_DESCRIPTION: Final = "stream.json"
_DTYPES: Final = ("uint16", "uint32")
_BLOCK_BYTES: Final = 1 << 22
_MOST_COUNT: Final = 1 << 53
MOST_BYTES: Final = 1 << 16
"""Of a description; those that are written have about one thousand."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a stream.

    Attributes:
        start: index of its first token.
        stop: index behind its last token.
        characters: code points of the original text in it.
        bytes: their length in UTF-8.
    """

    start: int
    stop: int
    characters: int
    bytes: int


@dataclass(frozen=True)
class TokenStream:
    """A text as tokens.

    Attributes:
        folder: where it lies.
        key: what it is made of, as a hash; the folder's name.
        text_sha256: hash of the normalised text.
        characters: code points of the whole text.
        documents: how many documents it has.
        parts: "train", "validation" and "test" -> `Part`.
        tokens: all tokens, memory-mapped, read-only.
        tokenizer: what made them.
    """

    folder: Path
    key: str
    text_sha256: str
    characters: int
    documents: int
    parts: dict[str, Part]
    tokens: NDArray[np.integer]
    tokenizer: Tokenizer

    def part(self, name: str) -> NDArray[np.integer]:
        """The tokens of one part, memory-mapped."""
        part = self.parts[name]
        return self.tokens[part.start : part.stop]


def open_stream(folder: Path) -> TokenStream:
    """The stream in `folder`, checked against its description.

    Raises:
        StreamError: a file is missing, cut short, altered or of an unknown version.
    """
    try:
        description = read_checked(read_plain(folder / _DESCRIPTION, MOST_BYTES).decode())
        if description["format"] != FORMAT:
            raise StreamError(
                f"{folder} has stream format {description['format']!s:.40}, this charnn "
                f"reads {FORMAT}: delete the folder and it is made again from the text"
            )
        tokenizer = load_tokenizer(folder, read_plain)
        if tokenizer.fingerprint != description["tokenizer"]:
            raise StreamError(_damaged(folder, "its tokenizer is another one"))
        tokens = _map_tokens(folder / TOKENS, description["dtype"])
        parts = {name: _part(description["parts"][name], len(tokens)) for name in PARTS}
        _check_tokens(folder / TOKENS, tokens.dtype, tokenizer.vocab_size, description["sha256"])
        return TokenStream(
            folder=folder,
            key=str(description["key"]),
            text_sha256=str(description["text_sha256"]),
            characters=_count(description["characters"]),
            documents=_count(description["documents"]),
            parts=parts,
            tokens=tokens,
            tokenizer=tokenizer,
        )
    except StreamError:
        raise
    except (OSError, ValueError, KeyError, TypeError, CharnnError) as error:
        raise StreamError(_damaged(folder, str(error))) from None


def open_if_good(folder: Path) -> TokenStream | None:
    """The stream if it is there and whole; a damaged one is made again."""
    if not folder.is_dir():
        return None
    try:
        return open_stream(folder)
    except StreamError:
        return None


def describe_stream(
    folder: Path,
    key: str,
    survey: Survey,
    tokenizer: Tokenizer,
    parts: Mapping[str, Part],
    sha256: str,
) -> None:
    """Write the description beside the tokens.

    Args:
        folder: of the stream.
        key: what it is made of, as a hash.
        survey: of its text.
        tokenizer: what made the tokens.
        parts: where they lie.
        sha256: of the file of tokens.

    Raises:
        OSError: the system refused.
    """
    description: dict[str, Any] = {
        "format": FORMAT,
        "key": key,
        "text_sha256": survey.sha256,
        "characters": survey.characters,
        "bytes": survey.bytes,
        "documents": survey.documents,
        "tokenizer": tokenizer.fingerprint,
        "dtype": np.dtype(tokenizer.dtype).name,
        "sha256": sha256,
        "parts": {name: asdict(part) for name, part in parts.items()},
    }
    description["checksum"] = checksum_of(description)
    text = json.dumps(description, ensure_ascii=False, indent=1)
    (folder / _DESCRIPTION).write_text(text, encoding="utf-8")


def read_checked(text: str) -> dict[str, Any]:
    """A JSON object with its own checksum in it.

    Raises:
        ValueError: it is none, or was altered.
    """
    try:
        said = json.loads(text)
        if not isinstance(said, dict) or said.get("checksum") != checksum_of(said):
            raise ValueError("its description was altered")
    except RecursionError:
        raise ValueError("its description is nested too deeply") from None
    return said


def checksum_of(description: Mapping[str, Any]) -> str:
    """SHA-256 of all that a description says but the checksum itself."""
    said = {name: value for name, value in description.items() if name != "checksum"}
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def _map_tokens(path: Path, dtype: Any) -> NDArray[np.integer]:
    if dtype not in _DTYPES:
        raise ValueError(f"tokens of type {dtype!s:.40}")
    with open_plain(path) as file:
        if os.fstat(file.fileno()).st_size == 0:
            return np.empty(0, dtype=dtype)
        return np.memmap(file, dtype=dtype, mode="r")


def _part(said: Any, tokens: int) -> Part:
    """A part as it is described; ValueError where it is not one of so many tokens."""
    part = Part(*(_count(said[name]) for name in Part.__slots__))
    if not part.start <= part.stop <= tokens:
        raise ValueError(f"a part from token {part.start:,} to {part.stop:,} of {tokens:,}")
    return part


def _count(value: Any) -> int:
    if type(value) is not int or not 0 <= value < _MOST_COUNT:
        raise ValueError(f"{reprlib.repr(value)} is no count")
    return value


def _check_tokens(path: Path, dtype: np.dtype[Any], vocab_size: int, sha256: Any) -> None:
    """Refuse a file of tokens that is another one, or that no tokenizer of the size has made."""
    digest = hashlib.sha256()
    with open_plain(path) as file:
        block = bytearray(_BLOCK_BYTES)
        while count := file.readinto(block):  # type: ignore[attr-defined]
            digest.update(memoryview(block)[:count])
            tokens = np.frombuffer(block, dtype, count // dtype.itemsize)
            if len(tokens) and int(tokens.max()) >= vocab_size:
                raise ValueError(f"it has tokens that a vocabulary of {vocab_size:,} has not")
    if digest.hexdigest() != sha256:
        raise ValueError("its checksum does not match")


def _damaged(folder: Path, why: str) -> str:
    return f"{folder} is damaged ({why}): delete it and it is made again from the text"
