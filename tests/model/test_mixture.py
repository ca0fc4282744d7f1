import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charnn.errors import OptionError
from charnn.model.mixture import (
    TEMPERATURES,
    USUAL_WEIGHT,
    Blend,
    Mixture,
    fit_blend,
    fit_weight,
    mix_log_probs,
)
from charnn.model.ngram import count_ngrams
from charnn.model.ngram_expert import NgramExpert
from charnn.model.shapes import ModelShape, weight_shapes
from charnn.model.stepper import Stepper

V = 7
SHAPE = ModelShape(V, 4, 4, 1, "lstm")


def make_network(seed=0):
    rng = np.random.default_rng(seed)
    return Stepper(SHAPE, {n: rng.normal(size=s) for n, s in weight_shapes(SHAPE).items()})


def make_counts(seed=0):
    return NgramExpert(count_ngrams(np.random.default_rng(seed).integers(0, V, 300), V, 3))


@given(st.floats(0, 1), st.lists(st.integers(0, V - 1), min_size=1, max_size=8))
def test_the_mixture_is_the_weighted_sum_of_probabilities(weight, tokens):
    network, counts = make_network(), make_counts()
    mixture = Mixture(network, counts, weight)
    state, one, other = (e.initial_state(1) for e in (mixture, network, counts))
    for token in np.array(tokens):
        mixed, state = mixture.step(np.array([token]), state)
        left, one = network.step(np.array([token]), one)
        right, other = counts.step(np.array([token]), other)
        expected = (1 - weight) * np.exp(left) + weight * np.exp(right)
        np.testing.assert_allclose(np.exp(mixed), expected, rtol=1e-4, atol=1e-7)


def test_reading_at_once_and_selecting_rows_keep_both_experts_together():
    mixture = Mixture(make_network(), make_counts(), 0.3)
    tokens = np.array([1, 5, 2, 2])
    at_once, read = mixture.read(tokens, mixture.initial_state(1))
    state = mixture.initial_state(2)
    for token in tokens:
        stepped, state = mixture.step(np.array([token, 0]), state)
    np.testing.assert_allclose(stepped[0], at_once[0], rtol=1e-4)
    after, _ = mixture.step(np.array([3]), mixture.select(state, [0]))
    again, _ = mixture.step(np.array([3]), read)
    np.testing.assert_allclose(after, again, rtol=1e-4)


@given(st.floats(0, 1))
def test_mixed_scores_are_those_of_the_mixture(weight):
    network, ngram = np.log([0.5, 0.1]), np.log([0.25, 0.4])
    mixed = np.exp(mix_log_probs(network, ngram, weight))
    np.testing.assert_allclose(mixed, (1 - weight) * np.exp(network) + weight * np.exp(ngram))


@given(st.integers(0, 2**32 - 1))
def test_the_fitted_weight_is_the_best_on_a_grid(seed):
    rng = np.random.default_rng(seed)
    network, ngram = np.log(rng.uniform(0.01, 1, (2, 5000)))
    weight = fit_weight(network, ngram)
    grid = [mix_log_probs(network, ngram, w).sum() for w in np.linspace(0, 1, 101)]
    assert mix_log_probs(network, ngram, weight).sum() >= max(grid) - 2.0


def test_without_text_the_weight_is_the_usual_one():
    assert fit_weight(np.empty(0), np.empty(0)) == pytest.approx(USUAL_WEIGHT)


def some_text(tokens, temperature, seed=0):
    """Logits of a network, and tokens drawn from them at a temperature."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (tokens, 20))
    noise = rng.gumbel(size=logits.shape)
    return logits, (logits / temperature + noise).argmax(axis=1)


def held_at(temperature, logits, targets):
    logits = logits / temperature
    logits = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    return logits[np.arange(len(targets)), targets]


@pytest.mark.parametrize("temperature", [0.95, 1.0, 1.15])
def test_the_fitted_temperature_is_that_of_the_text(temperature):
    logits, targets = some_text(20_000, temperature)
    network = np.array([held_at(t, logits, targets) for t in TEMPERATURES])
    ngram = np.full(len(targets), np.log(1 / 20))
    blend = fit_blend(network, ngram)
    assert blend.temperature == temperature
    assert blend.weight == fit_weight(network[TEMPERATURES.index(temperature)], ngram)


def test_a_network_alone_has_a_temperature_too():
    logits, targets = some_text(20_000, 1.15)
    network = np.array([held_at(t, logits, targets) for t in TEMPERATURES])
    assert fit_blend(network, None) == Blend(0.0, 1.15)


def test_a_few_tokens_hardly_speak_for_a_temperature():
    assert fit_blend(np.empty((len(TEMPERATURES), 0)), np.empty(0)) == Blend(USUAL_WEIGHT, 1.0)
    ngram = np.full(10, -3.0)
    network = np.array([np.full(10, -2 + 0.04 * t) for t in TEMPERATURES])
    assert fit_blend(network, ngram).temperature == 1
    assert fit_blend(np.repeat(network, 100, axis=1), np.repeat(ngram, 100)).temperature == 1.2


def test_an_expert_that_is_far_better_gets_nearly_all():
    sure, lost = np.full(10_000, -0.1), np.full(10_000, -2000.0)
    assert fit_weight(lost, sure) > 0.99
    assert fit_weight(sure, lost) < 0.01


def test_weights_and_vocabularies_that_cannot_be_are_refused():
    with pytest.raises(OptionError) as error:
        Mixture(make_network(), make_counts(), 1.5)
    assert str(error.value) == "ngram weight must be in [0, 1], got 1.5"
    other = NgramExpert(count_ngrams(np.arange(9), 9, 2))
    with pytest.raises(OptionError) as error:
        Mixture(make_network(), other, 0.5)
    assert str(error.value) == "experts must share their tokens, got 7 and 9"
