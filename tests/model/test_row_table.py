"""A table of rows gives what making each of them would give, whatever fits into it."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from charnn.model.row_table import RowTable

VOCAB, WIDTH = 7, 3
ROW_BYTES = WIDTH * 8

asked = st.lists(st.lists(st.integers(0, VOCAB - 1), min_size=1, max_size=6), max_size=8)


def row_of(token):
    return np.arange(WIDTH) + 10.0 * token


def rows_of(tokens):
    return np.stack([row_of(token) for token in tokens])


@given(asked, st.integers(0, VOCAB * ROW_BYTES + 50))
def test_every_row_is_its_tokens(turns, room):
    table = RowTable(rows_of, VOCAB, WIDTH, np.float64, room)
    for tokens in turns:
        np.testing.assert_array_equal(table.rows(tokens), [row_of(token) for token in tokens])
        np.testing.assert_array_equal(table.row(tokens[0]), row_of(tokens[0]))


def test_rows_are_made_once_while_there_is_room_and_each_time_when_there_is_none():
    made = []
    table = RowTable(
        lambda tokens: (made.extend(tokens), rows_of(tokens))[1], VOCAB, WIDTH, float, 2 * ROW_BYTES
    )
    table.rows([4, 4])
    table.row(4)
    table.rows([5, 4])
    assert made == [4, 5]
    table.row(6)
    table.rows([6, 4, 6])
    assert made == [4, 5, 6, 6]
