"""Where the words of `include` stand: at the place the model finds most natural.

The text is written ahead as a draft. At every point of it the model is asked what the word would
cost there; then the text is taken up again at the point where it cost least, the word is written,
and the text goes on from it. Where the model writes the word of its own accord, the draft is kept
as it is. That a word fits and comes at all is the constraint's affair.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from charnn.corpus.tokenizers.base import Tokenizer
from charnn.errors import OptionError
from charnn.generation.ending import TextPiece
from charnn.generation.following import TextConstraint
from charnn.generation.row import Row
from charnn.model.expert import Expert

Floats = npt.NDArray[np.floating[Any]]

LONGEST_DRAFT: Final = 400  # characters


@dataclass(frozen=True, slots=True)
class Point:
    """A model at a point of a text: log_probs (1, vocab_size), and its state of one row."""

    log_probs: Floats
    state: Any


@dataclass(frozen=True, slots=True)
class _Place:
    """A place for a word, `at` so many tokens into the draft, and what it costs there."""

    cost: float  # nats
    at: int
    point: Point
    number: int
    spaced: bool
    tokens: list[int]


class Placement:
    """Writes one text until all words of `include` stand in it.

    Args:
        expert: what predicts the next token.
        tokenizer: the one the expert was trained with.
        words: the words, in the order of their numbers.
        draw: draws the next token of a row from log-probabilities (1, vocab_size).
        point: the model behind the prompt.

    Attributes:
        point: the model where the text goes on.
    """

    def __init__(
        self,
        expert: Expert,
        tokenizer: Tokenizer,
        words: Sequence[str],
        draw: Callable[[Floats, Row], int],
        point: Point,
    ) -> None:
        self._expert = expert
        self._draw = draw
        self._words = words
        self._tokens = {
            (number, spaced): tokenizer.encode(" " + word if spaced else word).tolist()
            for number, word in enumerate(words)
            for spaced in (False, True)
        }
        self._written: list[tuple[int, float]] = []
        self.point = point

    def pieces(self, row: Row, fresh: Callable[[], Row]) -> Iterator[TextPiece]:
        """Write until the words stand there.

        Args:
            row: the text, nothing of it written.
            fresh: another row like it.
        """
        while not row.ending.reached and _constraint(row).missing():
            draft, end, place = self._write_ahead(self._copy(row, fresh), self.point)
            kept = draft if place is None else draft[: place.at]
            for token, bits in kept:
                yield from self._push(row, token, bits)
            self.point = end if place is None else place.point
            if place is not None:
                constraint = _constraint(row)
                constraint.commit(place.number, spaced=place.spaced, tokens=place.tokens)
                while place.number in constraint.missing() and not row.ending.reached:
                    yield from self._advance(row)
            elif not draft:
                return  # there is no choice left: the rules write the words

    def _write_ahead(
        self, row: Row, point: Point
    ) -> tuple[list[tuple[int, float]], Point, _Place | None]:
        """A draft, the model at its end, and the best place for a word in it.

        There is no place where the model wrote a word itself, nor where there is no room to choose.
        """
        constraint = _constraint(row)
        missing = constraint.missing()
        longest = max(1, min(LONGEST_DRAFT, constraint.slack // len(missing)))
        draft: list[tuple[int, float]] = []
        characters, best = 0, None
        while constraint.slack > 0 and characters < longest and not row.ending.reached:
            best = self._cheapest(constraint, point, len(draft), best)
            try:
                token, bits = self._next(row, point)
            except OptionError:  # a copy that the draft ran into; the text itself need not
                if best is None:
                    raise
                break
            characters += sum(len(piece.text) for piece in row.push(token, bits))
            draft.append((token, bits))
            point = self._step(point, token)
            if len(constraint.missing()) < len(missing):
                return draft, point, None
        return draft, point, best

    def _cheapest(
        self, constraint: TextConstraint, point: Point, at: int, best: _Place | None
    ) -> _Place | None:
        """The best place so far, this point among them."""
        for number in constraint.missing():
            for spaced in (False, True):
                # A word stands at the beginning of one.
                joins = constraint.last.isalnum() and self._words[number][0].isalnum()
                if spaced != joins:
                    continue
                tokens = self._tokens[number, spaced]
                most = best.cost if best else math.inf
                if -float(point.log_probs[0, tokens[0]]) >= most:
                    continue
                if not constraint.can_commit(number, spaced=spaced):
                    continue
                cost = self._cost(point, tokens, most)
                if cost < most:
                    best = _Place(cost, at, point, number, spaced, tokens)
        return best

    def _cost(self, point: Point, tokens: Sequence[int], most: float) -> float:
        """Nats that the tokens cost here; infinite where they cost `most` or more."""
        cost = 0.0
        for position, token in enumerate(tokens):
            if position:
                point = self._step(point, tokens[position - 1])
            cost -= float(point.log_probs[0, token])
            if not cost < most:
                return math.inf
        return cost

    def _copy(self, row: Row, fresh: Callable[[], Row]) -> Row:
        """The row as it stands, to write a draft in; it goes on with the row's random stream."""
        draft = fresh()
        draft.draw = row.draw
        for token, bits in self._written:
            draft.push(token, bits)
        return draft

    def _advance(self, row: Row) -> Iterator[TextPiece]:
        """One token more of the text itself."""
        token, bits = self._next(row, self.point)
        yield from self._push(row, token, bits)
        self.point = self._step(self.point, token)

    def _push(self, row: Row, token: int, bits: float) -> list[TextPiece]:
        self._written.append((token, bits))
        return row.push(token, bits)

    def _next(self, row: Row, point: Point) -> tuple[int, float]:
        """The next token of a row and what it costs in bits."""
        token = self._draw(point.log_probs, row)
        return token, point.log_probs.item(0, token) / -math.log(2)

    def _step(self, point: Point, token: int) -> Point:
        return Point(*self._expert.step(np.array([token]), point.state))


def _constraint(row: Row) -> TextConstraint:
    if not isinstance(row.constraint, TextConstraint):
        raise TypeError(f"a row without words to place cannot be placed in, got {row.constraint}")
    return row.constraint
