"""A run's text, tokens and options: how config.json keeps them, and how they are found again."""

import datetime
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from charnn._version import __version__
from charnn.corpus.stream import TokenStream, open_stream, prepare_stream
from charnn.corpus.tokenizers import Tokenizer, load_tokenizer
from charnn.errors import OptionError, RunDamagedError, StreamError, TextError
from charnn.records import Preparing
from charnn.runs.config import RunConfig
from charnn.runs.run import Run
from charnn.text.reading import open_texts
from charnn.training.device import Device
from charnn.training.recipe import Recipe, TrainOptions

STREAMS = ".streams"
Progress = Callable[[Preparing], None]


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
    on_progress: Progress,
    tokenizer: Tokenizer | None,
) -> tuple[TokenStream, str, tuple[str, ...]]:
    """The text as tokens, its name, and what was met while it was read."""
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
        )
        return stream, source.name, notes


def stream_of(run: Run, on_progress: Progress | None = None) -> TokenStream:
    """The tokens a run was trained on: those kept, or the same made again from its text.

    Raises:
        TextError: the tokens are gone, and the text is too or is another one now.
    """
    config = run.config()
    options, _, _ = saved_training(config, run)
    return find_stream(run, config, None, options, on_progress or _ignore)


def find_stream(
    run: Run,
    config: RunConfig,
    text: Text | None,
    options: TrainOptions,
    on_progress: Progress,
) -> TokenStream:
    """The tokens a run was trained on: kept, or made again from the same text.

    Raises:
        TextError: the tokens are gone and the text is not the one the run was trained on.
    """
    streams = run.path.parent / STREAMS
    try:
        stream = open_stream(streams / str(config.corpus["stream"]))
    except (StreamError, KeyError):
        stream = None
    if stream is None:
        there = text or _saved_text(config)
        borrowed = load_tokenizer(run.path)
        stream, _, _ = prepare_text(there, options, run.path.parent, on_progress, borrowed)
    if stream.text_sha256 != config.corpus.get("sha256"):
        raise TextError(
            f"the text of run {run.name} has changed since it was trained on and its tokens are "
            "gone: name the old text with --text FILE, or start a new run on the new one"
        )
    if stream.tokenizer.fingerprint != config.tokenizer["fingerprint"]:
        raise RunDamagedError(f"the tokens in {stream.folder} are not those of run {run.name}")
    return stream


def make_config(
    text: Text,
    corpus: str,
    options: TrainOptions,
    recipe: Recipe,
    device: Device,
    stream: TokenStream,
) -> RunConfig:
    """What config.json says of a run that begins now."""
    tokenizer = stream.tokenizer
    return RunConfig(
        charnn=__version__,
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        corpus={
            "name": corpus,
            "paths": [path if path == "-" else str(Path(path).resolve()) for path in text.paths],
            "encoding": text.encoding,
            "document_separator": text.document_separator,
            "sha256": stream.text_sha256,
            "characters": stream.characters,
            "documents": stream.documents,
            "stream": stream.key,
            "parts": {name: asdict(part) for name, part in stream.parts.items()},
        },
        tokenizer={
            "kind": tokenizer.kind,
            "vocab_size": tokenizer.vocab_size,
            "fingerprint": tokenizer.fingerprint,
        },
        model=recipe.shape(tokenizer.vocab_size),
        training={
            "options": asdict(options),
            "recipe": asdict(recipe),
            "device": {"kind": device.kind, "precision": device.precision},
        },
    )


def saved_training(config: RunConfig, run: Run) -> tuple[TrainOptions, Recipe, str]:
    """Options, recipe and precision a run was begun with.

    Raises:
        RunDamagedError: they are not as this version writes them.
    """
    try:
        saved = config.training
        options = {f.name: saved["options"][f.name] for f in fields(TrainOptions)}
        recipe = {f.name: saved["recipe"][f.name] for f in fields(Recipe)}
        options["temps"] = tuple(options["temps"])
        return TrainOptions(**options), Recipe(**recipe), str(saved["device"]["precision"])
    except (KeyError, TypeError, ValueError) as error:
        raise RunDamagedError(
            f"the options saved in run {run.name} cannot be read ({error}): "
            "it can generate, but not be trained on"
        ) from None


def _saved_text(config: RunConfig) -> Text:
    corpus = config.corpus
    return Text(
        tuple(str(path) for path in corpus.get("paths", ())),
        corpus.get("encoding"),
        corpus.get("document_separator"),
    )


def sizes_of(run: Run, options: TrainOptions) -> TrainOptions:
    """The options with the sizes of the run to begin from.

    Raises:
        OptionError: a size was asked for that the run does not have.
    """
    config = run.config()
    shape = config.model
    sizes: dict[str, Any] = {
        "cell": shape.cell,
        "layers": shape.num_layers,
        "hidden": shape.hidden_size,
        "embedding": shape.embedding_size,
    }
    for name, size in sizes.items():
        if getattr(options, name) not in (None, size):
            raise OptionError(
                f"{name} of run {run.name} is {size}, got {getattr(options, name)}: "
                f"leave --{name} out with --init-from"
            )
    return replace(options, tokenizer=str(config.tokenizer["kind"]), **sizes)


def _ignore(_: Preparing) -> None:
    return None
