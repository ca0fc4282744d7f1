"""The torch network's own promises; that it computes the right thing is in test_stepper.py."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from charnn.errors import OptionError
from charnn.model.feed_forward import FeedForward
from charnn.model.language_model import Dropout, LanguageModel
from charnn.model.recurrence import detach, layer_weights, roll_rows
from charnn.model.shapes import CELLS, GATES, ModelShape, weight_shapes

VOCAB_SIZE, SEQ_LEN, BATCH, HIDDEN = 11, 7, 3, 6
OUTPUTS = {
    "tied": (HIDDEN, True, 0),
    "projected": (4, True, 0),
    "untied": (4, False, 0),
    "block": (HIDDEN, True, 5),
}
SHAPES = {
    f"{cell}-{layers}-{name}": ModelShape(
        VOCAB_SIZE, size, HIDDEN, layers, cell, tied, feed_forward_size=block
    )
    for cell, layers, (name, (size, tied, block)) in itertools.product(
        CELLS, (1, 2), OUTPUTS.items()
    )
}
NAMES = ["token", "input", "layer", "output", "state", "weight"]


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(params=SHAPES.values(), ids=SHAPES.keys())
def shape(request):
    return request.param


@pytest.fixture(params=CELLS)
def cell(request):
    return request.param


def make_model(shape, seed=0, **shares):
    generator = torch.Generator().manual_seed(seed)
    return LanguageModel(shape, Dropout(**shares), generator).double()


def some_tokens(seed=1):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(VOCAB_SIZE, (SEQ_LEN, BATCH), generator=generator)


def some_state(model, seed=2):
    generator = torch.Generator().manual_seed(seed)
    return tuple(
        tuple(torch.randn(part.shape, generator=generator).double() for part in layer)
        for layer in model.initial_state(BATCH)
    )


def flat(state):
    return [part for layer in state for part in layer]


def run(model, seed=0):
    """Logits and last state of the same tokens from the same state, random draws seeded."""
    torch.manual_seed(seed)
    logits, state = model(some_tokens(), some_state(model))
    return [logits, *flat(state)]


def assert_close(results, expected, within=1e-10):
    for result, other in zip(results, expected, strict=True):
        assert torch.allclose(result, other, rtol=0, atol=within)


# -- names and shapes ---------------------------------------------------------------------------


def test_weights_are_named_and_shaped_as_shapes_says(shape):
    state = LanguageModel(shape).state_dict()
    assert {name: tuple(weight.shape) for name, weight in state.items()} == weight_shapes(shape)
    assert list(state) == list(weight_shapes(shape))


def test_what_comes_out_is_shaped_as_told(shape):
    model = make_model(shape)
    start = model.initial_state(BATCH)
    logits, end = model(some_tokens(), start)
    assert logits.shape == (SEQ_LEN, BATCH, VOCAB_SIZE)
    for state in (start, end):
        assert len(state) == shape.num_layers
        assert all(len(layer) == (2 if shape.cell == "lstm" else 1) for layer in state)
        assert all(part.shape == (BATCH, HIDDEN) for part in flat(state))
    assert all((part == 0).all() for part in flat(start))
    assert all(part.dtype == torch.float64 for part in flat(start))


def test_the_state_that_goes_in_is_left_as_it_was(shape):
    model = make_model(shape, state=0.5, input=0.5)
    before = some_state(model)
    model(some_tokens(), before)
    assert_close(flat(before), flat(some_state(model)), within=0)


def test_logits_are_the_projected_output_times_the_output_weights(shape):
    model = make_model(shape)
    hidden = torch.randn(2, HIDDEN).double()
    expected = hidden
    if shape.projected:
        expected = expected @ model.projection.weight.T
    weight = model.embedding.weight if shape.tied else model.output.weight
    expected = expected @ weight.T + model.output.bias
    assert_close([model.logits(hidden)], [expected])


def test_tied_weights_are_one_tensor_that_learns_from_both_ends():
    model = make_model(SHAPES["lstm-1-tied"])
    logits, _ = model(torch.zeros(1, 1, dtype=torch.int64), model.initial_state(1))
    logits[0, 0, 5].backward()
    touched = model.embedding.weight.grad.abs().sum(1) > 0
    assert touched.tolist() == [token in (0, 5) for token in range(VOCAB_SIZE)]


# -- initial weights ----------------------------------------------------------------------------


def test_recurrent_gates_are_orthogonal(shape):
    model = make_model(shape)
    for layer in model.layers:
        for gate in layer_weights(layer)[1].split(HIDDEN):
            assert_close([gate @ gate.T], [torch.eye(HIDDEN).double()], within=1e-5)


def test_gates_are_not_copies_of_each_other(shape):
    for layer in make_model(shape).layers:
        for weights in layer_weights(layer)[:2]:
            gates = weights.split(HIDDEN)
            assert len(gates) == GATES[shape.cell]
            for one, other in itertools.combinations(gates, 2):
                assert not torch.allclose(one, other, atol=0.01)


def test_biases_are_zero_but_for_the_forget_gates(shape):
    model = make_model(shape)
    assert (model.output.bias == 0).all()
    for layer in model.layers:
        _, _, input_bias, recurrent_bias = layer_weights(layer)
        expected = torch.zeros(len(input_bias)).double()
        if shape.cell == "lstm":
            expected[HIDDEN : 2 * HIDDEN] = 1
        assert (input_bias + recurrent_bias == expected).all()


def test_a_forget_gate_begins_open():
    """With bias 1 alone a cell keeps sigmoid(1) of what it holds: gate order i f g o."""
    model = make_model(SHAPES["lstm-1-tied"])
    with torch.no_grad():
        for weights in layer_weights(model.layers[0])[:2]:
            weights.zero_()
        held = torch.full((1, HIDDEN), 2.0).double()
        _, ((_, c),) = model(torch.zeros(1, 1, dtype=torch.int64), ((0 * held, held),))
    assert_close([c], [held / (1 + math.exp(-1))])


def test_input_weights_fill_the_interval_of_glorot(cell):
    shape = ModelShape(50, 60, 40, 1, cell)
    for gate in layer_weights(make_model(shape).layers[0])[0].split(40):
        bound = math.sqrt(6 / (60 + 40))
        assert gate.abs().max() <= bound
        assert gate.abs().max() > 0.99 * bound
        assert abs(gate.std().item() / (bound / math.sqrt(3)) - 1) < 0.05


def test_tied_logits_begin_near_unit_size():
    weight = make_model(ModelShape(500, 64, 64, 1, "gru")).embedding.weight
    assert abs(weight.square().sum(1).mean().item() - 1) < 0.05
    assert abs(weight.mean().item()) < 0.005


def test_the_generator_alone_decides_the_weights(shape):
    torch.manual_seed(1)
    one = make_model(shape, seed=5).state_dict()
    torch.manual_seed(2)
    same, other = make_model(shape, seed=5).state_dict(), make_model(shape, seed=6).state_dict()
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["embedding.weight"], other["embedding.weight"])


def test_a_block_begins_as_if_it_were_not_there(cell):
    with_block, without = (
        make_model(SHAPES[f"{cell}-2-{name}"]).eval() for name in ("block", "tied")
    )
    shared = {
        name: weight for name, weight in with_block.state_dict().items() if "feed" not in name
    }
    without.load_state_dict(shared)
    tokens, state = some_tokens(), some_state(without)
    assert_close([with_block(tokens, state)[0]], [without(tokens, state)[0]], within=0)


# -- output bias --------------------------------------------------------------------------------


@settings(max_examples=20)
@given(st.lists(st.integers(0, 10**12), min_size=VOCAB_SIZE, max_size=VOCAB_SIZE))
def test_the_output_bias_alone_predicts_the_frequencies_of_tokens(counts):
    model = make_model(SHAPES["gru-1-projected"])
    model.set_output_bias(torch.tensor(counts))
    hidden = torch.zeros(1, HIDDEN).double()
    total = sum(count + 0.1 for count in counts)
    probabilities = model.logits(hidden)[0].exp()  # the bias is normalised already
    expected = torch.tensor([(count + 0.1) / total for count in counts], dtype=torch.float64)
    assert torch.allclose(probabilities, expected, rtol=1e-9, atol=0)


# -- dropout ------------------------------------------------------------------------------------


def test_nothing_is_dropped_in_evaluation(shape):
    plain = make_model(shape).eval()
    dropping = make_model(shape, **dict.fromkeys(NAMES, 0.5)).eval()
    assert_close(run(dropping), run(plain), within=0)
    assert_close(run(dropping, seed=1), run(dropping), within=0)


@pytest.mark.parametrize("name", NAMES)
def test_each_share_drops_something_in_training(cell, name):
    shape = SHAPES[f"{cell}-2-tied"]
    model = make_model(shape, **{name: 0.5})
    assert not torch.equal(run(model)[0], run(model, seed=1)[0])
    assert_close(run(model), run(model), within=0)


def test_layer_dropout_needs_two_layers_or_a_block(cell):
    shape = SHAPES[f"{cell}-1-tied"]
    assert_close(run(make_model(shape, layer=0.5)), run(make_model(shape)), within=0)
    model = make_model(SHAPES[f"{cell}-1-block"], layer=0.5)
    torch.nn.init.normal_(model.feed_forward.outer.weight)
    assert not torch.equal(run(model)[0], run(model, seed=1)[0])


def test_gated_units_are_dropped_for_a_whole_window():
    """Against the equations, with the mask drawn again from the same seed."""
    share, block = 0.4, FeedForward(HIDDEN, 50).double()
    x, generator = torch.randn(SEQ_LEN, BATCH, HIDDEN).double(), torch.Generator()
    mask = torch.empty(1, BATCH, 50).double().bernoulli_(1 - share, generator=generator)
    assert 0.2 < (mask == 0).double().mean() < 0.6
    gate, value = block.inner(block.norm(x)).chunk(2, -1)
    expected = x + block.outer(nn.functional.silu(gate) * value * mask / (1 - share))
    assert_close([block(x, share, torch.Generator())], [expected])


@pytest.mark.parametrize("name", NAMES)
def test_what_is_dropped_comes_from_the_generator_of_the_network(cell, name):
    model = make_model(SHAPES[f"{cell}-2-block"], **{name: 0.5})
    torch.nn.init.normal_(model.feed_forward.outer.weight)
    found = []
    for seed in (0, 1, 0):
        model.dropout_generator = torch.Generator().manual_seed(seed)
        found.append(run(model, seed=len(found))[0])  # the global seed does not matter
    assert torch.equal(found[0], found[2])
    assert not torch.equal(found[0], found[1])


def test_the_step_loop_is_the_module(shape):
    """A share this small drops nothing, but takes the slower loop."""
    assert_close(run(make_model(shape, state=1e-15)), run(make_model(shape)), within=1e-12)


def test_the_step_loop_has_the_gradients_of_the_module(shape):
    looping, fused = make_model(shape, state=1e-15), make_model(shape)
    for model in (looping, fused):
        run(model)[0].square().sum().backward()
    gradients = [[weight.grad for weight in model.parameters()] for model in (looping, fused)]
    assert_close(*gradients, within=1e-9)


def lstm_cell(gates_x, gates_r, h, c):
    i, f, g, o = (gates_x + gates_r).chunk(4, -1)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c), c


def gru_cell(gates_x, gates_r, h):
    (x_r, x_z, x_n), (r_r, r_z, r_n) = gates_x.chunk(3, -1), gates_r.chunk(3, -1)
    r, z = torch.sigmoid(x_r + r_r), torch.sigmoid(x_z + r_z)
    return ((1 - z) * torch.tanh(x_n + r * r_n) + z * h,)


def rnn_cell(gates_x, gates_r, h):
    return (torch.tanh(gates_x + gates_r),)


def test_state_dropout_is_one_mask_a_window_on_what_the_gates_see(cell):
    """Against the equations, with the mask drawn again from the same seed."""
    share, model = 0.4, make_model(SHAPES[f"{cell}-1-tied"], state=0.4)
    torch.manual_seed(0)
    mask = torch.empty(BATCH, HIDDEN).double().bernoulli_(1 - share) / (1 - share)
    assert 0 < (mask == 0).sum() < mask.numel()
    step = {"lstm": lstm_cell, "gru": gru_cell, "rnn": rnn_cell}[cell]
    w_x, w_h, b_x, b_h = layer_weights(model.layers[0])
    (state,), outputs = some_state(model), []
    for token in some_tokens():
        x = model.embedding.weight[token]
        state = step(x @ w_x.T + b_x, (state[0] * mask) @ w_h.T + b_h, *state)
        outputs.append(model.logits(state[0]))
    assert_close(run(model), [torch.stack(outputs), *state])


def test_weight_dropout_is_one_mask_a_window_on_the_recurrent_matrix(cell):
    """Against the layer itself, given the weights that are left."""
    model = make_model(SHAPES[f"{cell}-2-tied"], weight=0.4)
    torch.manual_seed(0)
    left = [layer_weights(layer, 0.4)[1].detach() for layer in model.layers]
    torch.manual_seed(0)
    dropped = run(model)
    for layer, weight in zip(model.layers, left, strict=True):
        ratios = (weight / layer.weight_hh_l0.detach()).flatten()
        grown = ratios[ratios != 0]
        assert 0 < len(grown) < len(ratios)
        assert_close([grown], [torch.full_like(grown, 256 / (256 - 102))])
        layer.weight_hh_l0.data.copy_(weight)
    model.dropout = Dropout()
    assert_close(dropped, run(model))


def test_weights_are_dropped_by_their_share():
    layer = torch.nn.LSTM(3, 200)
    for share in (0.001, 0.1, 0.5, 0.9, 0.9999):
        left = layer_weights(layer, share)[1].detach()
        expected = min(255, max(1, round(256 * share))) / 256
        assert float((left == 0).float().mean()) == pytest.approx(expected, abs=0.005)
        whole = layer.weight_hh_l0.detach()
        error = float(whole.std()) / ((1 - expected) * whole.numel()) ** 0.5
        assert float(left.mean()) == pytest.approx(float(whole.mean()), abs=4 * error)


def test_weights_and_state_are_dropped_together(cell, monkeypatch):
    """The state's mask is drawn behind that of the weights; with all units kept they are alone."""
    model = make_model(SHAPES[f"{cell}-1-tied"], weight=0.3)
    weights_alone = run(model)
    model.dropout = Dropout(weight=0.3, state=1e-12)
    assert_close(run(model), weights_alone)
    model.dropout = Dropout(weight=0.3, state=0.5)
    with pytest.raises(AssertionError):
        assert_close(run(model), weights_alone)


def test_token_dropout_hides_whole_tokens():
    share, model = 0.4, make_model(ModelShape(VOCAB_SIZE, 4, HIDDEN, 1, "rnn"), token=0.4)
    seen = []
    model.layers[0].register_forward_hook(lambda layer, given, out: seen.append(given[0]))
    run(model)
    embedded = model.embedding.weight[some_tokens()]
    ratios = seen[0] / embedded
    hidden = ratios[..., 0] == 0
    assert 0 < hidden.sum() < hidden.numel()
    expected = (~hidden).double() / (1 - share)
    assert_close([ratios], [expected[..., None].expand_as(ratios)])


@pytest.mark.parametrize("name", ["input", "layer", "output"])
def test_units_are_dropped_by_their_share_and_the_rest_grows(name):
    share, model = 0.3, make_model(ModelShape(VOCAB_SIZE, 64, 64, 2, "rnn"), **{name: 0.3})
    plain = make_model(ModelShape(VOCAB_SIZE, 64, 64, 2, "rnn"))
    seen: dict[str, torch.Tensor] = {}
    for key, network in (("dropped", model), ("plain", plain)):
        torch.manual_seed(0)
        for index, where in enumerate(("input", "layer")):
            if where == name:
                network.layers[index].register_forward_hook(
                    lambda layer, given, out, key=key: seen.update({key: given[0]})
                )
        features, _ = network.features(some_tokens(), network.initial_state(BATCH))
        seen.setdefault(key, features)
    kept = seen["dropped"] != 0
    assert abs(kept.double().mean().item() - (1 - share)) < 0.03
    assert_close([seen["dropped"][kept]], [seen["plain"][kept] / (1 - share)])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("share", [-0.1, 1.0, math.nan])
def test_shares_outside_their_range_are_refused(name, share):
    with pytest.raises(OptionError) as error:
        Dropout(**{name: share})
    assert str(error.value) == f"{name} dropout must be in [0, 1), got {share}"


# -- states -------------------------------------------------------------------------------------


@settings(max_examples=20)
@given(st.integers(1, 5), st.integers(1, 3))
def test_rows_move_down_by_one_and_the_first_is_empty(batch, layers):
    rng = np.random.default_rng(0)
    parts = [[rng.normal(size=(batch, 2)) for _ in range(2)] for _ in range(layers)]
    state = tuple(tuple(torch.from_numpy(part.copy()) for part in layer) for layer in parts)
    rolled = roll_rows(state)
    for layer, before, after in zip(parts, state, rolled, strict=True):
        for part, untouched, moved in zip(layer, before, after, strict=True):
            assert (untouched.numpy() == part).all()
            assert (moved[0] == 0).all()
            assert (moved[1:].numpy() == part[:-1]).all()


def test_no_gradient_crosses_a_detached_state(shape):
    model = make_model(shape)
    start = tuple(tuple(p.requires_grad_() for p in layer) for layer in some_state(model))
    _, state = model(some_tokens(), start)
    assert all(part.requires_grad for part in flat(state))
    cut = detach(state)
    assert not any(part.requires_grad for part in flat(cut))
    assert_close(flat(cut), flat(state), within=0)
    logits, _ = model(some_tokens(), cut)
    logits.sum().backward()
    assert all(part.grad is None for part in flat(start))


def test_state_is_carried_through_a_dropping_window(cell):
    """What is handed on is the state itself, not what the gates were shown of it."""
    model = make_model(SHAPES[f"{cell}-1-tied"], state=0.9)
    hidden, ((h, *_),) = model.features(some_tokens(), some_state(model))
    assert torch.equal(hidden[-1], h)
    assert (h != 0).all()


def test_layers_are_single_modules_without_dropout_of_their_own(cell):
    """The fused paths; the modules' own dropout cannot be repeated on a GPU."""
    model = make_model(SHAPES[f"{cell}-2-tied"], layer=0.5)
    kind = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}[cell]
    assert [type(layer) for layer in model.layers] == [kind, kind]
    assert all(layer.num_layers == 1 and layer.dropout == 0 for layer in model.layers)
