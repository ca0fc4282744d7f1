"""Torch's gradients against backpropagation derived by hand and against finite differences."""

import itertools

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from charnn.model.language_model import LanguageModel
from charnn.model.recurrence import detach
from charnn.model.shapes import ModelShape, weight_shapes
from charnn.model.stepper import Stepper

SEQ_LEN, BATCH, VOCAB_SIZE = 7, 3, 6


def random_model(shape, seed=0):
    """A network in float64 whose weights, biases too, are drawn at random."""
    rng = np.random.default_rng(seed)
    weights = {name: rng.normal(0, 0.5, size) for name, size in weight_shapes(shape).items()}
    model = LanguageModel(shape).double()
    model.load_state_dict({name: torch.from_numpy(array) for name, array in weights.items()})
    return model, weights


def some_tokens(seed=1):
    rng = np.random.default_rng(seed)
    return rng.integers(0, VOCAB_SIZE, (SEQ_LEN + 1, BATCH))


def loss_of(model, tokens, state):
    """Mean nats per token, and the state behind them."""
    tokens = torch.from_numpy(tokens)
    logits, state = model(tokens[:-1], state)
    return F.cross_entropy(logits.flatten(0, 1), tokens[1:].flatten()), state


def gradients(model):
    return {name: weight.grad.numpy().copy() for name, weight in model.named_parameters()}


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def lstm_by_hand(weights, tokens, h, c):
    """Loss and gradients of one untied LSTM layer, every derivative written out.

    Forward: a = W_x x + b_x + W_h h + b_h, split into i f g o; c' = f c + i g; h' = o tanh(c').
    Backward in time: with dh and dc at a step,
        do = dh tanh(c'),  dc += dh o (1 - tanh(c')^2),  di = dc g,  df = dc c,  dg = dc i,
    each times the derivative of its own squashing, and dc flows on as dc f, dh as W_h^T da.

    Source: Hochreiter & Schmidhuber 1997; Werbos 1990.
    """
    w_x, w_h = weights["layers.0.weight_ih_l0"], weights["layers.0.weight_hh_l0"]
    bias = weights["layers.0.bias_ih_l0"] + weights["layers.0.bias_hh_l0"]
    embedding, w_y, b_y = (weights[n] for n in ("embedding.weight", "output.weight", "output.bias"))
    inputs, targets = tokens[:-1], tokens[1:]
    loss, tape = 0.0, []
    for token, target in zip(inputs, targets, strict=True):
        x = embedding[token]
        i, f, g, o = np.split(x @ w_x.T + h @ w_h.T + bias, 4, axis=1)
        i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
        before, (h, c) = (h, c), (o * np.tanh(f * c + i * g), f * c + i * g)
        logits = h @ w_y.T + b_y
        probs = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        loss -= np.log(probs[np.arange(BATCH), target]).sum() / inputs.size
        tape.append((token, target, x, (i, f, g, o), before, h, c, probs))
    grads = {name: np.zeros_like(array) for name, array in weights.items()}
    dh, dc = np.zeros_like(h), np.zeros_like(c)
    for token, target, x, (i, f, g, o), before, h, c, probs in reversed(tape):
        dy = probs.copy()
        dy[np.arange(BATCH), target] -= 1
        dy /= inputs.size
        grads["output.weight"] += dy.T @ h
        grads["output.bias"] += dy.sum(axis=0)
        dh = dh + dy @ w_y
        dc = dc + dh * o * (1 - np.tanh(c) ** 2)
        da = np.concatenate(
            [
                dc * g * i * (1 - i),
                dc * before[1] * f * (1 - f),
                dc * i * (1 - g**2),
                dh * np.tanh(c) * o * (1 - o),
            ],
            axis=1,
        )
        grads["layers.0.weight_ih_l0"] += da.T @ x
        grads["layers.0.weight_hh_l0"] += da.T @ before[0]
        grads["layers.0.bias_ih_l0"] += da.sum(axis=0)
        grads["layers.0.bias_hh_l0"] += da.sum(axis=0)
        np.add.at(grads["embedding.weight"], token, da @ w_x)
        dh, dc = da @ w_h, dc * f
    return loss, grads


def test_lstm_gradients_equal_backpropagation_by_hand():
    shape = ModelShape(VOCAB_SIZE, 4, 5, 1, "lstm", tied=False)
    model, weights = random_model(shape)
    rng = np.random.default_rng(2)
    h, c = rng.normal(size=(2, BATCH, 5))
    tokens = some_tokens()
    loss, _ = loss_of(model, tokens, ((torch.from_numpy(h), torch.from_numpy(c)),))
    loss.backward()
    expected_loss, expected = lstm_by_hand(weights, tokens, h, c)
    assert loss.item() == pytest.approx(expected_loss, rel=1e-12)
    for name, gradient in gradients(model).items():
        assert np.abs(gradient - expected[name]).max() < 1e-12, name


def stepper_loss(shape, weights, tokens):
    """Mean nats per token by the NumPy stepper."""
    stepper = Stepper(shape, weights, np.float64)
    state, loss = stepper.initial_state(BATCH), 0.0
    for token, target in itertools.pairwise(tokens):
        log_probs, state = stepper.step(token, state)
        loss -= log_probs[np.arange(BATCH), target].sum()
    return loss / (SEQ_LEN * BATCH)


@pytest.mark.parametrize("output", [(3, True, 0), (2, True, 4), (2, False, 2)])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_gradients_equal_finite_differences(cell, layers, output):
    size, tied, block = output
    shape = ModelShape(VOCAB_SIZE, size, 3, layers, cell, tied, feed_forward_size=block)
    model, weights = random_model(shape)
    tokens = some_tokens()
    loss, _ = loss_of(model, tokens, model.initial_state(BATCH))
    loss.backward()
    rng = np.random.default_rng(4)
    step = 1e-5  # the error of a central difference is near step**2 and 1e-16 / step
    for name, gradient in gradients(model).items():
        # Along three random directions: a wrong entry anywhere shows in each of them.
        for _ in range(3):
            direction = rng.normal(size=gradient.shape)
            above = stepper_loss(shape, {**weights, name: weights[name] + step * direction}, tokens)
            below = stepper_loss(shape, {**weights, name: weights[name] - step * direction}, tokens)
            slope = (gradient * direction).sum()
            assert (above - below) / (2 * step) == pytest.approx(slope, rel=1e-6, abs=1e-9), name


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_no_gradient_crosses_a_window_boundary(cell):
    shape = ModelShape(VOCAB_SIZE, 4, 4, 2, cell)
    model, _ = random_model(shape)
    first, second = some_tokens(1), some_tokens(2)
    _, state = loss_of(model, first, model.initial_state(BATCH))
    carried = detach(state)
    loss_of(model, second, carried)[0].backward()
    crossing = gradients(model)
    assert not any(part.requires_grad for layer in carried for part in layer)

    constant = tuple(
        tuple(torch.from_numpy(part.detach().numpy().copy()) for part in layer) for layer in state
    )
    model.zero_grad()
    loss_of(model, second, constant)[0].backward()
    for name, gradient in gradients(model).items():
        assert (gradient == crossing[name]).all(), name

    model.zero_grad()
    _, state = loss_of(model, first, model.initial_state(BATCH))
    loss_of(model, second, state)[0].backward()
    uncut = gradients(model)["layers.0.weight_hh_l0"]  # what the cut leaves out is no trifle
    assert np.abs(uncut - crossing["layers.0.weight_hh_l0"]).max() > 1e-4
