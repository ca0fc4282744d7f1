"""A model, a tokenizer and a prompt -> text, piece by piece.

One text or many at once are the same loop over rows. Anything that is an `Expert` can write:
networks, n-grams, mixtures. Showing the text and picking a run are left to others.
"""

import math
from collections import defaultdict
from collections.abc import Iterator
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt

from charnn.corpus.tokenizers.base import Tokenizer
from charnn.generation.constraints import Constraints, constraints_for
from charnn.generation.copies import CopyIndex
from charnn.generation.ending import TextPiece
from charnn.generation.filters import check_whole
from charnn.generation.options import SamplingOptions
from charnn.generation.placement import Placement, Point
from charnn.generation.prompt import Start, read_prompt
from charnn.generation.row import Masks, Row, draw_tokens
from charnn.model.expert import Expert

__all__ = [
    "SamplingOptions",
    "Start",
    "TextPiece",
    "read_prompt",
    "sample_text",
    "sample_texts",
    "sample_together",
]

Floats = npt.NDArray[np.floating[Any]]

_ROWS = 64  # samples that are written side by side; bounds the memory of many
_BITS = -1 / math.log(2)  # of a log-probability in nats


def sample_text(
    expert: Expert,
    tokenizer: Tokenizer,
    prompt: str | Start,
    options: SamplingOptions,
    seed: int,
    *,
    index: int = 0,
    copies: CopyIndex | None = None,
) -> Iterator[TextPiece]:
    """Write one text, yielding each piece as soon as it is certain.

    Args:
        expert: what predicts the next token.
        tokenizer: the one the expert was trained with.
        prompt: what the text goes on from; it is not part of what is yielded. "" is the
            beginning of a document, a `Start` one that was read before.
        options: how to write.
        seed: >= 0; the same seed writes the same text.
        index: which of the samples of this seed, >= 0.
        copies: the index of the training text; needed for `max_copy` alone.

    Yields:
        Pieces of whole characters.

    Raises:
        OptionError: seed or index is negative, the prompt is no valid Unicode, or no text can be
            what the options ask for.
        RunDamagedError: the expert's vocabulary is not the tokenizer's, or it predicts NaN.
    """
    check_whole("index", index, 0)
    writing = _Writing(expert, tokenizer, options, _started(expert, tokenizer, prompt), copies)
    rows = [writing.row(seed, index)]
    return (piece for _, piece in writing.pieces(rows) if piece is not None)


def sample_texts(
    expert: Expert,
    tokenizer: Tokenizer,
    prompt: str | Start,
    options: SamplingOptions,
    seed: int,
    num_samples: int,
    *,
    copies: CopyIndex | None = None,
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
        copies: the index of the training text; needed for `max_copy` alone.

    Yields:
        The pieces of each finished text, in the order of the samples.

    Raises:
        OptionError: seed is negative, num_samples below 1, the prompt is no valid Unicode, or no
            text can be what the options ask for.
        RunDamagedError: the expert's vocabulary is not the tokenizer's, or it predicts NaN.
    """
    together = sample_together(expert, tokenizer, prompt, options, seed, num_samples, copies=copies)
    return _finished(together)


def sample_together(
    expert: Expert,
    tokenizer: Tokenizer,
    prompt: str | Start,
    options: SamplingOptions,
    seed: int,
    num_samples: int,
    *,
    copies: CopyIndex | None = None,
) -> Iterator[tuple[int, TextPiece | None]]:
    """Write the texts of `sample_texts`, yielding each piece as soon as it is certain.

    Yields:
        The number of a sample and a piece of it, or None at its end. Some samples are written
        at once; those of the next group begin when all of a group have ended.

    Raises:
        OptionError: seed is negative, num_samples below 1, the prompt is no valid Unicode, or no
            text can be what the options ask for.
        RunDamagedError: the expert's vocabulary is not the tokenizer's, or it predicts NaN.
    """
    check_whole("num_samples", num_samples, 1)
    writing = _Writing(expert, tokenizer, options, _started(expert, tokenizer, prompt), copies)
    groups = (
        [
            writing.row(seed, index)
            for index in range(first, min(first + writing.side_by_side, num_samples))
        ]
        for first in range(0, num_samples, writing.side_by_side)
    )
    return chain.from_iterable(map(writing.pieces, groups))


class _Writing:
    """Texts that go on from one start.

    Attributes:
        side_by_side: how many are written at once; where words are placed, a text goes back and
            forth in time, which it can only do by itself.
    """

    def __init__(
        self,
        expert: Expert,
        tokenizer: Tokenizer,
        options: SamplingOptions,
        start: Start,
        copies: CopyIndex | None,
    ) -> None:
        self._expert, self._tokenizer, self._options = expert, tokenizer, options
        self._start = start
        self._constraints = constraints_for(options, tokenizer, start, copies)
        self._masks = Masks(tokenizer, start.log_probs.dtype)
        self.side_by_side = 1 if options.include else _ROWS

    def row(self, seed: int, index: int) -> Row:
        """A text of which nothing is written yet."""
        constraint = self._constraints.begin() if self._constraints else None
        recent = self._start.recent
        return Row(self._tokenizer, self._options, seed, index, recent, constraint)

    def pieces(self, rows: list[Row]) -> Iterator[tuple[int, TextPiece | None]]:
        """The pieces of all rows as they come, None at the end of one; it then leaves the batch."""
        log_probs = self._start.log_probs.repeat(len(rows), axis=0)
        state = self._expert.select(self._start.state, [0] * len(rows))
        if self._constraints and self._options.include:
            (row,) = rows
            placement = self._placement(self._constraints, Point(log_probs, state))
            for piece in placement.pieces(row, lambda: self.row(0, row.index)):
                yield row.index, piece
            if row.ending.reached:
                yield row.index, None
                return
            log_probs, state = placement.point.log_probs, placement.point.state
        while True:
            tokens = draw_tokens(log_probs, rows, self._masks, self._options)
            ended = False
            for position, (row, token) in enumerate(zip(rows, tokens, strict=True)):
                for piece in row.push(token, log_probs.item(position, token) * _BITS):
                    yield row.index, piece
                if row.ending.reached:
                    ended = True
                    yield row.index, None
            if ended:
                going = [position for position, row in enumerate(rows) if not row.ending.reached]
                if not going:
                    return
                rows = [rows[position] for position in going]
                tokens = [tokens[position] for position in going]
                state = self._expert.select(state, going)
            log_probs, state = self._expert.step(np.array(tokens), state)

    def _placement(self, constraints: Constraints, point: Point) -> Placement:
        words = [word.word for word in constraints.words]
        return Placement(self._expert, self._tokenizer, words, self._draw, point)

    def _draw(self, log_probs: Floats, row: Row) -> int:
        return draw_tokens(log_probs, [row], self._masks, self._options)[0]


def _started(expert: Expert, tokenizer: Tokenizer, prompt: str | Start) -> Start:
    return prompt if isinstance(prompt, Start) else read_prompt(expert, tokenizer, prompt)


def _finished(
    together: Iterator[tuple[int, TextPiece | None]],
) -> Iterator[tuple[TextPiece, ...]]:
    """The texts in the order of the samples, each when it and all before it have ended."""
    texts: dict[int, list[TextPiece]] = defaultdict(list)
    ended: set[int] = set()
    next_index = 0
    for index, piece in together:
        if piece is not None:
            texts[index].append(piece)
            continue
        ended.add(index)
        while next_index in ended:
            yield tuple(texts.pop(next_index, ()))
            next_index += 1
