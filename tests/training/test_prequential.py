"""A text coded from nothing, block by block, and proved by bytes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charnn.corpus.arithmetic import Decoder
from charnn.errors import TrainingError
from charnn.generation.coding import decode_on
from charnn.training import prequential
from charnn.training.foresight import Costs
from charnn.training.prequential import STRETCH, Deadlines, block_ends, code_text

V = 7


@given(st.integers(1, 1_000_000))
def test_blocks_cover_a_text_and_grow(tokens: int) -> None:
    ends = block_ends(tokens)
    lengths = np.diff([0, *ends])
    assert ends[-1] == tokens
    assert lengths.min() > 0
    assert all(length >= 256 for length in lengths[:-1])
    assert all(length <= max(256, end // 8) for length, end in zip(lengths, ends, strict=True))


class Counter:
    """A learner that counts tokens, and how much it has trained."""

    def __init__(self, wrong_after: int | None = None) -> None:
        self.trained = 0
        self.went_on = 0
        self.wrong_after = wrong_after

    def train(self, past, wants_more) -> int:
        taken = 0
        while wants_more(taken):
            taken += 1
        self.trained += taken
        return taken

    def foresight(self, past) -> "Counts":
        return Counts(self, np.bincount(past, minlength=V) + 1.0)

    def go_on(self, block: "Counts") -> None:
        self.went_on += 1


class Counts:
    def __init__(self, learner: Counter, counts) -> None:
        self.learner, self.counts = learner, counts

    def probs(self):
        weights = self.counts ** (1 + 0.01 * (self.learner.trained % 5))
        return weights / weights.sum()

    def read(self, token: int) -> None:
        self.counts[token] += 1

    def score(self, tokens) -> Costs:
        counts, nats = self.counts.copy(), []
        for token in tokens:
            nats.append(-np.log(self.probs()[token]))
            self.read(token)
        self.counts = counts
        return Costs(*[np.array(nats)] * 3)


@pytest.fixture
def tokens():
    return np.random.default_rng(1).choice(V, 2500, p=[0.4, 0.3, 0.1, 0.1, 0.05, 0.04, 0.01])


def test_every_token_is_coded_by_those_before_it(tokens) -> None:
    done = code_text(tokens, 0, Counter, lambda start, stop, taken: taken < 3)
    assert len(done.together) == len(done.network) == len(done.ngram) == len(tokens)
    assert done.steps == (0, *[3] * (len(block_ends(2500)) - 1))
    changed = np.concatenate([tokens[:1500], 6 - tokens[1500:]])
    other = code_text(changed, 0, Counter, lambda start, stop, taken: taken < 3)
    np.testing.assert_array_equal(done.together[:1500], other.together[:1500])


def test_the_stretches_are_the_beginning_and_where_the_last_block_begins(tokens) -> None:
    done = code_text(tokens, 0, Counter, lambda start, stop, taken: taken < 2)
    first, last = done.stretches
    assert (first.start, first.stop) == (0, 1024)
    assert (last.start, last.stop) == (block_ends(2500)[-2], 2500)
    for stretch in done.stretches:
        bits = done.together[stretch.start : stretch.stop].sum() / np.log(2)
        assert stretch.bits == pytest.approx(bits)
        assert 8 * len(stretch.code) == pytest.approx(bits, abs=17)


def test_a_decoder_needs_the_code_and_the_steps_alone(tokens) -> None:
    """By hand: the slow twin of what the pass does to check itself."""
    done = code_text(tokens, 0, Counter, lambda start, stop, taken: taken < start // 200)
    decoder, learner, known = Decoder(done.stretches[0].code), Counter(), [0]
    for steps in done.steps[:4]:
        learner.trained += steps
        known += decode_on(decoder, learner.foresight(np.array(known)), 256).tolist()
    assert known[1:] == tokens[:1024].tolist()


def test_a_last_block_that_is_long_is_proved_on_its_beginning(monkeypatch) -> None:
    monkeypatch.setattr(prequential, "FIRST_BLOCK", 3000)
    tokens = np.ones(4000, np.int64)
    _, last = code_text(tokens, 0, Counter, lambda *_: False).stretches
    assert (last.start, last.stop) == (3000, 3000 + STRETCH)


def test_a_text_of_one_block_is_its_own_beginning(tokens) -> None:
    first, last = code_text(tokens[:200], 0, Counter, lambda *_: True).stretches
    assert (first.start, first.stop) == (last.start, last.stop) == (0, 200)


def test_a_machine_that_computes_something_else_the_second_time_is_found(tokens) -> None:
    made = []

    def new_learner() -> Counter:
        made.append(Counter())
        made[-1].trained = len(made) - 1
        return made[-1]

    with pytest.raises(TrainingError) as error:
        code_text(tokens, 0, new_learner, lambda start, stop, taken: taken < 3)
    assert str(error.value) == (
        "tokens 0 to 1,024 did not come back from their code: the machine does not compute the "
        "same numbers twice, so no code length is told"
    )


class Clock:
    """Time passes only where somebody says so."""

    def __init__(self) -> None:
        self.now = 5.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("tokens", [3000, 100_000])
@pytest.mark.parametrize("end", [60.0, 300.0])
def test_the_time_is_spread_over_the_text_and_used_up(tokens: int, end: float) -> None:
    clock, told = Clock(), []
    deadlines = Deadlines(tokens, clock, end, told.append)
    training = {}
    beginning = 0.0
    for start, stop in zip([0, *block_ends(tokens)], block_ends(tokens), strict=False):
        began, taken = clock.now, 0
        while start and deadlines.wants_more(start, stop, taken):
            clock.now += 0.05
            taken += 1
        training[stop] = clock.now - began
        clock.now += (2e-3 if stop <= 1024 else 1e-4) * (stop - start)
        if stop <= 1024:
            beginning = clock.now - 5.0
    proof = beginning + 2e-3 * 2000
    assert clock.now + proof == pytest.approx(end, rel=0.05)
    middle = next(stop for stop in block_ends(tokens) if stop >= tokens // 2)
    half = sum(seconds for stop, seconds in training.items() if stop <= middle)
    assert half == pytest.approx(sum(training.values()) * middle / tokens, rel=0.2)
    assert told == sorted(told)


def test_where_there_is_no_time_nothing_is_trained() -> None:
    assert not Deadlines(3000, Clock(), 1.0).wants_more(256, 512, 0)
