"""`charnn generate -i`: lines that are piped in, and a person at a terminal."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import charnn

PATIENCE = 30.0
PROGRAM = """
import fcntl, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)  # so that Ctrl-C is a signal
from charnn.__main__ import main
main()
"""
SEQUENCE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07]*\x07|.)")
Talk = Callable[..., Any]


@pytest.fixture
def talk(cli: Talk, written: Path) -> Talk:
    """`charnn generate -i` with lines as stdin."""
    arguments = ("generate", "-i", "--seed", "7", "-n", "20", "--checkpoints", written.parent)
    return lambda *lines, more=(): cli(
        *arguments, *more, stdin="".join(f"{line}\n" for line in lines).encode()
    )


@pytest.fixture(scope="module")
def model(written: Path) -> charnn.Model:
    return charnn.load(written)


def test_the_model_goes_on_from_each_line(talk: Talk, model: charnn.Model) -> None:
    story = model.story(seed=7)
    from charnn.generation.sampler import SamplingOptions

    turns = []
    for added in ("섭섭이는", "", "\n가 /"):
        written = "".join(p.text for p in story.write(added, SamplingOptions(length=20)))
        turns.append((added + written).removesuffix("\n") + "\n")
    said = talk("섭섭이는", "", r"\n가 /")
    assert said == (0, "".join(turns), "story, seed 7\n")


def test_a_prompt_is_the_first_line(talk: Talk) -> None:
    assert talk("가", more=("섭섭이는",)) == talk("섭섭이는", "가")


def test_what_was_typed_need_not_be_repeated(talk: Talk) -> None:
    said, bare = talk("섭섭이는"), talk("섭섭이는", more=("--no-prompt",))
    assert said.out == "섭섭이는" + bare.out


def test_the_same_lines_make_the_same_text(talk: Talk) -> None:
    lines = ("가", "/retry", "/undo", "나", "/retry")
    assert talk(*lines) == talk(*lines)
    first, again = talk("가", "/retry").out.splitlines()[:2]
    assert first != again


def test_settings_hold_from_then_on(talk: Talk) -> None:
    said = talk("/length 5", "/temp 0", "가", "/le", "/t")
    assert said.err == "story, seed 7\n/length 5\n/temp 0\n/length 5\n/temp 0\n"
    assert len(said.out.rstrip("\n")) == 6


def test_undo_tells_where_the_text_ends_now(talk: Talk) -> None:
    said = talk("가나", "/undo", "/undo", "/retry")
    told = said.err.splitlines()[1:]
    assert told == [
        "taken back: the text is empty",
        "there is nothing to take back: the text is empty",
        "there is nothing to write anew yet: begin with a text",
    ]
    said = talk("가나", "다라", "/undo")
    assert said.err.splitlines()[1].startswith("taken back: the text now ends in 가나")


def test_save_writes_the_whole_text_to_a_new_file(talk: Talk, here: Path) -> None:
    said = talk("가", "나", "/save story.txt", "다", "/save story.txt", "/save", "/s no/a.txt")
    text = (here / "story.txt").read_text("utf-8")
    assert said.err.splitlines()[1:] == [
        f"saved {len(text)} characters in story.txt",
        "story.txt is there already and is not overwritten: give another name",
        "/save needs the name of a new file: /save FILE",
        "cannot write no/a.txt: No such file or directory: give another name",
    ]
    assert text.startswith("가") and len(text) in range(42, 60)
    assert talk("가", "나", "/show").out.endswith(text.removesuffix("\n") + "\n")


def test_a_file_that_cannot_be_written_does_not_end_the_session(talk: Talk, here: Path) -> None:
    said = talk("가", "/save ~nosuchuser.txt", "/save a\0b", "/save ~nosuchuser/b", "나")
    assert said.code == 0 and len(said.out.splitlines()) >= 2
    assert said.err.splitlines()[2:] == [
        r"cannot write 'a\x00b': no file can be called so: give another name",
        "cannot write ~nosuchuser/b: No such file or directory: give another name",
    ]
    assert (here / "~nosuchuser.txt").read_text("utf-8").startswith("가")


def test_whole_numbers_are_told_whole(talk: Talk) -> None:
    said = talk("/length 1234567", "/temp 1e10", "/help")
    assert said.err.startswith("story, seed 7\n/length 1234567\n/temp 1e+10\n")
    assert "(now 1234567)" in " ".join(said.err.split())


def test_help_tells_every_command(talk: Talk) -> None:
    from charnn.cli.interactive import _COMMANDS

    told = talk("/help").err
    assert all(f"\n{command}" in told for command in _COMMANDS)
    assert "now 0.8" in told and "now 20" in told


def test_quit_ends(talk: Talk) -> None:
    assert talk("/quit", "가") == (0, "", "story, seed 7\n")


def test_two_slashes_begin_a_text_with_one(talk: Talk) -> None:
    assert talk("//가").out.startswith("/가")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("/x", "there is no command '/x': /help tells which there are, // begins a text with /"),
        ("/", "there is no command '/': /help tells which there are, // begins a text with /"),
        ("/temp -1", "/temp must be >= 0, got -1.0"),
        ("/temp warm", "/temp must be a number, got 'warm'"),
        ("/length 2.5", "/length must be a whole number, got '2.5'"),
        ("/length 0", "/length must be >= 1, got 0"),
        ("/top-p 2", "/top-p must be in [0, 1], got 2.0"),
        ("/undo 2", "/undo takes nothing behind it, got '2': leave it out"),
        (
            "가\udcff",
            "prompt must be valid Unicode, got a lone surrogate U+DCFF at character 1; "
            "leave it out",
        ),
    ],
)
def test_what_is_wrong_is_said_and_it_goes_on(
    cli: Talk, written: Path, line: str, message: str
) -> None:
    stdin = f"{line}\n/temp\n".encode("utf-8", "surrogateescape")
    said = cli("generate", "-i", "--seed", "1", "--checkpoints", written.parent, stdin=stdin)
    assert said == (0, "", f"story, seed 1\n{message}\n/temp 0.8\n")


def test_ctrl_c_ends_what_is_piped_in(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    from charnn.model.stepper import Stepper

    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Stepper, "step_logits", interrupted)
    said = talk("가", "나")
    assert said.code == 130
    assert said.out.startswith("가") and "나" not in said.out


def test_plain_writing_does_not_wait_for_the_editor(written: Path) -> None:
    program = (
        "import sys, time; from charnn.cli.main import run;"
        f"run(time.monotonic(), ['generate', '-n', '5', '--checkpoints', {str(written.parent)!r}]);"
        "sys.exit('prompt_toolkit' in sys.modules or 'rich' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert done.returncode == 0


class Person:
    """Somebody at a terminal of some size in which `charnn generate -i` runs."""

    def __init__(self, run: Path, width: int, *options: str, **environ: str) -> None:
        self._screen, terminal = pty.openpty()
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 12, width, 0, 0))
        self._modes = termios.tcgetattr(terminal)
        self._terminal = terminal
        self._process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, "generate", "-i", "-m", str(run), *options],
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            start_new_session=True,
            env={**os.environ, "TERM": "xterm-256color", **environ},
        )
        self.seen = self.raw = ""

    def types(self, text: str) -> None:
        self.sends(text.encode())

    def sends(self, data: bytes) -> None:
        while data:
            data = data[os.write(self._screen, data[:512]) :]
            self._look(0.0)

    def waits_for(self, wanted: str) -> str:
        """What appears on the screen until this pattern does; without escape sequences."""
        limit = time.monotonic() + PATIENCE
        while not (found := re.search(wanted, self._plain())):
            assert time.monotonic() < limit and self._process.poll() is None, self._plain()
            self._look(0.1)
        before, self.seen = self.seen[: found.start()], self.seen[found.end() :]
        return before

    def waits_for_prompt(self) -> str:
        """What appears until a line may be typed: `> ` has been drawn at its beginning."""
        return self.waits_for(r"(?:\n|─\s*)>")

    def echoes(self) -> bool:
        """Whether the terminal shows what is typed."""
        return bool(termios.tcgetattr(self._terminal)[3] & termios.ECHO)

    def signals(self, number: int) -> None:
        self._process.send_signal(number)

    def leaves(self) -> int:
        """The exit code; the terminal must be as it was."""
        limit = time.monotonic() + PATIENCE
        while self._process.poll() is None:
            assert time.monotonic() < limit, self._plain()
            self._look(0.1)
        self._look(0.0)
        assert termios.tcgetattr(self._terminal) == self._modes
        return self._process.returncode

    def goes(self) -> None:
        """Clean up whatever is left."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        os.close(self._screen)
        os.close(self._terminal)

    def _plain(self) -> str:
        self.seen = SEQUENCE.sub("", self.seen)
        return self.seen

    def _look(self, seconds: float) -> None:
        while select.select([self._screen], [], [], seconds)[0]:
            self.raw += (new := os.read(self._screen, 1 << 16).decode("utf-8", "replace"))
            self.seen += new
            seconds = 0.0


@pytest.fixture
def sit_down(written: Path) -> Iterator[Callable[..., Person]]:
    people = []

    def start(width: int = 80, *options: str, **environ: str) -> Person:
        people.append(Person(written, width, "--seed", "7", "-n", "20", *options, **environ))
        return people[-1]

    yield start
    for person in people:
        person.goes()


@pytest.mark.slow
def test_a_line_of_hangul_is_edited(sit_down: Callable[..., Person], here: Path) -> None:
    person = sit_down()
    assert "0 so far" in person.waits_for_prompt()
    person.types("섭섭 이는 \x7f\x7f\x1b[D\x1b[D\x1b[C\x7f이\r")
    person.waits_for("섭섭")
    person.waits_for_prompt()
    person.types(f"/save {here / 'story.txt'}\r")
    person.waits_for("saved")
    person.waits_for_prompt()
    assert (here / "story.txt").read_text("utf-8").startswith("섭섭이이")
    person.types("\x04")
    assert person.leaves() == 0


@pytest.mark.slow
@pytest.mark.parametrize("width", [20, 80])
def test_ctrl_c_stops_the_writing_and_keeps_the_loop(
    sit_down: Callable[..., Person], width: int
) -> None:
    person = sit_down(width)
    person.waits_for_prompt()
    person.types("/length 1000000000\r")
    person.waits_for_prompt()
    person.types("가나다라\r")
    person.waits_for("가나다라")
    time.sleep(0.5)
    person.types("\x03")
    person.waits_for_prompt()
    person.types("half a line\x03")
    person.waits_for_prompt()
    person.types("/quit\r")
    assert person.leaves() == 0


@pytest.mark.slow
def test_keys_typed_while_the_model_writes_wait_for_the_prompt(
    sit_down: Callable[..., Person],
) -> None:
    person = sit_down(80, "-n", "40000", "가나다라")
    person.waits_for("가나다라")
    person.types("QXQXQX")
    assert "QX" not in person.waits_for("so far")
    person.waits_for("QXQXQX")
    person.types("\x15/quit\r")
    assert person.leaves() == 0


@pytest.mark.slow
@pytest.mark.parametrize(("name", "code"), [("SIGTERM", 143), ("SIGHUP", 129)])
def test_a_signal_while_the_model_writes_gives_the_terminal_back(
    sit_down: Callable[..., Person], name: str, code: int
) -> None:
    person = sit_down(80, "-n", "1000000000", "가나다라")
    person.waits_for("가나다라")
    time.sleep(0.5)
    assert not person.echoes()
    person.signals(getattr(signal, name))
    assert person.leaves() == code


@pytest.mark.slow
def test_nonsense_is_survived(sit_down: Callable[..., Person]) -> None:
    person = sit_down(20)
    person.waits_for_prompt()
    for nonsense in (b"\xff\xfe\xf0\x9f", b"\x1b[999;999H\x1b]0;x\x07\x1b[A", b"\x16\x01\x16\x1b"):
        person.sends(nonsense + "뷁𠀀é\u200b\u202eᄒᆞᆫ".encode() + b"\r")
        person.waits_for_prompt()
    person.sends(b"\x1b[200~" + "긴 줄\n".encode() * 300 + b"\x1b[201~\r")
    person.waits_for_prompt()
    person.types("\x15/quit\r")
    assert person.leaves() == 0


@pytest.mark.slow
@pytest.mark.parametrize(("name", "code"), [("SIGTERM", 143), ("SIGHUP", 129)])
def test_a_signal_gives_the_terminal_back(
    sit_down: Callable[..., Person], name: str, code: int
) -> None:
    person = sit_down()
    person.waits_for_prompt()
    person.types("typed")
    person.waits_for("typed")
    person.signals(getattr(signal, name))
    assert person.leaves() == code


@pytest.mark.slow
def test_a_terminal_that_knows_nothing_is_enough(sit_down: Callable[..., Person]) -> None:
    person = sit_down(80, TERM="dumb")
    person.waits_for_prompt()
    person.types("가나\n")
    person.waits_for_prompt()
    person.types("\x04")
    assert person.leaves() == 0


@pytest.mark.slow
def test_heat_is_for_terminals(sit_down: Callable[..., Person]) -> None:
    for environ, tinted in (({}, True), ({"NO_COLOR": "1"}, False)):
        person = sit_down(80, "--heat", **environ)
        person.waits_for_prompt()
        person.types("가나\r")
        person.waits_for("가나")
        person.types("/quit\r")
        assert person.leaves() == 0
        assert ("\x1b[38;5;" in person.raw) == tinted
