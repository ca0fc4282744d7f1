"""A run's options and recipe: how config.json keeps them, and how they are read again."""

import datetime
from collections.abc import Collection
from dataclasses import asdict, replace
from typing import Any

from charnn._version import __version__
from charnn.corpus.batches import Batches
from charnn.corpus.stream import TokenStream
from charnn.corpus.workshop import Progress
from charnn.errors import OptionError, RunDamagedError
from charnn.runs.config import INIT_FROM, RunConfig, check_size
from charnn.runs.ngram_file import EXPERT
from charnn.runs.run import Run
from charnn.training.device import Device
from charnn.training.options import TrainOptions, option_name
from charnn.training.recipe import Recipe, make_recipe
from charnn.training.saved_fields import read_options, read_precision, read_recipe
from charnn.training.texts import Text, absolute_paths, find_stream


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
        OptionError: the network would be larger than any that a run may have.
        TextError: the training part is too short for the rows.
    """
    tokens, vocab_size = stream.part("train"), stream.tokenizer.vocab_size
    recipe = make_recipe(options, len(tokens), vocab_size, device_kind, flops)
    check_size(recipe.shape(vocab_size))
    Batches(recipe.trained_on(tokens), recipe.batch_size, recipe.seq_len)
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
    paths = absolute_paths(text)
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
        ("size", None if options.size == "auto" else options.size, str(shape)),
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
        "networks": shape.networks,
        "feed_forward": shape.feed_forward_size,
    }
    for name, size in sizes.items():
        if getattr(options, name) not in (None, size):
            option = option_name(name)
            raise OptionError(
                f"{option} of run {run.name} is {size}, got {getattr(options, name)}: "
                f"leave --{option} out with --init-from"
            )
    return replace(options, tokenizer=kind, **sizes)


def stream_of(run: Run, on_progress: Progress | None = None) -> TokenStream:
    """The tokens a run was trained on: those kept, or the same made again from its text.

    Raises:
        TextError: the tokens are gone, and the text is too or is another one now.
    """
    config = run.config()
    options, _, _ = saved_training(config, run)
    return find_stream(run, config, None, options, on_progress)[0]
