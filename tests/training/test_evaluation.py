"""Evaluation against reading token by token with the NumPy stepper, and what it leaves alone."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from charnn.corpus.tokenizers import ByteTokenizer
from charnn.model.ensemble import Ensemble
from charnn.model.language_model import Dropout, LanguageModel
from charnn.model.shapes import ModelShape, split_weights
from charnn.model.stepper import Stepper
from charnn.training import evaluation
from charnn.training.device import Device
from charnn.training.evaluation import (
    QUICK,
    WHOLE,
    Reading,
    nats_at,
    rows_of,
    token_nats,
)

CPU = Device("cpu", "fp32", 1)
TOKENIZER = ByteTokenizer()
ONE = Reading(rows=1, past=0, least_row=1)


def some_tokens(count, seed=0):
    """Bytes as of a text with a few documents: the boundary is among them."""
    return np.random.default_rng(seed).integers(0, 90, count).astype(np.uint16)


@pytest.fixture(params=["lstm", "gru", "rnn"])
def model(request):
    """A network whose state matters: large weights, so that the past is felt."""
    shape = ModelShape(TOKENIZER.vocab_size, 6, 8, 2, request.param)
    model = LanguageModel(shape, Dropout(output=0.5), torch.Generator().manual_seed(1))
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(1.5)
    return model


def read_by_hand(model, tokens, state, stepper, nats=0.0):
    """Nats of tokens[1:], each after the ones before it, one by one; and the state."""
    for before, target in pairwise(tokens):
        log_probs, state = stepper.step(np.array([before]), state)
        nats -= log_probs[0, target]
    return nats, state


def twin(model, tokens, reading):
    """What a text is to cost, token by token in float64."""
    weights = {name: weight.numpy() for name, weight in model.state_dict().items()}
    stepper = Stepper(model.shape, weights, np.float64)
    text = np.concatenate([[TOKENIZER.boundary], tokens]).astype(np.int64)
    rows = rows_of(len(tokens), reading)
    length = len(tokens) // rows
    nats = 0.0
    for row in range(rows):
        start = row * length
        end = len(tokens) if row == rows - 1 else start + length
        # text[start] is the token before tokens[start]; the first row has no past
        past = min(reading.past, length - 1) if row else 0
        _, state = read_by_hand(
            model, text[start - past : start + 1], stepper.initial_state(1), stepper
        )
        nats += read_by_hand(model, text[start : end + 1], state, stepper)[0]
    return nats


def nats_of(model, tokens, reading=WHOLE, **options):
    nats = token_nats(model, tokens, TOKENIZER.boundary, CPU, reading, **options)
    assert nats is not None and len(nats) == len(tokens)
    return nats.sum()


# -- the numbers --------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 2, 77])
def test_a_single_pass_is_reading_token_by_token(model, count):
    tokens = some_tokens(count)
    assert nats_of(model, tokens) == pytest.approx(twin(model, tokens, ONE), rel=1e-5)


@pytest.mark.parametrize(
    ("count", "reading"),
    [
        (200, Reading(rows=4, past=10, least_row=1)),
        (203, Reading(rows=4, past=10, least_row=1)),  # a rest of three tokens
        (200, Reading(rows=4, past=0, least_row=1)),
        (200, Reading(rows=4, past=1000, least_row=1)),  # more than there is
        (200, Reading(rows=16, past=10, least_row=60)),
        (16, Reading(rows=16, past=10, least_row=1)),
    ],
    ids=str,
)
def test_rows_with_their_past_are_reading_token_by_token(model, count, reading):
    tokens = some_tokens(count)
    assert nats_of(model, tokens, reading) == pytest.approx(twin(model, tokens, reading), rel=1e-5)


def geometric_mean(each):
    """Ln of the normalised geometric mean of probabilities given by their logarithms."""
    mean = np.mean(each, axis=0)
    return mean - np.log(np.exp(mean).sum(-1, keepdims=True))


@pytest.mark.parametrize("temperature", [1.0, 0.8, 1.3])
def test_several_networks_cost_what_the_geometric_mean_of_their_probabilities_does(temperature):
    shape = ModelShape(TOKENIZER.vocab_size, 6, 8, 2, "lstm", networks=3)
    together = Ensemble(shape, None, torch.Generator().manual_seed(1))
    tokens, boundary = some_tokens(77), TOKENIZER.boundary
    weights = {name: weight.numpy() for name, weight in together.state_dict().items()}
    steppers = [Stepper(shape.single, own, np.float64) for own in split_weights(weights, 3)]
    states, expected = [stepper.initial_state(1) for stepper in steppers], []
    for before, target in pairwise([boundary, *tokens]):
        each = []
        for index, stepper in enumerate(steppers):
            log_probs, states[index] = stepper.step(np.array([before]), states[index])
            each.append(log_probs[0] / temperature)
        expected.append(-geometric_mean(each)[target])
    found = token_nats(together, tokens, boundary, CPU, temperature=temperature)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    alone = token_nats(together.each[0], tokens, boundary, CPU, temperature=temperature)
    assert not np.allclose(found, alone, rtol=1e-3)


def test_several_temperatures_are_one_after_another(model):
    tokens, reading = some_tokens(203), Reading(rows=4, past=10, least_row=1)
    where = (model, tokens, TOKENIZER.boundary, CPU, reading)
    found = nats_at((1.0, 1.2), *where)
    for row, temperature in zip(found, (1.0, 1.2), strict=True):
        assert np.array_equal(row, token_nats(*where, temperature=temperature))
    assert not np.allclose(*found)


def test_a_large_vocabulary_is_read_in_short_windows(model, monkeypatch):
    """So that the logits of a window take no more memory than they may."""
    tokens = some_tokens(200)
    whole, told = token_nats(model, tokens, TOKENIZER.boundary, CPU), []
    monkeypatch.setattr(evaluation, "_WINDOW_LOGITS", 50 * TOKENIZER.vocab_size)

    def on_progress(done):
        told.append(done)
        return True

    short = token_nats(model, tokens, TOKENIZER.boundary, CPU, on_progress=on_progress)
    assert told == [50, 100, 150, 200]
    np.testing.assert_allclose(short, whole, rtol=1e-4)


def test_the_past_brings_rows_close_to_a_single_pass():
    """What a forgetful network did not see does not matter."""
    shape = ModelShape(TOKENIZER.vocab_size, 6, 8, 2, "lstm")
    network = LanguageModel(shape, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        for name, weight in network.named_parameters():
            weight.mul_(0.5 if name.startswith("layers") else 3.0)
    tokens = some_tokens(2000)
    single = nats_of(network, tokens, ONE)
    errors = [
        abs(nats_of(network, tokens, Reading(rows=16, past=past, least_row=1)) - single) / single
        for past in (0, 8, 64)
    ]
    assert min(errors[:2]) > 1e-5
    assert errors[2] < 1e-6


@settings(max_examples=25)
@given(
    count=st.integers(1, 300),
    window=st.integers(1, 400),
    rows=st.integers(1, 9),
    past=st.integers(0, 50),
)
def test_windows_do_not_change_the_result(count, window, rows, past):
    tokens, reading = some_tokens(count), Reading(rows, past, least_row=1)
    shape = ModelShape(TOKENIZER.vocab_size, 4, 4, 1, "lstm")
    network = LanguageModel(shape, generator=torch.Generator().manual_seed(1))
    expected = nats_of(network, tokens, reading)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluation, "_WINDOW_TOKENS", window)
        assert nats_of(network, tokens, reading) == pytest.approx(expected, rel=1e-5)


@settings(max_examples=25)
@given(st.integers(1, 500), st.integers(1, 9))
def test_every_token_is_scored_once(count, rows):
    tokens = some_tokens(count)
    shape = ModelShape(TOKENIZER.vocab_size, 4, 4, 1, "gru")
    network = LanguageModel(shape, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():  # every token costs the same whatever came before
        for weight in network.parameters():
            weight.zero_()
    told = []
    nats = token_nats(
        *(network, tokens, TOKENIZER.boundary, CPU, Reading(rows, 5, 1)),
        on_progress=lambda done: told.append(done) or True,
    )
    assert nats == pytest.approx(np.full(count, np.log(TOKENIZER.vocab_size)), rel=1e-6)
    assert told == sorted(told)
    assert count - rows < told[-1] <= count


def test_short_parts_are_one_single_pass():
    assert rows_of(65_535, WHOLE) == 1
    assert rows_of(65_536, WHOLE) == 2
    assert rows_of(10**9, WHOLE) == 16
    assert rows_of(511, QUICK) == 1
    assert rows_of(512, QUICK) == 2


# -- what it leaves alone -----------------------------------------------------------------------


@pytest.mark.parametrize("training", [True, False])
def test_a_model_is_left_as_it_was(model, training):
    model.train(training)
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    random = torch.get_rng_state()
    first = nats_of(model, some_tokens(300), QUICK)
    assert model.training is training
    assert torch.equal(torch.get_rng_state(), random)
    assert all(torch.equal(weight, before[name]) for name, weight in model.state_dict().items())
    assert all(weight.grad is None for weight in model.parameters())
    assert nats_of(model, some_tokens(300), QUICK) == first  # dropout is off


def test_it_can_be_broken_off(model, monkeypatch):
    monkeypatch.setattr(evaluation, "_WINDOW_TOKENS", 10)
    model.train()
    told = []

    def go_on(done):
        told.append(done)
        return len(told) < 3

    assert token_nats(model, some_tokens(100), TOKENIZER.boundary, CPU, ONE, go_on) is None
    assert told == [10, 20, 30]
    assert model.training


def test_an_error_leaves_the_mode_alone(model):
    model.train()
    with pytest.raises(IndexError):
        token_nats(model, np.array([9999], np.uint16), TOKENIZER.boundary, CPU)
    assert model.training


def test_tokens_may_be_mapped_from_a_read_only_file(model, tmp_path):
    tokens = some_tokens(100)
    tokens.tofile(tmp_path / "tokens")
    mapped = np.memmap(tmp_path / "tokens", dtype=np.uint16, mode="r")
    assert nats_of(model, mapped) == nats_of(model, tokens)
