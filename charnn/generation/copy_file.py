"""copies.safetensors: the index of a run's training text, made for it and found again.

"text" is the SHA-256 of the text, "checksum" that of the tables, "table.0" and so on are they.
Table 0 is of the run's own training text; those behind it of the texts of the runs it was begun
from. A long text is not indexed when it is trained on, for that takes time from the training: a run
without the file is indexed from its tokens when somebody asks for it, if they are still there, and
keeps the file from then on.
"""

import contextlib
import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from charnn.corpus.stream import TokenStream
from charnn.errors import OptionError, RunDamagedError, RunError
from charnn.generation.copies import Bits, CopyIndex, index_tokens
from charnn.records import Preparing
from charnn.runs.files import is_there, memory_limit, read_file
from charnn.runs.run import Run
from charnn.runs.storage import replace_file
from charnn.runs.streams import STREAM_KEY, STREAMS, kept_stream
from charnn.runs.tensors import decode_tensors, encode_tensors
from charnn.text.files import shown_path

COPIES: Final = "copies.safetensors"
INDEXED_AT_ONCE: Final = 20_000_000
"""Characters of a training part that are indexed when training begins, in a second at most."""

Progress = Callable[[Preparing], None]


def copies_of(
    stream: TokenStream, init_from: Run | None = None, progress: Progress | None = None
) -> tuple[CopyIndex | None, str | None]:
    """The index for a run that begins, and what should be said about it.

    Args:
        stream: the tokens of the run's text; the training part counts.
        init_from: the run that this one begins from: it may remember that text too.
        progress: told how far the reading is.

    Returns:
        None for the index where it can wait until somebody asks for it, and None where nothing
        need be said.
    """
    if init_from is None:
        wait = stream.parts["train"].characters > INDEXED_AT_ONCE
        return None if wait else CopyIndex([_table_of(stream, progress)]), None
    own, name = _table_of(stream, progress), init_from.name
    unknown = "max-copy will not know what"
    try:
        inherited = load_copies(init_from, progress).tables
    except (OptionError, RunError):
        return CopyIndex([own]), f"{unknown} run {name} was trained on: it has no index"
    copies = CopyIndex([own, *inherited])
    if init_from.config().begun_from is not None and len(inherited) == 1:
        return copies, f"{unknown} the run was trained on that {name} was begun from"
    return copies, None


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


def load_copies(run: Run, progress: Progress | None = None) -> CopyIndex:
    """The index of a run's training text; made from its tokens where it is not kept, and kept.

    Args:
        run: the run.
        progress: told how far the reading of the text is, where that must be done.

    Raises:
        OptionError: there is neither an index nor the tokens, or a text before them counts too.
        RunDamagedError: the index was altered or is that of another run.
    """
    path, config = run.path / COPIES, run.config()
    corpus = config.corpus
    if is_there(path):
        return _read(path, str(corpus.get("sha256")))
    if (before := config.begun_from) is not None:
        raise OptionError(
            f"max_copy needs to know all that run {run.name} has learned from: {COPIES} is gone, "
            f"which knew what run {shown_path(before)} was trained on: leave max_copy out"
        )
    stream = _kept_stream(run, corpus)
    if stream is None:
        raise OptionError(
            f"max_copy needs to know the training text, and run {run.name} has neither "
            f"{COPIES} nor its tokens any more: leave max_copy out, or train again"
        )
    copies = CopyIndex([_table_of(stream, progress)])
    if run.path.is_dir():
        with contextlib.suppress(RunError):  # it is as good without being kept
            arrays = copies_arrays(copies, stream.text_sha256)
            replace_file(path, b"".join(encode_tensors(arrays)), by_many=True)
    return copies


def waits_for_copies(run: Run) -> bool:
    """Whether `load_copies` would first have to read the whole training text.

    Raises:
        RunError: the run cannot be read.
    """
    config = run.config()
    key = str(config.corpus.get("stream"))
    folder = run.path.parent / STREAMS / key
    if is_there(run.path / COPIES) or config.begun_from is not None:
        return False
    return bool(STREAM_KEY.fullmatch(key)) and folder.is_dir()


def _table_of(stream: TokenStream, progress: Progress | None) -> Bits:
    tokens = stream.part("train")

    def report(read: int) -> None:
        if progress is not None:
            progress(Preparing("indexing the text for --max-copy", read, len(tokens), "tokens"))

    characters = stream.parts["train"].characters
    return index_tokens(tokens, stream.tokenizer, characters, report)


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
