"""How fast a device trains: that it is measured, and measured as it says."""

import itertools
import random

import pytest
import torch

from charnn.model.shapes import ModelShape
from charnn.training import speed
from charnn.training.device import Device, choose_device
from charnn.training.sizing import flops_per_token
from charnn.training.speed import measure_flops

CPU = Device("cpu", "fp32", 1)


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    monkeypatch.setitem(speed._PROBES, "cpu", (16, 2, 4))


def test_a_device_has_a_speed_and_no_random_state_changes():
    torch.manual_seed(5)
    random.seed(5)
    before = torch.get_rng_state(), random.getstate()
    device = choose_device("cpu", "auto", 1)
    assert 1e5 < measure_flops(device) < 1e15
    assert torch.equal(before[0], torch.get_rng_state())
    assert before[1] == random.getstate()


def test_it_is_the_operations_of_the_middle_one_of_the_timed_steps(monkeypatch):
    seconds = iter([100.0, 50.0, 0.5, 9.0, 0.1, 0.25, 0.2])
    monkeypatch.setattr(speed, "_time_step", lambda *_: next(seconds))
    shape = ModelShape(256, 2, 16, 1, "lstm", tied=False)
    expected = 0.85 * flops_per_token(shape) * 2 * 4 / 0.25
    assert measure_flops(CPU) == pytest.approx(expected)


def test_a_step_is_timed_to_its_end(monkeypatch):
    """What was asked of a device must be done before the clock is read again."""
    told, ticks = [], itertools.count()

    def clock() -> float:
        told.append("clock")
        return next(ticks)

    monkeypatch.setattr(Device, "wait", lambda _: told.append("wait"))
    monkeypatch.setattr(speed.time, "perf_counter", clock)
    measure_flops(CPU)
    assert told == ["clock", "wait", "clock"] * 7


@pytest.mark.parametrize("kind", ["cpu", "cuda", "mps"])
def test_each_kind_of_device_is_waited_for_in_its_own_way(kind, monkeypatch):
    waited = []
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: waited.append("cuda"))
    monkeypatch.setattr(torch.mps, "synchronize", lambda: waited.append("mps"))
    Device(kind, "fp32", 1).wait()
    assert waited == [kind] * (kind != "cpu")
