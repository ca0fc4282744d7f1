"""The bar of a command that takes a while."""

import io

from rich.console import Console

from charnn.view.working import Working


def drawn(*, terminal: bool) -> str:
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, width=60, _environ={"TERM": "xterm"})
    with Working(console) as working:
        working.tell("counting", 30, 100)
        working.tell("words", 0, 5)
        working.tell("copying", 10, 0)
    return out.getvalue()


def test_nothing_where_no_terminal_is() -> None:
    assert drawn(terminal=False) == ""


def test_the_last_stage_is_drawn_and_taken_away() -> None:
    text = drawn(terminal=True)
    assert "copying" in text
    assert text.endswith("\x1b[2K") or "\x1b[1A" in text


def test_the_cursor_is_never_left_hidden() -> None:
    text = drawn(terminal=True)
    assert text.count("\x1b[?25l") == 1
    assert text.index("\x1b[?25l") < text.index("\x1b[?25h") < text.rindex("copying")


def test_a_second_stage_begins_anew() -> None:
    working = Working(Console(file=io.StringIO(), force_terminal=True, width=60))
    with working:
        working.tell("counting", 90, 100)
        working.tell("words", 1, 5)
        (task,) = working._progress.tasks
        assert (task.description, task.completed, task.total) == ("words", 1, 5)
