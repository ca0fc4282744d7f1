"""Several networks as one: against each by itself, in torch and in NumPy."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from charnn.errors import OptionError
from charnn.model.averaging import Averaging, make_stepper
from charnn.model.embedding import PARTS
from charnn.model.ensemble import Ensemble, apart, joined, make_model, mean_logits
from charnn.model.language_model import Dropout, LanguageModel
from charnn.model.mixture import Mixture
from charnn.model.ngram import count_ngrams
from charnn.model.ngram_expert import NgramExpert
from charnn.model.shapes import (
    ModelShape,
    join_weights,
    parameter_count,
    split_weights,
    weight_shapes,
)
from charnn.model.stepper import Stepper

VOCAB_SIZE, SEQ_LEN, BATCH = 13, 9, 3
SHAPES = [
    ModelShape(VOCAB_SIZE, 5, 5, 1, "lstm", networks=3),
    ModelShape(VOCAB_SIZE, 4, 6, 2, "gru", networks=2, feed_forward_size=7),
    ModelShape(VOCAB_SIZE, 4, 6, 2, "rnn", tied=False, networks=2),
]


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(params=SHAPES, ids=str)
def shape(request):
    return request.param


@pytest.fixture
def model(shape):
    return Ensemble(shape, None, torch.Generator().manual_seed(3)).double().eval()


def some_tokens(*size):
    return torch.from_numpy(np.random.default_rng(1).integers(0, VOCAB_SIZE, size))


def arrays_of(model):
    return {name: weight.numpy() for name, weight in model.plain_parameters().items()}


# -- sizes and names -----------------------------------------------------------------------------


def test_weights_are_named_and_shaped_as_shapes_says(model, shape):
    named = {name: tuple(weight.shape) for name, weight in model.named_parameters()}
    assert named == weight_shapes(shape)
    assert list(model.plain_parameters()) == list(weight_shapes(shape))
    assert parameter_count(shape) == shape.networks * parameter_count(shape.single)
    assert shape.single.networks == 1


def test_one_network_is_named_as_ever():
    shape = ModelShape(VOCAB_SIZE, 5, 5, 1, "lstm")
    assert isinstance(make_model(shape), LanguageModel)
    assert isinstance(make_stepper(shape, arrays_of(make_model(shape))), Stepper)
    assert not any(name.startswith("networks") for name in weight_shapes(shape))


@given(st.lists(st.dictionaries(st.text("ab.", max_size=4), st.integers(), max_size=4), min_size=1))
def test_joined_weights_come_apart_again(networks):
    assert split_weights(join_weights(networks), len(networks)) == networks


@pytest.mark.parametrize("name", ["output.bias", "networks.2.a", "networks.x.a", "", "networks.1"])
def test_a_weight_of_no_network_is_told(name):
    with pytest.raises(KeyError):
        split_weights({name: 0}, 2)


@pytest.mark.parametrize("networks", [0, -1])
def test_there_is_at_least_one_network(networks):
    with pytest.raises(OptionError, match=f"networks must be >= 1, got {networks}"):
        ModelShape(VOCAB_SIZE, 5, 5, 1, "lstm", networks=networks)


def test_weights_can_be_taken_from_another(model, shape):
    other = Ensemble(shape, None, torch.Generator().manual_seed(4)).double().eval()
    other.take(model.plain_parameters())
    tokens = some_tokens(SEQ_LEN, BATCH)
    result, expected = (m(tokens, m.initial_state(BATCH))[0] for m in (other, model))
    assert torch.equal(result, expected)


def test_too_few_weights_are_refused(model):
    weights = model.plain_parameters()
    del weights["networks.1.output.bias"]
    with pytest.raises(KeyError):
        model.take(weights)


# -- in torch ------------------------------------------------------------------------------------


def test_what_it_holds_is_the_geometric_mean_of_what_each_holds(model):
    tokens, state = some_tokens(SEQ_LEN, BATCH), model.initial_state(BATCH)
    logits, after = model(tokens, state)
    alone = [network(tokens, network.initial_state(BATCH)) for network in model.networks]
    product = torch.stack([held.softmax(-1) for held, _ in alone]).prod(0)
    mean = product ** (1 / len(alone))
    torch.testing.assert_close(logits.softmax(-1), mean / mean.sum(-1, keepdim=True))
    for part, expected in zip(after, joined(state for _, state in alone), strict=True):
        assert all(map(torch.equal, part, expected))


def test_networks_begin_apart(model):
    first, second = model.networks[:2]
    for name, weight in first.named_parameters():
        if weight.ndim > 1 and not name.endswith("outer.weight"):  # which begins as nothing
            assert not torch.allclose(weight, dict(second.named_parameters())[name])


def test_the_first_begins_as_one_alone(shape):
    both = Ensemble(shape, None, torch.Generator().manual_seed(3))
    alone = LanguageModel(shape.single, None, torch.Generator().manual_seed(3))
    for name, weight in alone.named_parameters():
        assert torch.equal(both.state_dict()[f"networks.0.{name}"], weight)


def test_a_state_goes_on_where_it_was_left(model):
    tokens = some_tokens(SEQ_LEN, BATCH)
    whole, end = model(tokens, model.initial_state(BATCH))
    _, state = model(tokens[:4], model.initial_state(BATCH))
    rest, other_end = model(tokens[4:], state)
    torch.testing.assert_close(rest, whole[4:])
    for part, expected in zip(other_end, end, strict=True):
        torch.testing.assert_close(part, expected)


def test_each_gets_its_own_part_of_the_state(model, shape):
    marked = tuple((torch.tensor(index),) for index in range(shape.networks * shape.num_layers))
    parts = apart(model, marked)
    assert [network for network, _ in parts] == list(model.networks)
    assert joined(part for _, part in parts) == marked


def test_every_network_drops_units_of_its_own(shape):
    torch.manual_seed(0)
    model = Ensemble(shape, Dropout(output=0.5), torch.Generator().manual_seed(3)).train()
    first, second = model.networks[:2]
    second.take(first.plain_parameters())
    tokens = some_tokens(SEQ_LEN, BATCH)
    one, other = (network(tokens, network.initial_state(BATCH))[0] for network in (first, second))
    assert not torch.equal(one, other)
    model.dropout = Dropout()
    one, other = (network(tokens, network.initial_state(BATCH))[0] for network in (first, second))
    assert torch.equal(one, other)
    assert model.dropout == Dropout()


def test_syllables_are_composed_in_each(shape):
    spelling = np.zeros((VOCAB_SIZE, PARTS), np.float32)
    spelling[3, [0, 20, 60]] = 1
    model = Ensemble(shape, None, torch.Generator().manual_seed(3), spelling)
    for index, network in enumerate(model.networks):
        matrix = model.plain_parameters()[f"networks.{index}.embedding.weight"]
        assert torch.equal(matrix, network.embedding.matrix())
        assert not torch.equal(matrix[3], network.embedding.weight[3])


def test_the_bias_is_set_in_each(model):
    model.set_output_bias(torch.arange(VOCAB_SIZE))
    first, *others = [network.output.bias for network in model.networks]
    assert first.argmax() == VOCAB_SIZE - 1
    assert all(torch.equal(first, other) for other in others)


def test_logits_in_bfloat16_are_averaged_in_float32():
    held = [torch.tensor([256.0, 1.0]).bfloat16(), torch.tensor([257.0, 1.0]).bfloat16()]
    assert mean_logits(held).dtype == torch.float32
    assert mean_logits(held).tolist() == [256, 1]
    assert mean_logits([torch.tensor([2.0]), torch.tensor([1.0])]).tolist() == [1.5]
    assert mean_logits([torch.tensor([2.0])]).tolist() == [2]


def test_a_temperature_of_one_network_divides_its_logits():
    shape = ModelShape(VOCAB_SIZE, 5, 5, 1, "lstm")
    weights, tokens = arrays_of(make_model(shape)), some_tokens(BATCH).numpy()
    plain, calm = make_stepper(shape, weights), make_stepper(shape, weights, temperature=1.25)
    log_probs, _ = plain.step(tokens, plain.initial_state(BATCH))
    expected = torch.from_numpy(log_probs / 1.25).log_softmax(-1)
    found, _ = calm.step(tokens, calm.initial_state(BATCH))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


# -- in NumPy ------------------------------------------------------------------------------------


@pytest.fixture(params=[1.0, 1.25])
def temperature(request):
    return request.param


@pytest.fixture
def steppers(model, shape, temperature):
    """The networks as one expert, in float64."""
    each = split_weights(arrays_of(model), shape.networks)
    alone = [Stepper(shape.single, weights, np.float64) for weights in each]
    return Averaging(alone, temperature)


def test_steps_are_those_of_torch(model, steppers, temperature):
    tokens = some_tokens(SEQ_LEN, BATCH)
    logits, _ = model(tokens, model.initial_state(BATCH))
    expected = (logits / temperature).log_softmax(-1)
    state = steppers.initial_state(BATCH)
    for row, held in zip(tokens.numpy(), expected.detach().numpy(), strict=True):
        log_probs, after = steppers.step(row, state)
        np.testing.assert_allclose(log_probs, held, atol=1e-10)
        probs, other = steppers.step_probs(row, state, 0.25)
        np.testing.assert_allclose(probs, 0.25 * np.exp(log_probs), rtol=1e-10)
        for one, two in zip(after, other, strict=True):
            assert all(map(np.array_equal, one[0], two[0]))
        state = after


def test_reading_ends_where_steps_do(steppers):
    tokens = some_tokens(SEQ_LEN).numpy()
    state = steppers.initial_state(1)
    for token in tokens:
        log_probs, state = steppers.step(np.array([token]), state)
    read, after = steppers.read(tokens, steppers.initial_state(1))
    np.testing.assert_allclose(read, log_probs, atol=1e-12)
    np.testing.assert_allclose(after[-1][0][0], state[-1][0][0], atol=1e-12)


def test_rows_can_be_chosen(steppers):
    tokens = some_tokens(2, BATCH).numpy()
    _, state = steppers.step(tokens[0], steppers.initial_state(BATCH))
    rows = [2, 0, 2]
    expected, _ = steppers.step(tokens[1], state)
    chosen, _ = steppers.step(tokens[1][rows], steppers.select(state, rows))
    np.testing.assert_allclose(chosen, expected[rows], atol=1e-12)


@pytest.mark.parametrize("own", [False, True])
def test_a_run_writes_with_all_of_its_networks(model, shape, steppers, own, temperature):
    float32 = {name: array.astype(np.float32) for name, array in arrays_of(model).items()}
    expert = make_stepper(shape, float32, own=own, temperature=temperature)
    assert expert.vocab_size == VOCAB_SIZE
    tokens = some_tokens(BATCH).numpy()
    log_probs, _ = expert.step(tokens, expert.initial_state(BATCH))
    expected, _ = steppers.step(tokens, steppers.initial_state(BATCH))
    np.testing.assert_allclose(log_probs, expected, atol=1e-5)


def test_networks_and_counts_are_mixed(steppers):
    text = some_tokens(60).numpy()
    counts = NgramExpert(count_ngrams(text, VOCAB_SIZE, 3))
    mixture = Mixture(steppers, counts, 0.3)
    mixed, _ = mixture.step(text[:1], mixture.initial_state(1))
    network, _ = steppers.step(text[:1], steppers.initial_state(1))
    ngram, _ = counts.step(text[:1], counts.initial_state(1))
    np.testing.assert_allclose(np.exp(mixed), 0.7 * np.exp(network) + 0.3 * np.exp(ngram))


def test_the_tables_of_several_are_no_larger_than_that_of_one(monkeypatch):
    sizes = []
    monkeypatch.setattr(
        "charnn.model.averaging.Stepper",
        lambda *_, table_bytes, **__: sizes.append(table_bytes),
    )
    shape = SHAPES[0]
    weights = {name: np.zeros(size) for name, size in weight_shapes(shape).items()}
    make_stepper(shape, weights)
    assert len(sizes) == shape.networks
    assert sum(sizes) <= 24 << 20
