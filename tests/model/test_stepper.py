"""The stepper against torch, and its own promises: states, prompts, mapped weights."""

import itertools

import numpy as np
import pytest
import torch

from charnn.errors import OptionError
from charnn.model import products
from charnn.model import stepper as stepper_module
from charnn.model.language_model import LanguageModel
from charnn.model.shapes import ModelShape, weight_shapes
from charnn.model.stepper import Stepper

VOCAB_SIZE, SEQ_LEN, BATCH = 23, 12, 3
OUTPUTS = {
    "tied": (8, True, 0),
    "projected": (5, True, 0),
    "untied": (5, False, 0),
    "block": (8, True, 7),
    "projected-block": (5, True, 12),
}
SHAPES = {
    f"{cell}-{layers}-{name}": ModelShape(
        VOCAB_SIZE, size, 8, layers, cell, tied, feed_forward_size=block
    )
    for cell, layers, (name, (size, tied, block)) in itertools.product(
        ("lstm", "gru", "rnn"), (1, 2, 3), OUTPUTS.items()
    )
}
# Worked out with float32 rounding in mind: a few roundings of numbers near 1 in every step.
TOLERANCE = {np.float32: 1e-5, np.float64: 1e-10}


@pytest.fixture(params=SHAPES.values(), ids=SHAPES.keys())
def shape(request):
    return request.param


def random_weights(shape, seed=0):
    """Weights of every name drawn at random: biases too, so that none can be forgotten."""
    rng = np.random.default_rng(seed)
    return {name: rng.normal(0, 0.6, size) for name, size in weight_shapes(shape).items()}


def torch_model(shape, weights, dtype=torch.float64):
    model = LanguageModel(shape).to(dtype).eval()
    model.load_state_dict({name: torch.from_numpy(array) for name, array in weights.items()})
    return model


def some_tokens(size, seed=1):
    return np.random.default_rng(seed).integers(0, VOCAB_SIZE, size)


def apart(shape, found, expected):
    """The largest difference; beside the numbers themselves where a block makes them large."""
    scale = 1 + np.abs(expected) if shape.feed_forward_size else 1
    return (np.abs(found - expected) / scale).max()


def step_through(stepper, tokens, state):
    """Log-probabilities (seq_len, batch, vocab_size) and the last state."""
    outputs = []
    for row in tokens:
        log_probs, state = stepper.step(row, state)
        outputs.append(log_probs)
    return np.stack(outputs), state


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_forward_equals_torch(shape, dtype):
    weights = random_weights(shape)
    model = torch_model(shape, weights, torch.from_numpy(np.zeros(1, dtype)).dtype)
    stepper = Stepper(shape, weights, dtype)
    tokens = some_tokens((SEQ_LEN, BATCH))
    with torch.no_grad():
        logits, torch_state = model(torch.from_numpy(tokens), model.initial_state(BATCH))
    log_probs, state = step_through(stepper, tokens, stepper.initial_state(BATCH))
    expected = logits.log_softmax(-1).numpy()
    assert log_probs.dtype == dtype
    assert apart(shape, log_probs, expected) < TOLERANCE[dtype]
    for layer, torch_layer in zip(state, torch_state, strict=True):
        for part, torch_part in zip(layer, torch_layer, strict=True):
            assert np.abs(part - torch_part.numpy()).max() < TOLERANCE[dtype]


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_forward_equals_torch_at_a_usual_size(cell):
    shape = ModelShape(300, 128, 128, 1, cell, feed_forward_size=192)
    model = LanguageModel(shape, generator=torch.Generator().manual_seed(0)).eval()
    weights = {name: weight.numpy() for name, weight in model.state_dict().items()}
    tokens = np.random.default_rng(0).integers(0, 300, (30, 2))
    with torch.no_grad():
        logits, _ = model(torch.from_numpy(tokens), model.initial_state(2))
    stepper = Stepper(shape, weights)
    log_probs, _ = step_through(stepper, tokens, stepper.initial_state(2))
    assert np.abs(log_probs - logits.log_softmax(-1).numpy()).max() < 1e-5


def test_whole_sequence_equals_chunks_with_carried_state(shape):
    weights = random_weights(shape)
    model = torch_model(shape, weights)
    tokens = torch.from_numpy(some_tokens((SEQ_LEN, BATCH)))
    with torch.no_grad():
        whole, last = model(tokens, model.initial_state(BATCH))
        state, chunks = model.initial_state(BATCH), []
        for chunk in tokens.split([1, 4, 7]):
            logits, state = model(chunk, state)
            chunks.append(logits)
    assert torch.allclose(torch.cat(chunks), whole, rtol=0, atol=1e-12)
    for layer, last_layer in zip(state, last, strict=True):
        for part, last_part in zip(layer, last_layer, strict=True):
            assert torch.allclose(part, last_part, rtol=0, atol=1e-12)


@pytest.mark.parametrize("table", [1 << 20, 900, 0], ids=["table", "small table", "no table"])
def test_reading_equals_stepping(shape, table, monkeypatch):
    monkeypatch.setattr(stepper_module, "_READ_CHUNK", 5)
    monkeypatch.setattr(stepper_module, "TABLE_BYTES", table)
    stepper = Stepper(shape, random_weights(shape), np.float64)
    tokens = some_tokens((SEQ_LEN, 1))
    expected, expected_state = step_through(stepper, tokens, stepper.initial_state(1))
    read, state = stepper.read(tokens[:, 0], stepper.initial_state(1))
    assert np.abs(read - expected[-1]).max() < 1e-12
    for layer, expected_layer in zip(state, expected_state, strict=True):
        for part, expected_part in zip(layer, expected_layer, strict=True):
            assert np.abs(part - expected_part).max() < 1e-12


def test_rows_of_a_batch_do_not_touch_each_other(shape):
    stepper = Stepper(shape, random_weights(shape), np.float64)
    tokens = some_tokens((SEQ_LEN, BATCH))
    together, _ = step_through(stepper, tokens, stepper.initial_state(BATCH))
    for row in range(BATCH):
        alone, _ = step_through(stepper, tokens[:, row : row + 1], stepper.initial_state(1))
        assert np.abs(together[:, row : row + 1] - alone).max() < 1e-12


def test_an_earlier_state_stays_valid(shape):
    stepper = Stepper(shape, random_weights(shape))
    tokens = some_tokens((SEQ_LEN, BATCH))
    _, early = step_through(stepper, tokens[:4], stepper.initial_state(BATCH))
    first, _ = step_through(stepper, tokens[4:], early)
    again, _ = step_through(stepper, tokens[4:], early)
    assert (first == again).all()


def test_select_takes_rows_in_their_order():
    shape = SHAPES["lstm-2-tied"]
    stepper = Stepper(shape, random_weights(shape), np.float64)
    tokens = some_tokens((SEQ_LEN, BATCH))
    expected, state = step_through(stepper, tokens, stepper.initial_state(BATCH))
    rows = [2, 0, 0]
    chosen, _ = stepper.step(tokens[0][rows], stepper.select(state, rows))
    expected, _ = stepper.step(tokens[0], state)
    assert np.abs(chosen - expected[rows]).max() < 1e-12
    assert [part.shape for part in stepper.select(state, [])[0]] == [(0, 8), (0, 8)]


def test_log_probs_are_normalised_and_stable():
    shape = SHAPES["rnn-1-untied"]
    weights = random_weights(shape)
    weights["output.bias"] = np.linspace(-3e4, 3e4, VOCAB_SIZE)
    stepper = Stepper(shape, weights)
    log_probs, _ = stepper.step(np.array([1, 2]), stepper.initial_state(2))
    assert np.isfinite(log_probs).all()
    assert np.allclose(np.exp(log_probs.astype(np.float64)).sum(axis=1), 1, atol=1e-5)


def test_mapped_read_only_weights_are_used_without_a_copy(tmp_path):
    shape = SHAPES["gru-2-projected"]
    weights = random_weights(shape)
    mapped = {}
    for name, array in weights.items():
        path = tmp_path / f"{name}.npy"
        np.save(path, array.astype(np.float32))
        mapped[name] = np.load(path, mmap_mode="r")
    stepper = Stepper(shape, mapped)
    in_memory = Stepper(shape, weights)
    tokens = some_tokens((SEQ_LEN, BATCH))
    expected, _ = step_through(in_memory, tokens, in_memory.initial_state(BATCH))
    log_probs, _ = step_through(stepper, tokens, stepper.initial_state(BATCH))
    assert (log_probs == expected).all()
    for layer, name in zip(stepper._layers, ("layers.0", "layers.1"), strict=True):
        assert np.shares_memory(layer.from_before.columns, mapped[f"{name}.weight_hh_l0"])


def test_own_weights_are_laid_out_in_their_own_memory(shape):
    weights = {name: array.astype(np.float32) for name, array in random_weights(shape).items()}
    own = {name: array.copy() for name, array in weights.items()}
    kept, relaid = Stepper(shape, weights), Stepper(shape, own, own=True)
    for layer, index in zip(relaid._layers, range(shape.num_layers), strict=True):
        assert layer.from_before.columns.flags.c_contiguous
        assert np.shares_memory(layer.from_before.columns, own[f"layers.{index}.weight_hh_l0"])
    assert relaid._output.columns.flags.c_contiguous
    tokens = some_tokens((SEQ_LEN, BATCH))
    expected, _ = step_through(kept, tokens, kept.initial_state(BATCH))
    log_probs, _ = step_through(relaid, tokens, relaid.initial_state(BATCH))
    assert apart(shape, log_probs, expected) < 1e-5
    expected, _ = kept.read(tokens[:, 0], kept.initial_state(1))
    log_probs, _ = relaid.read(tokens[:, 0], relaid.initial_state(1))
    assert apart(shape, log_probs, expected) < 1e-5


def test_weights_that_others_need_or_that_are_large_stay_as_they_are(monkeypatch):
    shape = SHAPES["lstm-2-projected"]
    weights = random_weights(shape)
    before = {name: array.copy() for name, array in weights.items()}
    Stepper(shape, weights, np.float64)
    monkeypatch.setattr(products, "LARGEST_COPY", 100)
    Stepper(shape, weights, np.float64, own=True)
    for array in weights.values():
        array.setflags(write=False)
    monkeypatch.undo()
    Stepper(shape, weights, np.float64, own=True)
    assert all((weights[name] == before[name]).all() for name in before)


def test_what_was_read_before_does_not_change_a_bit():
    shape = ModelShape(VOCAB_SIZE, 40, 40, 1, "lstm")
    weights = random_weights(shape)
    fresh, used = Stepper(shape, weights), Stepper(shape, weights)
    used.read(np.arange(VOCAB_SIZE), used.initial_state(1))
    tokens = some_tokens((30, 1))
    expected, _ = step_through(fresh, tokens, fresh.initial_state(1))
    log_probs, _ = step_through(used, tokens, used.initial_state(1))
    assert (log_probs == expected).all()


def test_weights_are_checked():
    shape = SHAPES["lstm-1-tied"]
    weights = random_weights(shape)
    with pytest.raises(OptionError) as error:
        Stepper(shape, {**weights, "layers.0.weight_hh_l0": np.zeros((4, 3))})
    assert str(error.value) == "layers.0.weight_hh_l0 must have shape (32, 8), got (4, 3)"
    del weights["output.bias"]
    with pytest.raises(OptionError) as error:
        Stepper(shape, weights)
    assert str(error.value) == "weights must hold output.bias of shape (23,), got none"
