"""What a text costs a run: the numbers of `charnn eval`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charnn.corpus.accounting import Score
from charnn.corpus.encoding import encode_source
from charnn.corpus.split import check_part
from charnn.corpus.stream import TokenStream
from charnn.corpus.tokenizers import Tokenizer
from charnn.errors import OptionError, TextError
from charnn.model.ensemble import Model, make_model
from charnn.records import Preparing
from charnn.runs.checkpoints import Checkpoint, open_manifest
from charnn.runs.layout import GRADIENTS, WEIGHTS
from charnn.runs.ngram_file import ngram_weight, read_ngram
from charnn.runs.run import Run
from charnn.runs.temperature import temperature_of
from charnn.text.reading import open_texts
from charnn.training.device import choose_device
from charnn.training.dynamic import dynamic_nats
from charnn.training.evaluation import token_nats
from charnn.training.saved import stream_of
from charnn.training.scores import (
    Nats,
    OnNats,
    Scores,
    adaptive_nats,
    counted_nats,
    score_together,
)
from charnn.training.state import take_weights
from charnn.training.texts import Text


@dataclass(frozen=True, slots=True)
class Manner:
    """How a text is scored.

    Attributes:
        with_ngram: whether the n-gram model, if there is one, predicts beside the network.
        dynamic: whether to score once more with experts that go on learning.
        on_nats: told what each token costs "network", "ngram" and "both", (n,) each, and where
            they go on learning "dynamic_network" and so on; for intervals and pictures.
    """

    with_ngram: bool = True
    dynamic: bool = False
    on_nats: OnNats | None = None


USUAL_MANNER = Manner()


@dataclass(frozen=True, slots=True)
class Evaluation(Scores):
    """A text and what it costs.

    Attributes:
        part: "train", "validation", "test", or "text" for a text of its own.
        dynamic: the same where network, counts and the weight between them go on learning from
            what they have read; None where that was not asked for.
    """

    part: str = "text"
    dynamic: Scores | None = None

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
            "ngram_bits_per_char": _bits(self.ngram),
            "dynamic_bits_per_char": _bits(self.dynamic.score if self.dynamic else None),
            "dynamic_network_bits_per_char": _bits(self.dynamic.network if self.dynamic else None),
            "dynamic_ngram_bits_per_char": _bits(self.dynamic.ngram if self.dynamic else None),
        }


def _bits(score: Score | None) -> float | None:
    return score.bits_per_char if score else None


def score_part(
    run: Run,
    part: str | None = None,
    on_progress: Callable[[Preparing], None] | None = None,
    manner: Manner = USUAL_MANNER,
) -> Evaluation:
    """What a part of the run's own text costs it.

    Args:
        run: the run.
        part: "train", "validation" or "test"; None is the test part if there is one, else the
            validation part.
        on_progress: told how many tokens have been scored.
        manner: who predicts, and whether they adapt.

    Raises:
        OptionError: there is no such part, or it is empty.
        TextError: the run's tokens are gone, and so is its text.
    """
    check_part(part)
    stream = stream_of(run, on_progress)
    name = named_part(run, stream, part)
    tokens, tokenizer = stream.part(name), stream.tokenizer
    return _evaluation(run, name, tokens, tokenizer, manner, on_progress)


def named_part(run: Run, stream: TokenStream, part: str | None) -> str:
    """The part that is meant: None is the test part if there is one, else the validation part.

    Raises:
        OptionError: it is empty.
    """
    name = part or ("test" if len(stream.part("test")) else "validation")
    if len(stream.part(name)) == 0:
        raise OptionError(f"run {run.name} has no {name} part: name another --part, or a text")
    return name


def score_text(
    run: Run,
    text: Text,
    on_progress: Callable[[Preparing], None] | None = None,
    manner: Manner = USUAL_MANNER,
) -> Evaluation:
    """What a text of its own costs a run.

    Args:
        run: the run.
        text: files, folders or stdin.
        on_progress: told how many tokens have been scored.
        manner: who predicts, and whether they adapt.

    Raises:
        TextError: the text cannot be read.
    """
    tokenizer = run.tokenizer()
    tokens = read_tokens(text, tokenizer)
    return _evaluation(run, "text", tokens, tokenizer, manner, on_progress)


def read_tokens(text: Text, tokenizer: Tokenizer) -> NDArray[np.integer[Any]]:
    """The tokens of a text, (n,), n >= 1.

    Raises:
        TextError: it cannot be read, or is empty.
    """
    with open_texts(
        text.paths, encoding=text.encoding, document_separator=text.document_separator
    ) as source:
        chunks = list(encode_source(source, tokenizer))
    if not chunks:
        raise TextError(f"{source.name} has no text to read")
    return np.concatenate(chunks)


def _evaluation(
    run: Run,
    part: str,
    tokens: NDArray[np.integer[Any]],
    tokenizer: Tokenizer,
    manner: Manner,
    on_progress: Callable[[Preparing], None] | None,
) -> Evaluation:
    checkpoint = adapting_checkpoint(run) if manner.dynamic else run.chosen(WEIGHTS)
    device = choose_device("auto", "fp32")
    model = load_model(run, checkpoint).to(device.torch_device)
    report = reporter("scoring", len(tokens), on_progress)
    boundary = tokenizer.boundary
    temperature = temperature_of(checkpoint)
    nats = token_nats(model, tokens, boundary, device, on_progress=report, temperature=temperature)
    counts = read_ngram(run, checkpoint) if manner.with_ngram else None
    counted = counted_nats(counts, tokens, boundary)
    weight = ngram_weight(checkpoint)
    scores = score_together(
        whole(nats, part), counted, weight, tokens, tokenizer, on_nats=manner.on_nats
    )
    dynamic = None
    if manner.dynamic:
        report = reporter("adapting", len(tokens), on_progress)
        roots = checkpoint.gradient_roots(model.shape)
        nats = whole(dynamic_nats(model, tokens, boundary, roots, device, on_progress=report), part)
        counted = adaptive_nats(counts, tokens, boundary)
        dynamic = score_together(
            nats, counted, weight, tokens, tokenizer, adapting=True, on_nats=manner.on_nats
        )
    return Evaluation(scores.score, scores.network, scores.ngram, part, dynamic)


def adapting_checkpoint(run: Run) -> Checkpoint:
    """The best checkpoint, with what adapting its network goes by.

    Raises:
        OptionError: it does not say how large its gradients were.
    """
    if GRADIENTS not in open_manifest(run.path, run.writing_slot()).files:
        raise OptionError(
            f"run {run.name} cannot adapt: its checkpoint does not say how large its gradients "
            "were (it is of before the first step, or of another optimizer than adamw)"
        )
    return run.chosen(WEIGHTS, GRADIENTS)


def reporter(
    what: str, total: int, on_progress: Callable[[Preparing], None] | None
) -> Callable[[int], bool]:
    """What tells how many of `total` tokens were read, for "scoring" or the like; it goes on."""

    def report(done: int) -> bool:
        if on_progress:
            on_progress(Preparing(what, done, total, "tokens"))
        return True

    return report


def whole(nats: Nats | None, part: str) -> Nats:
    """What each token of a part costs, (n,).

    Raises:
        TextError: scoring was broken off.
    """
    if nats is None:
        raise TextError(f"{part} was not scored to its end")
    return nats


def load_model(run: Run, checkpoint: Checkpoint) -> Model:
    """The network of a checkpoint, in torch.

    Raises:
        RunDamagedError: the weights are of another network, or not finite.
    """
    shape = run.config().model
    weights = checkpoint.weights(shape)  # checked before anything as large is made
    model = make_model(shape)
    take_weights(model, weights)
    return model
