"""The folder a token stream is made in, beside its place: its tokens, and how far they go.

Reading the text and learning the vocabulary is left to `preparing.py`, what is noted of an
unfinished stream to `unfinished.py`, whose the folder is to `scratch.py`.
"""

import contextlib
import hashlib
import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Final, Self

import numpy as np
from numpy.typing import NDArray

from charnn.corpus.encoding import encode_parts
from charnn.corpus.scratch import UNFINISHED, ScratchFolder
from charnn.corpus.split import PARTS
from charnn.corpus.stream import TOKENS, Part, describe_stream, open_if_good
from charnn.corpus.tokenizers import Tokenizer, save_tokenizer
from charnn.corpus.unfinished import NOTHING, Mark, load_mark, save_mark
from charnn.errors import StreamError
from charnn.records import Preparing
from charnn.text.reading import Survey

MARK_BYTES: Final = 32 << 20
"""After so many bytes of tokens a preparation notes how far it is; shorter texts never do."""
_SAMPLE: Final = 1 << 16  # characters that tell about how many tokens a text will have

Progress = Callable[[Preparing], None]


class Workshop:
    """The folder a stream is made in, and how far it is.

    What an error leaves is removed; what Ctrl-C, a signal or a kill leave stays, where it is worth
    it, for the next preparation of the same stream.

    Attributes:
        notes: what should be said about it, a line each.
    """

    def __init__(self, cache: Path, key: str, survey: Survey, report: Progress) -> None:
        self.notes: tuple[str, ...] = ()
        self._target, self._survey, self._report = cache / key, survey, report
        self._mark, self._digest = NOTHING, hashlib.sha256()
        self._stage = "tokenising"
        try:
            self._scratch = ScratchFolder(cache, key)
        except OSError as error:
            raise StreamError(f"cannot write tokens to {cache}: {error.strerror}") from None
        self._folder = self._scratch.path

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._scratch.close(keep=kind is not None and not issubclass(kind, Exception))

    def go_on(self) -> bool:
        """Take up what an interrupted preparation has left; False if there is nothing good."""
        stage = "checking the tokens of an interrupted preparation"
        found = load_mark(
            self._folder,
            self._target.name,
            lambda done, total: self._report(Preparing(stage, done, total, "bytes")),
        )
        if found is None:
            return False
        self._mark, self._tokenizer, self._digest = found
        share = self._mark.characters / self._survey.characters
        self.notes = (
            f"the preparation of this text was interrupted: went on where {share:.0%} of it was "
            "tokenised",
        )
        return True

    def begin(self, tokenizer: Tokenizer, sample: str, name: str) -> None:
        """Start from the beginning, and say how much room the tokens will take.

        Args:
            tokenizer: makes the tokens.
            sample: the beginning of the text.
            name: of the text.

        Raises:
            StreamError: there is less room.
        """
        self._tokenizer = tokenizer
        size = self._likely_bytes(sample[:_SAMPLE])
        try:
            free = shutil.disk_usage(self._folder).free
            self._scratch.empty()
            save_tokenizer(tokenizer, self._folder)
        except OSError as error:
            raise self._unwritable(error) from None
        if size > free:
            raise StreamError(
                f"the tokens of {name} will take about {_in_words(size)}, and there are "
                f"{_in_words(free)} free in {self._target.parent}: make room there, or name "
                "another folder with --checkpoints"
            )
        if size >= MARK_BYTES:
            self._stage = f"tokenising, about {_in_words(size)} on the disk"
            self._note(NOTHING)

    def write(self, pieces: Iterable[tuple[str, int, str]]) -> dict[str, Part]:
        """Write the tokens behind those that are there; all parts come out."""
        try:
            with (self._folder / TOKENS).open("r+b" if self._mark.length else "wb") as file:
                file.truncate(self._mark.length)
                file.seek(self._mark.length)
                counts = self._write(file, pieces)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise self._unwritable(error) from None
        return _lay_out(counts)

    def finish(self, parts: dict[str, Part]) -> None:
        """Describe the stream and move it to its place."""
        sha256 = self._digest.hexdigest()
        try:
            describe_stream(
                *(self._folder, self._target.name, self._survey, self._tokenizer, parts, sha256)
            )
            if open_if_good(self._target) is not None:
                return  # another process was faster, and somebody may be reading what it made
            if self._target.exists():
                shutil.rmtree(self._target)
            self._folder.rename(self._target)
        except OSError as error:
            raise StreamError(f"cannot write {self._target}: {error.strerror}") from None
        with contextlib.suppress(OSError):
            (self._target / UNFINISHED).unlink(missing_ok=True)

    def _write(self, file: BinaryIO, pieces: Iterable[tuple[str, int, str]]) -> dict[str, Any]:
        """Tokens, characters and bytes of each part, those of before the mark among them."""
        mark, length = self._mark, self._mark.length
        counts = {name: np.array(mark.counts[name], dtype=np.int64) for name in PARTS}
        chunks = encode_parts(pieces, self._tokenizer, skip=mark.chunks)
        for number, (part, tokens) in enumerate(chunks, 1):
            length += self._append(file, tokens)
            counts[part] += self._count(tokens)
            if length - self._mark.length >= MARK_BYTES:
                file.flush()
                told = {name: count.tolist() for name, count in counts.items()}
                self._note(Mark(number, length, self._digest.hexdigest(), told))
            done = int(sum(count[1] for count in counts.values()))
            self._report(Preparing(self._stage, done, self._survey.characters))
        return counts

    def _note(self, mark: Mark) -> None:
        """Have the folder say how far it is; a disk that is full tells so where tokens go."""
        self._mark = mark
        with contextlib.suppress(OSError):
            save_mark(self._folder, self._target.name, self._tokenizer, mark)

    def _append(self, file: BinaryIO, tokens: NDArray[np.integer[Any]]) -> int:
        """Write tokens; how many bytes they take."""
        data = np.ascontiguousarray(tokens, dtype=self._tokenizer.dtype).data.cast("B")
        file.write(data)
        self._digest.update(data)
        return len(data)

    def _count(self, tokens: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
        """Tokens, characters and bytes."""
        tokenizer = self._tokenizer
        characters = tokenizer.token_characters[tokens].sum(dtype=np.int64)
        size = tokenizer.token_bytes[tokens].sum(dtype=np.int64)
        return np.array([len(tokens), characters, size], dtype=np.int64)

    def _likely_bytes(self, sample: str) -> int:
        """About how many bytes the tokens will take."""
        tokens = len(self._tokenizer.encode(sample)) * self._survey.characters
        return tokens // max(1, len(sample)) * self._tokenizer.dtype.itemsize

    def _unwritable(self, error: OSError) -> StreamError:
        return StreamError(f"cannot write {self._folder}: {error.strerror}")


def _lay_out(counts: dict[str, NDArray[np.int64]]) -> dict[str, Part]:
    parts, start = {}, 0
    for name in PARTS:
        tokens, characters, size = (int(count) for count in counts[name])
        parts[name] = Part(start, start + tokens, characters, size)
        start += tokens
    return parts


def _in_words(size: int) -> str:
    """Bytes as people write them.

    >>> _in_words(4_380_000_000), _in_words(200_000)
    ('4.4 GB', '1 MB')
    """
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{max(1, round(size / 1e6))} MB"
