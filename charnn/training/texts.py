"""A run's text: which one it is, what it is as tokens, and how both are found again."""

import contextlib
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from charnn.corpus.preparing import prepare_stream
from charnn.corpus.stream import TokenStream
from charnn.corpus.tokenizers import Tokenizer
from charnn.corpus.workshop import Progress
from charnn.errors import OptionError, RunDamagedError, TextError
from charnn.runs.config import RunConfig
from charnn.runs.run import Run
from charnn.runs.streams import STREAMS, kept_stream
from charnn.text.files import shown_path
from charnn.text.reading import open_texts
from charnn.text.shell import quoted
from charnn.training.changed import looks_of, reading_once
from charnn.training.options import TrainOptions


@dataclass(frozen=True, slots=True)
class Text:
    """Which text, and how it is read.

    Attributes:
        paths: files, folders, or "-" for stdin.
        encoding: None is UTF-8.
        document_separator: cuts each file into documents.
    """

    paths: tuple[str, ...]
    encoding: str | None = None
    document_separator: str | None = None


def prepare_text(
    text: Text,
    options: TrainOptions,
    checkpoints: Path,
    on_progress: Progress | None,
    tokenizer: Tokenizer | None,
    refuse: Callable[[str], None] | None = None,
    again: str | None = None,
) -> tuple[TokenStream, str, tuple[str, ...]]:
    """The text as tokens, its name, and what was met while it was read; see `prepare_stream`."""
    with open_texts(
        text.paths, encoding=text.encoding, document_separator=text.document_separator
    ) as source:
        stream, notes = prepare_stream(
            source,
            checkpoints / STREAMS,
            kind=options.tokenizer,
            vocab_size=options.vocab_size,
            tokenizer=tokenizer,
            validation_fraction=options.val_fraction,
            test_fraction=options.test_fraction,
            progress=on_progress,
            refuse=refuse,
            again=again,
        )
        return stream, source.name, notes


def find_stream(
    run: Run,
    config: RunConfig,
    text: Text | None,
    options: TrainOptions,
    on_progress: Progress | None,
) -> tuple[TokenStream, bool]:
    """The tokens a run was trained on, and whether they were kept or made again from the text.

    Raises:
        TextError: the tokens are gone and the text is not the one the run was trained on.
    """

    def refuse(sha256: str) -> None:
        # Also before a text is tokenised: in a stranger's run the paths may be of anything.
        if sha256 != config.corpus.get("sha256"):
            raise TextError(
                f"the text of run {run.name} has changed since it was trained on and its tokens "
                "are gone: name the old text with --text FILE, or start a new run on the new one"
            )

    key = config.corpus.get("stream")
    stream = kept_stream(run.path.parent, str(key))
    kept = stream is not None
    if stream is None:
        there = _saved_text(run, config, text)
        stream, _, _ = prepare_text(
            there, options, run.path.parent, on_progress, run.tokenizer(), refuse, key
        )
    refuse(stream.text_sha256)
    made_by = (stream.tokenizer.fingerprint, stream.tokenizer.vocab_size)
    if made_by != (config.tokenizer["fingerprint"], config.model.vocab_size):
        raise RunDamagedError(f"the tokens in {stream.folder} are not those of run {run.name}")
    return stream, kept


def absolute_paths(text: Text) -> list[str]:
    """Where a text lies, whatever the working directory will be."""
    return [path if path == "-" else os.path.realpath(path) for path in text.paths]


def looks_of_text(text: Text) -> str | None:
    """What tells later whether somebody has touched a text; None if nothing does.

    Taken before the text is read: what is written to it meanwhile is then noticed too.
    """
    with contextlib.suppress(TextError, OptionError):  # who reads it tells
        return looks_of(absolute_paths(text))
    return None


def _saved_text(run: Run, config: RunConfig, moved: Text | None) -> Text:
    """The text of a run, read as it was read then.

    Raises:
        TextError: it is not where it was, and nobody says where it is now.
    """
    corpus = config.corpus
    text = Text(
        tuple(str(path) for path in corpus.get("paths") or ()),
        corpus.get("encoding"),
        corpus.get("document_separator"),
    )
    if moved is not None:
        return replace(text, paths=moved.paths)
    if run.path.is_file():
        raise TextError(
            f"{run.path} came without its text: name one, as in "
            f"'charnn eval TEXT -m {quoted(str(run.path))}'"
        )
    gone = [path for path in text.paths if path == "-" or not _is_there(path)]
    if gone or not text.paths:
        if gone and gone[0] != "-":
            where = f"{shown_path(gone[0])} does not exist: say where its text lies now"
        else:
            where = "its text came from stdin: say where it lies now"
        raise TextError(f"the tokens of run {run.name} are gone and {where} with --text FILE")
    if (endless := reading_once(text.paths)) is not None:
        raise TextError(
            f"the tokens of run {run.name} are gone and its text, {endless}, is a pipe or a "
            "device, which a run is not believed: say where its text lies now with --text FILE"
        )
    return text


def _is_there(path: str) -> bool:
    try:
        return Path(path).exists()
    except OSError:
        return False
