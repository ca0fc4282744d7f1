"""Those who have read a beginning and nothing else: a function of it, however they are asked."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from charnn.corpus.tokenizers import CharTokenizer
from charnn.training import foresight
from charnn.training.device import Device
from charnn.training.foresight import Learner
from charnn.training.options import TrainOptions
from charnn.training.recipe import make_recipe

CPU = Device("cpu", "fp32", 1)
BEGINNING, BLOCK = 400, 90


@pytest.fixture(scope="module")
def tokenizer(story) -> CharTokenizer:
    return CharTokenizer.train(lambda: [story])


@pytest.fixture(scope="module")
def text(tokenizer, story):
    """A boundary and the story's tokens."""
    return np.concatenate([[tokenizer.boundary], tokenizer.encode(story)]).astype(np.int64)


@pytest.fixture
def make_learner(tokenizer):
    def make_learner(*, adapts=True, seed=1, **changes) -> Learner:
        options = TrainOptions(hidden=12, networks=1, batch_size=4, seq_len=16, minutes=1.0)
        recipe = make_recipe(options, 2000, tokenizer.vocab_size, "cpu")
        return Learner(tokenizer, replace(recipe, **changes), CPU, seed, adapts=adapts)

    return make_learner


@pytest.fixture(autouse=True)
def early(monkeypatch) -> None:
    """A network adapts from its first steps on."""
    monkeypatch.setattr(foresight, "_LEAST_STEPS_TO_ADAPT", 5)


def test_a_network_that_has_hardly_begun_does_not_adapt(make_learner, text, monkeypatch) -> None:
    learner, past, block = make_learner(), text[:BEGINNING], text[BEGINNING:]
    learner.train(past, steps(8))
    adapting = learner.foresight(past).score(block).network
    monkeypatch.setattr(foresight, "_LEAST_STEPS_TO_ADAPT", 9)
    still = learner.foresight(past).score(block).network
    assert not np.array_equal(adapting, still)


def steps(count):
    return lambda taken: taken < count


@pytest.mark.parametrize("adapts", [True, False])
@pytest.mark.parametrize("trained", [0, 8])
def test_token_by_token_it_costs_what_it_costs_at_once(make_learner, text, adapts, trained) -> None:
    learner = make_learner(adapts=adapts)
    past, block = text[:BEGINNING], text[BEGINNING : BEGINNING + BLOCK]
    assert learner.train(past, steps(trained)) == trained
    costs = learner.foresight(past).score(block)
    stepping, held = learner.foresight(past), []
    for token in block.tolist():
        probs = stepping.probs()
        assert probs.sum() == pytest.approx(1)
        held.append(-np.log(probs[token]))
        stepping.read(token)
    np.testing.assert_allclose(held, costs.together, rtol=1e-4)


def test_both_ways_end_in_the_same_place(make_learner, text) -> None:
    """What a block leaves behind is the same, so that the next block is predicted alike."""
    learner, past = make_learner(), text[:BEGINNING]
    learner.train(past, steps(8))
    block = text[BEGINNING : BEGINNING + BLOCK]
    at_once, stepping = learner.foresight(past), learner.foresight(past)
    at_once.score(block)
    for token in block.tolist():
        stepping.probs()
        stepping.read(token)
    assert stepping.weighing.weights == pytest.approx(at_once.weighing.weights, rel=1e-4)
    for one, other in zip(stepping.reading[0], at_once.reading[0], strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_nothing_is_told_by_what_comes_behind(make_learner, text) -> None:
    learner, past = make_learner(), text[:BEGINNING]
    learner.train(past, steps(6))
    block = text[BEGINNING : BEGINNING + BLOCK]
    changed = block.copy()
    changed[40:] = changed[40:][::-1]
    one, other = (learner.foresight(past).score(tokens).together for tokens in (block, changed))
    np.testing.assert_array_equal(one[:40], other[:40])
    assert not np.array_equal(one[40:], other[40:])


def test_the_same_steps_make_the_same_learner(make_learner, text) -> None:
    """Also where others draw random numbers in between."""
    told = []
    for noise in (0, 5):
        learner = make_learner(output_dropout=0.4)
        for end in (200, 300, BEGINNING):
            torch.rand(noise)
            learner.train(text[:end], steps(4))
        told.append(learner.foresight(text[:BEGINNING]).score(text[BEGINNING:]).together)
    np.testing.assert_array_equal(*told)


def test_training_leaves_the_random_numbers_of_others_alone(make_learner, text) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    make_learner(output_dropout=0.4).train(text[:BEGINNING], steps(3))
    assert torch.equal(torch.rand(3), expected)


def test_foresight_leaves_the_learner_as_it_is(make_learner, text) -> None:
    learner, past = make_learner(), text[:BEGINNING]
    learner.train(past, steps(6))
    first, second = (learner.foresight(past).score(text[BEGINNING:]).together for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_what_is_learnt_helps(make_learner, text) -> None:
    learner, past = make_learner(), text[:BEGINNING]
    before = learner.foresight(past).score(text[BEGINNING:])
    learner.train(past, steps(60))
    after = learner.foresight(past).score(text[BEGINNING:])
    assert after.network.mean() < 0.9 * before.network.mean()
    np.testing.assert_array_equal(after.ngram, before.ngram)


def test_a_network_that_goes_astray_holds_every_token_alike(
    make_learner, text, monkeypatch
) -> None:
    learner, past = make_learner(adapts=False), text[:BEGINNING]
    learner.train(past, steps(5))
    with torch.no_grad():
        learner._state.averaged.output.bias.fill_(np.nan)
    block = text[BEGINNING : BEGINNING + 20]
    costs = learner.foresight(past).score(block)
    np.testing.assert_allclose(costs.network, np.log(learner.vocab_size))
    stepping = learner.foresight(past)
    assert np.isfinite(stepping.probs()).all()


def test_what_a_network_holds_impossible_costs_no_more_than_a_bound() -> None:
    hedged = foresight._hedged(np.array([0.0, 1.0, np.nan]), 1000)
    np.testing.assert_allclose(-np.log2(hedged), [23.25, 0.0, 9.97], atol=1e-2)


def test_a_text_of_one_token_can_be_learnt_from(make_learner, text) -> None:
    learner = make_learner()
    assert learner.train(text[:2], steps(3)) == 3
    assert np.isfinite(learner.foresight(text[:2]).score(text[2:9]).together).all()
