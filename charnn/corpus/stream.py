"""Tokens on disk: a memory-mapped file with a description, shared by every run on the same text.

A stream is found again by what it is made of (content of the text, split, tokenizer), never by a
path. It is written beside its place and moved there whole, so a stream that can be seen is
complete. Cutting it into batches is left to `batches.py`.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from charnn.corpus.scratch import ScratchFolder
from charnn.corpus.split import PARTS, Split, split_pieces, split_text
from charnn.corpus.tokenizers import (
    Tokenizer,
    load_tokenizer,
    save_tokenizer,
    train_tokenizer,
)
from charnn.errors import CharnnError, StreamError, TextError
from charnn.records import Preparing
from charnn.text.reading import Survey, TextSource

FORMAT = 1
_DESCRIPTION = "stream.json"
_TOKENS = "tokens.bin"

Progress = Callable[[Preparing], None]


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


def prepare_stream(
    source: TextSource,
    cache: Path,
    *,
    kind: str = "char",
    vocab_size: int | None = None,
    tokenizer: Tokenizer | None = None,
    validation_fraction: float | None = None,
    test_fraction: float = 0.0,
    progress: Progress | None = None,
    refuse: Callable[[str], None] | None = None,
) -> tuple[TokenStream, tuple[str, ...]]:
    """Turn a text into a token stream, or find the one that was made of the same text before.

    Args:
        source: the text.
        cache: folder of streams; made if it is not there.
        kind: tokenizer to train on the training part: "char", "jamo", "byte" or "subword".
        vocab_size: its largest vocabulary; None leaves it to the tokenizer.
        tokenizer: use this one instead of training one.
        validation_fraction: see `split_text`.
        test_fraction: see `split_text`.
        progress: told how far slow steps are.
        refuse: told the SHA-256 of the text before anything is written; may raise an error.

    Returns:
        The stream, and what was met while reading, a line each.

    Raises:
        TextError: the text is too short to have a training and a validation part, or it changed
            while it was read.
        OptionError: a fraction is outside its range.
        StreamError: the stream cannot be written.
    """
    report = progress or _ignore
    survey = source.survey(lambda done, total: report(Preparing("reading", done, total, "bytes")))
    if refuse:
        refuse(survey.sha256)
    split = split_text(survey.characters, validation_fraction, test_fraction)
    _check_length(survey, split, validation_fraction)
    made_by = tokenizer.fingerprint if tokenizer else f"{kind} {vocab_size}"
    key = _key(survey, split, made_by)
    if (found := _open_if_good(cache / key)) is not None:
        return found, survey.notes
    trained = tokenizer or _train(source, split, kind, vocab_size, report)
    writer = _StreamWriter(cache, key, trained, report, survey.characters)
    with closing(writer):
        parts = writer.write(split_pieces(source.pieces(), split))
        if sum(part.characters for part in parts.values()) != survey.characters:
            raise TextError(f"{source.name} changed while it was read: start again")
        writer.finish(parts, survey)
    return open_stream(cache / key), survey.notes


def open_stream(folder: Path) -> TokenStream:
    """The stream in `folder`, checked against its description.

    Raises:
        StreamError: a file is missing, cut short, altered or of an unknown version.
    """
    try:
        description = _read_description(folder)
        if description["format"] != FORMAT:
            raise StreamError(
                f"{folder} has stream format {description['format']}, this charnn reads {FORMAT}: "
                "delete the folder and it is made again from the text"
            )
        tokenizer = load_tokenizer(folder)
        if tokenizer.fingerprint != description["tokenizer"]:
            raise StreamError(_damaged(folder, "its tokenizer is another one"))
        tokens = _map_tokens(folder / _TOKENS, np.dtype(description["dtype"]))
        parts = {name: Part(**description["parts"][name]) for name in PARTS}
        if _digest(folder / _TOKENS) != description["sha256"]:
            raise StreamError(_damaged(folder, "its checksum does not match"))
        return TokenStream(
            folder=folder,
            key=str(description["key"]),
            text_sha256=str(description["text_sha256"]),
            characters=int(description["characters"]),
            documents=int(description["documents"]),
            parts=parts,
            tokens=tokens,
            tokenizer=tokenizer,
        )
    except StreamError:
        raise
    except (OSError, ValueError, KeyError, TypeError, CharnnError) as error:
        raise StreamError(_damaged(folder, str(error))) from None


def encode_source(source: TextSource, tokenizer: Tokenizer) -> Iterator[NDArray[np.integer]]:
    """A text as tokens, chunk by chunk, with a boundary between documents; nothing is stored."""
    whole = Split(train=2**63, validation=0, test=0)
    for _, tokens in _encode(split_pieces(source.pieces(), whole), tokenizer):
        yield tokens


def _encode(
    pieces: Iterable[tuple[str, int, str]], tokenizer: Tokenizer
) -> Iterator[tuple[str, NDArray[np.integer]]]:
    """Part name and tokens, chunk by chunk: each document of each part is encoded by itself."""
    boundary = np.array([tokenizer.boundary], dtype=tokenizer.dtype)
    for (part, _, is_text), group in groupby(pieces, key=lambda p: (p[0], p[1], bool(p[2]))):
        if not is_text:
            for _ in group:
                yield part, boundary
            continue
        for tokens in tokenizer.encode_pieces(text for _, _, text in group):
            yield part, tokens


def _train(
    source: TextSource, split: Split, kind: str, vocab_size: int | None, report: Progress
) -> Tokenizer:
    """A tokenizer trained on the training part alone."""

    def training_texts() -> Iterator[str]:
        left = split.train
        for text, _ in source.pieces():
            yield text[:left]
            left -= len(text[:left])
            report(Preparing(f"learning the {kind} vocabulary", split.train - left, split.train))
            if left == 0:
                return

    return train_tokenizer(kind, training_texts, vocab_size=vocab_size)


class _StreamWriter:
    """Writes a stream beside its place and moves it there when it is whole."""

    def __init__(
        self, cache: Path, key: str, tokenizer: Tokenizer, report: Progress, characters: int
    ) -> None:
        self._target = cache / key
        self._tokenizer = tokenizer
        self._report = report
        self._characters = characters
        try:
            self._scratch = ScratchFolder(cache, key)
        except OSError as error:
            raise StreamError(f"cannot write tokens to {cache}: {error.strerror}") from None
        self._folder = self._scratch.path
        self._sha256 = hashlib.sha256()

    def write(self, pieces: Iterable[tuple[str, int, str]]) -> dict[str, Part]:
        counts = {name: np.zeros(3, dtype=np.int64) for name in PARTS}
        try:
            with (self._folder / _TOKENS).open("wb") as file:
                for part, tokens in _encode(pieces, self._tokenizer):
                    self._append(file, tokens)
                    counts[part] += self._count(tokens)
                    done = int(sum(count[1] for count in counts.values()))
                    self._report(Preparing("tokenising", done, self._characters))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise StreamError(f"cannot write {self._folder}: {error.strerror}") from None
        return _lay_out(counts)

    def finish(self, parts: dict[str, Part], survey: Survey) -> None:
        description = {
            "format": FORMAT,
            "key": self._target.name,
            "text_sha256": survey.sha256,
            "characters": survey.characters,
            "bytes": survey.bytes,
            "documents": survey.documents,
            "tokenizer": self._tokenizer.fingerprint,
            "dtype": np.dtype(self._tokenizer.dtype).name,
            "sha256": self._sha256.hexdigest(),
            "parts": {name: asdict(part) for name, part in parts.items()},
        }
        description["checksum"] = _checksum(description)
        try:
            save_tokenizer(self._tokenizer, self._folder)
            text = json.dumps(description, ensure_ascii=False, indent=1)
            (self._folder / _DESCRIPTION).write_text(text, encoding="utf-8")
            if _open_if_good(self._target) is not None:
                return  # another process was faster, and somebody may be reading what it made
            if self._target.exists():
                shutil.rmtree(self._target)
            self._folder.rename(self._target)
        except OSError as error:
            raise StreamError(f"cannot write {self._target}: {error.strerror}") from None

    def close(self) -> None:
        self._scratch.close()

    def _append(self, file: BinaryIO, tokens: NDArray[np.integer]) -> None:
        data = np.ascontiguousarray(tokens, dtype=self._tokenizer.dtype).data.cast("B")
        file.write(data)
        self._sha256.update(data)

    def _count(self, tokens: NDArray[np.integer]) -> NDArray[np.int64]:
        """Tokens, characters and bytes."""
        tokenizer = self._tokenizer
        characters = tokenizer.token_characters[tokens].sum(dtype=np.int64)
        size = tokenizer.token_bytes[tokens].sum(dtype=np.int64)
        return np.array([len(tokens), characters, size], dtype=np.int64)


def _lay_out(counts: dict[str, NDArray[np.int64]]) -> dict[str, Part]:
    parts, start = {}, 0
    for name in PARTS:
        tokens, characters, size = (int(count) for count in counts[name])
        parts[name] = Part(start, start + tokens, characters, size)
        start += tokens
    return parts


def _check_length(survey: Survey, split: Split, validation_fraction: float | None) -> None:
    wants_validation = validation_fraction is None or validation_fraction > 0
    if split.train < 2 or (wants_validation and split.validation < 1):
        raise TextError(
            f"the text has {survey.characters} characters, too few to split into a training and "
            "a validation part: use a longer text or --val-fraction 0"
        )


def _key(survey: Survey, split: Split, made_by: str) -> str:
    content = [FORMAT, survey.sha256, split.train, split.validation, split.test, made_by]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:32]


def _open_if_good(folder: Path) -> TokenStream | None:
    """The stream if it is there and whole; a damaged one is made again."""
    if not folder.is_dir():
        return None
    try:
        return open_stream(folder)
    except StreamError:
        return None


def _read_description(folder: Path) -> dict[str, Any]:
    """What stream.json says; ValueError where it is not what was written there."""
    try:
        description = json.loads((folder / _DESCRIPTION).read_text("utf-8"))
    except RecursionError:
        raise ValueError("its description is nested too deeply") from None
    if not isinstance(description, dict) or description.get("checksum") != _checksum(description):
        raise ValueError("its description was altered")
    return description


def _checksum(description: dict[str, Any]) -> str:
    """SHA-256 of all that a description says but the checksum itself."""
    said = {name: value for name, value in description.items() if name != "checksum"}
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def _map_tokens(path: Path, dtype: np.dtype[Any]) -> NDArray[np.integer]:
    if dtype not in (np.uint16, np.uint32):
        raise ValueError(f"tokens of type {dtype}")
    if path.stat().st_size == 0:
        return np.empty(0, dtype=dtype)
    return np.memmap(path, dtype=dtype, mode="r")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _damaged(folder: Path, why: str) -> str:
    return f"{folder} is damaged ({why}): delete it and it is made again from the text"


def _ignore(_: Preparing) -> None:
    return None
