"""Texts that are written at once, shown one after the other."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charnn.cli.interrupts import Interrupted
from charnn.cli.texts import InOrder, show_in_order
from charnn.generation.sampler import TextPiece

Told = tuple[int, TextPiece | None]


@st.composite
def written_together(draw: st.DrawFn) -> list[Told]:
    """The pieces of some texts in any order of the texts, each ended by None."""
    left = {index: draw(st.integers(0, 4)) for index in range(draw(st.integers(1, 5)))}
    told: list[Told] = []
    while left:
        index = draw(st.sampled_from(sorted(left)))
        if left[index]:
            told.append((index, TextPiece(f"{index}.{left[index]} ", 1.0)))
            left[index] -= 1
        else:
            told.append((index, None))
            del left[index]
    return told


def in_order(told: list[Told]) -> list[Told]:
    """The same, text by text: the slow and obvious way."""
    return sorted(told, key=lambda piece: piece[0])


@given(written_together())
def test_texts_come_in_their_order(told: list[Told]) -> None:
    shown: list[Told] = []
    show_in_order(told, lambda index, piece: shown.append((index, piece)))
    assert shown == in_order(told)


@given(written_together())
def test_the_first_that_has_not_ended_is_never_held_back(told: list[Told]) -> None:
    queue, seen, shown = InOrder(), [], []
    for piece in told:
        shown += queue.push(*piece)
        seen.append(piece)
        ended = {index for index, part in seen if part is None}
        current = next(index for index in range(len(told) + 1) if index not in ended)
        assert shown == [part for part in in_order(seen) if part[0] <= current]


@given(written_together(), st.data())
def test_ctrl_c_shows_what_was_held_back(told: list[Told], data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(told)))
    shown: list[Told] = []

    def broken_off() -> Iterator[Told]:
        yield from told[:cut]
        raise KeyboardInterrupt

    with pytest.raises(Interrupted):
        show_in_order(broken_off(), lambda index, piece: shown.append((index, piece)))
    begun = {index for index, _ in told[:cut]}
    ended = {index for index, piece in told[:cut] if piece is None}
    closed: list[Told] = [(index, None) for index in begun - ended]
    assert shown == in_order([*told[:cut], *closed])
