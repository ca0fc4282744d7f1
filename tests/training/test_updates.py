"""One step: against the same thing done by hand, and what must not happen between steps."""

import itertools
import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from charnn.corpus.batches import Batches
from charnn.model.shapes import join_weights, split_weights
from charnn.training.device import Device
from charnn.training.feed import Feed
from charnn.training.loss import mean_nats
from charnn.training.plan import ema_decay_at
from charnn.training.updates import Updates

CPU = Device("cpu", "fp32", 1)
CELLS = ["lstm", "gru", "rnn"]


@pytest.fixture
def begin(make_task, make_state):
    """A training at its beginning: state, what takes its steps, and its windows."""

    def begin(*, dropout=False, device=CPU, **options):
        task = make_task(**options)
        state = make_state(task, dropout=dropout)
        recipe, tokens = task.recipe, task.stream.part("train")
        batches = Batches(tokens, recipe.batch_size, recipe.seq_len)
        return state, Updates(state, Feed(batches, device), recipe, device), batches

    return begin


def read_on(model, windows, state):
    """Total nats of windows read one after another in evaluation, and the state behind them."""
    nats = 0.0
    with torch.no_grad():
        for inputs, targets, _ in windows:
            logits, state = model.eval()(torch.from_numpy(inputs), state)
            expected = torch.from_numpy(targets).flatten()
            nats += F.cross_entropy(logits.flatten(0, 1), expected, reduction="sum").item()
    model.train()
    return nats, state


def joined(windows):
    """Windows as one long one."""
    inputs, targets, starts = zip(*windows, strict=True)
    return np.concatenate(inputs), np.concatenate(targets), starts[0]


def close(state, other, within=1e-6):
    return all(
        torch.allclose(part, other_part, rtol=0, atol=within)
        for layer, other_layer in zip(state, other, strict=True)
        for part, other_part in zip(layer, other_layer, strict=True)
    )


def weights_of(model):
    return {name: weight.detach().clone() for name, weight in model.named_parameters()}


def same(weights, others):
    return all(torch.equal(weights[name], others[name]) for name in weights)


# -- what is carried ----------------------------------------------------------------------------


@pytest.mark.parametrize("cell", CELLS)
def test_two_windows_are_one_double_window(begin, cell):
    state, updates, batches = begin(cell=cell, layers=2)
    windows = [batches.window(step) for step in range(2)]
    expected, end = read_on(state.model, [joined(windows)], state.model.initial_state(4))
    for _ in range(2):
        updates.take_step(0.0)
    updates.drain()
    assert close(state.carried, end)
    assert state.progress.nats == pytest.approx(expected, rel=1e-5)
    assert state.progress.tokens == sum(window.targets.size for window in windows)
    assert state.progress.step == state.progress.updates == 2


@pytest.mark.parametrize("cell", CELLS)
def test_at_an_epochs_end_every_row_goes_on_where_its_text_does(begin, cell):
    """Row r of the second epoch has read all of row r - 1; row 0 begins again at zero."""
    state, updates, batches = begin(cell=cell, seq_len=100)
    per_epoch = batches.windows_per_epoch
    assert len(batches.window(per_epoch - 1).targets) < 100  # a short one is among them
    for _ in range(per_epoch + 1):
        updates.take_step(0.0)
    windows = [batches.window(step) for step in range(per_epoch + 1)]
    zero = state.model.initial_state(1)
    for row in range(4):
        path = [(windows[-1].inputs[:, [row]], windows[-1].targets[:, [row]], False)]
        if row:
            above = [(i[:, [row - 1]], t[:, [row - 1]], s) for i, t, s in windows[:-1]]
            path = above + path
        _, end = read_on(state.model, path, zero)
        # The row above began its own first epoch at zero, so its twin does too.
        carried = tuple(tuple(part[[row]] for part in layer) for layer in state.carried)
        assert close(carried, end), row


@pytest.mark.parametrize("cell", CELLS)
def test_no_gradient_crosses_a_window(begin, cell):
    state, updates, batches = begin(cell=cell, grad_clip=1e9)
    updates.take_step(0.0)
    assert not any(part.requires_grad for layer in state.carried for part in layer)
    constant = tuple(tuple(part.clone() for part in layer) for layer in state.carried)
    updates.take_step(0.0)
    gradients = {name: weight.grad.clone() for name, weight in state.model.named_parameters()}

    state.model.zero_grad()
    inputs, targets, _ = batches.window(1)
    logits, _ = state.model(torch.from_numpy(inputs), constant)
    mean_nats(logits, torch.from_numpy(targets)).backward()
    for name, weight in state.model.named_parameters():
        assert torch.equal(gradients[name], weight.grad), name


# -- the update ---------------------------------------------------------------------------------


def test_a_step_is_what_the_optimiser_makes_of_the_clipped_gradient(begin):
    state, updates, batches = begin(grad_clip=0.01, optimizer="sgd", weight_decay=0.0)
    before = weights_of(state.model)
    inputs, targets, _ = batches.window(0)
    logits, _ = state.model(torch.from_numpy(inputs), state.carried)
    loss = F.cross_entropy(logits.flatten(0, 1), torch.from_numpy(targets).flatten())
    names = list(before)
    gradients = torch.autograd.grad(loss, [state.model.get_parameter(name) for name in names])
    norm = torch.stack([gradient.norm() for gradient in gradients]).norm().item()
    assert norm > 0.01

    updates.take_step(0.5)
    updates.drain()
    for name, gradient in zip(names, gradients, strict=True):
        expected = before[name] - 0.5 * gradient * 0.01 / norm
        assert torch.allclose(state.model.get_parameter(name), expected, rtol=0, atol=1e-6), name
    assert state.progress.grad_norm == pytest.approx(norm, rel=1e-5)
    assert state.progress.nats == pytest.approx(loss.item() * targets.size, rel=1e-5)


@pytest.mark.parametrize(
    "options", [{}, {"optimizer": "sgd"}, {"cell": "gru", "layers": 2}], ids=str
)
def test_each_of_several_networks_learns_as_if_it_were_alone(begin, options):
    together, updates, _ = begin(networks=3, grad_clip=1e9, **options)
    before = together.weights(averaged=False)
    alone = []
    for weights in split_weights(before, 3):
        state, single, _ = begin(grad_clip=1e9, **options)
        state.load_weights(weights)
        for _ in range(4):
            single.take_step(0.01)
        single.drain()
        alone.append(state)
    for _ in range(4):
        updates.take_step(0.01)
    updates.drain()
    for averaged in (True, False):
        expected = join_weights([state.weights(averaged=averaged) for state in alone])
        for name, weight in together.weights(averaged=averaged).items():
            np.testing.assert_allclose(weight, expected[name], atol=1e-5, err_msg=name)
            assert not np.array_equal(weight, before[name])
    layers = together.model.shape.num_layers
    for index, state in enumerate(alone):
        part = together.carried[layers * index : layers * (index + 1)]
        assert close(part, state.carried, within=1e-5)
    nats = np.mean([state.progress.nats for state in alone])
    assert together.progress.nats == pytest.approx(nats, rel=1e-5)


def test_networks_side_by_side_learn_what_they_learn_in_turn(begin):
    dropped = {"output_dropout": 0.3, "weight_dropout": 0.2, "token_dropout": 0.1}
    found = []
    for threads in (1, 2, 2):
        device = Device("cpu", "fp32", threads)
        state, updates, _ = begin(dropout=True, device=device, networks=3, **dropped)
        for _ in range(5):
            updates.take_step(0.01)
        updates.drain()
        found.append((state.weights(averaged=False), state.progress.nats))
    (in_turn, nats), *side_by_side = found
    for weights, others in side_by_side:
        assert others == pytest.approx(nats, rel=1e-6)
        for name, weight in weights.items():
            np.testing.assert_allclose(weight, in_turn[name], atol=1e-5, err_msg=name)
    assert all(
        np.array_equal(side_by_side[1][0][name], w) for name, w in side_by_side[0][0].items()
    )


def test_networks_drop_different_units(begin):
    both, updates, _ = begin(dropout=True, networks=2, output_dropout=0.5)
    alike = split_weights(both.weights(averaged=False), 2)[0]
    both.load_weights(join_weights([alike] * 2))
    updates.take_step(0.01)
    one, other = split_weights(both.weights(averaged=False), 2)
    assert any(not np.array_equal(weight, other[name]) for name, weight in one.items())


def test_networks_that_are_alike_are_clipped_like_one(begin):
    one, alone, _ = begin(grad_clip=0.01, optimizer="sgd")
    both, together, _ = begin(networks=2, grad_clip=0.01, optimizer="sgd")
    both.load_weights(join_weights([one.weights(averaged=False)] * 2))
    for updates in (alone, together):
        updates.take_step(0.5)
        updates.drain()
    expected = one.weights(averaged=False)
    for weights in split_weights(both.weights(averaged=False), 2):
        for name, weight in weights.items():
            np.testing.assert_allclose(weight, expected[name], atol=1e-6, err_msg=name)
    assert both.progress.grad_norm == pytest.approx(one.progress.grad_norm, rel=1e-5)


def test_the_average_follows_the_weights(begin):
    state, updates, _ = begin()
    expected = weights_of(state.averaged)
    for step in range(6):
        updates.take_step(0.01)
        decay = ema_decay_at(step, updates._recipe)
        for name, weight in weights_of(state.model).items():
            expected[name] = decay * expected[name] + (1 - decay) * weight
    averaged = weights_of(state.averaged)
    assert not any(weight.requires_grad for weight in state.averaged.parameters())
    for name, weight in expected.items():
        assert torch.allclose(averaged[name], weight, rtol=0, atol=1e-6), name
        assert not torch.equal(averaged[name], state.model.get_parameter(name)), name


def test_without_an_average_the_weights_are_those_that_write(begin):
    state, updates, _ = begin(size="classic")
    updates.take_step(0.1)
    assert state.averaged is state.model


def test_dropout_is_on_while_training(begin):
    state, updates, batches = begin(dropout=True, output_dropout=0.5)
    expected, _ = read_on(state.model, [batches.window(0)], state.carried)
    updates.take_step(0.0)
    updates.drain()
    assert state.progress.nats != pytest.approx(expected, rel=1e-5)
    assert state.model.training


def test_sums_do_not_depend_on_when_they_are_drained(begin):
    sums = []
    for every in (1, 3, 6):
        state, updates, _ = begin()
        for step in range(6):
            updates.take_step(0.01)
            if (step + 1) % every == 0:
                updates.drain()
        progress = state.progress
        sums.append((progress.nats, progress.grad_norm, progress.tokens, progress.updates))
    assert sums[0] == sums[1] == sums[2]


# -- numbers that are none ----------------------------------------------------------------------


def poison(state, step):
    """Make one gradient of the step with this number NaN."""
    calls = itertools.count()
    weight = state.model.layers[0].weight_hh_l0

    def hook(gradient):
        return gradient * float("nan") if next(calls) == step else gradient

    weight.register_hook(hook)


def test_a_step_with_a_gradient_that_is_no_number_is_dropped(begin):
    state, updates, _ = begin()
    poison(state, step=1)
    updates.take_step(0.01)
    updates.drain()
    before, average = weights_of(state.model), weights_of(state.averaged)
    moments = {name: tensor.clone() for name, tensor in state._optimizer_tensors().items()}
    sums = (state.progress.nats, state.progress.tokens, state.progress.updates)

    updates.take_step(0.01)
    updates.drain()
    assert state.progress.dropped == 1
    assert state.progress.step == 2
    assert (state.progress.nats, state.progress.tokens, state.progress.updates) == sums
    assert same(before, weights_of(state.model))
    assert same(average, weights_of(state.averaged))
    assert same(moments, state._optimizer_tensors())

    updates.take_step(0.01)
    assert state.progress.dropped == 1
    assert not same(before, weights_of(state.model))


def test_a_state_that_is_no_number_is_not_carried_on(begin, monkeypatch):
    state, updates, _ = begin()
    updates.take_step(0.01)
    real = type(state.model).forward

    def explode(model, tokens, carried):
        logits, carried = real(model, tokens, carried)
        return logits * torch.inf, tuple(tuple(part * torch.nan for part in c) for c in carried)

    monkeypatch.setattr(type(state.model), "forward", explode)
    updates.take_step(0.01)
    monkeypatch.setattr(type(state.model), "forward", real)
    assert state.progress.dropped == 1
    assert all(part.isfinite().all() for layer in state.carried for part in layer)
    updates.take_step(0.01)
    updates.drain()
    assert state.progress.dropped == 1


def test_dropped_steps_are_counted_until_one_is_taken(begin):
    state, updates, _ = begin()
    calls = itertools.count()
    state.model.output.bias.register_hook(
        lambda gradient: gradient * (math.nan if next(calls) in (1, 2, 4) else 1)
    )
    seen = []
    for _ in range(6):
        updates.take_step(0.01)
        seen.append((state.progress.dropped, state.progress.dropped_in_a_row))
    assert seen == [(0, 0), (1, 1), (2, 2), (2, 0), (3, 1), (3, 0)]
    assert state.progress.rate_factor == pytest.approx(0.9**3)


def test_a_gpu_drops_steps_without_being_looked_at(begin, make_task, make_state, monkeypatch):
    """The same windows and faults on both paths: the same weights, averages and carried state."""
    kinds, states = {}, {}
    for kind in ("cpu", "cuda"):
        state, updates, _ = begin(steps=9)
        updates._looks_late = kind == "cuda"
        poison(state, step=3)
        kinds[kind], states[kind] = updates, state
    for _ in range(6):
        for updates in kinds.values():
            updates.take_step(0.01)
    late = states["cuda"]
    assert late.progress.dropped == 0  # nobody has looked
    for updates in kinds.values():
        updates.drain()
    ours, theirs = states["cpu"].progress, late.progress
    for name in ("dropped", "dropped_in_a_row", "rate_factor", "tokens", "nats", "updates"):
        assert getattr(ours, name) == getattr(theirs, name), name
    assert ours.dropped == 1
    assert same(weights_of(states["cpu"].model), weights_of(late.model))
    assert close(states["cpu"].carried, late.carried, within=0)
    moments = late._optimizer_tensors()
    for name, tensor in states["cpu"]._optimizer_tensors().items():
        assert torch.equal(tensor, moments[name]), name


# -- windows on their way -----------------------------------------------------------------------


@given(st.integers(1, 200), st.integers(1, 5), st.integers(1, 20))
def test_a_part_kept_on_the_device_gives_the_same_windows(count, batch_size, seq_len):
    tokens = np.arange(1, count + batch_size, dtype=np.uint16)
    batches = Batches(tokens, batch_size, seq_len)
    resident = Feed(batches, SimpleNamespace(kind="cuda", torch_device=torch.device("cpu")))
    assert resident._rows is not None
    read = Feed(batches, CPU)
    for step in range(2 * batches.windows_per_epoch + 1):
        inputs, targets, starts_epoch = resident.window(step)
        expected = read.window(step)
        assert torch.equal(inputs.long(), expected[0])
        assert torch.equal(targets, expected[1])
        assert starts_epoch == expected[2]
        assert inputs.dtype in (torch.int32, torch.int64)
        assert targets.dtype == torch.int64


def test_a_part_too_large_for_the_device_is_read_window_by_window(monkeypatch):
    monkeypatch.setattr("charnn.training.feed.RESIDENT_BYTES", 100)
    cuda = SimpleNamespace(kind="cuda", torch_device=torch.device("cpu"))
    assert Feed(Batches(np.ones(25, np.uint16), 2, 3), cuda)._rows is not None
    assert Feed(Batches(np.ones(26, np.uint16), 2, 3), cuda)._rows is None
