"""The screen shows the last frame, whatever came before it, and is always given back."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from charnn.view.screen import Screen


class Recorder:
    """A terminal writer that keeps what it was given, or takes only so many bytes."""

    def __init__(self):
        self.sent = ""
        self.takes = None

    def write(self, data, give_up):
        if self.takes is not None:
            self.sent += data[: self.takes].decode("utf-8", "replace")
            return False
        self.sent += data.decode()
        return True

    def insist(self, data, seconds):
        self.takes = None
        self.sent += data.decode()


def framed(lines):
    """A frame as rich writes it: every line filled up to the width."""
    return "\x1b[H" + "\n".join(line + " " * (20 - cell_len(line)) for line in lines)


def new_screen(frames=()):
    recorder = Recorder()
    screen = Screen(recorder, lambda: True)
    screen.take()
    screen.write("\x1b[?1049h\x1b[H")
    screen.write("\x1b[?25l")
    for lines in frames:
        screen.write(framed(lines))
    return screen, recorder


def test_giving_back_that_was_interrupted_is_still_to_be_done(emulator):
    screen, recorder = new_screen()
    insist = recorder.insist

    def interrupted(data, seconds):
        recorder.insist = insist
        raise KeyboardInterrupt

    recorder.insist = interrupted
    with pytest.raises(KeyboardInterrupt):
        screen.give_back()
    screen.give_back()
    terminal = emulator()
    terminal.feed(recorder.sent)
    assert terminal.modes == {7: True, 25: True, 1049: False}


line = st.text("ab 형은 ", max_size=10).filter(lambda text: cell_len(text) <= 20)
frames = st.lists(st.lists(line, min_size=5, max_size=5), min_size=1, max_size=6)


@given(frames)
@settings(max_examples=100)
def test_only_changes_are_sent_but_the_screen_is_the_frame(emulator, shown_frames):
    _, recorder = new_screen(shown_frames)
    terminal = emulator(20, 5)
    terminal.feed(recorder.sent)
    assert terminal.screen() == "\n".join(text.rstrip(" ") for text in shown_frames[-1])
    assert terminal.modes == {7: False, 25: False, 1049: True}


@given(frames)
@settings(max_examples=100)
def test_a_terminal_that_disagrees_about_widths_spoils_no_other_line(emulator, shown_frames):
    _, recorder = new_screen(shown_frames)
    terminal = emulator(20, 5, cell_width=len)
    terminal.feed(recorder.sent)
    for wanted, got in zip(shown_frames[-1], terminal.screen().split("\n"), strict=True):
        assert got == wanted.rstrip(" ")  # narrower than we thought, and nothing left behind


def test_an_equal_frame_sends_nothing():
    screen, recorder = new_screen([["가", "나"]])
    before = recorder.sent
    screen.write(framed(["가", "나"]))
    assert recorder.sent == before
    screen.repaint()
    screen.write(framed(["가", "나"]))
    assert recorder.sent.count("가") == 2
    screen.repaint(clear=True)
    screen.write(framed(["가", "나"]))
    assert "\x1b[2J\x1b[1H가" in recorder.sent


def test_a_frame_that_was_cut_off_is_cancelled_and_drawn_again(emulator):
    screen, recorder = new_screen([["one", "two"]])
    recorder.takes = 4
    screen.write(framed(["three", "four"]))
    recorder.takes = None
    screen.write(framed(["three", "four"]))
    terminal = emulator(20, 2)
    terminal.feed(recorder.sent.replace("\x1b[1H\x18", "\x18"))
    assert terminal.screen() == "three\nfour"
    assert recorder.sent.count("\x18") == 1


def test_it_is_given_back_once_and_then_silent(emulator):
    screen, recorder = new_screen([["one", "two"]])
    screen.give_back()
    terminal = emulator(20, 2)
    terminal.feed(recorder.sent)
    assert terminal.modes == {7: True, 25: True, 1049: False}
    before = recorder.sent
    screen.give_back()
    screen.write(framed(["x", "y"]))
    assert recorder.sent == before


def test_it_is_a_terminal_in_utf_8():
    screen, _ = new_screen()
    assert screen.isatty() and screen.encoding == "utf-8"
    screen.flush()
