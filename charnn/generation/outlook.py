"""Outlook: what may be written from a point on, in characters.

Joins the automaton of the rules and the index of copies, and looks as far ahead as it takes: where
the rules leave one way to go on, the copies of the whole way are looked at before it is entered.
Which tokens that allows is left to `lexicon.py`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt

from charnn.generation.automaton import Automaton, Booleans, States, Texts
from charnn.generation.copies import CopyIndex, CopyState
from charnn.generation.symbols import CodePoints

_CHUNK: Final = 256  # characters of a range that are tried at once


class Demands:
    """What is asked of every text of a call.

    Args:
        automaton: of the rules; None without any.
        copies: the index of the training text; None where copies do not matter.
        max_copy: the longest copy that may be written.
        spelled: which characters have no token of their own, (0x110000,).
    """

    def __init__(
        self,
        automaton: Automaton | None,
        copies: CopyIndex | None,
        max_copy: int,
        spelled: Booleans,
    ) -> None:
        self.automaton = automaton
        self.copies = copies
        self.max_copy = max_copy
        self.spelled = spelled
        self.symbols_in = cache(self._symbols_in)

    def _symbols_in(self, first: int, last: int, spelled_only: bool) -> npt.NDArray[np.int16]:
        """The symbols of the characters from first to last."""
        if self.automaton is None:
            return np.empty(0, dtype=np.int16)
        numbers = self.automaton.alphabet.numbers_of(np.arange(first, last + 1))
        return np.unique(numbers[self.spelled[first : last + 1]] if spelled_only else numbers)


@dataclass(frozen=True, slots=True)
class Outlook:
    """A point in a text, between two characters.

    Attributes:
        demands: what is asked of the text.
        state: of the automaton.
        left: characters to go to the length.
        copy: what the text ends in.
    """

    demands: Demands
    state: int
    left: int
    copy: CopyState

    def after(self, text: str) -> "Outlook":
        """The same some characters later."""
        state, copy = self.state, self.copy
        if self.demands.automaton:
            for character in text:
                state = self.demands.automaton.follow(state, character)
        if self.demands.copies:
            copy = self.demands.copies.follow(copy, text)
        return replace(self, state=state, left=self.left - len(text), copy=copy)

    def permits(self, texts: Texts) -> Booleans:
        """Which texts may be written here, (count,): they can be gone on from to a good end."""
        automaton = self.demands.automaton
        permitted = self._copies_permit(texts)
        if automaton is None:
            return permitted
        by_rules, states = automaton.texts_permitted(self.state, self.left, texts)
        permitted &= by_rules
        if self.watches_copies(texts.code_points.shape[1] + automaton.longest):
            self._look_ahead(texts, states, permitted)
        return permitted

    def permits_one_of(self, first: int, last: int, *, spelled_only: bool) -> bool:
        """Whether a character from first to last may be written here.

        Args:
            first: the first code point.
            last: the last one.
            spelled_only: leave those out that have a token of their own.
        """
        for code_points in self._candidates(first, last, spelled_only):
            if self.demands.copies is None:
                return True
            ones = np.ones(len(code_points), dtype=np.intp)
            if self.permits(Texts(code_points[:, None], ones)).any():
                return True
        return False

    def watches_copies(self, characters: int) -> bool:
        """Whether so many characters more could be too long a copy."""
        demands = self.demands
        return demands.copies is not None and demands.copies.near(
            self.copy, demands.max_copy, characters
        )

    def _copies_permit(self, texts: Texts) -> Booleans:
        copies = self.demands.copies
        if copies is None or not self.watches_copies(texts.code_points.shape[1]):
            return np.ones(len(texts.lengths), dtype=np.bool_)
        return copies.permitted(self.copy, self.demands.max_copy, texts)

    def _look_ahead(self, texts: Texts, states: States, permitted: Booleans) -> None:
        """Take back what the rules would force into a copy."""
        automaton, copies = self.demands.automaton, self.demands.copies
        if automaton is None or copies is None:
            return
        width = texts.code_points.shape[1] + 1
        keys = np.where(permitted, states * np.int64(width) + texts.lengths, -1)
        for key in np.unique(keys[permitted]).tolist():
            state, length = divmod(key, width)
            forced = automaton.forced(state, self.left - length)
            if forced and self.watches_copies(length + len(forced)):
                chosen = np.flatnonzero(keys == key)
                longer = _extended(texts, chosen, length, forced)
                permitted[chosen] = copies.permitted(self.copy, self.demands.max_copy, longer)

    def _candidates(self, first: int, last: int, spelled_only: bool) -> Iterator[CodePoints]:
        """The characters of a range that the rules permit, some at a time; none is empty."""
        automaton, wanted = self.demands.automaton, self.demands.spelled
        ok = None
        if automaton is not None:
            ok = automaton.symbols_permitted(self.state, self.left)
            if not ok[self.demands.symbols_in(first, last, spelled_only)].any():
                return
            if self.demands.copies is None:
                yield np.array([first])  # which one it is does not matter
                return
        for start in range(first, last + 1, _CHUNK):
            code_points = np.arange(start, min(start + _CHUNK, last + 1))
            if spelled_only:
                code_points = code_points[wanted[code_points]]
            if automaton is not None and ok is not None:
                code_points = code_points[ok[automaton.alphabet.numbers_of(code_points)]]
            if code_points.size:
                yield code_points


def _extended(texts: Texts, chosen: npt.NDArray[np.intp], length: int, behind: str) -> Texts:
    """The chosen texts, all of one length, with another behind each."""
    added = np.broadcast_to(np.array([*map(ord, behind)]), (len(chosen), len(behind)))
    code_points = np.concatenate([texts.code_points[chosen, :length], added], axis=1)
    return Texts(code_points, np.full(len(chosen), length + len(behind)))
