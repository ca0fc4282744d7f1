"""What is printed while the screen is taken."""

import io
import sys

from charnn.view.aside import Aside, AsideStreams


class Terminal(io.StringIO):
    def isatty(self):
        return True

    def fileno(self):
        return 17


def test_lines_are_told_of_when_complete_and_kept_as_printed():
    told = []
    aside = Aside(Terminal(), told.append)
    print("one\n\ntwo", file=aside, end=" ")
    assert told == ["one"]
    print("and more", file=aside)
    aside.write("open")
    assert told == ["one", "two and more"]
    assert aside.kept() == "one\n\ntwo and more\nopen"
    assert aside.kept() == ""
    assert aside.fileno() == 17


def test_the_oldest_of_too_many_lines_are_lost():
    aside = Aside(Terminal(), lambda line: None)
    aside.write("".join(f"{number}\n" for number in range(1000)))
    assert aside.kept().split()[0] == "800"


def test_only_terminals_are_replaced_and_put_back(monkeypatch):
    terminal, pipe = Terminal(), io.StringIO()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(sys, "stdout", pipe)
    streams = AsideStreams(lambda line: None)
    streams.replace()
    assert isinstance(sys.stderr, Aside) and sys.stdout is pipe
    sys.stderr.write("hidden\n")
    assert streams.restore() == "hidden\n"
    assert sys.stderr is terminal
    assert terminal.getvalue() == ""
    assert streams.restore() == ""


def test_a_stream_that_somebody_else_replaced_is_left_alone(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setattr(sys, "stdout", None)
    streams = AsideStreams(lambda line: None)
    streams.replace()
    other = io.StringIO()
    sys.stderr = other
    streams.restore()
    assert sys.stderr is other
