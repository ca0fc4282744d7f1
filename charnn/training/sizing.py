"""How large a network is for a text and the time there is, and how long its steps take.

No torch here, and no clock is read (`speed.py` reads one).
"""

from collections.abc import Iterator
from dataclasses import replace

from charnn.model.shapes import ModelShape, parameter_count
from charnn.training.options import TrainOptions

FLOPS = {"cpu": 2.0e11, "cuda": 2.0e13, "mps": 1.5e12}
"""Floating-point operations a second that training reaches on a typical machine of each kind."""

_STEP_SECONDS = 4e-3
"""Of a step beside its floating-point operations: Python, the optimiser, averaging."""

_SIZES = {"tiny": (1, 128), "small": (1, 256), "medium": (1, 512), "large": (2, 1024)}
"""Layers and units; each of them at least twice as wide as the one before."""

_SMALL_VOCABULARY = 512
"""Up to so many tokens an embedding is small and the output has weights of its own: half the work
of the recurrent layer is then saved, and nothing is lost. Tying pays for large vocabularies."""

_FEED_FORWARD = 1.5
"""Units of the gated block behind the layers, for each unit of a layer, where the output is tied.
One with weights of its own, for few tokens, does without: there the block gains nothing."""

_PASSES, _TOKENS_A_WEIGHT = 2.3, (0.7, 1.5)
"""What a network must have time for: to read the text so often, but no fewer and no more tokens for
each of the weights that a token uses. One that has not is beaten by one of half its width, or by
two of those."""

_WIDE, _TOKENS_A_WEIGHT_OF_WIDE = 512, 3.0
"""From so many units on a network with a block must have time for so many tokens a weight: until
then up to four of half its width are taken. Extrapolated: see benchmarks/LOG.md."""

_PASSES_OF_MORE = {8: 2, 36: 4}
"""How often one network would have to read the text for so many to be better: each has time for 4
and 9 passes then. More of them would make writing slow; three would leave a core of two idle."""


def shape_for(
    options: TrainOptions,
    tokens: int,
    vocab_size: int,
    device: str,
    step_tokens: int,
    flops: float,
) -> ModelShape:
    """The network of the size that the user named, or the largest that there is time for.

    A text that there is time to read often gets several of them. Where steps or epochs are given
    instead of a time, it is one, the largest that the text is long enough for.

    Args:
        options: what the user said; units, layers and the like that are given are taken.
        tokens: length of the training part.
        vocab_size: of the tokenizer.
        device: "cpu", "cuda" or "mps".
        step_tokens: tokens of one step.
        flops: floating-point operations a second that training reaches.
    """
    sizes = _sizes_for(tokens, device) if options.size == "auto" else [options.size]
    for size in sizes:
        shape = _shape_of(size, options, vocab_size)
        read = tokens_read(options, shape, tokens, step_tokens, flops)
        usual = _networks_for(read / max(1, tokens)) if options.timed else 1
        networks = options.networks or usual
        # More of them than usual have less time each than they are that large for.
        if not options.timed or read * min(1.0, usual / networks) >= _enough(shape, tokens):
            break
    return replace(shape, networks=networks)


def _enough(shape: ModelShape, tokens: int) -> float:
    """How many tokens a network must have time to read if it were alone."""
    if shape.feed_forward_size and shape.hidden_size >= _WIDE:
        return _TOKENS_A_WEIGHT_OF_WIDE * _weights_used(shape)
    least, most = (ratio * _weights_used(shape) for ratio in _TOKENS_A_WEIGHT)
    return min(most, max(least, _PASSES * tokens))


def _networks_for(passes: float) -> int:
    """How many networks there is time for, where one alone would read the text so often."""
    return max((number for least, number in _PASSES_OF_MORE.items() if passes >= least), default=1)


def _sizes_for(tokens: int, device: str) -> Iterator[str]:
    """Sizes for a text, the largest first."""
    if device == "cuda" and tokens >= 300_000:
        yield "large"
    if device == "cuda" or tokens >= 50_000:
        yield "medium"
    yield from ("small", "tiny")


def _shape_of(size: str, options: TrainOptions, vocab_size: int) -> ModelShape:
    layers, hidden = _SIZES[size]
    layers, hidden = options.layers or layers, options.hidden or hidden
    tied = vocab_size > _SMALL_VOCABULARY
    embedding = options.embedding or (hidden if tied else min(hidden, max(64, hidden // 8)))
    block = options.feed_forward
    if block is None:
        block = round(_FEED_FORWARD * hidden) if tied else 0
    cell = options.cell or "lstm"
    return ModelShape(vocab_size, embedding, hidden, layers, cell, tied, feed_forward_size=block)


def tokens_read(
    options: TrainOptions, shape: ModelShape, tokens: int, step_tokens: int, flops: float
) -> float:
    """About how many tokens a training will read; arguments are those of `shape_for`."""
    if options.epochs is not None:
        return options.epochs * tokens
    if options.steps is not None:
        return options.steps * step_tokens
    return options.seconds / seconds_per_step(shape, step_tokens, flops) * step_tokens


def seconds_per_step(shape: ModelShape, step_tokens: int, flops: float) -> float:
    """What a step of so many tokens takes at so many floating-point operations a second."""
    return flops_per_token(shape) * step_tokens / flops + shape.networks * _STEP_SECONDS


def flops_per_token(shape: ModelShape) -> float:
    """Floating-point operations of forward and backward pass for one token: six a weight used."""
    return 6.0 * _weights_used(shape)


def _weights_used(shape: ModelShape) -> int:
    """Weights that a token is multiplied by: embeddings that are not tied are looked up."""
    single = shape.single
    looked_up = 0 if shape.tied else shape.vocab_size * shape.embedding_size
    return shape.networks * (parameter_count(single) - looked_up)
