"""Products in bfloat16 against their definition, and when they are chosen."""

from types import SimpleNamespace

import numpy as np
import pytest

from charnn.errors import OptionError
from charnn.model import products
from charnn.model.products import Bf16Product, FloatProduct, choose_precision, laid_out
from charnn.model.shapes import ModelShape, weight_shapes
from charnn.model.stepper import Stepper

needs_numkong = pytest.mark.skipif(products.numkong is None, reason="needs numkong")


def to_bf16(array):
    """The nearest bfloat16, ties to even, as float64; written from the layout of the bits."""
    bits = np.ascontiguousarray(array, np.float32).view(np.uint32)
    rounded = bits + 0x7FFF + ((bits >> 16) & 1) & 0xFFFF0000
    return rounded.astype(np.uint32).view(np.float32).astype(np.float64)


@needs_numkong
@pytest.mark.parametrize("size", [(1, 1), (5, 3), (70, 33), (2048, 512)])
def test_bf16_products_round_both_sides_and_nothing_else(size):
    rng = np.random.default_rng(1)
    matrix = rng.normal(size=size).astype(np.float32)
    rows = rng.normal(size=(4, size[1])).astype(np.float32)
    outputs = Bf16Product(matrix)(rows)
    assert outputs.dtype == np.float32
    assert outputs.flags.writeable
    expected = to_bf16(rows) @ to_bf16(matrix).T
    assert np.abs(outputs - expected).max() < 1e-5 * np.sqrt(size[1]) * 4


@needs_numkong
def test_a_row_has_the_same_outputs_whatever_stands_beside_it():
    rng = np.random.default_rng(2)
    product = Bf16Product(rng.normal(size=(100, 48)).astype(np.float32))
    rows = rng.normal(size=(67, 48)).astype(np.float32)
    together = product(rows)
    for index in range(len(rows)):
        assert (product(rows[index : index + 1])[0] == together[index]).all()
    assert (product(np.repeat(rows, 2, axis=1)[:, ::2]) == together).all()  # with gaps between
    assert (product(np.asfortranarray(rows)) == together).all()


@needs_numkong
@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_a_stepper_in_bf16_is_one_whose_weights_and_inputs_were_rounded(cell, tied, monkeypatch):
    class Rounding(FloatProduct):
        def __init__(self, matrix):
            super().__init__(to_bf16(matrix).astype(np.float32))

        def __call__(self, rows):
            return super().__call__(to_bf16(rows).astype(np.float32))

    shape = ModelShape(19, 8, 16, 2, cell, tied=tied)
    rng = np.random.default_rng(3)
    weights = {n: rng.normal(0, 0.5, s).astype(np.float32) for n, s in weight_shapes(shape).items()}
    before = {name: array.copy() for name, array in weights.items()}
    half = Stepper(shape, weights, own=True, bf16=True)
    assert all((weights[name] == before[name]).all() for name in before)
    monkeypatch.setattr("charnn.model.stepper.FloatProduct", Rounding)
    twin = Stepper(shape, before)
    for array in weights.values():  # nothing of them is needed any more
        array[...] = np.nan
    state, expected_state = half.initial_state(2), twin.initial_state(2)
    for tokens in np.random.default_rng(4).integers(0, 19, (6, 2)):
        log_probs, state = half.step(tokens, state)
        expected, expected_state = twin.step(tokens, expected_state)
        assert (
            np.abs(log_probs - expected).max() < 0.02
        )  # a rounding now and then falls the other way
    read, _ = half.read(np.arange(12), half.initial_state(1))
    expected, _ = twin.read(np.arange(12), twin.initial_state(1))
    assert np.abs(read - expected).max() < 0.02


def machine(monkeypatch, *, numkong=True, fast=True, matrices=False):
    """A machine with or without the library and the processor."""
    library = SimpleNamespace(
        get_capabilities=lambda: {"serial": True, "genoa": fast, "sapphireamx": matrices}
    )
    monkeypatch.setattr(products, "numkong", library if numkong else None)


def test_auto_takes_bf16_where_it_is_there_and_faster(monkeypatch):
    machine(monkeypatch)
    assert choose_precision("auto", 100) == "bf16"
    machine(monkeypatch, fast=False)
    assert choose_precision("auto", 100) == "fp32"
    assert choose_precision("bf16", 100) == "bf16"
    machine(monkeypatch, matrices=True)  # which nobody has measured
    assert choose_precision("auto", 100) == "fp32"
    machine(monkeypatch, numkong=False)
    assert choose_precision("auto", 100) == "fp32"


def test_auto_makes_no_large_copy(monkeypatch):
    machine(monkeypatch)
    monkeypatch.setattr(products, "LARGEST_COPY", 100)
    assert choose_precision("auto", 101) == "fp32"
    assert choose_precision("auto", 100) == "bf16"
    assert choose_precision("bf16", 101) == "bf16"
    assert choose_precision("fp32", 100) == "fp32"


def test_a_precision_that_cannot_be_had_is_refused(monkeypatch):
    with pytest.raises(OptionError, match=r"must be one of auto, fp32, bf16, got fp16$"):
        choose_precision("fp16", 100)
    machine(monkeypatch, numkong=False)
    with pytest.raises(
        OptionError, match=r"needs numkong: pip install 'charnn\[fast\]', or take fp"
    ):
        choose_precision("bf16", 100)


def test_laying_out_keeps_the_numbers():
    matrix = np.arange(35 * 6, dtype=np.float32).reshape(35, 6)
    kept = matrix.copy()
    relaid = laid_out(matrix)
    assert (relaid == kept).all()
    assert relaid.T.flags.c_contiguous
    assert np.shares_memory(relaid, matrix)
