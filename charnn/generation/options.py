"""SamplingOptions: how a text is written, every value checked."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from charnn.errors import OptionError
from charnn.generation.copies import check_max_copy
from charnn.generation.filters import check_range, check_whole
from charnn.generation.rules import acrostic_parts, check_word, initial_leads


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
            prompt does not. Where one of the next three is given, they count once it is met.
        acrostic: each line begins with one syllable of this; the last line ends the text.
        initials: lead consonants; the text has one syllable for each of them and then ends.
            Spaces and punctuation may stand between them, and must where a space stands here.
        include: words that occur in the text.
        max_copy: no more than so many characters in a row stand in the training text, or in one
            that the model adapted to, the prompt counted; 0 is off, 10 the smallest.

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
    acrostic: str = ""
    initials: str = ""
    include: tuple[str, ...] = ()
    max_copy: int = 0

    def __post_init__(self) -> None:
        check_range("temperature", self.temperature, 0, math.inf)
        check_whole("top_k", self.top_k, 0)
        check_range("top_p", self.top_p, 0, 1)
        check_range("min_p", self.min_p, 0, 1)
        check_range("repeat_penalty", self.repeat_penalty, 0, math.inf, above=True)
        check_whole("length", self.length, 1)
        _check_texts("stop", self.stop)
        if "" in self.stop:
            raise OptionError("stop must not be an empty text; leave it out to stop at the length")
        acrostic_parts(self.acrostic)
        initial_leads(self.initials)
        _check_texts("include", self.include)
        for word in self.include:
            check_word(word)
        check_whole("max_copy", self.max_copy, 0)
        check_max_copy(self.max_copy)


def _check_texts(name: str, texts: Sequence[str]) -> None:
    """Refuse texts that no text can hold, and one text where several are meant.

    A text is a sequence of texts too, and a likely slip.
    """
    if isinstance(texts, str):
        raise OptionError(f"{name} must be a tuple of texts, got {texts!r}; write ({texts!r},)")
    for text in texts:
        if any("\ud800" <= character <= "\udfff" for character in text):
            raise OptionError(
                f"{name} must be valid Unicode, got {text!r}: leave the surrogate out"
            )
