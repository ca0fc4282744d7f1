"""Written text beside real text: every measure of the one and of the other, and their ratio.

The measures themselves are in measures.py, copying.py and particles.py; where the texts come from
is left to others. All share one rule: the texts must be of the same length.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from charnn.text.copying import Lengths, copied_share, matching_lengths, span_beyond_chance
from charnn.text.measures import distinct_share, known_share, words_of
from charnn.text.particles import AMBIGUOUS, CERTAIN, agreement, nouns_of

NAMES: Final = (
    *("known_words", "copied", "longest_copy", "distinct_words", "distinct_word_pairs"),
    *("distinct_4_grams", "particles", "noun_particles"),
)
"""The measures, in the order in which they are told; docs/measures.md explains each."""


@dataclass(frozen=True, slots=True)
class Measure:
    """One number of both sides; None where there is nothing to count.

    Attributes:
        samples: of what a model wrote.
        heldout: of real text of the same length.
    """

    samples: float | None
    heldout: float | None

    @property
    def ratio(self) -> float | None:
        """Samples by held-out text; None where one of them is missing or the latter is 0."""
        if self.samples is None or not self.heldout:
            return None
        return self.samples / self.heldout

    def to_json(self) -> dict[str, float | None]:
        """The numbers as a JSON object."""
        return {"samples": self.samples, "heldout": self.heldout, "ratio": self.ratio}


@dataclass(frozen=True, slots=True)
class Comparison:
    """What samples are like beside real text.

    Attributes:
        span: characters from which on a span counts as copied.
        span_share: share of all held-out text in such spans, at most 0.002.
        measures: name -> numbers, in the order of `NAMES`.
    """

    span: int
    span_share: float
    measures: dict[str, Measure]

    def to_json(self) -> dict[str, Any]:
        """The numbers as a JSON object."""
        measures = {name: measure.to_json() for name, measure in self.measures.items()}
        return {"span": self.span, "span_share": self.span_share, "measures": measures}


def compare(
    samples: Sequence[str], passages: Sequence[str], heldout: Sequence[str], training: Sequence[str]
) -> Comparison:
    """Samples beside passages of held-out text.

    Args:
        samples: what a model wrote, the prompts left out.
        passages: held-out text, as many pieces of the same length.
        heldout: all held-out documents; they tell what is copied by chance.
        training: the documents the model was trained on.
    """
    sizes = [sum(map(len, texts)) for texts in (samples, passages)]
    lengths = matching_lengths([*samples, *passages, *heldout], training)
    written, real, rest = lengths[: sizes[0]], lengths[sizes[0] : sum(sizes)], lengths[sum(sizes) :]
    span = span_beyond_chance(rest)
    measure = _measurer(training, span)
    sides = measure(samples, written), measure(passages, real)
    measures = {name: Measure(sides[0][name], sides[1][name]) for name in NAMES}
    return Comparison(span, copied_share(rest, span), measures)


def _measurer(
    training: Sequence[str], span: int
) -> Callable[[Sequence[str], Lengths], dict[str, float | None]]:
    """What measures texts, given how far each of their characters goes on as in training."""
    learned = [word for text in training for word in words_of(text)]
    known, nouns = frozenset(learned), nouns_of(learned)

    def measure(texts: Sequence[str], lengths: Lengths) -> dict[str, float | None]:
        whole = [words_of(text)[1:-1] for text in texts]  # the first and the last may be cut
        words = [word for text in whole for word in text]
        return {
            "known_words": known_share(words, known),
            "copied": copied_share(lengths, span),
            "longest_copy": float(lengths.max()) if len(lengths) else None,
            "distinct_words": distinct_share(whole, 1),
            "distinct_word_pairs": distinct_share(whole, 2),
            "distinct_4_grams": distinct_share(texts, 4),
            "particles": agreement(words, CERTAIN, nouns, any_stem=True).share,
            "noun_particles": agreement(words, AMBIGUOUS, nouns, any_stem=False).share,
        }

    return measure
