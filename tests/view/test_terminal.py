"""Writing to a terminal that reads, that does not, and that is gone."""

import os

import pytest

from charnn.view import terminal
from charnn.view.terminal import DEFAULT_SIZE, TerminalStream, TerminalWriter, in_foreground


def test_everything_arrives_where_somebody_reads(make_pty):
    pseudo = make_pty(100, 30)
    writer = TerminalWriter(pseudo.out)
    text = "형식은 " * 5000
    assert writer.write(text.encode(), lambda: False)
    pseudo.wait_for(lambda received: received == text)
    assert writer.size() == (100, 30)
    writer.close()
    writer.close()


def test_nobody_is_waited_for_longer_than_asked(make_pty):
    pseudo = make_pty(read=False)
    pseudo.fill()
    writer = TerminalWriter(pseudo.out)
    asked = []
    assert not writer.write(b"x" * 10, lambda: bool(asked.append(1) or len(asked) == 2))
    assert len(asked) == 2
    assert not writer.write_within(b"x", 0.01)
    assert not writer.gone
    TerminalStream(writer, lambda: True).write("x\n")
    writer.close()


def test_insisting_reaches_a_terminal_that_nobody_reads(make_pty):
    pseudo = make_pty(read=False)
    pseudo.fill()
    writer = TerminalWriter(pseudo.out)
    writer.insist(b"\x1b[?25h", 0.05)
    pseudo.start_reading()
    assert pseudo.wait_for(lambda received: "\x1b[?25h" in received)
    writer.close()


def test_a_terminal_that_was_closed_is_gone(make_pty):
    pseudo = make_pty(read=False)
    writer = TerminalWriter(pseudo.out)
    master = os.dup(pseudo.master)
    os.close(pseudo.master)
    os.close(master)
    pseudo.master = os.open(os.devnull, os.O_RDONLY)
    assert not writer.write(b"x", lambda: False)
    assert writer.gone
    writer.insist(b"x", 0.01)
    assert writer.size() in (DEFAULT_SIZE, (80, 24))
    writer.close()


def test_a_terminal_that_cannot_be_opened_again_is_shared(make_pty, monkeypatch):
    def no_name(descriptor):
        raise OSError(descriptor)

    monkeypatch.setattr(terminal.os, "ttyname", no_name)
    pseudo = make_pty()
    writer = TerminalWriter(pseudo.out)
    assert writer.write(b"y" * 1000, lambda: False)
    pseudo.wait_for(lambda received: received == "y" * 1000)
    writer.close()


@pytest.mark.parametrize("size", [(0, 0), (0, 50)])
def test_a_terminal_without_a_size_has_the_usual_one(make_pty, size):
    writer = TerminalWriter(make_pty(*size).out)
    assert writer.size() == (size[0] or 80, size[1] or 24)
    writer.close()


def test_a_terminal_without_jobs_is_everybodys(make_pty):
    pseudo = make_pty()
    assert in_foreground(pseudo.out.fileno())
    writer = TerminalWriter(pseudo.out)
    assert writer.in_foreground()
    writer.close()
