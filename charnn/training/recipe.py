"""Options -> recipe: what is trained, and how; every choice the user left open is made here.

No torch here: a recipe is also asked for as advice. It follows from the text, the options and the
device's kind and speed alone; no clock is read here (`speed.py` reads one, where there are
minutes).
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charnn.model.mixture import USUAL_WEIGHT
from charnn.model.shapes import ModelShape, parameter_count
from charnn.training.options import TrainOptions
from charnn.training.sizing import FLOPS, seconds_per_step, shape_for, tokens_read

Tokens = NDArray[np.integer[Any]]

_NGRAM_ORDERS = {"char": 6, "jamo": 10, "byte": 11, "subword": 4}
"""Tokens of the longest n-gram, for each kind of tokenizer; longer ones gain little."""

_TOKEN_SHARE, _LAYER_SHARE, _WEIGHT_SHARE = 0.16, 0.6, 0.6
"""Of tokens, between layers and of recurrent weights: beside the share dropped at the output."""
_LEAST_TO_DROP = 0.1

_LEAST_DECAY, _MOST_DECAY = 0.05, 0.15
_DROP_OF_MOST, _WEIGHTS_OF_MOST = 0.2, 4.0
"""The most is for where so much is dropped at the output and there are so many weights to a token,
or more; the least where nothing is dropped, or there are at most half as many weights."""

_LEAST_TO_FIT, _MOST_WEIGHT_TOKENS = 10_000, 5_000


@dataclass(frozen=True, slots=True)
class Recipe:
    """What is trained and how; every choice made. Saved with the run.

    Attributes:
        batch_size: parallel rows of text.
        seq_len: tokens per window of truncated BPTT.
        learning_rate: the peak of the schedule.
        schedule: "cosine" (warm-up, then down to zero) or "constant".
        warmup: share of the steps in which the rate rises.
        weight_decay: on matrices only; decoupled, but part of the gradient with Adagrad.
        grad_clip: largest global norm of the gradient, of several networks at root mean square.
        ema: the longest horizon of the weights' moving average, as its decay; 0 is off.
        networks: how many of that shape predict together.
        feed_forward_size: units of the gated block behind the last layer; 0 for none.
        composed: whether syllables are the sum of their own vector and those of their jamo.
        token_dropout: and the others: shares in [0, 1).
        ngram_order: tokens of the longest n-gram of the second expert.
        ngram_weight: its share in the mixture, or the first guess at it; 0 if there is none.
        weight_tokens: tokens of the training part that nothing is trained on, for the share and the
            networks' temperature to be fitted on; 0 if they stay as they are.
        weight_at_end: whether those are its last ones, as in every new run. There they follow what
            is trained on, as held-out text does; the first ones gave the n-gram model too much.
    """

    cell: str
    num_layers: int
    hidden_size: int
    embedding_size: int
    tied: bool
    networks: int
    feed_forward_size: int
    batch_size: int
    seq_len: int
    learning_rate: float
    optimizer: str
    schedule: str
    warmup: float
    weight_decay: float
    grad_clip: float
    ema: float
    composed: bool
    token_dropout: float
    input_dropout: float
    layer_dropout: float
    output_dropout: float
    state_dropout: float
    weight_dropout: float
    ngram_order: int
    ngram_weight: float
    weight_tokens: int
    weight_at_end: bool

    def trained_on(self, tokens: Tokens) -> Tokens:
        """What of a training part, (n,), the networks are trained on."""
        border = self._border(len(tokens))
        return tokens[:border] if self.weight_at_end else tokens[border:]

    def kept_for_weight(self, tokens: Tokens) -> Tokens:
        """What of a training part, (n,), share and temperature are fitted on; maybe nothing."""
        border = self._border(len(tokens))
        return tokens[border:] if self.weight_at_end else tokens[:border]

    def _border(self, tokens: int) -> int:
        """Between what of so many tokens is trained on and what is kept."""
        return max(0, tokens - self.weight_tokens) if self.weight_at_end else self.weight_tokens

    def shape(self, vocab_size: int) -> ModelShape:
        """The network's sizes for a vocabulary."""
        return ModelShape(
            vocab_size,
            self.embedding_size,
            self.hidden_size,
            self.num_layers,
            self.cell,
            self.tied,
            self.networks,
            self.feed_forward_size,
        )


def make_recipe(
    options: TrainOptions, tokens: int, vocab_size: int, device: str, flops: float | None = None
) -> Recipe:
    """Choose everything the user left open.

    Args:
        options: what the user said.
        tokens: length of the training part.
        vocab_size: of the tokenizer.
        device: "cpu", "cuda" or "mps".
        flops: floating-point operations a second that training reaches there; None takes what is
            usual for the kind.
    """
    if options.size == "classic":
        return _classic(options)
    flops = flops or FLOPS[device]
    batch_size = options.batch_size or _batch_size(tokens, device)
    seq_len = options.seq_len or max(1, min(64, tokens // batch_size))
    step_tokens = batch_size * seq_len
    shape = shape_for(options, tokens, vocab_size, device, step_tokens, flops)
    epochs = tokens_read(options, shape, tokens, step_tokens, flops) / max(1, tokens)
    ratio = parameter_count(shape.single) / max(1, tokens)
    drop = _dropout_for(epochs, ratio)
    everywhere = options.dropout
    output = _or(options.output_dropout, everywhere, drop)
    optimizer = options.optimizer or "adamw"
    return Recipe(
        cell=shape.cell,
        num_layers=shape.num_layers,
        hidden_size=shape.hidden_size,
        embedding_size=shape.embedding_size,
        tied=shape.tied,
        networks=shape.networks,
        feed_forward_size=shape.feed_forward_size,
        batch_size=batch_size,
        seq_len=seq_len,
        learning_rate=_or(options.learning_rate, _learning_rate(shape)),
        optimizer=optimizer,
        schedule="cosine",
        warmup=0.05,
        weight_decay=_or(options.weight_decay, _weight_decay_for(output, ratio, optimizer)),
        grad_clip=_or(options.grad_clip, 1.0),
        ema=0.998,
        composed=True,
        token_dropout=_or(options.token_dropout, _TOKEN_SHARE * drop),
        input_dropout=_or(options.input_dropout, everywhere, 0.0),
        layer_dropout=_or(options.layer_dropout, everywhere, _LAYER_SHARE * drop),
        output_dropout=output,
        state_dropout=_or(options.state_dropout, 0.0),
        weight_dropout=_or(options.weight_dropout, _weight_dropout_for(drop)),
        **_ngram_choices(options, tokens),
    )


def _classic(options: TrainOptions) -> Recipe:
    """The seed experiment of the field: 100 LSTM units, Adagrad, windows of 25, one row.

    It has no second expert, unless somebody gave that a weight.

    Source: Karpathy 2015, min-char-rnn, with an LSTM in place of the plain recurrence.
    """
    hidden = options.hidden or 100
    return Recipe(
        cell=options.cell or "lstm",
        num_layers=options.layers or 1,
        hidden_size=hidden,
        embedding_size=options.embedding or hidden,
        tied=False,
        networks=options.networks or 1,
        feed_forward_size=options.feed_forward or 0,
        batch_size=options.batch_size or 1,
        seq_len=options.seq_len or 25,
        learning_rate=_or(options.learning_rate, 0.1),
        optimizer=options.optimizer or "adagrad",
        schedule="constant",
        warmup=0.0,
        weight_decay=_or(options.weight_decay, 0.0),
        grad_clip=_or(options.grad_clip, 5.0),
        ema=0.0,
        composed=False,
        token_dropout=_or(options.token_dropout, 0.0),
        input_dropout=_or(options.input_dropout, options.dropout, 0.0),
        layer_dropout=_or(options.layer_dropout, options.dropout, 0.0),
        output_dropout=_or(options.output_dropout, options.dropout, 0.0),
        state_dropout=_or(options.state_dropout, 0.0),
        weight_dropout=_or(options.weight_dropout, 0.0),
        ngram_order=_NGRAM_ORDERS[options.tokenizer],
        ngram_weight=0.0 if options.no_ngram else options.ngram_weight or 0.0,
        weight_tokens=0,
        weight_at_end=True,
    )


def nominal_seconds_per_step(
    recipe: Recipe, vocab_size: int, device: str, flops: float | None = None
) -> float:
    """What a step takes on a typical machine with this kind of device, or on one of that speed."""
    step_tokens = recipe.batch_size * recipe.seq_len
    return seconds_per_step(recipe.shape(vocab_size), step_tokens, flops or FLOPS[device])


def _batch_size(tokens: int, device: str) -> int:
    """Rows: few on a CPU, where more updates beat larger ones; short texts get no tiny rows."""
    most = 64 if device == "cuda" else 16
    return max(1, min(most, tokens // 64))


def _learning_rate(shape: ModelShape) -> float:
    base = {"lstm": 8e-3, "gru": 5e-3, "rnn": 2e-3}[shape.cell]
    return base * math.sqrt(512 / max(512, shape.hidden_size)) / math.sqrt(shape.num_layers)


def _dropout_for(epochs: float, parameters_per_token: float) -> float:
    """Output dropout by how often the text is read and how much of it the weights could hold.

    None for a few passes (six where there are as many tokens as weights, two where there are ten
    times as many weights, ten where there are a third as many), then more with every doubling, at
    most 0.6.
    """
    free = 6.4 * max(1e-9, parameters_per_token) ** -0.47
    return round(min(0.6, max(0.0, 0.15 * math.log2(max(1.0, epochs / free)))), 3)


def _weight_dropout_for(drop: float) -> float:
    """Of recurrent weights: so little that it is not worth its time is nothing."""
    return _WEIGHT_SHARE * drop if drop >= _LEAST_TO_DROP else 0.0


def _weight_decay_for(drop: float, parameters_per_token: float, optimizer: str) -> float:
    """More for a text that is read often by a network that could learn it by heart.

    That is of AdamW; SGD has the least, and Adagrad none, which would divide it as a gradient.
    """
    if optimizer != "adamw":
        return _LEAST_DECAY if optimizer == "sgd" else 0.0
    room = math.log2(max(1e-9, 2 * parameters_per_token / _WEIGHTS_OF_MOST))
    share = min(1.0, drop / _DROP_OF_MOST) * min(1.0, max(0.0, room))
    return round(_LEAST_DECAY + share * (_MOST_DECAY - _LEAST_DECAY), 4)


def _ngram_choices(options: TrainOptions, tokens: int) -> dict[str, Any]:
    """The fields of the recipe that concern the n-gram model, and what is fitted in the end."""
    enough = tokens >= _LEAST_TO_FIT  # of fewer, the slice would say nothing
    fitted = enough and options.ngram_weight is None
    return {
        "ngram_order": _NGRAM_ORDERS[options.tokenizer],
        "ngram_weight": 0.0 if options.no_ngram else _or(options.ngram_weight, USUAL_WEIGHT),
        "weight_tokens": min(_MOST_WEIGHT_TOKENS, tokens // 64) if fitted else 0,
        "weight_at_end": True,
    }


def _or(*values: float | None) -> float:
    """The first value that is not None."""
    return next(float(value) for value in values if value is not None)
