"""Rules joined to one automaton that knows how many characters it still needs.

With the distance to a text that fulfils everything, looking ahead is looking up: a character may
come if what is then still needed fits into the length. Which tokens write such a character is
left to `lexicon.py`.
"""

import math
from collections.abc import Sequence
from functools import cache
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from charnn.errors import OptionError
from charnn.generation.rules import DEAD, END, Rule
from charnn.generation.symbols import Alphabet, CodePoints

MOST_STATES: Final = 20_000
_MOST_WORK: Final = 10**9
"""States by symbols by the longest way through all rules: some seconds."""
_COUNTED: Final = 10**9
_NEVER: Final = 1 << 30

States = npt.NDArray[np.int32]
Booleans = npt.NDArray[np.bool_]


class Texts(NamedTuple):
    """Texts side by side.

    Attributes:
        code_points: (count, longest), 0 behind the end of a text.
        lengths: (count,), each >= 1.
    """

    code_points: CodePoints
    lengths: npt.NDArray[np.integer]


def one_text(text: str) -> Texts:
    """A text by itself."""
    return Texts(np.array([[*map(ord, text)]]), np.array([len(text)]))


class Automaton:
    """All rules at once; the states are numbers, `end` the one behind the end of the text.

    Args:
        rules: what the text must be like.
        starts: the state of each rule in which it begins.

    Raises:
        OptionError: together the rules have too many states.
    """

    def __init__(self, rules: Sequence[Rule], starts: Sequence[int]) -> None:
        self._sizes = tuple(rule.size for rule in rules)
        count = math.prod(self._sizes)
        asked = " and ".join(dict.fromkeys(rule.option for rule in rules))
        if count > MOST_STATES:
            got = f"{count:,}" if count < _COUNTED else "billions"
            raise OptionError(
                f"{asked} must have at most {MOST_STATES:,} states together, got {got}: "
                "ask for less at once"
            )
        letters = dict.fromkeys("\n" + "".join(rule.letters for rule in rules))
        self.alphabet = Alphabet("".join(letters))
        if count * len(self.alphabet) * sum(self._sizes) > _MOST_WORK:
            raise OptionError(
                f"{asked} would take minutes with {count:,} states and {len(letters):,} different "
                "characters: ask for less at once"
            )
        self.start = int(np.ravel_multi_index(tuple(starts), self._sizes))
        self.end, dead = count, count + 1
        self._table, accepts = _join(rules, self._sizes, self.alphabet)
        self._table[dead] = dead
        self.needs = _distances(self._table, np.append(accepts, (True, False)))
        self.longest = int(self.needs[self.needs < _NEVER].max(initial=0))
        self._ok = cache(self._permitted)
        self._forced = cache(self._forced_text)

    def possible(self, state: int) -> bool:
        """Whether there is any text that fulfils everything from here on."""
        return bool(self.needs[state] < _NEVER)

    def accepts(self, state: int) -> bool:
        """Whether everything is fulfilled."""
        return bool(self.needs[state] == 0)

    def part(self, state: int, rule: int) -> int:
        """The state of one rule."""
        return int(np.unravel_index(state, self._sizes)[rule])

    def with_part(self, state: int, rule: int, part: int) -> int:
        """The state with another state of one rule."""
        parts = list(np.unravel_index(state, self._sizes))
        parts[rule] = np.intp(part)
        return int(np.ravel_multi_index(tuple(parts), self._sizes))

    def follow(self, state: int, character: str) -> int:
        """The state after a character."""
        number = self.alphabet.numbers_of(np.array(ord(character)))
        return int(self._table[state, number])

    def symbols_permitted(self, state: int, left: int) -> Booleans:
        """Which symbols may come, (symbols,), with `left` characters to go."""
        return self._ok(state, self.bounded(left))

    def texts_permitted(self, state: int, left: int, texts: Texts) -> tuple[Booleans, States]:
        """Which texts may come, (count,), and the state behind each.

        A character beyond the length is not shown, but may be looked at: it must fit all the same.
        """
        left = min(left, self.longest + 1 + texts.code_points.shape[1])  # below what means never
        states = np.full(len(texts.lengths), state, dtype=np.int32)
        permitted = np.ones(len(states), dtype=np.bool_)
        for column in range(texts.code_points.shape[1]):
            present = np.flatnonzero(texts.lengths > column)
            numbers = self.alphabet.numbers_of(texts.code_points[present, column])
            states[present] = self._table[states[present], numbers]
            permitted[present] &= self.needs[states[present]] <= max(left - column - 1, 0)
        return permitted, states

    def forced(self, state: int, left: int) -> str:
        """The characters that must come next, one after the other; "" where there is a choice."""
        return self._forced(state, self.bounded(left))

    def bounded(self, left: int) -> int:
        """A number of characters to go from which everything follows that follows from `left`."""
        return min(left, self.longest + 1)

    def _permitted(self, state: int, left: int) -> Booleans:
        permitted: Booleans = self.needs[self._table[state]] <= max(left - 1, 0)
        return permitted

    def _forced_text(self, state: int, left: int) -> str:
        forced = ""
        while left > 0 and state != self.end:
            (numbers,) = np.nonzero(self._permitted(state, left))
            if len(numbers) != 1 or (letter := self.alphabet.symbols[numbers[0]].letter) is None:
                break
            forced += letter
            state = int(self._table[state, numbers[0]])
            left -= 1
        return forced


def _join(
    rules: Sequence[Rule], sizes: tuple[int, ...], alphabet: Alphabet
) -> tuple[States, Booleans]:
    """The table (states + 2, symbols) of the state after each symbol, and which states accept."""
    count = math.prod(sizes)
    end, dead = count, count + 1
    parts = np.unravel_index(np.arange(count), sizes)
    strides = [math.prod(sizes[index + 1 :]) for index in range(len(sizes))]
    accepts = np.ones(count, dtype=np.bool_)
    nexts = np.zeros((count, len(alphabet)), dtype=np.int32)
    ends, dies = np.zeros_like(nexts, dtype=np.bool_), np.zeros_like(nexts, dtype=np.bool_)
    for rule, part, stride in zip(rules, parts, strides, strict=True):
        own = np.array(
            [
                [rule.next(state, symbol) for symbol in alphabet.symbols]
                for state in range(rule.size)
            ]
        )[part]
        ends |= own == END
        dies |= own == DEAD
        nexts += (stride * own).astype(np.int32)
        accepts &= np.array([rule.accepts(state) for state in range(rule.size)])[part]
    # The text ends before this symbol if one rule says so and it may: then no rule reads it.
    nexts[dies] = dead
    nexts[ends] = np.broadcast_to(np.where(accepts, end, dead)[:, None], nexts.shape)[ends]
    last = np.full((2, len(alphabet)), end, dtype=np.int32)
    return np.concatenate([nexts, last]), accepts


def _distances(table: States, accepts: Booleans) -> States:
    """How many characters each state needs at least, (states,); _NEVER where none suffice."""
    needs = np.where(accepts, 0, _NEVER).astype(np.int32)
    while True:
        nearer = np.minimum(needs, np.minimum(needs[table].min(axis=1) + 1, _NEVER))
        if np.array_equal(nearer, needs):
            return needs
        needs = nearer.astype(np.int32)
