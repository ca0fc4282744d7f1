"""The loss against torch's own."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from charnn.training.loss import mean_nats


def both(logits, targets, factor=1.0):
    """Loss and gradient, ours and torch's."""
    ours, theirs = (logits.detach().clone().requires_grad_(True) for _ in range(2))
    loss = mean_nats(ours, targets)
    (factor * loss).backward()
    expected = F.cross_entropy(theirs.float().flatten(0, -2), targets.flatten())
    (factor * expected).backward()
    return loss, expected, ours.grad, theirs.grad


@given(st.integers(0, 2**32 - 1), st.floats(0.1, 20), st.sampled_from([1.0, 0.25, -3.0]))
def test_loss_and_gradient_are_those_of_torch(seed, scale, factor):
    generator = torch.Generator().manual_seed(seed)
    logits = scale * torch.randn(3, 4, 7, generator=generator)
    targets = torch.randint(7, (3, 4), generator=generator)
    loss, expected, gradient, expected_gradient = both(logits, targets, factor)
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(gradient, expected_gradient)


def test_logits_in_bfloat16_have_gradients_in_bfloat16():
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(5, 2, 9, generator=generator).bfloat16()
    targets = torch.randint(9, (5, 2), generator=generator)
    loss, expected, gradient, expected_gradient = both(logits, targets)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, expected)
    assert gradient.dtype == torch.bfloat16
    torch.testing.assert_close(gradient, expected_gradient)


def test_what_is_held_impossible_costs_a_finite_number_and_pulls():
    logits = torch.tensor([[200.0, -200.0]], requires_grad=True)
    loss = mean_nats(logits, torch.tensor([1]))
    loss.backward()
    assert loss.item() == pytest.approx(87.3, abs=0.1)
    assert logits.grad.tolist() == [[1, -1]]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_no_number_stays_none(value):
    logits = torch.tensor([[value, 0.0]], requires_grad=True)
    loss = mean_nats(logits, torch.tensor([1]))
    loss.backward()
    assert not loss.isfinite()
    assert not logits.grad.isfinite().all()
