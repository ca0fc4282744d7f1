"""One text in writing, and how the next token of every text of a batch is drawn."""

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from charnn.corpus.tokenizers.base import Tokenizer
from charnn.generation.choice import choose_tokens
from charnn.generation.ending import Ending, TextPiece
from charnn.generation.filters import (
    apply_temperature,
    check_whole,
    min_p_filter,
    repeat_penalty,
    top_k_filter,
    top_p_filter,
)
from charnn.generation.following import Constraint
from charnn.generation.options import SamplingOptions
from charnn.generation.prompt import RECENT

Floats = npt.NDArray[np.floating[Any]]

# Log-probabilities divided by such a temperature are neither too small nor too near each other.
_COOL, _HOT = 0.05, 1e6
_DRAWS = 64  # random numbers that are made at once


class Row:
    """One text in writing: its random stream, its half-written character, its end.

    Args:
        tokenizer: of the model that writes.
        options: how to write.
        seed: >= 0.
        index: which of the samples of this seed.
        recent: the last tokens of the prompt.
        constraint: what the text must be like; None if it may be like anything.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        options: SamplingOptions,
        seed: int,
        index: int,
        recent: Sequence[int],
        constraint: Constraint | None = None,
    ) -> None:
        check_whole("seed", seed, 0)
        self.index = index
        self.draw = _uniform(np.random.default_rng([seed, index])).__next__
        # A prompt is written out: no jamo of the text may join its last syllable.
        self.decoder = tokenizer.decoder()
        self.ending = Ending(options.length, options.stop)
        self.recent = deque(recent, RECENT)
        self.constraint = constraint
        self._whole = tokenizer.initial_state
        self._bits = 0.0  # of tokens whose text is still to come

    def push(self, token: int, bits: float) -> list[TextPiece]:
        """The pieces that a token makes certain."""
        self.recent.append(token)
        text = self.decoder.push(token)
        told = self.constraint.push(token, text) if self.constraint else None
        if not text:
            self._bits += bits
            return []
        if self.decoder.state == self._whole:
            piece = TextPiece(text, self._bits + bits)
            self._bits = 0.0
        else:  # the token begins the next character and only closed the one before
            piece, self._bits = TextPiece(text, self._bits), bits
        if told is None:
            return self.ending.push(piece)
        if told.length == len(text):
            return self.ending.push(piece, told.free)
        return self.ending.close(TextPiece(text[: told.length], piece.bits), told.free)


def _uniform(rng: np.random.Generator) -> Iterator[float]:
    """Numbers in [0, 1) without end; made in blocks, which does not change them."""
    while True:
        yield from rng.random(_DRAWS).tolist()


class Masks:
    """What to add to log-probabilities so that only what can be written next is sampled.

    Args:
        tokenizer: of the model that writes.
        dtype: of the log-probabilities.
    """

    def __init__(self, tokenizer: Tokenizer, dtype: npt.DTypeLike) -> None:
        self._tokenizer = tokenizer
        self._dtype = dtype
        self._masks: dict[int, Floats] = {}

    def of(self, rows: Sequence[Row]) -> Floats:
        """0 or -inf, (batch, vocab_size), or (vocab_size,) where all rows are alike."""
        if len(rows) == 1:
            return self._mask(rows[0].decoder.state)
        states = [row.decoder.state for row in rows]
        if states.count(states[0]) == len(states):
            return self._mask(states[0])
        return np.stack([self._mask(state) for state in states])

    def _mask(self, state: int) -> Floats:
        mask = self._masks.get(state)
        if mask is None:
            # One sample is one document: the boundary is never drawn.
            allowed = self._tokenizer.allowed(state).copy()
            allowed[self._tokenizer.boundary] = False
            mask = self._masks[state] = np.where(allowed, 0, -np.inf).astype(self._dtype)
        return mask


def draw_tokens(
    log_probs: Floats, rows: Sequence[Row], masks: Masks, options: SamplingOptions
) -> list[int]:
    """Draw the next token of every row.

    Args:
        log_probs: of the next token in nats, (batch, vocab_size).
        rows: the texts.
        masks: of their tokenizer.
        options: how to write; those that constrain a text have made `row.constraint`.

    Raises:
        OptionError: a constraint leaves nothing to draw.
        RunDamagedError: the log-probabilities of a row are not numbers.
    """
    logits: Floats = log_probs + masks.of(rows)
    if rows[0].constraint:
        constrained = zip(rows, logits, strict=True)
        logits = np.stack(
            [row.constraint.apply(own) if row.constraint else own for row, own in constrained]
        )
    logits = _filtered(logits, rows, options)
    if _COOL <= options.temperature <= _HOT:
        logits /= options.temperature
    else:
        logits = apply_temperature(logits, options.temperature)
    return choose_tokens(logits, [row.draw() for row in rows])


def _filtered(logits: Floats, rows: Sequence[Row], options: SamplingOptions) -> Floats:
    """The filters in their order but for the temperature; those that do nothing are left out."""
    if options.repeat_penalty != 1:
        recent = np.array([row.recent for row in rows], np.intp)
        logits = repeat_penalty(logits, recent, options.repeat_penalty)
    if options.top_k:
        logits = top_k_filter(logits, options.top_k)
    if options.top_p < 1:
        logits = top_p_filter(logits, options.top_p)
    if options.min_p:
        logits = min_p_filter(logits, options.min_p)
    return logits
