"""Samples the model writes while it learns, as records."""

from collections.abc import Callable

from charnn.corpus.tokenizers import Tokenizer
from charnn.generation.sampler import SamplingOptions, sample_text
from charnn.model.expert import Expert
from charnn.records import Sample


def write_preview(
    expert: Expert,
    tokenizer: Tokenizer,
    *,
    temperature: float,
    prompt: str,
    length: int,
    seed: int,
    step: int,
    elapsed: Callable[[], float],
    stopping: Callable[[], bool],
) -> Sample | None:
    """One sample; None if it was broken off because `stopping()` held.

    Args:
        expert: what predicts the next token.
        tokenizer: of the run.
        temperature: of the sample, >= 0.
        prompt: what the sample goes on from; may be empty.
        length: characters to write.
        seed: of the run; each step draws from a stream of its own.
        step: noted in the record.
        elapsed: seconds of training so far.
        stopping: whether somebody asked to stop.
    """
    options = SamplingOptions(temperature=temperature, length=length)
    own_seed = preview_seed(seed, step)
    pieces = []
    for text, bits in sample_text(expert, tokenizer, prompt, options, own_seed):
        pieces.append((text, round(bits, 3)))
        if stopping():
            return None
    return Sample(step, temperature, prompt, tuple(pieces), own_seed, elapsed())


def preview_seed(seed: int, step: int) -> int:
    """The seed of a preview, in [0, 2**64): one for all temperatures, another at every step.

    >>> preview_seed(1, 500)
    1000000500
    """
    return (seed * 1_000_000_000 + step) % 2**64
