"""A run folder -> what writes: its experts and its tokenizer. No torch."""

from typing import NamedTuple

from charnn.corpus.tokenizers import Tokenizer, load_tokenizer
from charnn.errors import RunDamagedError
from charnn.model.stepper import Expert, Stepper
from charnn.runs.layout import TOKENIZER, WEIGHTS
from charnn.runs.run import Run


class Writer(NamedTuple):
    """What a run writes with.

    Attributes:
        expert: predicts the next token.
        tokenizer: of the run.
        note: why this is not the newest checkpoint; None if it is.
    """

    expert: Expert
    tokenizer: Tokenizer
    note: str | None


def load_writer(run: Run) -> Writer:
    """The best checkpoint of a run, checked, ready to write.

    Raises:
        RunNotFoundError: there is no checkpoint yet.
        RunDamagedError: a file was altered or is that of another run.
        TokenizerError: the tokenizer cannot be used.
    """
    config = run.config()
    checkpoint = run.chosen(WEIGHTS)
    checkpoint.run_file(TOKENIZER)
    tokenizer = load_tokenizer(run.path)
    if tokenizer.fingerprint != config.tokenizer["fingerprint"]:
        raise RunDamagedError(f"{run.path}: the tokenizer is not the one the run was trained with")
    expert = Stepper(config.model, checkpoint.weights(config.model))
    return Writer(expert, tokenizer, checkpoint.note)
