"""A model, a tokenizer and a prompt -> text, piece by piece.

One text or many at once are the same loop over rows. Anything that is an `Expert` can write:
networks, n-grams, mixtures. Showing the text and picking a run are left to others.
"""

import math
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt

from charnn.corpus.tokenizers.base import Tokenizer
from charnn.errors import OptionError, RunDamagedError
from charnn.generation.choice import choose_tokens
from charnn.generation.ending import Ending, TextPiece
from charnn.generation.filters import (
    apply_temperature,
    check_range,
    min_p_filter,
    repeat_penalty,
    top_k_filter,
    top_p_filter,
)
from charnn.model.stepper import Expert

__all__ = ["SamplingOptions", "TextPiece", "sample_text", "sample_texts"]

Floats = npt.NDArray[np.floating[Any]]

_ROWS = 64  # samples that are written side by side; bounds the memory of many
_RECENT = 64  # tokens the repeat penalty looks back on


@dataclass(frozen=True, slots=True)
class SamplingOptions:
    """How a text is written.

    Attributes:
        temperature: >= 0; below 1 safer, above 1 bolder, 0 always the most probable token.
        top_k: sample among so many tokens; 0 for all.
        top_p: sample among the tokens that have this share of the probability together; [0, 1].
        min_p: sample among tokens at least this fraction as probable as the best; [0, 1].
        repeat_penalty: > 0; above 1 the tokens of the last 64 become rarer.
        length: code points to write, >= 1; the last Hangul cluster is finished.
        stop: texts before which the writing ends; the first to be complete counts, and the
            prompt does not.

    Raises:
        OptionError: a value breaks its rule.
    """

    temperature: float = 0.8
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    repeat_penalty: float = 1.0
    length: int = 500
    stop: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_range("temperature", self.temperature, 0, math.inf)
        check_range("top_k", self.top_k, 0, math.inf)
        check_range("top_p", self.top_p, 0, 1)
        check_range("min_p", self.min_p, 0, 1)
        check_range("repeat_penalty", self.repeat_penalty, 0, math.inf, above=True)
        check_range("length", self.length, 1, math.inf)
        stop: object = self.stop  # one text is a sequence of texts too, and a likely slip
        if isinstance(stop, str):
            raise OptionError(f"stop must be a tuple of texts, got {stop!r}; write ({stop!r},)")
        if "" in self.stop:
            raise OptionError("stop must not be an empty text; leave it out to stop at the length")


def sample_text(
    expert: Expert,
    tokenizer: Tokenizer,
    prompt: str,
    options: SamplingOptions,
    seed: int,
    *,
    index: int = 0,
) -> Iterator[TextPiece]:
    """Write one text, yielding each piece as soon as it is certain.

    Args:
        expert: what predicts the next token.
        tokenizer: the one the expert was trained with.
        prompt: what the text goes on from; it is not part of what is yielded. "" is the
            beginning of a document.
        options: how to write.
        seed: >= 0; the same seed writes the same text.
        index: which of the samples of this seed, >= 0.

    Yields:
        Pieces of whole characters.

    Raises:
        OptionError: seed or index is negative, or the prompt is no valid Unicode.
        RunDamagedError: the expert's vocabulary is not the tokenizer's, or it predicts NaN.
    """
    check_range("index", index, 0, math.inf)
    start = _read_prompt(expert, tokenizer, prompt)
    row = _Row(tokenizer, options, seed, index, start.recent)
    return (piece for _, piece in _write(expert, tokenizer, options, start, [row]))


def sample_texts(
    expert: Expert,
    tokenizer: Tokenizer,
    prompt: str,
    options: SamplingOptions,
    seed: int,
    num_samples: int,
) -> Iterator[tuple[TextPiece, ...]]:
    """Write many texts side by side; the prompt is read once.

    Sample i has a random stream of its own: it is the text `sample_text(..., index=i)` writes,
    but for near-ties in the last bits of a float.

    Args:
        expert: what predicts the next token.
        tokenizer: the one the expert was trained with.
        prompt: what every text goes on from.
        options: how to write.
        seed: >= 0.
        num_samples: how many, >= 1.

    Yields:
        The pieces of each finished text, in the order of the samples.

    Raises:
        OptionError: seed is negative, num_samples below 1, or the prompt is no valid Unicode.
        RunDamagedError: the expert's vocabulary is not the tokenizer's, or it predicts NaN.
    """
    check_range("num_samples", num_samples, 1, math.inf)
    start = _read_prompt(expert, tokenizer, prompt)
    groups = (
        [
            _Row(tokenizer, options, seed, index, start.recent)
            for index in range(first, min(first + _ROWS, num_samples))
        ]
        for first in range(0, num_samples, _ROWS)
    )
    return chain.from_iterable(_collect(expert, tokenizer, options, start, g) for g in groups)


@dataclass(frozen=True, slots=True)
class _Start:
    """The model behind the prompt: log_probs (1, vocab_size), the state of one row, last tokens."""

    log_probs: Floats
    state: Any
    recent: Sequence[int]


class _Row:
    """One text in writing: its random stream, its half-written character, its end."""

    def __init__(
        self,
        tokenizer: Tokenizer,
        options: SamplingOptions,
        seed: int,
        index: int,
        recent: Sequence[int],
    ) -> None:
        check_range("seed", seed, 0, math.inf)
        self.draw = np.random.default_rng([seed, index]).random
        # A prompt is written out: no jamo of the text may join its last syllable.
        self.decoder = tokenizer.decoder()
        self.ending = Ending(options.length, options.stop)
        self.recent = deque(recent, _RECENT)
        self._whole = tokenizer.initial_state
        self._bits = 0.0  # of tokens whose text is still to come

    def push(self, token: int, bits: float) -> list[TextPiece]:
        """The pieces that a token makes certain."""
        self.recent.append(token)
        text = self.decoder.push(token)
        if not text:
            self._bits += bits
            return []
        if self.decoder.state == self._whole:
            piece, self._bits = TextPiece(text, self._bits + bits), 0.0
        else:  # the token begins the next character and only closed the one before
            piece, self._bits = TextPiece(text, self._bits), bits
        return self.ending.push(piece)


class _Masks:
    """What to add to log-probabilities so that only what can be written next is sampled."""

    def __init__(self, tokenizer: Tokenizer, dtype: npt.DTypeLike) -> None:
        self._tokenizer = tokenizer
        self._dtype = dtype
        self._masks: dict[int, Floats] = {}

    def of(self, rows: Sequence[_Row]) -> Floats:
        """0 or -inf, (batch, vocab_size), or (vocab_size,) where all rows are alike."""
        states = [row.decoder.state for row in rows]
        if len(set(states)) == 1:
            return self._mask(states[0])
        return np.stack([self._mask(state) for state in states])

    def _mask(self, state: int) -> Floats:
        if state not in self._masks:
            # One sample is one document: the boundary is never drawn.
            allowed = self._tokenizer.allowed(state).copy()
            allowed[self._tokenizer.boundary] = False
            self._masks[state] = np.where(allowed, 0, -np.inf).astype(self._dtype)
        return self._masks[state]


def _read_prompt(expert: Expert, tokenizer: Tokenizer, prompt: str) -> _Start:
    """Read a document that begins with the prompt."""
    if expert.vocab_size != tokenizer.vocab_size:
        raise RunDamagedError(
            f"the model must predict the tokenizer's {tokenizer.vocab_size} tokens, got "
            f"{expert.vocab_size}; take both from the same run"
        )
    try:
        prompt.encode("utf-8")
    except UnicodeEncodeError as error:
        raise OptionError(
            f"prompt must be valid Unicode, got a lone surrogate U+{ord(prompt[error.start]):04X} "
            f"at character {error.start}; leave it out"
        ) from None
    written = tokenizer.encode(prompt)
    tokens = np.concatenate([[tokenizer.boundary], written]).astype(np.intp)
    log_probs, state = expert.read(tokens, expert.initial_state(1))
    return _Start(log_probs, state, written[-_RECENT:].tolist())


def _collect(
    expert: Expert,
    tokenizer: Tokenizer,
    options: SamplingOptions,
    start: _Start,
    rows: list[_Row],
) -> Iterator[tuple[TextPiece, ...]]:
    """The finished texts of the rows."""
    texts: dict[_Row, list[TextPiece]] = {row: [] for row in rows}
    for row, piece in _write(expert, tokenizer, options, start, rows):
        texts[row].append(piece)
    yield from map(tuple, texts.values())


def _write(
    expert: Expert,
    tokenizer: Tokenizer,
    options: SamplingOptions,
    start: _Start,
    rows: list[_Row],
) -> Iterator[tuple[_Row, TextPiece]]:
    """The pieces of all rows as they come; a finished row leaves the batch."""
    log_probs = start.log_probs.repeat(len(rows), axis=0)
    state = expert.select(start.state, [0] * len(rows))
    masks = _Masks(tokenizer, log_probs.dtype)
    while True:
        logits = _filtered(log_probs + masks.of(rows), rows, options)
        tokens = choose_tokens(logits, [row.draw() for row in rows])
        for position, (row, token) in enumerate(zip(rows, tokens, strict=True)):
            bits = log_probs.item(position, token) / -math.log(2)
            for piece in row.push(token, bits):
                yield row, piece
        going = [position for position, row in enumerate(rows) if not row.ending.reached]
        if not going:
            return
        if len(going) < len(rows):
            rows = [rows[position] for position in going]
            tokens = [tokens[position] for position in going]
            state = expert.select(state, going)
        log_probs, state = expert.step(np.array(tokens), state)


def _filtered(logits: Floats, rows: Sequence[_Row], options: SamplingOptions) -> Floats:
    """The filters in their order; those that would change nothing are left out."""
    if options.repeat_penalty != 1:
        recent = np.array([row.recent for row in rows], np.intp)
        logits = repeat_penalty(logits, recent, options.repeat_penalty)
    if options.top_k:
        logits = top_k_filter(logits, options.top_k)
    if options.top_p < 1:
        logits = top_p_filter(logits, options.top_p)
    if options.min_p:
        logits = min_p_filter(logits, options.min_p)
    return apply_temperature(logits, options.temperature)
