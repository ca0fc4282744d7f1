"""Files, folders and stdin to text: the text as often as wanted, and what was met on the way.

A text is read in pieces, in constant memory whatever its size. Which files there are is left to
files.py, decoding to encodings.py, tokens to the tokenizers.
"""

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Self

from charnn.errors import OptionError, TextError
from charnn.text.documents import LineEnds, Piece, cut_documents, normalise_newlines
from charnn.text.encodings import decode_stream, text_encoding
from charnn.text.files import TextFile, find_files, shown_path, unreadable
from charnn.text.spool import Copies, Progress

PIECE_CHARS: Final = 1 << 20
DOCUMENT_BYTE: Final = b"\xff"  # occurs in no UTF-8, so documents cannot run together in a hash


@dataclass(frozen=True, slots=True)
class Survey:
    """What a whole text comes to.

    Attributes:
        characters: code points after newline normalisation.
        bytes: the same in UTF-8.
        documents: how many there are, empty ones not counted.
        sha256: hex digest of the UTF-8 bytes, with one byte 0xFF between documents.
        notes: what was met and what was done about it, a line each.
    """

    characters: int
    bytes: int
    documents: int
    sha256: str
    notes: tuple[str, ...]


@dataclass(slots=True)
class _Pass:
    """What one pass over the texts has met so far."""

    bytes_read: int = 0
    bytes_total: int = 0
    byte_order_marks: int = 0
    line_ends: LineEnds = field(default_factory=LineEnds)
    empty: list[str] = field(default_factory=list)


class TextSource:
    """Texts that can be read again and again; made by `open_texts`, to be closed after use.

    Attributes:
        name: a short name for the whole: the stem of the file, the name of the folder, "stdin".
        files: where the text comes from; `-` is stdin.
    """

    def __init__(
        self,
        name: str,
        files: Sequence[TextFile],
        *,
        encoding: str,
        document_separator: str | None,
        stdin: BinaryIO | None,
    ) -> None:
        self.name = name
        self.files = tuple(file.path for file in files)
        self._files = tuple(files)
        self._encoding = encoding
        self._separator = document_separator
        self._copies = Copies(stdin)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Remove the temporary copies of stdin and pipes; may be called again."""
        self._copies.close()

    def pieces(self, piece_chars: int = PIECE_CHARS) -> Iterator[Piece]:
        r"""The text from its beginning: newlines are "\n", byte order marks are gone.

        Args:
            piece_chars: the most characters a piece may have; memory grows with it.

        Raises:
            OptionError: piece_chars is below 1.
            TextError: there is no text at all, or a file changed since it was opened.
            EncodingError: a file is not in the encoding it is read with.
        """
        if piece_chars < 1:
            raise OptionError(f"piece_chars must be >= 1, got {piece_chars}")
        return self._read(piece_chars, _Pass(), None)

    def survey(self, progress: Progress | None = None) -> Survey:
        """Read the whole text once and tell what it comes to.

        Args:
            progress: called now and then with the bytes read and the bytes there are in all;
                with None for the latter while stdin or a pipe is being copied.

        Raises:
            TextError: there is no text at all, or a file changed since it was opened.
            EncodingError: a file is not in the encoding it is read with.
        """
        met, digest = _Pass(), hashlib.sha256()
        characters = size = documents = nuls = lost = 0
        for text, new_document in self._read(PIECE_CHARS, met, progress):
            if new_document:
                digest.update(DOCUMENT_BYTE if documents else b"")
                documents += 1
            encoded = text.encode()
            digest.update(encoded)
            characters += len(text)
            size += len(encoded)
            nuls += text.count("\0")
            lost += text.count("\N{REPLACEMENT CHARACTER}")
            if progress:
                progress(met.bytes_read, met.bytes_total)
        notes = tuple(self._notes(met, nuls, lost))
        return Survey(characters, size, documents, digest.hexdigest(), notes)

    def _read(self, piece_chars: int, met: _Pass, progress: Progress | None) -> Iterator[Piece]:
        """One pass over everything, keeping count in `met`."""
        if self._copies.closed:
            raise TextError(f"{self.name} is closed: open it again to read it")
        self._copies.make(self._files, self._encoding, progress)
        met.bytes_total = sum(self._copies.size(file) for file in self._files)
        for file in self._files:
            texts = normalise_newlines(self._decode(file, piece_chars, met), met.line_ends)
            empty = True
            for piece in cut_documents(texts, self._separator, piece_chars):
                empty = False
                yield piece
            if empty:
                met.empty.append(file.shown)
        if len(met.empty) == len(self._files):
            what = f"{met.empty[0]} is" if len(met.empty) == 1 else "all the files are"
            raise TextError(f"{what} empty, there is nothing to learn from: name a file with text")

    def _decode(self, file: TextFile, block_bytes: int, met: _Pass) -> Iterator[str]:
        """The characters of one file without its byte order mark."""
        before, at_start = met.bytes_read, True
        try:
            with self._copies.path(file).open("rb") as stream:
                for text in decode_stream(stream, file.shown, self._encoding, block_bytes):
                    marked = at_start and text[0] == "\N{ZERO WIDTH NO-BREAK SPACE}"
                    met.byte_order_marks += marked
                    met.bytes_read = before + stream.tell()
                    at_start = False
                    yield text[1:] if marked else text
                _refuse_changed(file, os.fstat(stream.fileno()))
        except OSError as error:
            raise unreadable(file.shown, error) from None

    def _notes(self, met: _Pass, nuls: int, lost: int) -> Iterator[str]:
        """What a person should know about the text, a line each."""
        if self._encoding != "utf-8":
            yield f"read as {self._encoding}"
        if met.byte_order_marks:
            yield f"byte order marks removed: {met.byte_order_marks:,}"
        if met.line_ends.crlf or met.line_ends.cr:
            yield f"line ends made LF: {met.line_ends.crlf:,} CRLF, {met.line_ends.cr:,} CR"
        if met.empty:
            yield f"empty files left out: {len(met.empty):,} ({met.empty[0]} is the first)"
        if repeated := len(self._files) - len({file.identity for file in self._files}):
            yield f"files named more than once are read as often: {repeated:,}"
        if nuls:
            yield f"NUL characters kept: {nuls:,}"
        if lost:
            yield f"U+FFFD kept: {lost:,}; an earlier conversion has lost characters there"


def open_texts(
    texts: Sequence[str | Path],
    *,
    encoding: str | None = None,
    document_separator: str | None = None,
    suffixes: Sequence[str] = (".txt",),
    stdin: BinaryIO | None = None,
) -> TextSource:
    """A text to be read from files, folders (their files in order of path) or stdin.

    Every file is a document of its own. Nothing is read yet, but everything named is there.

    Args:
        texts: paths of files and folders; the string "-" is stdin.
        encoding: what all of them are in; UTF-8 if None.
        document_separator: text that cuts each file into documents; line ends in it count as LF.
        suffixes: what the files of a folder must end in, in upper or lower case.
        stdin: where to read "-" from; None is the stdin of the process.

    Raises:
        OptionError: the encoding is unknown, the separator is empty, or no text is named.
        TextError: something is missing or unreadable, or a folder has no such file.
    """
    codec = text_encoding(encoding)
    if document_separator is not None:
        if not document_separator:
            raise OptionError("document_separator must have at least one character, got ''")
        document_separator = document_separator.replace("\r\n", "\n").replace("\r", "\n")
    named = [texts] if isinstance(texts, str | Path) else list(texts)
    files = find_files(named, suffixes)
    return TextSource(
        _name_of(named), files, encoding=codec, document_separator=document_separator, stdin=stdin
    )


def _name_of(texts: Sequence[str | Path]) -> str:
    """A short name for everything named.

    >>> _name_of(["-"]), _name_of(["a/one.txt", "two.txt"]), _name_of(["a.txt"] * 9)
    ('stdin', 'one+two', 'a+8')
    """
    if len(texts) > 3:
        return f"{_name_of(texts[:1])}+{len(texts) - 1}"
    paths = (None if text == "-" else Path(text) for text in texts)
    names = ("stdin" if path is None else _stem(path) for path in paths)
    return "+".join(shown_path(name) for name in names)


def _stem(path: Path) -> str:
    """The stem of a file, the whole name of a folder."""
    return (path.resolve().name or "text") if path.is_dir() else path.stem


def _refuse_changed(file: TextFile, status: os.stat_result) -> None:
    """Raise if a file is no longer what it was when it was opened."""
    if not file.reads_once and (status.st_size, status.st_mtime_ns) != (file.size, file.changed):
        raise TextError(
            f"{file.shown} changed while it was in use: start again when nothing writes to it"
        )
