"""copies.safetensors: the index of a run's training text, made for it and found again.

"text" is the SHA-256 of the text, "checksum" that of the tables, "table.0" and so on are they.
Table 0 is of the run's own training text; those behind it of the texts of the runs it was begun
from. A run without the file, which is older or came without it, is indexed anew from its tokens
if they are still there.
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from charnn.corpus.stream import TokenStream
from charnn.errors import OptionError, RunDamagedError, RunError
from charnn.generation.copies import Bits, CopyIndex, index_tokens
from charnn.runs.files import is_there, memory_limit, read_file
from charnn.runs.run import Run
from charnn.runs.streams import kept_stream
from charnn.runs.tensors import decode_tensors

COPIES: Final = "copies.safetensors"


def copies_of(stream: TokenStream, init_from: Run | None = None) -> tuple[CopyIndex, str | None]:
    """The index for a run that begins, and what should be said about it.

    Args:
        stream: the tokens of the run's text; the training part counts.
        init_from: the run that this one begins from: it may remember that text too.
    """
    own = index_tokens(stream.part("train"), stream.tokenizer, stream.parts["train"].characters)
    if init_from is None:
        return CopyIndex([own]), None
    try:
        return CopyIndex([own, *load_copies(init_from).tables]), None
    except (OptionError, RunError):
        note = f"max-copy will not know what run {init_from.name} was trained on: it has no index"
        return CopyIndex([own]), note


def copies_arrays(copies: CopyIndex, text_sha256: str) -> dict[str, NDArray[Any]]:
    """What the file holds.

    Args:
        copies: the index.
        text_sha256: of the run's text, as its config.json tells it.
    """
    return {
        "text": _digits(text_sha256),
        "checksum": _digits(_checksum(text_sha256, copies.tables)),
        **{f"table.{number}": table for number, table in enumerate(copies.tables)},
    }


def load_copies(run: Run) -> CopyIndex:
    """The index of a run's training text; made from its tokens where it is not kept.

    Raises:
        OptionError: there is neither an index nor the tokens.
        RunDamagedError: the index was altered or is that of another run.
    """
    path = run.path / COPIES
    corpus = run.config().corpus
    if is_there(path):
        return _read(path, str(corpus.get("sha256")))
    stream = _kept_stream(run, corpus)
    if stream is None:
        raise OptionError(
            f"max_copy needs to know the training text, and run {run.name} has neither "
            f"{COPIES} nor its tokens any more: leave max_copy out, or train again"
        )
    return copies_of(stream)[0]


def _read(path: Path, text_sha256: str) -> CopyIndex:
    arrays = decode_tensors(read_file(path, memory_limit()), str(path))
    names = [f"table.{number}" for number in range(len(arrays) - 2)]
    if set(arrays) != {"text", "checksum", *names} or not names:
        raise RunDamagedError(f"{path} is damaged: it is no index of copies; delete it")
    tables = [arrays[name] for name in names]
    if any(array.dtype != np.uint8 or array.ndim != 1 for array in arrays.values()) or not all(
        0 < len(table) <= 1 << 29 for table in tables
    ):
        raise RunDamagedError(f"{path} is damaged: it is no index of copies; delete it")
    if arrays["text"].tobytes().hex() != text_sha256:
        raise RunDamagedError(
            f"{path} belongs to another run: restore it from a copy, or delete it"
        )
    if arrays["checksum"].tobytes().hex() != _checksum(text_sha256, tables):
        raise RunDamagedError(f"{path} was altered: restore it from a copy, or delete it")
    return CopyIndex(tables)


def _kept_stream(run: Run, corpus: Mapping[str, Any]) -> TokenStream | None:
    """The tokens of a run; None if they are gone, damaged or of another text."""
    stream = kept_stream(run.path.parent, str(corpus.get("stream")))
    if stream is None or stream.text_sha256 != corpus.get("sha256"):
        return None
    return stream


def _checksum(text_sha256: str, tables: Sequence[Bits]) -> str:
    digest = hashlib.sha256(text_sha256.encode())
    for table in tables:
        digest.update(len(table).to_bytes(8, "little"))
        digest.update(table.data)
    return digest.hexdigest()


def _digits(sha256: str) -> Bits:
    return np.frombuffer(bytes.fromhex(sha256), dtype=np.uint8)
