"""A run that has read one more text before it writes: `charnn generate --adapt`."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from charnn.errors import TextError
from charnn.generation.copies import Bits, index_tokens
from charnn.generation.loading import Writer, make_writer, ngram_of
from charnn.model.mixture import adapted_weight
from charnn.model.ngram_growth import count_more
from charnn.records import Preparing
from charnn.runs.ngram_file import ngram_weight
from charnn.runs.run import Run
from charnn.training.device import choose_device
from charnn.training.dynamic import dynamic_nats
from charnn.training.scores import adaptive_nats
from charnn.training.scoring import (
    adapting_checkpoint,
    load_model,
    read_tokens,
    reporter,
    whole,
)
from charnn.training.texts import Text


class Adapted(NamedTuple):
    """A run that has read one more text.

    Attributes:
        writer: what it writes with.
        copies: the index of that text, so that max_copy knows it too.
    """

    writer: Writer
    copies: Bits


def adapted_writer(
    run: Run,
    text: Text,
    on_progress: Callable[[Preparing], None] | None = None,
    *,
    with_ngram: bool = True,
    precision: str = "auto",
) -> Adapted:
    """What a run writes with once it has gone on learning from a text; the run stays as it is.

    Network, counts and the weight between them are what dynamic evaluation has at the text's end.

    Args:
        run: the run.
        text: what to read.
        on_progress: told how many tokens have been read.
        with_ngram: whether the n-gram model, if there is one, writes together with the network.
        precision: of the network's products when it writes; see `choose_precision`.

    Raises:
        OptionError: the run does not say how large its gradients were, or the precision cannot
            be had.
        RunDamagedError: a file of the run was altered.
        TextError: the text cannot be read, or is empty, or the network went astray over it.
    """
    tokenizer = run.tokenizer()
    checkpoint = adapting_checkpoint(run)
    tokens = read_tokens(text, tokenizer)
    roots = checkpoint.gradient_roots(run.config().model)
    device = choose_device("auto", "fp32")
    model = load_model(run, checkpoint).to(device.torch_device)
    boundary, report = tokenizer.boundary, reporter("adapting", len(tokens), on_progress)
    nats = whole(
        dynamic_nats(model, tokens, boundary, roots, device, on_progress=report), "the text"
    )
    weights = {name: t.cpu().numpy() for name, t in model.plain_parameters().items()}
    if not all(np.isfinite(array).all() for array in (nats, *weights.values())):
        raise TextError("the network lost itself while it adapted: take another text")
    counts = ngram_of(run, checkpoint) if with_ngram else None
    weight = None
    if counts is not None:
        counted = adaptive_nats(counts, tokens, boundary)
        weight = adapted_weight(-nats, -counted, ngram_weight(checkpoint))
        counts = count_more(counts, np.array([boundary]), tokens)
    writer = make_writer(
        *(model.shape, weights, counts, tokenizer, checkpoint, precision, weight),
        temperature=1.0,  # what adapts is not too sure of itself
    )
    characters = int(tokenizer.token_characters[tokens].sum(dtype=np.int64))
    table = index_tokens(tokens, tokenizer, characters)
    return Adapted(writer, table)
