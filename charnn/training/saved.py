"""A run's text, tokens and options: how config.json keeps them, and how they are found again."""

import contextlib
import datetime
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from charnn._version import __version__
from charnn.corpus.batches import Batches
from charnn.corpus.preparing import prepare_stream
from charnn.corpus.stream import TokenStream
from charnn.corpus.tokenizers import Tokenizer
from charnn.corpus.workshop import Progress
from charnn.errors import OptionError, RunDamagedError, TextError
from charnn.model.shapes import ModelShape
from charnn.runs.config import RunConfig
from charnn.runs.ngram_file import EXPERT
from charnn.runs.run import Run
from charnn.runs.streams import STREAMS, kept_stream
from charnn.text.files import shown_path
from charnn.text.reading import open_texts
from charnn.text.shell import quoted
from charnn.training.changed import looks_of, reading_once
from charnn.training.device import Device
from charnn.training.options import TrainOptions
from charnn.training.recipe import Recipe, make_recipe
from charnn.training.saved_fields import read_options, read_precision, read_recipe

INIT_FROM = "init_from"
"""In config.json: the run that a run's first weights are of."""


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
            refuse=refuse,
        )
        return stream, source.name, notes


def stream_of(run: Run, on_progress: Progress | None = None) -> TokenStream:
    """The tokens a run was trained on: those kept, or the same made again from its text.

    Raises:
        TextError: the tokens are gone, and the text is too or is another one now.
    """
    config = run.config()
    options, _, _ = saved_training(config, run)
    return find_stream(run, config, None, options, on_progress)


def find_stream(
    run: Run,
    config: RunConfig,
    text: Text | None,
    options: TrainOptions,
    on_progress: Progress | None,
) -> TokenStream:
    """The tokens a run was trained on: kept, or made again from the same text.

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

    stream = kept_stream(run.path.parent, str(config.corpus.get("stream")))
    if stream is None:
        there = _saved_text(run, config, text)
        borrowed = run.tokenizer()
        stream, _, _ = prepare_text(there, options, run.path.parent, on_progress, borrowed, refuse)
    refuse(stream.text_sha256)
    made_by = (stream.tokenizer.fingerprint, stream.tokenizer.vocab_size)
    if made_by != (config.tokenizer["fingerprint"], config.model.vocab_size):
        raise RunDamagedError(f"the tokens in {stream.folder} are not those of run {run.name}")
    return stream


def recipe_for(
    options: TrainOptions,
    stream: TokenStream,
    device_kind: str,
    flops: float | None = None,
    init_from: Run | None = None,
) -> Recipe:
    """The recipe for a text; a run to begin from says whether output weights are tied.

    Args:
        options: what the user said.
        stream: the text as tokens.
        device_kind: "cpu", "cuda" or "mps".
        flops: the device's speed, where it was measured.
        init_from: the run to begin from.

    Raises:
        TextError: the training part is too short for the rows.
    """
    tokens = stream.part("train")
    recipe = make_recipe(options, len(tokens), stream.tokenizer.vocab_size, device_kind, flops)
    Batches(tokens[recipe.weight_tokens :], recipe.batch_size, recipe.seq_len)
    return replace(recipe, tied=init_from.config().model.tied) if init_from else recipe


def make_config(
    text: Text,
    corpus: str,
    options: TrainOptions,
    recipe: Recipe,
    device: Device,
    stream: TokenStream,
    flops: float | None = None,
    looks: str | None = None,
    init_from: Run | None = None,
) -> RunConfig:
    """What config.json says of a run that begins now.

    Args:
        text: which text.
        corpus: its name.
        options: what the user said.
        recipe: every choice made.
        device: where it trains.
        stream: the text as tokens.
        flops: the device's speed, where the recipe goes by it.
        looks: what `looks_of_text` said before the text was read.
        init_from: the run whose weights it begins with.
    """
    tokenizer = stream.tokenizer
    paths = _absolute(text)
    return RunConfig(
        charnn=__version__,
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        corpus={
            "name": corpus,
            "paths": paths,
            "looks": looks,
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
        experts=("network", EXPERT) if recipe.ngram_weight else ("network",),
        training={
            "options": asdict(options),
            "recipe": asdict(recipe),
            "device": {"kind": device.kind, "precision": device.precision, "flops": flops},
            INIT_FROM: init_from.name if init_from else None,
        },
    )


def saved_training(config: RunConfig, run: Run) -> tuple[TrainOptions, Recipe, str]:
    """Options, recipe and precision a run was begun with.

    Raises:
        RunDamagedError: they are not as this version writes them, or of another network.
    """
    try:
        saved = config.training
        options = read_options(saved["options"])
        recipe = read_recipe(saved["recipe"], config.model)
        return options, recipe, read_precision(saved["device"])
    except (KeyError, TypeError, ValueError) as error:
        raise RunDamagedError(
            f"the options saved in run {run.name} cannot be read ({error}): "
            "it can generate, but not be trained on"
        ) from None


def with_recipe(config: RunConfig, recipe: Recipe) -> RunConfig:
    """A run's config.json with another recipe."""
    return replace(config, training={**config.training, "recipe": asdict(recipe)})


def _absolute(text: Text) -> list[str]:
    return [path if path == "-" else str(Path(path).resolve()) for path in text.paths]


def looks_of_text(text: Text) -> str | None:
    """What tells later whether somebody has touched a text; None if nothing does.

    Taken before the text is read: what is written to it meanwhile is then noticed too.
    """
    with contextlib.suppress(TextError, OptionError):  # who reads it tells
        return looks_of(_absolute(text))
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


def sizes_of(run: Run, options: TrainOptions, given: Collection[str] = ()) -> TrainOptions:
    """The options with the sizes and the kind of tokenizer of the run to begin from.

    Args:
        run: the run to begin from.
        options: what the user said.
        given: the names of the options that the user did give, also where it is the default.

    Raises:
        OptionError: something was asked for that the run does not have.
    """
    config = run.config()
    shape = config.model
    kind, vocab_size = str(config.tokenizer["kind"]), config.tokenizer["vocab_size"]
    for name, wanted, found in (
        ("tokenizer", options.tokenizer if "tokenizer" in given else None, kind),
        ("vocab-size", options.vocab_size, vocab_size),
        ("size", None if options.size == "auto" else options.size, _size_in_words(shape)),
    ):
        if wanted not in (None, found):
            raise OptionError(
                f"{name} of run {run.name} is {found}, got {wanted}: leave --{name} out with "
                "--init-from"
            )
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
    return replace(options, tokenizer=kind, **sizes)


def _size_in_words(shape: ModelShape) -> str:
    return f"{shape.num_layers} x {shape.hidden_size}"
