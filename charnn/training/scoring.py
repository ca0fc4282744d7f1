"""What a text costs a run: the numbers of `charnn eval`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from charnn.corpus.accounting import Score
from charnn.corpus.split import check_part
from charnn.corpus.stream import encode_source
from charnn.corpus.tokenizers import Tokenizer, load_tokenizer
from charnn.errors import OptionError, TextError
from charnn.model.language_model import LanguageModel
from charnn.records import Preparing
from charnn.runs.layout import WEIGHTS
from charnn.runs.run import Run
from charnn.text.reading import open_texts
from charnn.training.device import choose_device
from charnn.training.evaluation import evaluate
from charnn.training.saved import Text, stream_of


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A text and what it costs.

    Attributes:
        part: "train", "validation", "test", or "text" for a text of its own.
        score: of everything that predicts together.
        network: of the network alone.
        ngram: of the n-gram alone; None where the run has none.
    """

    part: str
    score: Score
    network: Score
    ngram: Score | None = None

    def to_json(self) -> dict[str, Any]:
        """The numbers as a JSON object."""
        return {
            "part": self.part,
            "bits_per_char": self.score.bits_per_char,
            "bits_per_byte": self.score.bits_per_byte,
            "nats_per_char": self.score.nats_per_char,
            "nats_per_token": self.score.loss,
            "characters": self.score.characters,
            "bytes": self.score.bytes,
            "tokens": self.score.tokens,
            "network_bits_per_char": self.network.bits_per_char,
            "ngram_bits_per_char": self.ngram.bits_per_char if self.ngram else None,
        }


def score_part(
    run: Run, part: str | None = None, on_progress: Callable[[Preparing], None] | None = None
) -> Evaluation:
    """What a part of the run's own text costs it.

    Args:
        run: the run.
        part: "train", "validation" or "test"; None is the test part if there is one, else the
            validation part.
        on_progress: told how many tokens have been scored.

    Raises:
        OptionError: there is no such part, or it is empty.
        TextError: the run's tokens are gone, and so is its text.
    """
    check_part(part)
    stream = stream_of(run, on_progress)
    name = part or ("test" if len(stream.part("test")) else "validation")
    if len(stream.part(name)) == 0:
        raise OptionError(f"run {run.name} has no {name} part: name another --part, or a text")
    return _evaluation(run, name, stream.part(name), stream.tokenizer, on_progress)


def score_text(
    run: Run, text: Text, on_progress: Callable[[Preparing], None] | None = None
) -> Evaluation:
    """What a text of its own costs a run.

    Args:
        run: the run.
        text: files, folders or stdin.
        on_progress: told how many tokens have been scored.

    Raises:
        TextError: the text cannot be read.
    """
    tokenizer = load_tokenizer(run.path)
    with open_texts(
        text.paths, encoding=text.encoding, document_separator=text.document_separator
    ) as source:
        chunks = list(encode_source(source, tokenizer))
    if not chunks:
        raise TextError(f"{source.name} has no text to score")
    return _evaluation(run, "text", np.concatenate(chunks), tokenizer, on_progress)


def _evaluation(
    run: Run,
    part: str,
    tokens: NDArray[np.integer[Any]],
    tokenizer: Tokenizer,
    on_progress: Callable[[Preparing], None] | None,
) -> Evaluation:
    def report(done: int) -> bool:
        if on_progress:
            on_progress(Preparing("scoring", done, len(tokens), "tokens"))
        return True

    shape = run.config().model
    device = choose_device("auto", "fp32")
    model = LanguageModel(shape)
    weights = run.chosen(WEIGHTS).weights(shape)
    model.load_state_dict({name: torch.from_numpy(array) for name, array in weights.items()})
    model.to(device.torch_device)
    score = evaluate(model, tokens, tokenizer, device, on_progress=report)
    if score is None:
        raise TextError(f"{part} was not scored to its end")
    return Evaluation(part, score, network=score)
