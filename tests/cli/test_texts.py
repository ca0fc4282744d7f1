"""Texts that are written at once, shown one after the other."""

import errno
import json
import math
import os
import tempfile
import tracemalloc
from collections.abc import Iterator
from contextlib import redirect_stdout
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charnn.cli.interrupts import Interrupted
from charnn.cli.sink import Sink
from charnn.cli.texts import InOrder, JsonShower, show_in_order
from charnn.errors import RunDamagedError, TextError
from charnn.generation.sampler import SamplingOptions, TextPiece
from charnn.view.display_text import safe_text

AWKWARD = "\x1b\x7f\x9b\u202e\u200b\ufeff\ue000\u3164\u2028\u1112\u0301"
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


@given(written_together(), st.sampled_from([1, 30, 10**6]))
def test_the_first_that_has_not_ended_is_never_held_back(told: list[Told], memory: int) -> None:
    queue, seen, shown = InOrder(memory), [], []
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


def test_ctrl_c_amid_a_text_that_was_held_back_loses_nothing_of_it() -> None:
    told: list[Told] = [(1, TextPiece(letter, 1.0)) for letter in "가나다"]
    shown: list[Told] = []

    def show(index: int, piece: TextPiece | None) -> None:
        shown.append((index, piece))
        if piece is not None and piece.text == "가":
            raise KeyboardInterrupt

    with pytest.raises(Interrupted):
        show_in_order([*told, (0, None)], show)
    assert shown == [(0, None), *told, (1, None)]


@pytest.mark.parametrize("error", [RunDamagedError("its weights are damaged"), MemoryError()])
def test_an_error_loses_nothing_that_was_held_back(error: Exception) -> None:
    held: list[Told] = [(1, TextPiece("가", 1.0)), (2, TextPiece("나", 1.0))]
    shown: list[Told] = []

    def broken_off() -> Iterator[Told]:
        yield from held
        raise error

    with pytest.raises(type(error)) as caught:
        show_in_order(broken_off(), lambda index, piece: shown.append((index, piece)))
    assert caught.value is error
    assert shown == [held[0], (1, None), held[1], (2, None)]


def test_a_full_disk_loses_only_what_was_on_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    held: list[Told] = [(1, TextPiece("가", 1.0)), (2, TextPiece("나" * 50_000, 1.0))]
    shown: list[Told] = []
    with pytest.raises(TextError, match="cannot be held back"):
        show_in_order(held, lambda index, piece: shown.append((index, piece)))
    assert shown[:2] == [held[0], (1, None)]


def test_nothing_more_is_shown_to_a_closed_pipe() -> None:
    shown: list[Told] = []

    def show(index: int, piece: TextPiece | None) -> None:
        shown.append((index, piece))
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        show_in_order([(1, TextPiece("나", 1.0)), (0, TextPiece("가", 1.0))], show)
    assert shown == [(0, TextPiece("가", 1.0))]


class Screen(StringIO):
    """A terminal that keeps what is written to it."""

    def isatty(self) -> bool:
        return True


ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from(AWKWARD), max_size=9)


@given(st.lists(ANY_TEXT, max_size=4), ANY_TEXT, st.booleans())
def test_json_comes_bit_by_bit_and_is_safe_on_a_terminal(
    pieces: list[str], prompt: str, at_terminal: bool
) -> None:
    stream = Screen() if at_terminal else StringIO()
    with redirect_stdout(stream):
        show = JsonShower(Sink(), {"prompt": prompt}).begin(SamplingOptions(), 1)
        for piece in pieces:
            show(0, TextPiece(piece, 1.5))
        show(0, None)
    line = stream.getvalue()
    data = json.loads(line)
    text = "".join(pieces)
    assert (data["text"], data["prompt"]) == (text, prompt)
    assert data["bits_per_char"] == (1.5 * len(pieces) / len(text) if text else None)
    assert line.endswith("}\n") and line.count("\n") == 1
    if at_terminal:
        assert all(safe_text(character) == character for character in line if character.isascii())
        assert not set(line) & set(AWKWARD[:-2])
    else:
        assert all(json.dumps(piece, ensure_ascii=False)[1:-1] in line for piece in pieces)


def test_json_takes_no_memory_for_the_text() -> None:
    class Nowhere(StringIO):
        def write(self, text: str) -> int:
            return len(text)

    with redirect_stdout(Nowhere()):
        show = JsonShower(Sink(), {}).begin(SamplingOptions(), 1)
        show(0, TextPiece("가", 1.5))
        tracemalloc.start()
        try:
            for _ in range(20_000):
                show(0, TextPiece("가나다라", 1.5))
            assert tracemalloc.get_traced_memory()[0] < 20_000
        finally:
            tracemalloc.stop()


def test_json_does_not_know_how_surprising_the_impossible_is() -> None:
    with redirect_stdout(StringIO()) as stream:
        show = JsonShower(Sink(), {}).begin(SamplingOptions(), 1)
        show(0, TextPiece("가", math.inf))
        show(0, None)
    assert json.loads(stream.getvalue())["bits_per_char"] is None


def test_texts_that_wait_take_no_more_memory_the_longer_they_get() -> None:
    queue = InOrder(memory=1000)
    try:
        tracemalloc.start()
        for _ in range(5000):
            for index in range(1, 4):
                assert list(queue.push(index, TextPiece("가", 1.5))) == []
        used = tracemalloc.get_traced_memory()[0]
        assert used < 60_000  # buffers of three files; the pieces themselves would be 2 MB
        assert sum(1 for _ in queue.push(0, None)) == 5001
        assert tracemalloc.get_traced_memory()[0] < used + 60_000
    finally:
        tracemalloc.stop()
        queue.close()


def test_no_room_for_texts_that_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    queue = InOrder(memory=10)
    with pytest.raises(TextError) as error:
        list(queue.push(1, TextPiece("가나다라", 1.0)))
    assert str(error.value) == (
        "a text cannot be held back in a temporary file (No space left on device): make room for "
        "it, name another folder with TMPDIR, or take fewer --num-samples"
    )
    queue.close()
