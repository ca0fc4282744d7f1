"""What a training would be, without training: the lines of `charnn train --dry-run`."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from charnn.corpus.batches import Batches
from charnn.corpus.stream import TokenStream
from charnn.generation.copies import BITS_PER_CHARACTER
from charnn.generation.copy_file import INDEXED_AT_ONCE
from charnn.model.shapes import ModelShape, parameter_count
from charnn.runs.catalog import find_run
from charnn.training.beginning import count_text
from charnn.training.device import Device, choose_device
from charnn.training.needs import checkpoint_bytes, network_bytes
from charnn.training.options import DEFAULT_MINUTES, TrainOptions
from charnn.training.plan import planned_steps
from charnn.training.recipe import Recipe, nominal_seconds_per_step
from charnn.training.saved import recipe_for, sizes_of
from charnn.training.side_by_side import at_once
from charnn.training.speed import measure_flops
from charnn.training.texts import Text, prepare_text

_BASE_MEMORY = 450 << 20
"""Of a process that has imported torch and trained a small network, measured."""
_OTHER_DROPOUTS = ("token", "input", "layer", "state", "weight")


def advise(
    texts: Sequence[str],
    checkpoints: str,
    options: Mapping[str, Any],
    *,
    encoding: str | None = None,
    document_separator: str | None = None,
    init_from: str | None = None,
) -> Iterator[str]:
    """What `charnn train` would do with the same options, a line each.

    The text is read and tokenised, for its vocabulary decides the size; the tokens are kept for
    the training itself. Nothing else is written.

    Args:
        texts: files, folders or "-".
        checkpoints: the folder of runs.
        options: fields of `TrainOptions`.
        encoding: of the texts.
        document_separator: cuts each file into documents.
        init_from: a run to begin from: its sizes and its tokenizer.

    Raises:
        CharnnError: an option breaks its rule, or the text cannot be used.
    """
    chosen = TrainOptions(**options)
    text = Text(tuple(texts), encoding, document_separator)
    start = find_run(Path(checkpoints), init_from) if init_from is not None else None
    borrowed = start.tokenizer() if start else None
    chosen = sizes_of(start, chosen, options) if start else chosen
    device = choose_device(chosen.device, chosen.precision, chosen.threads)
    stream, corpus, notes = prepare_text(text, chosen, Path(checkpoints), lambda _: None, borrowed)
    tokens, vocab_size = stream.part("train"), stream.tokenizer.vocab_size
    flops = measure_flops(device)
    recipe = recipe_for(chosen, stream, device.kind, flops if chosen.timed else None, start)
    shape = recipe.shape(vocab_size)
    batches = Batches(recipe.trained_on(tokens), recipe.batch_size, recipe.seq_len)
    seconds = nominal_seconds_per_step(recipe, vocab_size, device.kind, flops)
    threads = f"{device.threads} thread{'s' if device.threads != 1 else ''}"
    yield f"text       {corpus}: {_parts(stream)}"
    for note in notes:
        yield f"           {note}"
    yield f"tokenizer  {stream.tokenizer.kind}, {vocab_size:,} tokens"
    yield (
        f"model      {shape}, embedding {shape.embedding_size}, "
        f"{parameter_count(shape):,} parameters"
    )
    yield (
        f"recipe     {recipe.batch_size} rows of {recipe.seq_len} tokens, {recipe.optimizer} at "
        f"{recipe.learning_rate:g}, output dropout {recipe.output_dropout:g}"
    )
    for line in _rest_of(recipe):
        yield f"           {line}"
    speed = f"about {flops / 1e9:,.0f} GFLOP/s in training"
    yield f"device     {device.kind}, {device.precision}, {threads}, {speed}"
    budget, *rest = _time(chosen, seconds, batches.windows_per_epoch)
    yield f"time       {budget}"
    for line in rest:
        yield f"           {line}"
    yield f"memory     about {_memory(recipe, shape, device) / 2**20:,.0f} MB"
    yield f"disk       about {_disk(recipe, shape, stream) / 2**20:,.1f} MB"


def _rest_of(recipe: Recipe) -> Iterator[str]:
    """What else is chosen."""
    schedule = "a constant rate"
    if recipe.schedule == "cosine":
        schedule = f"warm-up {recipe.warmup:.0%}, then a cosine to zero"
    limits = f"weight decay {recipe.weight_decay:g}, clipped at {recipe.grad_clip:g}"
    yield f"{schedule}; {limits}"
    shares = {name: getattr(recipe, f"{name}_dropout") for name in _OTHER_DROPOUTS}
    dropped = [f"{name} {share:.2g}" for name, share in shares.items() if share]
    if dropped:
        yield f"other dropout: {', '.join(dropped)}"
    if recipe.ngram_weight:
        weight = f"{recipe.ngram_weight:g}"
        if recipe.weight_tokens:
            weight = f"fitted on {recipe.weight_tokens:,} tokens"
        yield f"n-grams of up to {recipe.ngram_order} tokens, their weight {weight}"
    elif recipe.weight_tokens:
        yield f"temperature fitted on {recipe.weight_tokens:,} tokens"


def _parts(stream: TokenStream) -> str:
    parts = (
        f"{part.characters:,} {name}" for name, part in stream.parts.items() if part.characters
    )
    return f"{stream.characters:,} characters ({', '.join(parts)})"


def _time(
    options: TrainOptions, seconds_per_step: float, windows_per_epoch: int
) -> tuple[str, ...]:
    steps = planned_steps(options, windows_per_epoch)
    if steps is not None:
        minutes = steps * seconds_per_step / 60
        return (f"{steps:,} steps, about {minutes:,.1f} minutes here",)
    minutes = options.minutes or DEFAULT_MINUTES
    likely = 60 * minutes / seconds_per_step
    end = "" if options.minutes else ", or until validation has clearly stopped improving"
    return (
        f"{minutes:g} minutes{end}",
        f"about {likely:,.0f} steps here",
    )


def _memory(recipe: Recipe, shape: ModelShape, device: Device) -> float:
    """Bytes at the peak: process, networks, and a window of each that runs at the same time."""
    cells = recipe.batch_size * recipe.seq_len * at_once(shape, device)
    hidden = 12 * shape.num_layers * shape.hidden_size + 5 * shape.feed_forward_size
    activations = 4 * cells * (3 * shape.vocab_size + hidden)
    return _BASE_MEMORY + network_bytes(recipe, shape) + activations


def _disk(recipe: Recipe, shape: ModelShape, stream: TokenStream) -> float:
    """Bytes: checkpoints, the tokens, the n-gram model, and the index of copies."""
    counts = count_text(stream, recipe)
    ngrams = sum(array.nbytes for array in counts.arrays().values()) if counts else 0
    characters = stream.parts["train"].characters
    copies = characters * BITS_PER_CHARACTER / 8 if characters <= INDEXED_AT_ONCE else 0
    return checkpoint_bytes(recipe, shape) + stream.tokens.nbytes + ngrams + copies
