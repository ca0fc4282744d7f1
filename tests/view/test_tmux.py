"""The live view in a real terminal program: tmux, as far as it is installed."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from charnn.view.dashboard import render
from charnn.view.keyline import Keyboard
from charnn.view.state import DashboardState

CLOCKS = (1, 2)
pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")

PROGRAM = """
import importlib.util, sys, time
from charnn.records import Control, Finished
from charnn.view.views import make_view

spec = importlib.util.spec_from_file_location("synthetic", sys.argv[1])
synthetic = importlib.util.module_from_spec(spec)
spec.loader.exec_module(synthetic)
control = Control()
try:
    with make_view("live", control, speed=50.0) as view:
        for record in synthetic.make_records(3600):
            view.show(record)
        while not control.stopping:
            time.sleep(0.02)
            if control.paused:
                raise SystemExit("an error that is told")
        view.show(Finished(3600, "stopped", 3.7, 3.7, 3600, 180.0, "checkpoints/story"))
finally:
    print("the program has ended")
"""


class Tmux:
    """A tmux server of its own with one window."""

    def __init__(self, folder: Path, width: int, height: int) -> None:
        self._command = ["tmux", "-u", "-f", os.devnull, "-S", str(folder / "socket")]
        program = folder / "program.py"
        program.write_text(PROGRAM, encoding="utf-8")
        synthetic = Path(__file__).with_name("conftest.py")
        run = f"'{sys.executable}' '{program}' '{synthetic}'; sleep 300"
        self.call("new-session", "-d", "-x", str(width), "-y", str(height), run)

    def call(self, *arguments: str) -> str:
        return subprocess.run(
            [*self._command, *arguments], check=True, capture_output=True, encoding="utf-8"
        ).stdout

    def wait_for(self, *texts: str, seconds: float = 60.0) -> str:
        limit = time.monotonic() + seconds
        while not all(text in (screen := self.call("capture-pane", "-p")) for text in texts):
            assert time.monotonic() < limit, screen
            time.sleep(0.05)
        return screen

    def flags(self) -> str:
        return self.call("display", "-p", "#{cursor_flag}#{wrap_flag}#{alternate_on}").strip()


@pytest.fixture
def tmux(tmp_path):
    started = []

    def start(width, height):
        started.append(Tmux(tmp_path, width, height))
        return started[-1]

    yield start
    for each in started:
        each.call("kill-server")


def test_the_screen_is_drawn_resized_and_given_back(tmux):
    window = tmux(80, 24)
    screen = window.wait_for("step 3,600, by temperature", "? help")
    golden = (Path(__file__).parent / "golden" / "80x24.txt").read_text(encoding="utf-8")
    for row in (0, 3, 4, 6, 12, 15, 22, 23):  # what neither the clock nor the yardstick changes
        assert screen.split("\n")[row][:28] == golden.split("\n")[row][:28]
    assert window.flags() == "001"
    window.call("resize-window", "-x", "44", "-y", "12")
    small = window.wait_for("+/- length", "3.719 bits").rstrip("\n").split("\n")
    assert len(small) == 12 and small[0] == " charnn · 이야기.txt · char 1,703 · seed 1"
    window.call("resize-window", "-x", "80", "-y", "24")
    window.wait_for("bits per character")
    window.call("send-keys", "q")
    ended = window.wait_for("the program has ended", "charnn train --resume")
    assert "story: stopped at step 3,600" in ended
    assert "── bits" not in ended
    assert window.flags() == "110"


@pytest.mark.slow
def test_every_size_shows_the_frame_it_should(tmux, training):
    """Whole frames but for the rows with the clock, once the newest texts are uncovered."""
    state = DashboardState()
    for record in training(3600):
        state = state.update(record)
    window = tmux(80, 24)
    for width, height in ((300, 100), (20, 5), (120, 40), (40, 10), (149, 30), (80, 24)):
        window.call("resize-window", "-x", str(width), "-y", str(height))
        frame = render(state, width, height, 1e6, keyboard=Keyboard()).text().split("\n")
        wanted = [row for at, row in enumerate(frame) if at not in CLOCKS]
        limit = time.monotonic() + 60.0
        while True:
            screen = window.call("capture-pane", "-p").split("\n")[:height]
            shown = [row.rstrip(" ") for at, row in enumerate(screen) if at not in CLOCKS]
            if shown == wanted:
                break
            assert time.monotonic() < limit, (shown, wanted)
            time.sleep(0.05)


def test_an_error_is_readable_on_the_normal_screen(tmux):
    window = tmux(80, 24)
    window.wait_for("step 3,600, by temperature", "? help")
    window.call("send-keys", "p")
    ended = window.wait_for("the program has ended", "an error that is told")
    assert "bits per character" not in ended
    assert window.flags() == "110"
