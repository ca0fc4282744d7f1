"""One text that must be of a certain kind, followed while it is written."""

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from charnn.errors import OptionError
from charnn.generation.automaton import Booleans, one_text
from charnn.generation.copies import CopyState
from charnn.generation.lexicon import Held
from charnn.generation.outlook import Outlook
from charnn.generation.pace import LinePace, Pace, WordPace

if TYPE_CHECKING:
    from charnn.generation.constraints import Constraints

Floats = npt.NDArray[np.floating[Any]]


class Told(NamedTuple):
    """What a constraint says of a piece of text.

    Attributes:
        length: how many of its characters belong to the text; where it is fewer than all, the
            text has ended.
        free: from which of them on a stop text counts.
    """

    length: int
    free: int


class Constraint(Protocol):
    """Follows one text while it is written, and says what may come next."""

    def apply(self, log_probs: Floats) -> Floats:
        """Mask the tokens that may not come.

        Args:
            log_probs: (V,), -inf for what cannot be decoded next.

        Raises:
            OptionError: nothing may come.
        """

    def push(self, token: int, text: str) -> Told:
        """Read a token that was drawn, and the text that it made certain."""


class TextConstraint:
    """The `Constraint` of one text.

    Args:
        constraints: what is asked.
        outlook: where the text begins.
    """

    def __init__(self, constraints: "Constraints", outlook: Outlook) -> None:
        self._all = constraints
        self._outlook = outlook
        self._held: Held | None = None
        self._script: list[int] = []
        self._last = constraints.last
        self._paces: list[Pace] = []
        if constraints.options.initials:
            self._paces.append(WordPace(constraints.lexicon))
        if constraints.parts:
            lines = len(constraints.parts)
            self._paces.append(LinePace(constraints.lexicon, lines, outlook.left))

    def apply(self, log_probs: Floats) -> Floats:
        """See `Constraint.apply`."""
        demands, lexicon = self._outlook.demands, self._all.lexicon
        watched = self._outlook.watches_copies(lexicon.longest + 1 + self._farthest)
        if demands.automaton is None and not watched:
            return log_probs
        mask = self._mask(watched=watched)
        permitted = np.where(mask, log_probs, log_probs.dtype.type(-np.inf))
        if permitted.max() == -np.inf:
            if not mask.any():
                raise self._stuck()
            permitted = np.where(mask, permitted.dtype.type(0), permitted)
        for pace in self._paces:
            permitted = pace.apply(permitted, log_probs)
        return permitted

    def push(self, token: int, text: str) -> Told:
        """See `Constraint.push`."""
        self._script = self._script[1:] if self._script[:1] == [token] else []
        self._held = self._all.lexicon.hold(self._held, token)
        automaton = self._outlook.demands.automaton
        for pace in self._paces:
            pace.push(text)
        self._last = text[-1:] or self._last
        if automaton is None:
            self._outlook = self._outlook.after(text)
            return Told(len(text), 0)
        free = len(text)
        for position, character in enumerate(text):
            if free == len(text) and automaton.accepts(self._outlook.state):
                free = position
            self._outlook = self._outlook.after(character)
            if self._outlook.state == automaton.end:
                return Told(position, free)
        return Told(len(text), free)

    @property
    def last(self) -> str:
        """The last character, of the prompt before anything is written; "" at the beginning."""
        return self._last

    @property
    def slack(self) -> int:
        """How many characters there are beyond those that are needed."""
        automaton = self._outlook.demands.automaton
        return self._outlook.left - int(automaton.needs[self._outlook.state] if automaton else 0)

    def missing(self) -> list[int]:
        """The words that do not occur yet, by their number."""
        automaton, state = self._outlook.demands.automaton, self._outlook.state
        if automaton is None or state == automaton.end:
            return []
        words = enumerate(self._all.words)
        return [number for number, word in words if not word.accepts(automaton.part(state, number))]

    def can_commit(self, number: int, *, spaced: bool) -> bool:
        """Whether a word may be written out here and now, behind a space if `spaced`."""
        if self._held is not None:
            return False
        outlook, written = self._committed(number, spaced=spaced)
        automaton, copies = outlook.demands.automaton, outlook.demands.copies
        if automaton is None or not automaton.possible(outlook.state):
            return False
        if automaton.needs[outlook.state] > outlook.left:
            return False
        ahead = one_text(automaton.forced(outlook.state, outlook.left) or written)
        most = outlook.demands.max_copy
        return copies is None or bool(copies.permitted(outlook.copy, most, ahead).all())

    def commit(self, number: int, *, spaced: bool, tokens: list[int]) -> None:
        """Let a word be written out here and now, in these tokens if they may come."""
        self._outlook, _ = self._committed(number, spaced=spaced)
        self._script = tokens

    def _committed(self, number: int, *, spaced: bool) -> tuple[Outlook, str]:
        word, outlook = self._all.words[number], self._outlook
        automaton = outlook.demands.automaton
        if automaton is None:
            return outlook, word.word
        part = word.committed(spaced=spaced)
        state = automaton.with_part(outlook.state, number, part)
        written = " " + word.word if spaced else word.word
        return Outlook(outlook.demands, state, outlook.left, outlook.copy), written

    @property
    def _farthest(self) -> int:
        """How many characters the rules can force."""
        automaton = self._outlook.demands.automaton
        return automaton.longest if automaton else 0

    def _mask(self, *, watched: bool) -> Booleans:
        if watched:
            mask = self._all.lexicon.mask(self._held, self._outlook)
        else:
            # What the text ends in plays no part: many points in it share a mask.
            room = self._farthest + self._all.lexicon.longest + 2
            outlook = self._outlook
            left, copy = min(outlook.left, room), _unwatched(outlook.copy)
            mask = self._all.mask(self._held, Outlook(outlook.demands, outlook.state, left, copy))
        if self._script and mask[self._script[0]]:
            only = np.zeros_like(mask)
            only[self._script[0]] = True
            return only
        return mask

    def _stuck(self) -> OptionError:
        options = self._all.options
        others = "".join(f" with {asked}" for asked in [self._all.asked()] if asked)
        return OptionError(
            f"max_copy {options.max_copy}{others} leaves nothing that could come next: raise "
            "max_copy or length, or take another seed"
        )


def _unwatched(copy: CopyState) -> CopyState:
    return CopyState((), (0,) * len(copy.runs))
