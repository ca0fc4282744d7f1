"""Which device and precision is taken, and what is said where one is not there."""

import os

import pytest
import torch

from charnn.errors import DeviceError
from charnn.training import device as device_module
from charnn.training.device import Device, choose_device, usable_cores


@pytest.fixture(autouse=True)
def machine(monkeypatch):
    """Says what the machine has; by default a CPU alone, which multiplies bfloat16."""

    def machine(cuda=False, mps=False, bf16=True, cuda_bf16=True):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
        monkeypatch.setattr(device_module, "_cpu_has_bf16", lambda: bf16)
        monkeypatch.setattr(device_module, "_probe_step_succeeds", lambda: bf16)
        monkeypatch.setattr(
            torch.cuda, "is_bf16_supported", lambda including_emulation=True: cuda_bf16
        )

    machine()
    yield machine
    torch.set_num_threads(1)


@pytest.mark.parametrize(
    ("there", "kind"),
    [
        ({}, "cpu"),
        ({"cuda": True}, "cuda"),
        ({"mps": True}, "mps"),
        ({"cuda": True, "mps": True}, "cuda"),
    ],
)
def test_the_fastest_device_is_taken(machine, there, kind):
    machine(**there)
    assert choose_device().kind == kind
    assert choose_device("cpu").kind == "cpu"


@pytest.mark.parametrize(
    ("asked", "there", "found"),
    [("cuda", {}, "cpu"), ("mps", {}, "cpu"), ("mps", {"cuda": True}, "cpu, cuda")],
)
def test_a_device_that_is_not_there_is_a_clear_error(machine, asked, there, found):
    machine(**there)
    with pytest.raises(DeviceError) as error:
        choose_device(asked)
    assert str(error.value) == (
        f"device {asked} is not available to this torch ({torch.__version__}); found: {found}: "
        "use --device auto"
    )


@pytest.mark.parametrize(
    ("there", "asked", "precision"),
    [
        ({}, "auto", "bf16"),
        ({}, "bf16", "bf16"),
        ({}, "fp32", "fp32"),
        ({"bf16": False}, "auto", "fp32"),
        ({"cuda": True}, "auto", "bf16"),
        ({"cuda": True, "cuda_bf16": False}, "auto", "fp32"),
        ({"mps": True}, "auto", "fp32"),
    ],
)
def test_bf16_is_taken_where_the_hardware_has_it(machine, there, asked, precision):
    machine(**there)
    assert choose_device("auto", asked).precision == precision


@pytest.mark.parametrize(
    ("there", "kind"),
    [
        ({"bf16": False}, "cpu"),
        ({"cuda": True, "cuda_bf16": False}, "cuda"),
        ({"mps": True}, "mps"),
    ],
)
def test_bf16_that_is_not_there_is_a_clear_error(machine, there, kind):
    machine(**there)
    with pytest.raises(DeviceError) as error:
        choose_device("auto", "bf16")
    assert str(error.value) == (
        f"precision bf16 is not available on this {kind}: use --precision fp32"
    )


def test_a_processor_that_stumbles_over_bf16_trains_in_fp32(monkeypatch):
    monkeypatch.undo()

    def stumble(*_, **__):
        raise RuntimeError("could not create a primitive")

    monkeypatch.setattr(device_module, "_cpu_has_bf16", lambda: True)
    monkeypatch.setattr(torch.nn.LSTM, "forward", stumble)
    assert choose_device("cpu").precision == "fp32"


def test_a_processor_whose_bf16_gradients_are_no_numbers_trains_in_fp32(monkeypatch):
    monkeypatch.undo()
    monkeypatch.setattr(device_module, "_cpu_has_bf16", lambda: True)
    real = torch.nn.LSTM.forward

    def overflow(layer, x):
        out, state = real(layer, x)
        return out * torch.inf, state

    monkeypatch.setattr(torch.nn.LSTM, "forward", overflow)
    assert choose_device("cpu").precision == "fp32"
    with pytest.raises(DeviceError, match=r"^precision bf16 is not available on this cpu: "):
        choose_device("cpu", "bf16")


def test_fp32_asks_nobody(monkeypatch):
    """A processor that stumbles badly over a probe can still be told not to make one."""

    def crash() -> bool:
        raise SystemError("illegal instruction")

    monkeypatch.setattr(device_module, "_probe_step_succeeds", crash)
    assert choose_device("cpu", "fp32").precision == "fp32"


def test_a_training_on_a_device_that_is_not_there_leaves_nothing(train, checkpoints):
    told: list[object] = []
    with pytest.raises(DeviceError, match=r"^device cuda is not available to this torch"):
        train(device="cuda", on_record=told.append)
    assert told == []
    assert not checkpoints.exists()


def test_the_probe_leaves_the_random_state_alone(monkeypatch):
    monkeypatch.undo()
    monkeypatch.setattr(device_module, "_cpu_has_bf16", lambda: True)
    before = torch.get_rng_state()
    choose_device("cpu")
    assert torch.equal(torch.get_rng_state(), before)


def test_threads_are_those_asked_for_or_every_core():
    assert choose_device(threads=1).threads == torch.get_num_threads() == 1
    assert choose_device().threads == usable_cores()
    if hasattr(os, "sched_getaffinity"):
        assert usable_cores() == len(os.sched_getaffinity(0))


def test_usable_cores_where_affinity_is_unknown(monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    assert usable_cores() == (os.cpu_count() or 1)


def test_autocast_is_on_for_bf16_alone():
    product = torch.ones(2, 2)
    with Device("cpu", "bf16", 1).autocast():
        assert (product @ product).dtype == torch.bfloat16
    with Device("cpu", "fp32", 1).autocast():
        assert (product @ product).dtype == torch.float32


def test_memory_is_that_of_the_process(monkeypatch):
    device = Device("cpu", "fp32", 1)
    assert 10 << 20 < device.memory() < 1 << 40
    block = torch.ones(30 << 20, dtype=torch.uint8)
    assert device.memory() > 30 << 20
    del block
    monkeypatch.setattr(
        "builtins.open", lambda *_, **__: (_ for _ in ()).throw(OSError("no /proc"))
    )
    assert device.memory() > 10 << 20


def test_a_gpu_tells_of_its_own_memory(monkeypatch):
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda: 7)
    monkeypatch.setattr(torch.mps, "current_allocated_memory", lambda: 8)
    assert Device("cuda", "fp32", 1).memory() == 7
    assert Device("mps", "fp32", 1).memory() == 8
    assert Device("cuda", "fp32", 1).torch_device == torch.device("cuda")
