"""Constraints: what a text must be like, put together from the options.

    acrostic, initials, include   an automaton over characters (rules.py, automaton.py)
    max_copy                      an index of the training text (copies.py)

Tokens that lead nowhere are masked: those after which no text of the length fulfils everything.
So no text is ever thrown away, and every one comes to its end. One text is followed in
`following.py`; where the words of `include` stand best is left to `placement.py`.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Final

from charnn.corpus.tokenizers.base import Tokenizer
from charnn.errors import OptionError
from charnn.generation.automaton import Automaton, Booleans, one_text
from charnn.generation.copies import CopyIndex, CopyState
from charnn.generation.following import TextConstraint
from charnn.generation.lexicon import Held, Lexicon
from charnn.generation.options import SamplingOptions
from charnn.generation.outlook import Demands, Outlook
from charnn.generation.prompt import Start
from charnn.generation.rules import Acrostic, Initials, Rule, Word, acrostic_parts, initial_leads

_MASKS_BYTES: Final = 16 << 20  # kept masks


class Constraints:
    """What the options ask of every text of a call.

    Args:
        options: what is asked.
        tokenizer: of the model that writes.
        prompt: what the texts go on from.
        copies: the index of the training text; needed for max_copy.

    Raises:
        OptionError: no text of that length is like that.
    """

    def __init__(
        self,
        options: SamplingOptions,
        tokenizer: Tokenizer,
        prompt: str,
        copies: CopyIndex | None,
    ) -> None:
        if options.max_copy and copies is None:
            raise OptionError("max_copy needs the index of the training text: give copies")
        self.options = options
        self.words = [Word(word) for word in dict.fromkeys(options.include)]
        self.parts = acrostic_parts(options.acrostic)
        self.last = prompt[-1:]
        self.lexicon = Lexicon(tokenizer)
        self.automaton = self._automaton(prompt)
        kept = copies if options.max_copy else None
        self.demands = Demands(self.automaton, kept, options.max_copy, self.lexicon.spelled)
        copy = kept.follow(kept.begin(), prompt[-options.max_copy - 1 :]) if kept else None
        self._copy = copy or CopyState((), ())
        self._check()
        most = max(64, _MASKS_BYTES // tokenizer.vocab_size)
        self.mask: Callable[[Held | None, Outlook], Booleans] = lru_cache(most)(self.lexicon.mask)

    def begin(self) -> TextConstraint:
        """The constraint of a text that begins now."""
        start = self.automaton.start if self.automaton else 0
        return TextConstraint(self, Outlook(self.demands, start, self.options.length, self._copy))

    def _automaton(self, prompt: str) -> Automaton | None:
        """The automaton of acrostic, initials and words, in the order of the words."""
        rules: list[Rule] = list(self.words)
        starts = [word.start for word in self.words]
        break_first = bool(self.parts and prompt) and prompt[-1] != "\n"
        if self.parts:
            self._check_length(2 * len(self.parts) - 1)
            lines = Acrostic(self.parts, break_first=break_first)
            rules.append(lines)
            starts.append(lines.start)
        if self.options.initials:
            spaced = bool(prompt) and (break_first or not prompt[-1].isspace())
            leads = initial_leads(self.options.initials)
            self._check_length(len(leads))
            pattern = Initials(leads, spaced=spaced)
            rules.append(pattern)
            starts.append(pattern.start)
        return Automaton(rules, starts) if rules else None

    def _check(self) -> None:
        automaton = self.automaton
        if automaton is not None:
            if not automaton.possible(automaton.start):
                raise OptionError(f"no text can have {self.asked()}: leave one of them out")
            needs = int(automaton.needs[automaton.start])
            self._check_length(needs)
        for word in self.words:
            self._check_copy(word.word)

    def _check_length(self, needs: int) -> None:
        """Refuse a text too short; asked before an automaton of as many states takes its time."""
        if needs > (length := self.options.length):
            raise OptionError(f"length must be >= {needs} for {self.asked()}, got {length}")

    def _check_copy(self, word: str) -> None:
        copies, most = self.demands.copies, self.options.max_copy
        if copies and not copies.permitted(copies.begin(), most, one_text(word)).all():
            raise OptionError(
                f"include {word!r} is a copy of more than {most} characters of the training "
                "text: raise max_copy, or ask for another word"
            )

    def asked(self) -> str:
        """What is asked for, in words."""
        asked = [
            f"{name} {value!r}"
            for name, values in (
                ("acrostic", (self.options.acrostic,)),
                ("initials", (self.options.initials,)),
                ("include", self.options.include),
            )
            for value in values
            if value
        ]
        return " and ".join(asked)


def constraints_for(
    options: SamplingOptions, tokenizer: Tokenizer, start: Start, copies: CopyIndex | None
) -> Constraints | None:
    """What the options ask of a text that goes on from a start; None where it is nothing.

    Then nothing is done for it, not even putting the turns of a long session together.

    Raises:
        OptionError: no text of that length is like that, or copies are to be kept apart without
            an index of the training text.
    """
    asked = options.acrostic or options.initials or options.include or options.max_copy
    return Constraints(options, tokenizer, start.text, copies) if asked else None
