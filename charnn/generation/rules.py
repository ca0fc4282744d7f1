"""Rules: what a text must be like, each an automaton over symbols.

    Acrostic   every line begins with a given syllable
    Initials   the syllables begin with given consonants
    Word       a word occurs

A rule knows nothing of tokens and lengths; several are joined by `automaton.py`.
"""

import unicodedata
from typing import Final, Protocol

from charnn.errors import OptionError
from charnn.generation.symbols import Sort, Symbol
from charnn.text import hangul

DEAD: Final = -1
END: Final = -2
MOST_SEPARATORS: Final = 4  # spaces and marks in a row between two syllables of `Initials`
_LONGEST_WORD: Final = 64
_CONJOINING_LEADS: Final = {
    chr(hangul.LEAD_BASE + index): letter for index, letter in enumerate(hangul.LEAD_LETTERS)
}


class Rule(Protocol):
    """An automaton over symbols; its states are 0 to size - 1."""

    @property
    def option(self) -> str:
        """The option that asks for it."""

    @property
    def size(self) -> int:
        """How many states there are."""

    @property
    def letters(self) -> str:
        """The characters it must tell from all others."""

    def next(self, state: int, symbol: Symbol) -> int:
        """The state after a symbol; DEAD if it may not come, END if the text ends before it."""

    def accepts(self, state: int) -> bool:
        """Whether the text may end here; once it may, it may ever after."""


class Acrostic:
    """Line i begins with part i; the text ends before the line end of the last line.

    Args:
        parts: what the lines begin with, a syllable each; see `acrostic_parts`.
        break_first: whether the text goes on from something that is not the beginning of a line.
    """

    option = "acrostic"

    def __init__(self, parts: tuple[str, ...], *, break_first: bool = False) -> None:
        self.parts = parts
        self.letters = "".join(dict.fromkeys("\n" + "".join(parts)))
        # (line, characters of its part written); one more stands for what follows the part.
        self._places = [
            (line, written) for line, part in enumerate(parts) for written in range(len(part) + 2)
        ]
        self._numbers = {place: number for number, place in enumerate(self._places)}
        self.size = len(self._places) + 1  # the last one waits for the first line end
        self.start = self.size - 1 if break_first else 0

    def next(self, state: int, symbol: Symbol) -> int:
        """See `Rule.next`."""
        if state == self.size - 1:
            return 0 if symbol.letter == "\n" else DEAD
        line, written = self._places[state]
        part = self.parts[line]
        if written < len(part):
            return state + 1 if symbol.letter == part[written] else DEAD
        if symbol.letter == "\n":
            return END if line == len(self.parts) - 1 else self._numbers[line + 1, 0]
        if written == len(part):
            return DEAD if _joins(part, symbol) else state + 1
        return state

    def accepts(self, state: int) -> bool:
        """See `Rule.accepts`."""
        if state == self.size - 1:
            return False
        line, written = self._places[state]
        return line == len(self.parts) - 1 and written >= len(self.parts[line])


class Initials:
    """The syllables begin with given leads; spaces and marks may stand between them.

    Behind the last one come closing marks at most, and the text ends before the first space or
    opening mark: the last syllable ends a word.

    Args:
        leads: index of the lead of each syllable, and whether a space or mark must stand before
            it; see `initial_leads`.
        spaced: whether a space or mark may stand before the first one.
    """

    option = "initials"
    letters = ""

    def __init__(self, leads: tuple[tuple[int, bool], ...], *, spaced: bool = False) -> None:
        self._leads = leads
        self._row = MOST_SEPARATORS + 1
        self.size = (len(leads) + 1) * self._row
        self.start = 0 if spaced else MOST_SEPARATORS

    def next(self, state: int, symbol: Symbol) -> int:
        """See `Rule.next`."""
        written, separators = divmod(state, self._row)
        if symbol.sort in (Sort.SPACE, Sort.OPENING, Sort.CLOSING):
            if written == len(self._leads) and symbol.sort != Sort.CLOSING:
                return END
            full = END if written == len(self._leads) else DEAD
            return state + 1 if separators < MOST_SEPARATORS else full
        if written == len(self._leads) or not symbol.is_syllable:
            return DEAD
        lead, apart = self._leads[written]
        if symbol.sort != lead or (apart and not separators):
            return DEAD
        return (written + 1) * self._row

    def accepts(self, state: int) -> bool:
        """See `Rule.accepts`."""
        return state // self._row == len(self._leads)


class Word:
    """A word occurs.

    Beside the states that count how much of the word stands at the end of the text (all of it:
    `len(word)`, for good) there are those in which it is being written out: see `committed`.

    Args:
        word: what must occur.

    Source: Knuth, Morris & Pratt 1977.
    """

    option = "include"
    start = 0

    def __init__(self, word: str) -> None:
        self.word = word
        self.letters = "".join(dict.fromkeys(" " + word))
        self.size = 2 * len(word) + 2
        self._borders = _borders(word)

    def committed(self, *, spaced: bool) -> int:
        """The state in which the word must come next, behind a space if `spaced`."""
        return len(self.word) + (1 if spaced else 2)

    def next(self, state: int, symbol: Symbol) -> int:
        """See `Rule.next`."""
        size = len(self.word)
        if state == size:
            return state
        if state > size:
            if symbol.letter != (" " + self.word)[state - size - 1]:
                return DEAD
            return size if state == 2 * size + 1 else state + 1
        while state and symbol.letter != self.word[state]:
            state = self._borders[state]
        return state + 1 if symbol.letter == self.word[state] else 0

    def accepts(self, state: int) -> bool:
        """See `Rule.accepts`."""
        return state == len(self.word)


def acrostic_parts(acrostic: str) -> tuple[str, ...]:
    """What the lines of an acrostic begin with: its clusters.

    Raises:
        OptionError: it holds a space or a character that cannot be seen, or begins with a mark.

    >>> acrostic_parts("삼행시")
    ('삼', '행', '시')
    """
    if any(not character.isprintable() or character.isspace() for character in acrostic):
        raise OptionError(
            f"acrostic must be letters without spaces, one a line, got {acrostic!r}: "
            "write them like 삼행시"
        )
    parts: list[str] = []
    for character in acrostic:
        is_mark = unicodedata.category(character).startswith("M")
        if is_mark and not parts:
            raise OptionError(
                f"acrostic must begin with a letter, got {character!r}, which joins the one before "
                "it: write letters like 삼행시"
            )
        if is_mark or (parts and hangul.ends_inside_cluster(parts[-1], character)):
            parts[-1] += character
        else:
            parts.append(character)
    return tuple(parts)


def initial_leads(initials: str) -> tuple[tuple[int, bool], ...]:
    """The leads of a pattern, each with whether a space stands before it.

    Raises:
        OptionError: something else than leads and single spaces is in it.

    >>> initial_leads("ㅇㄱ ㅅ")
    ((11, False), (0, False), (9, True))
    """
    leads: list[tuple[int, bool]] = []
    apart = False
    for character in initials:
        letter = _CONJOINING_LEADS.get(character, character)
        if letter == " ":
            apart = True
            continue
        if letter not in hangul.LEAD_LETTERS:
            raise OptionError(
                f"initials must be the consonants {hangul.LEAD_LETTERS} and spaces, "
                f"got {character!r} in {initials!r}: write them like ㅇㄱㅅ"
            )
        leads.append((hangul.LEAD_LETTERS.index(letter), apart and bool(leads)))
        apart = False
    if initials and not leads:
        raise OptionError(
            "initials must hold a consonant, got spaces alone: write them like ㅇㄱㅅ"
        )
    return tuple(leads)


def check_word(word: str) -> None:
    """Refuse a word that no text can be made to hold.

    Raises:
        OptionError: it is empty or too long.
    """
    if not 1 <= len(word) <= _LONGEST_WORD:
        raise OptionError(
            f"include must be 1 to {_LONGEST_WORD} characters, got {len(word)}: name a word"
        )


def _borders(word: str) -> list[int]:
    """For each beginning of the word: how long is the longest one that it also ends in."""
    borders = [0] * (len(word) + 1)
    for end in range(2, len(word) + 1):
        border = borders[end - 1]
        while border and word[border] != word[end - 1]:
            border = borders[border]
        borders[end] = border + (word[border] == word[end - 1])
    return borders


def _joins(part: str, symbol: Symbol) -> bool:
    """Whether what follows would be read as one syllable with the part."""
    if symbol.sort == Sort.JOINING:
        return True
    follower = symbol.letter or ("가" if symbol.is_syllable else "\u1100")
    hangul_follows = symbol.is_syllable or symbol.sort == Sort.LEADING
    return hangul_follows and hangul.ends_inside_cluster(part, follower)
