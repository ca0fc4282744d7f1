"""Dynamic evaluation against its formula, and what must hold of any evaluation that learns."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from charnn.errors import OptionError
from charnn.model.ensemble import Ensemble
from charnn.model.language_model import Dropout, LanguageModel
from charnn.model.recurrence import detach
from charnn.model.shapes import ModelShape, join_weights
from charnn.runs.run import Run
from charnn.training.device import Device
from charnn.training.dynamic import Adaptation, Dynamics, dynamic_nats, usual_dynamics
from charnn.training.evaluation import token_nats
from charnn.training.scoring import Manner, score_part

CPU = Device("cpu", "fp32", 1)
V = 9
BOUNDARY = 0


@pytest.fixture(params=["lstm", "gru", "rnn", "lstm + block"])
def model(request):
    cell, _, block = request.param.partition(" + ")
    shape = ModelShape(V, 4, 6, 2, cell, feed_forward_size=5 if block else 0)
    model = LanguageModel(shape, None, torch.Generator().manual_seed(3))
    if block:  # which begins as if it were not there
        torch.nn.init.normal_(model.feed_forward.outer.weight, std=0.5)
    return model


@pytest.fixture
def tokens():
    return np.random.default_rng(0).integers(1, V, 50).astype(np.uint16)


def roots_of(model, value=None):
    rng = np.random.default_rng(5)
    return {
        name: np.full(weight.shape, value, np.float32)
        if value
        else rng.uniform(0.1, 1, weight.shape).astype(np.float32)
        for name, weight in model.named_parameters()
    }


def test_without_steps_it_is_the_plain_score(model, tokens):
    still = Dynamics(segment=7, rate=0.0, decay=0.0)
    expected = token_nats(model, tokens, BOUNDARY, CPU)
    nats = dynamic_nats(model, tokens, BOUNDARY, roots_of(model), CPU, still)
    np.testing.assert_allclose(nats, expected, rtol=1e-5)


def by_the_formula(model, tokens, roots, dynamics):
    """Segment by segment, weight by weight."""
    text = [BOUNDARY, *tokens.tolist()]
    trained = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    mean = np.concatenate([root.ravel() for root in roots.values()]).astype(np.float64).mean()
    state, nats = model.initial_state(1), []
    for start in range(0, len(tokens), dynamics.segment):
        inputs = text[:-1][start : start + dynamics.segment]
        targets = text[1:][start : start + dynamics.segment]
        state = tuple(tuple(part.detach() for part in layer) for layer in state)
        logits, state = model(torch.tensor(inputs)[:, None], state)
        losses = F.cross_entropy(logits[:, 0], torch.tensor(targets), reduction="none")
        nats += losses.tolist()
        model.zero_grad()
        losses.mean().backward()
        with torch.no_grad():
            steps = {
                name: weight.grad / (torch.from_numpy(roots[name]) + dynamics.floor * mean)
                for name, weight in model.named_parameters()
            }
            for name in steps:
                if name.startswith("feed_forward"):
                    steps[name] *= dynamics.feed_forward
            whole = torch.cat([step.ravel() for step in steps.values()]).square().mean().sqrt()
            for name, weight in model.named_parameters():
                root = torch.from_numpy(roots[name])
                weight.sub_(dynamics.rate * min(1, dynamics.longest / whole) * steps[name])
                share = torch.minimum(dynamics.decay * root / mean, torch.ones(()))
                weight.add_(share * (trained[name] - weight))
    return nats


@pytest.mark.parametrize("longest", [0.05, 10.0])
def test_every_step_is_that_of_the_formula(model, tokens, longest):
    dynamics = Dynamics(6, 0.05, 0.3, 0.3, floor=0.2, longest=longest)
    roots = roots_of(model)
    expected = by_the_formula(copy.deepcopy(model), tokens, roots, dynamics)
    nats = dynamic_nats(model, tokens, BOUNDARY, roots, CPU, dynamics)
    np.testing.assert_allclose(nats, expected, rtol=1e-4)
    plain = token_nats(model, tokens, BOUNDARY, CPU)
    assert not np.allclose(nats, plain, rtol=1e-3)  # it did move


def test_each_of_several_networks_learns_from_what_the_text_cost_it_alone(model, tokens):
    dynamics = Dynamics(6, rate=0.05, feed_forward=0.3, decay=0.3, floor=0.2)
    shape = replace(model.shape, networks=2)
    both = Ensemble(shape, None, torch.Generator().manual_seed(8))
    roots = roots_of(both.networks[0])
    apart = [copy.deepcopy(network) for network in both.networks]
    adapting = [Adaptation(network, roots, dynamics) for network in apart]
    text = torch.from_numpy(np.append(BOUNDARY, tokens))
    states, expected = [network.initial_state(1) for network in apart], []
    for start in range(0, len(tokens), dynamics.segment):
        inputs = text[:-1][start : start + dynamics.segment, None]
        targets = text[1:][start : start + dynamics.segment]
        held = []
        for index, network in enumerate(apart):
            logits, after = network(inputs, states[index])
            states[index] = detach(after)
            held.append(logits[:, 0].detach())
            adapting[index].learn(F.cross_entropy(logits[:, 0], targets))
        mean = torch.stack(held).mean(0)
        expected += F.cross_entropy(mean, targets, reduction="none").tolist()
    nats = dynamic_nats(both, tokens, BOUNDARY, join_weights([roots] * 2), CPU, dynamics)
    np.testing.assert_allclose(nats, expected, rtol=1e-4)


def test_networks_with_a_block_adapt_more_slowly_and_their_blocks_most():
    shape = ModelShape(V, 4, 6, 2, "lstm")
    plain, block = (usual_dynamics(replace(shape, feed_forward_size=size)) for size in (0, 5))
    assert plain.rate_of("networks.1.feed_forward.inner.weight") == plain.rate == plain.rate_of("x")
    assert block.rate_of("networks.1.feed_forward.inner.weight") == 0.3 * block.rate
    assert block.rate_of("output.bias") == block.rate < plain.rate


def test_no_token_is_scored_by_what_comes_behind_it(model, tokens):
    dynamics, roots = Dynamics(segment=8, rate=0.1), roots_of(model)
    changed = tokens.copy()
    changed[24:] = changed[24:][::-1]
    one = dynamic_nats(copy.deepcopy(model), tokens, BOUNDARY, roots, CPU, dynamics)
    other = dynamic_nats(copy.deepcopy(model), changed, BOUNDARY, roots, CPU, dynamics)
    np.testing.assert_array_equal(one[:24], other[:24])
    assert not np.array_equal(one[24:], other[24:])


def test_nothing_is_dropped_and_gradients_are_those_of_training(model, tokens):
    dropping = copy.deepcopy(model)
    dropping.dropout = Dropout(0.5, 0.5, 0.5, 0.5, 0.5, 0.5)
    roots = roots_of(model)
    expected = dynamic_nats(copy.deepcopy(model), tokens, BOUNDARY, roots, CPU)
    np.testing.assert_array_equal(dynamic_nats(dropping, tokens, BOUNDARY, roots, CPU), expected)
    assert dropping.training  # what cuDNN asks for


def test_a_network_whose_gradients_are_hardly_known_is_not_lost(model, tokens):
    """As after a few steps of training: much larger gradients come than have been."""
    roots = roots_of(model, 1e-6)
    nats = dynamic_nats(model, tokens, BOUNDARY, roots, CPU, Dynamics(segment=4))
    assert nats.mean() < 1.5 * np.log(V)
    assert all(weight.isfinite().all() for weight in model.parameters())


def test_a_text_that_repeats_itself_gets_cheaper(model):
    tokens = np.tile(np.array([1, 2, 3, 4, 5], np.uint16), 60)
    nats = dynamic_nats(
        model, tokens, BOUNDARY, roots_of(model, 1.0), CPU, Dynamics(segment=8, rate=0.5, decay=0.0)
    )
    assert nats[-50:].mean() < 0.9 * nats[:50].mean()


def test_a_stop_ends_it(model, tokens):
    heard = []
    result = dynamic_nats(
        *(model, tokens, BOUNDARY, roots_of(model), CPU, Dynamics(segment=10)),
        lambda done: heard.append(done) or done < 30,
    )
    assert result is None
    assert heard == [10, 20, 30]


def test_a_run_adapts_with_its_counts(train):
    run = Run(train(val_fraction=0.1, steps=40, no_ngram=False, ngram_weight=0.1).model.path)
    plain = score_part(run, "validation")
    result = score_part(run, "validation", None, Manner(dynamic=True))
    assert plain.dynamic is None
    assert result.score == plain.score
    assert result.dynamic is not None
    assert result.dynamic.ngram.nats < result.ngram.nats
    assert result.to_json()["dynamic_bits_per_char"] == result.dynamic.score.bits_per_char


def test_the_network_alone_has_no_counts_to_adapt(train):
    run = Run(train(val_fraction=0.1, steps=40, no_ngram=False, ngram_weight=0.1).model.path)
    result = score_part(run, "validation", None, Manner(with_ngram=False, dynamic=True))
    assert result.ngram is None
    assert result.score == result.network
    assert result.dynamic.score == result.dynamic.network


def test_a_run_that_kept_no_count_of_its_gradients_says_so(train):
    run = Run(train(val_fraction=0.1, optimizer="sgd").model.path)
    with pytest.raises(OptionError) as error:
        score_part(run, "validation", None, Manner(dynamic=True))
    assert str(error.value) == (
        f"run {run.name} cannot adapt: its checkpoint does not say how large its gradients "
        "were (it is of before the first step, or of another optimizer than adamw)"
    )
