"""Names, shapes and count of a network's weights."""

from math import prod

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charnn.errors import OptionError
from charnn.model.shapes import CELLS, GATES, ModelShape, parameter_count, weight_shapes

SIZES = st.integers(1, 50)
SHAPES = st.builds(
    ModelShape,
    *(SIZES, SIZES, SIZES, st.integers(1, 4), st.sampled_from(CELLS), st.booleans()),
    feed_forward_size=st.integers(0, 50),
)


def counted_by_hand(shape: ModelShape) -> int:
    """The number of weights by the formula of each part of a network."""
    vocab_size, embedding, hidden = shape.vocab_size, shape.embedding_size, shape.hidden_size
    gates = {"lstm": 4, "gru": 3, "rnn": 1}[shape.cell]
    total = vocab_size * embedding + vocab_size
    for layer in range(shape.num_layers):
        below = hidden if layer else embedding
        total += gates * (below * hidden + hidden * hidden + 2 * hidden)
    if inner := shape.feed_forward_size:
        total += 2 * hidden + 2 * inner * (hidden + 1) + inner * hidden
    if not shape.tied:
        return total + vocab_size * hidden
    return total if embedding == hidden else total + embedding * hidden


@given(SHAPES)
def test_the_count_is_that_of_the_textbook(shape):
    assert parameter_count(shape) == counted_by_hand(shape)


@given(SHAPES)
def test_the_count_is_that_of_the_shapes(shape):
    shapes = weight_shapes(shape)
    assert parameter_count(shape) == sum(prod(size) for size in shapes.values())
    assert all(size > 0 for sizes in shapes.values() for size in sizes)


@given(SHAPES)
def test_a_projection_stands_only_between_unequal_tied_sizes(shape):
    unequal = shape.embedding_size != shape.hidden_size
    assert (
        shape.projected == (shape.tied and unequal) == ("projection.weight" in weight_shapes(shape))
    )
    assert ("output.weight" in weight_shapes(shape)) == (not shape.tied)


@given(SHAPES)
def test_what_meets_fits(shape):
    shapes = weight_shapes(shape)
    size = shape.embedding_size
    for layer in range(shape.num_layers):
        gates, below = shapes[f"layers.{layer}.weight_ih_l0"]
        assert below == size
        assert gates == GATES[shape.cell] * shape.hidden_size
        assert shapes[f"layers.{layer}.weight_hh_l0"] == (gates, shape.hidden_size)
        assert shapes[f"layers.{layer}.bias_ih_l0"] == (gates,)
        assert shapes[f"layers.{layer}.bias_hh_l0"] == (gates,)
        size = shape.hidden_size
    if inner := shape.feed_forward_size:
        assert shapes["feed_forward.inner.weight"] == (2 * inner, size)
        assert shapes["feed_forward.outer.weight"] == (size, inner)
    assert any("feed_forward" in name for name in shapes) == (inner > 0)
    if shape.projected:
        assert shapes["projection.weight"] == (shape.embedding_size, size)
        size = shape.embedding_size
    output = shapes["embedding.weight" if shape.tied else "output.weight"]
    assert output == (shape.vocab_size, size)
    assert shapes["output.bias"] == (shape.vocab_size,)


def test_a_two_layer_lstm_in_full():
    assert weight_shapes(ModelShape(7, 3, 5, 2, "lstm")) == {
        "embedding.weight": (7, 3),
        "layers.0.weight_ih_l0": (20, 3),
        "layers.0.weight_hh_l0": (20, 5),
        "layers.0.bias_ih_l0": (20,),
        "layers.0.bias_hh_l0": (20,),
        "layers.1.weight_ih_l0": (20, 5),
        "layers.1.weight_hh_l0": (20, 5),
        "layers.1.bias_ih_l0": (20,),
        "layers.1.bias_hh_l0": (20,),
        "projection.weight": (3, 5),
        "output.bias": (7,),
    }


@pytest.mark.parametrize("name", ["vocab_size", "embedding_size", "hidden_size", "num_layers"])
@pytest.mark.parametrize("value", [0, -1])
def test_sizes_below_one_are_refused(name, value):
    sizes = {"vocab_size": 5, "embedding_size": 4, "hidden_size": 3, "num_layers": 1}
    with pytest.raises(OptionError) as error:
        ModelShape(**{**sizes, name: value}, cell="gru")
    assert str(error.value) == f"{name} must be >= 1, got {value}"


def test_a_block_of_fewer_than_no_units_is_refused():
    with pytest.raises(OptionError, match=r"^feed_forward_size must be >= 0, got -1$"):
        ModelShape(5, 4, 3, 1, "gru", feed_forward_size=-1)


@pytest.mark.parametrize("cell", ["", "LSTM", "transformer"])
def test_other_cells_are_refused(cell):
    with pytest.raises(OptionError) as error:
        ModelShape(5, 4, 3, 1, cell)
    assert str(error.value) == f"cell must be one of lstm, gru, rnn, got {cell!r}"
