"""Uniform random code points and random bytes as generated text: through frames to a terminal."""

import random

import pytest

from charnn.records import Event, RunStarted, Sample
from charnn.view.dashboard import render
from charnn.view.keyline import Keyboard
from charnn.view.lines import plain, width_of
from charnn.view.plain import PlainView
from charnn.view.report import Report
from charnn.view.stage import Stage
from charnn.view.state import DashboardState

SIZES = [(20, 5), (40, 10), (80, 24), (300, 100)]
ENVIRON = {"TERM": "xterm-256color", "COLORTERM": "truecolor"}


def code_points(rng, number):
    """Uniform over all code points, surrogates and unassigned ones among them."""
    return "".join(chr(rng.randrange(0x110000)) for _ in range(number))


def low_code_points(rng, number):
    """Where most of what a terminal obeys is: controls, combining marks, Hebrew, Thai, jamo."""
    return "".join(chr(rng.randrange(0x3200)) for _ in range(number))


def decoded_bytes(errors):
    return lambda rng, number: rng.randbytes(number).decode("utf-8", errors)


def latin_bytes(rng, number):
    return rng.randbytes(number).decode("latin-1")


TEXTS = {
    "code points": code_points,
    "low code points": low_code_points,
    "bytes replaced": decoded_bytes("replace"),
    "bytes escaped": decoded_bytes("surrogateescape"),
    "bytes one by one": latin_bytes,
}


def records(make_text, seed):
    """A training whose every text is random: samples, prompts, names, messages."""
    rng = random.Random(seed)
    head = [make_text(rng, 30) for _ in range(3)]
    yield RunStarted(
        head[0], head[1], head[2], 9, "char", 2, "lstm", 1, 2, 2, 9, "cpu", "fp32", 1, 0, 0,
        make_text(rng, 5), 3.0,
    )  # fmt: skip
    for step in (0, 1, 2):
        for temperature in (0.5, 0.8, 1.0):
            text = make_text(rng, 200)
            pieces = tuple((character, rng.expovariate(0.3)) for character in text)
            yield Sample(step, temperature, make_text(rng, 9), pieces, 1, float(step))
        yield Event(rng.choice(("note", "warning")), step, make_text(rng, 60), float(step))


class Memory:
    """A terminal writer that keeps what it is given."""

    def __init__(self, width, height):
        self.width, self.height, self.sent = width, height, ""

    def size(self):
        return self.width, self.height

    def write(self, data, give_up):
        self.sent += data.decode()
        return True

    def insist(self, data, seconds):
        self.write(data, None)


def state_of(make_text, seed):
    state = DashboardState()
    for record in records(make_text, seed):
        state = state.update(record)
    return state


@pytest.mark.parametrize(("width", "height"), SIZES, ids=[f"{w}x{h}" for w, h in SIZES])
@pytest.mark.parametrize("kind", TEXTS)
def test_frames_keep_their_size_and_hold_nothing_that_a_terminal_obeys(shown, kind, width, height):
    for seed in range(2):
        state = state_of(TEXTS[kind], seed)
        for now in (2.7, 99.0):
            frame = render(state, width, height, now, keyboard=Keyboard())
            assert len(frame.lines) == height
            assert all(width_of(row) <= width and shown(plain(row)) for row in frame.lines)


@pytest.mark.parametrize("cell_width", [None, len, lambda character: 2])
@pytest.mark.parametrize("kind", TEXTS)
def test_a_terminal_with_its_own_widths_keeps_every_other_line(emulator, kind, cell_width):
    """Whatever it thinks of the width of a character, a line spoils no line but itself."""
    memory = Memory(80, 24)
    stage = Stage(memory, None, ENVIRON, lambda: True, lambda: 0.0)
    state = state_of(TEXTS[kind], 7)
    stage.enter()
    for now in (2.5, 99.0):
        stage.draw(lambda width, height, now=now: render(state, width, height, now))
    terminal = emulator(80, 24) if cell_width is None else emulator(80, 24, cell_width)
    terminal.feed(memory.sent)
    frame = render(state, 80, 24, 99.0).text().split("\n")
    for wanted, got in zip(frame, terminal.screen().split("\n"), strict=True):
        if wanted.isascii() and cell_width in (None, len):
            assert got == wanted
        assert got.startswith(wanted[:1])
    stage.leave()
    terminal = emulator(80, 24)
    terminal.feed(memory.sent)
    assert terminal.modes == {7: True, 25: True, 1049: False}


@pytest.mark.parametrize("width", [20, 80, None])
@pytest.mark.parametrize("kind", TEXTS)
def test_plain_lines_and_the_report_are_safe(shown, kind, width):
    lines, report = [], Report()

    class Stream:
        def write(self, text):
            lines.extend(text.removesuffix("\n").split("\n"))

        def flush(self):
            pass

    view = PlainView(Stream(), width)
    for record in records(TEXTS[kind], 11):
        view.show(record)
        report = report.update(record)
    lines += report.lines(width)
    assert len(lines) > 20
    assert all(shown(line) for line in lines)
