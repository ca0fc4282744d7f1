"""Block-bootstrap intervals against a slow twin, and against what is known of simple noise."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from intervals import (
    CELL,
    DRAWS,
    LEAST_BLOCKS,
    LONGEST_BLOCK,
    block_cells,
    cell_count,
    cells_of,
    difference,
    interval,
)


def noise(cells: int, seed: int = 3) -> np.ndarray:
    """Nats of independent cells: mean 200, standard deviation 20."""
    return np.random.default_rng(seed).normal(200, 20, cells)


@given(st.lists(st.tuples(st.floats(0, 20), st.integers(0, 3)), min_size=1), st.integers(1, 7))
def test_cells_hold_all_nats_where_their_tokens_begin(tokens, cell):
    nats, lengths = (np.array(column) for column in zip(*tokens, strict=True))
    if not lengths.sum():
        return
    expected = np.zeros(cell_count(int(lengths.sum()), cell))
    read = 0
    for cost, length in tokens:
        begins = read if length else max(read - 1, 0)
        expected[begins // cell] += cost
        read += length
    assert cells_of(nats, lengths, cell) == pytest.approx(expected)


def slowly(cells: np.ndarray, characters: int) -> tuple[float, float]:
    """The ends of the interval, block by block and cell by cell."""
    lengths = [CELL] * (len(cells) - 1) + [characters - CELL * (len(cells) - 1)]
    length = block_cells(characters)
    starts = np.random.default_rng(0).integers(0, len(cells), (DRAWS, -(-len(cells) // length)))
    means = []
    for drawn in starts[:DRAWS]:
        places = [(start + step) % len(cells) for start in drawn for step in range(length)]
        nats = sum(cells[place] for place in places)
        means.append(nats / sum(lengths[place] for place in places) / math.log(2))
    return tuple(np.percentile(means, (2.5, 97.5)))


def test_the_interval_is_what_the_slow_twin_finds():
    cells, characters = noise(7), 650
    found = interval(cells, characters)
    assert found.value == pytest.approx(cells.sum() / 650 / math.log(2))
    assert (found.low, found.high) == pytest.approx(slowly(cells, characters))


def test_the_margin_of_independent_cells_is_the_one_of_the_textbook():
    cells = noise(2000)
    expected = 1.96 * 20 / CELL / math.log(2) / math.sqrt(len(cells))
    assert interval(cells, CELL * len(cells)).margin == pytest.approx(expected, rel=0.2)


def test_neighbours_that_are_alike_make_it_wider():
    cells = noise(2000)
    alike = np.repeat(cells[::10], 10)
    together, apart = (interval(of, CELL * len(of)).margin for of in (alike, cells))
    assert together > 2 * apart


def test_a_system_ties_with_itself_and_not_with_a_better_one():
    cells = noise(60)
    assert difference(cells, cells, 6000).is_tie
    worse = difference(cells + 1, cells, 6000)
    assert worse.value == pytest.approx(1 / CELL / math.log(2))
    assert worse.margin == pytest.approx(0, abs=1e-12)
    assert not worse.is_tie


def test_a_pair_is_told_apart_where_its_scores_are_not():
    cells = noise(400)
    other = cells + np.random.default_rng(5).normal(1, 2, len(cells))
    scores = interval(cells, 40_000), interval(other, 40_000)
    assert scores[0].high > scores[1].low
    assert not difference(other, cells, 40_000).is_tie


@given(st.integers(1, 10**7))
def test_blocks_leave_enough_of_them(characters):
    length = block_cells(characters) * CELL
    assert CELL <= length <= LONGEST_BLOCK
    assert length == CELL or LEAST_BLOCKS * length <= characters


def test_cells_that_are_not_those_of_the_text_are_refused():
    with pytest.raises(ValueError, match=r"^1000 characters have 10 cells, got 11$"):
        interval(np.ones(11), 1000)
