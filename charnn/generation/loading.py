"""A run folder -> what writes: its experts and its tokenizer. No torch."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from charnn.corpus.tokenizers import Tokenizer
from charnn.errors import RunDamagedError
from charnn.model.averaging import make_stepper
from charnn.model.expert import Expert
from charnn.model.mixture import Mixture
from charnn.model.ngram import Ngram
from charnn.model.ngram_expert import NgramExpert
from charnn.model.products import choose_precision
from charnn.model.shapes import ModelShape
from charnn.runs.checkpoints import Checkpoint
from charnn.runs.layout import TOKENIZER, WEIGHTS
from charnn.runs.ngram_file import ngram_weight, read_ngram
from charnn.runs.run import Run
from charnn.runs.temperature import temperature_of

Weights = Mapping[str, NDArray[np.float32]]


class Writer(NamedTuple):
    """What a run writes with.

    Attributes:
        expert: predicts the next token.
        tokenizer: of the run.
        precision: of the network's products, "fp32" or "bf16".
        note: why this is not the newest checkpoint; None if it is.
    """

    expert: Expert
    tokenizer: Tokenizer
    precision: str
    note: str | None


def load_writer(run: Run, *, with_ngram: bool = True, precision: str = "auto") -> Writer:
    """The best checkpoint of a run, checked, ready to write.

    Args:
        run: the run.
        with_ngram: whether its n-gram model, if it has one, writes together with the network.
        precision: of the network's products; see `choose_precision`.

    Raises:
        OptionError: see `choose_precision`.
        RunNotFoundError: there is no checkpoint yet.
        RunDamagedError: a file was altered or is that of another run.
        TokenizerError: the tokenizer cannot be used.
    """
    checkpoint = run.chosen(WEIGHTS)
    checkpoint.run_file(TOKENIZER)
    tokenizer = run.tokenizer()
    shape = run.config().model
    weights = checkpoint.weights(shape)
    counts = ngram_of(run, checkpoint) if with_ngram else None
    return make_writer(shape, weights, counts, tokenizer, checkpoint, precision)


def make_writer(
    shape: ModelShape,
    weights: Weights,
    counts: Ngram | None,
    tokenizer: Tokenizer,
    checkpoint: Checkpoint,
    precision: str,
    weight: float | None = None,
    temperature: float | None = None,
) -> Writer:
    """What writes with a network and counts, together if there are both.

    Args:
        shape: of the network.
        weights: its weights, which nobody else needs any more.
        counts: the n-gram model.
        tokenizer: of the run.
        checkpoint: says how much the counts weigh, and how sure the network is.
        precision: of the network's products; see `choose_precision`.
        weight: of the counts, where it is not the checkpoint's any more.
        temperature: of the network, where it is not the checkpoint's any more.

    Raises:
        OptionError: see `choose_precision`.
        RunDamagedError: the checkpoint says what cannot be.
    """
    one_of_them = sum(array.nbytes for array in weights.values()) // shape.networks
    chosen = choose_precision(precision, one_of_them)
    expert: Expert
    temperature = temperature_of(checkpoint) if temperature is None else temperature
    expert = network = make_stepper(
        shape, weights, own=True, bf16=chosen == "bf16", temperature=temperature
    )
    if counts is not None:
        weight = ngram_weight(checkpoint) if weight is None else weight
        expert = Mixture(network, NgramExpert(counts), weight)
    return Writer(expert, tokenizer, chosen, checkpoint.note)


def ngram_of(run: Run, checkpoint: Checkpoint) -> Ngram | None:
    """The n-gram model of a run; None if it has none.

    Args:
        run: the run.
        checkpoint: the one that writes.

    Raises:
        RunDamagedError: its file is missing, was altered, or is of another vocabulary.
    """
    try:
        return read_ngram(run, checkpoint)
    except RunDamagedError as error:
        raise RunDamagedError(
            f"{error}: restore it from a copy, or write with the network alone (--no-ngram)"
        ) from None
