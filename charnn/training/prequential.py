"""A text coded from nothing: every block by what was learnt from the blocks before it.

Predict a block, then learn from it, then predict the next: what all blocks cost together is the
length of a code, for a decoder can do the same, block by block, with what it has decoded so far.
This holds for one pass over the text, for the bits and bytes that prove it, and for the time it
may take. Who predicts is foresight.py's, what is told of it code_length.py's.

Source: Dawid 1984 (prequential analysis); Blier & Ollivier 2018, arXiv:1802.07044; training with
replay and averaged weights between blocks: Bornschein et al. 2022, arXiv:2210.07931.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from charnn.corpus.arithmetic import Decoder, Encoder
from charnn.errors import TrainingError
from charnn.generation.coding import decode_on, encode_on
from charnn.training.foresight import Learner

Tokens = NDArray[np.integer[Any]]
Floats = NDArray[np.float64]

FIRST_BLOCK: Final = 256
GROWTH: Final = 8
"""A block is one part in so many of what came before it."""
STRETCH: Final = 1_000
"""Tokens of the beginning, and of the last block, that are coded and decoded for real."""
SHARE_OF_TIME: Final = 1.0
"""The training before a block ends at this power of the block's end, as shares of all."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A piece of text that was coded and decoded.

    Attributes:
        start: index of its first token.
        stop: index behind its last one.
        bits: what its tokens cost, as they are counted in the code length.
        code: the code they were read back from.
    """

    start: int
    stop: int
    bits: float
    code: bytes


@dataclass(frozen=True, slots=True)
class Pass:
    """One pass over a text.

    Attributes:
        together, network, ngram: nats of each token, (n,) each.
        steps: of training before each block.
        stretches: what was coded and decoded: the beginning, and where the last block begins.
    """

    together: Floats
    network: Floats
    ngram: Floats
    steps: tuple[int, ...]
    stretches: tuple[Stretch, ...]


def block_ends(tokens: int) -> list[int]:
    """Where each block of a text ends.

    >>> block_ends(1000)
    [256, 512, 768, 1000]
    """
    ends: list[int] = []
    while not ends or ends[-1] < tokens:
        read = ends[-1] if ends else 0
        ends.append(min(tokens, read + max(FIRST_BLOCK, read // GROWTH)))
    return ends


Wants = Callable[[int, int, int], bool]
"""Told where the coming block starts and stops, and how many steps were taken before it: whether
to take one more."""


def code_text(
    tokens: Tokens, boundary: int, new_learner: Callable[[], Learner], wants_more: Wants
) -> Pass:
    """Code a text from nothing, and prove it on two stretches.

    Args:
        tokens: (n,), n >= 1.
        boundary: the token that stands before the text.
        new_learner: makes one that has read nothing, each time the same.
        wants_more: decides, step by step, how long is trained before each block.

    Raises:
        TrainingError: a stretch did not come back from its code.
    """
    text = np.concatenate([[boundary], tokens]).astype(np.int64)
    beginning = _beginning(len(tokens))
    encoder, learner = Encoder(), new_learner()
    parts, steps, stretches = [], [], []
    for start, stop in _blocks(len(tokens)):
        past, block = text[: start + 1], text[start + 1 : stop + 1]
        steps.append(_train(learner, past, start, stop, wants_more))
        foresight = learner.foresight(past)
        parts.append(foresight.score(block))
        if stop <= beginning:
            foresight = learner.foresight(past)
            encode_on(encoder, foresight, block)
        if stop == len(tokens):
            bits = _bits(parts[-1].together[:STRETCH])
            stretches.append(_round_trip(learner, past, block[:STRETCH], bits))
        learner.go_on(foresight)
    together, network, ngram = (np.concatenate(costs) for costs in zip(*parts, strict=True))
    first = Stretch(0, beginning, _bits(together[:beginning]), encoder.finish())
    _check(first, text, _decode_beginning(first, boundary, new_learner(), steps))
    return Pass(together, network, ngram, tuple(steps), (first, *stretches))


def _beginning(tokens: int) -> int:
    """Where the blocks that are coded and decoded from nothing end."""
    return next((end for end in block_ends(tokens) if end >= STRETCH), tokens)


def _blocks(tokens: int) -> Iterator[tuple[int, int]]:
    return pairwise([0, *block_ends(tokens)])


def _train(learner: Learner, past: Tokens, start: int, stop: int, wants_more: Wants) -> int:
    if not start:
        return 0
    return learner.train(past, lambda taken: wants_more(start, stop, taken))


def _round_trip(learner: Learner, past: Tokens, tokens: Tokens, bits: float) -> Stretch:
    """Code what comes next and read it back, each time from where the learner stands."""
    encoder = Encoder()
    encode_on(encoder, learner.foresight(past), tokens)
    start = len(past) - 1
    stretch = Stretch(start, start + len(tokens), bits, encoder.finish())
    decoded = decode_on(Decoder(stretch.code), learner.foresight(past), len(tokens))
    _check(stretch, np.concatenate([past, tokens]), decoded)
    return stretch


def _decode_beginning(
    stretch: Stretch, boundary: int, learner: Learner, steps: Sequence[int]
) -> Tokens:
    """Read the beginning of a text from its code and the steps alone."""
    decoder, known = Decoder(stretch.code), np.array([boundary])
    for (start, stop), count in zip(_blocks(stretch.stop), steps, strict=False):
        if start:
            learner.train(known, count.__gt__)
        foresight = learner.foresight(known)
        known = np.concatenate([known, decode_on(decoder, foresight, stop - start)])
        learner.go_on(foresight)
    return known[1:]


def _check(stretch: Stretch, text: Tokens, decoded: Tokens) -> None:
    """Refuse a code length whose code does not give the text back.

    Raises:
        TrainingError: it does not, or is not as long as was counted.
    """
    is_long = abs(8 * len(stretch.code) - stretch.bits) > 16 + stretch.bits / 1000
    if is_long or not np.array_equal(text[stretch.start + 1 : stretch.stop + 1], decoded):
        raise TrainingError(
            f"tokens {stretch.start:,} to {stretch.stop:,} did not come back from their code: "
            "the machine does not compute the same numbers twice, so no code length is told"
        )


def _bits(nats: Floats) -> float:
    return float(nats.sum()) / math.log(2)


class Deadlines:
    """Spreads the time there is over the blocks of a text.

    How long it takes to score a token, and to read the stretches back, is told by the time that
    passes between two trainings.

    Args:
        tokens: of the text.
        clock: seconds since the command began.
        end: when, by the clock, all must be done.
        on_tick: told the clock before every step.
    """

    def __init__(
        self,
        tokens: int,
        clock: Callable[[], float],
        end: float,
        on_tick: Callable[[float], None] | None = None,
    ) -> None:
        self._tokens = tokens
        self._clock = clock
        self._end = end
        self._on_tick = on_tick
        self._began = self._asked = clock()
        self._start = 0
        self._per_token = math.inf
        self._trained = 0.0  # seconds of training
        self._reserve = 0.0
        self._deadline = 0.0

    def wants_more(self, start: int, stop: int, taken: int) -> bool:
        """Whether there is time for a step before the block from `start` to `stop`."""
        now = self._clock()
        if taken:
            self._trained += now - self._asked
        else:
            self._plan(start, stop, now)
        if self._on_tick:
            self._on_tick(now)
        self._asked = now
        return now < self._deadline

    def _plan(self, start: int, stop: int, now: float) -> None:
        """Set the deadline of the training before a block, whose scoring must fit in as well."""
        per_token = (now - self._asked) / (start - self._start)
        beginning = _beginning(self._tokens)
        if start <= beginning:
            # All of it is done once more, and the other stretch there and back; a first block also
            # pays for what is made once.
            self._per_token = min(self._per_token, per_token)
            again = self._trained * beginning / start + self._per_token * beginning
            self._reserve = again + 3 * STRETCH * self._per_token
        time = max(0.0, self._end - self._reserve - self._began)
        share = (stop / self._tokens) ** SHARE_OF_TIME
        self._deadline = self._began + time * share - per_token * (stop - start)
        self._start = start
