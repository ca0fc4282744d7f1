"""The live view on pseudo-terminals: what arrives, what is restored, and that nobody waits."""

import os
import signal
import sys
import threading

import pytest

from charnn.records import Control, Event
from charnn.view import live, screen
from charnn.view.dashboard import render
from charnn.view.live import LiveView

ENVIRON = {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
RESTORED = {7: True, 25: True, 1049: False}


@pytest.fixture(autouse=True)
def impatience(monkeypatch):
    """Slow terminals are given up sooner, frames come faster."""
    monkeypatch.setattr(screen, "_SECONDS_TO_GIVE_BACK", 0.1)
    monkeypatch.setattr(live, "_REPORT_SECONDS", 0.1)
    monkeypatch.setattr(live, "FRAME_SECONDS", 0.01)
    monkeypatch.setattr(live, "COST_FACTOR", 1)


def view_on(pseudo, control=None, **options):
    options = {"environ": ENVIRON, **options}
    return LiveView(pseudo.out, control or Control(), **options)


def test_a_whole_training_on_a_terminal(make_pty, emulator, training):
    """End to end: the frame is on the screen, the screen is given back, the report is below."""
    pseudo = make_pty(80, 24)
    records = training()
    with view_on(pseudo) as view:
        for record in records[:-1]:
            view.show(record)
        pseudo.wait_for(lambda text: "6,000, by temperature" in text)
        terminal = emulator(80, 24)
        terminal.feed(pseudo.received())
        assert terminal.modes == {7: False, 25: False, 1049: True}
        head = render(view._state, 80, 24, 300.0).text().split("\n")[0]
        assert terminal.screen().split("\n")[0] == head
        view.show(records[-1])
    received = pseudo.wait_for(lambda text: "last sample" in text)
    terminal = emulator(80, 24)
    terminal.feed(received)
    assert terminal.modes == RESTORED
    assert terminal.normal.startswith("story: finished at step 6,000 after 5:00\r\n")


def test_generated_text_appears_character_by_character(make_pty, emulator, sample_at):
    pseudo = make_pty(80, 24)
    now = [0.0]
    with view_on(pseudo, clock=lambda: now[0]) as view:
        view.show(sample_at(2400))
        pseudo.wait_for(lambda text: "2,400, by temperature" in text)
        now[0] = 0.5
        received = pseudo.wait_for(lambda text: text.count("▌") >= 2)
    terminal = emulator(80, 24)
    terminal.feed(received.split("\x1b[?1049l")[0])
    line = next(text for text in terminal.screen().split("\n") if "▌" in text)
    assert 10 < len(line) < 60


def test_nobody_waits_for_a_terminal_that_nobody_reads(make_pty, training):
    pseudo = make_pty(read=False)
    pseudo.fill()
    finished = threading.Event()

    def train():
        with view_on(pseudo) as view:
            for record in training():
                view.show(record)
        finished.set()

    threading.Thread(target=train, daemon=True).start()
    assert finished.wait(30)
    pseudo.start_reading()
    pseudo.wait_for(lambda text: "\x1b[?7h\x1b[?25h\x1b[?1049l" in text)


def test_an_exception_leaves_the_terminal_as_it_was(make_pty, emulator, training):
    pseudo = make_pty()
    before = pseudo.attributes()
    with pytest.raises(RuntimeError), view_on(pseudo, keyboard=pseudo.out) as view:
        for record in training(600):
            view.show(record)
        pseudo.wait_for(lambda text: "bits per character" in text)
        assert pseudo.attributes() != before
        raise RuntimeError
    received = pseudo.wait_for(lambda text: "\x1b[?1049l" in text)
    terminal = emulator()
    terminal.feed(received)
    assert terminal.modes == RESTORED
    assert terminal.normal == ""
    assert pseudo.attributes() == before


def test_a_new_size_is_taken_up(make_pty, emulator, training):
    pseudo = make_pty(80, 24)
    with view_on(pseudo) as view:
        for record in training(600):
            view.show(record)
        pseudo.wait_for(lambda text: "bits per character" in text)
        pseudo.resize(40, 12)
        received = pseudo.wait_for(lambda text: "\x1b[12H" in text.partition("\x1b[2J")[2])
    terminal = emulator(40, 12)
    terminal.feed("\x1b[?1049h" + received.partition("\x1b[2J")[2])
    assert terminal.screen().split("\n")[0] == " charnn · 이야기.txt · char 1,703"


def test_keys_reach_the_control_and_the_help(make_pty, training):
    pseudo, control = make_pty(), Control()
    with view_on(pseudo, control, keyboard=pseudo.out) as view:
        view.show(training(20)[1])
        pseudo.wait_for(lambda text: "temperature 0.8" in text)
        pseudo.type("t?")
        pseudo.wait_for(lambda text: "temperature 0.9" in text and "close" in text)
        pseudo.type("q")
        pseudo.wait_for(lambda text: "stopping: a checkpoint is being saved" in text)
    assert control.stopping and control.temperature == 0.9


def test_what_others_print_goes_to_the_log_and_comes_out_afterwards(
    make_pty, emulator, monkeypatch
):
    pseudo = make_pty()
    monkeypatch.setattr(sys, "stderr", pseudo.out)
    with view_on(pseudo) as view:
        view.start()
        sys.stderr.write("low\x1b[2J battery\n")
        pseudo.wait_for(lambda text: "low␛[2J battery" in text)
        assert view._state.events[0].kind == "note"
    assert sys.stderr is pseudo.out
    received = pseudo.wait_for(lambda text: "low\x1b[2J battery" in text)
    assert received.index("\x1b[?1049l") < received.index("low\x1b[2J")


def test_a_fault_of_the_view_does_not_end_the_training(make_pty, training, monkeypatch):
    pseudo = make_pty()

    def broken(*args, **options):
        raise ZeroDivisionError

    monkeypatch.setattr(live, "render", broken)
    with view_on(pseudo) as view:
        view.start()
        view._thread.join(60)
        for record in training(1000):
            view.show(record)
    text = pseudo.wait_for(lambda received: "checkpoint saved at step 600" in received)
    assert text.count("warning: the live view failed (ZeroDivisionError())") == 1


def test_no_color_leaves_out_the_tints(make_pty, sample_at):
    pseudo = make_pty()
    with view_on(pseudo, environ={**ENVIRON, "NO_COLOR": "1"}) as view:
        view.show(sample_at(100))
        text = pseudo.wait_for(lambda received: "100, by temperature" in received)
    assert "38;2" not in text and "surprise" not in text


@pytest.mark.parametrize(
    ("environ", "colours"),
    [
        ({"TERM": "xterm-256color", "COLORTERM": "truecolor"}, "truecolor"),
        ({"TERM": "xterm"}, "256"),
        ({"TERM": "screen"}, "256"),
        ({"TERM": "linux"}, "standard"),
    ],
)
def test_colours_are_those_the_terminal_knows(make_pty, environ, colours):
    view = view_on(make_pty(), environ=environ)
    assert view._stage._console.color_system == colours
    view.close()


def test_frames_keep_their_distance(make_pty, training, monkeypatch):
    """A frame is followed by a pause of a hundred times its cost, and an eighth of a second."""
    monkeypatch.setattr(live, "FRAME_SECONDS", 1 / 8)
    monkeypatch.setattr(live, "COST_FACTOR", 100)
    view = view_on(make_pty())
    pauses = []
    monkeypatch.setattr(view._interrupt, "wait", lambda seconds: pauses.append(seconds) or True)
    view._wait(0.0004)
    view._wait(0.02)
    assert pauses == [0.125, 2.0]
    view.close()


def test_closing_twice_or_without_a_record_is_nothing(make_pty):
    pseudo = make_pty()
    view = view_on(pseudo)
    view.close()
    view.close()
    view.start()
    view.show(Event("note", 1, "late", 1.0))
    assert view._thread is None
    assert pseudo.received() == ""


@pytest.mark.parametrize("step", ["join", "give_back", "say_goodbye"])
def test_a_further_ctrl_c_while_it_closes_leaves_nothing_taken(
    make_pty, emulator, training, monkeypatch, step
):
    pseudo, hooks = make_pty(), []
    monkeypatch.setattr(sys, "stderr", pseudo.out)
    monkeypatch.setattr(live.atexit, "unregister", hooks.append)
    view = view_on(pseudo)
    for record in training():
        view.show(record)
    pseudo.wait_for(lambda text: "bits per character" in text)
    owner, name = {
        "join": (view._thread, "join"),
        "give_back": (view._stage, "give_back"),
        "say_goodbye": (view._writer, "write_within"),
    }[step]
    usual, calls = getattr(owner, name), []

    def interrupted(*args):
        if threading.current_thread() is threading.main_thread() and not calls:
            calls.append(args)
            raise KeyboardInterrupt
        return usual(*args)

    monkeypatch.setattr(owner, name, interrupted)
    with pytest.raises(KeyboardInterrupt):
        view.close()
    assert sys.stderr is pseudo.out
    assert hooks == []
    view.close()
    assert hooks == [view.close]
    received = pseudo.wait_for(lambda text: "\x1b[?1049l" in text)
    if step != "say_goodbye":
        received = pseudo.wait_for(lambda text: "last sample" in text)
        assert received.count("last sample") == 1
    terminal = emulator()
    terminal.feed(received)
    assert terminal.modes == RESTORED


def test_what_a_session_before_came_to_is_not_what_this_one_does(make_pty, training):
    pseudo = make_pty()
    with view_on(pseudo) as view:
        view.recall(training())
        pseudo.wait_for(lambda text: "6,000, by temperature" in text)
        assert view._state.finished is None
        assert "finished" not in render(view._state, 80, 24, 300.0).text()
    assert "story: finished" not in pseudo.wait_for(lambda text: "\x1b[?1049l" in text)
    assert view._report.lines() == []


def test_ctrl_z_gives_the_screen_back_and_takes_it_again(make_pty, training, monkeypatch):
    pseudo = make_pty()
    stopped = []

    def stop(pid, number):
        assert pid == os.getpid() and signal.getsignal(number) is signal.SIG_DFL
        stopped.append(pseudo.wait_for(lambda text: "\x1b[?1049l" in text))

    monkeypatch.setattr("charnn.view.suspension.os.kill", stop)
    before = signal.getsignal(signal.SIGTSTP)
    with view_on(pseudo) as view:
        view.show(training(20)[1])
        pseudo.wait_for(lambda text: "1x512 lstm" in text)
        signal.raise_signal(signal.SIGTSTP)
        assert len(stopped) == 1
        pseudo.wait_for(lambda text: text.count("\x1b[?1049h") == 2)
    assert signal.getsignal(signal.SIGTSTP) is before
