"""A synthetic training, the same on every machine: what the tests of the view draw."""

import contextlib
import fcntl
import math
import os
import pty
import random
import re
import select
import struct
import termios
import threading
import time
from collections.abc import Callable, Iterator
from unicodedata import category

import pytest
from rich.cells import cell_len

from charnn.records import (
    Event,
    Finished,
    PlanFixed,
    Preparing,
    Record,
    RunStarted,
    Sample,
    StepRecord,
    Validation,
)

STORY = (
    "비가 그친 저녁이었다. 순영은 우물가에 앉아 “어머니, 오늘은 편지가 올까요?” 하고 물었다. "
    "어머니는 대답이 없고 먼 산만 바라보았다.\n"
    "산 너머에서는 기차 소리가 길게 울렸다. 선생(先生)은 모자를 벗어 들고 천천히 고개를 넘었다. "
    "“이제야 왔구나.” 하는 소리에 순영은 벌떡 일어섰다.\n"
    "그날 밤 세 사람은 등불 아래 둘러앉아 지난 이야기를 하였다. 누구도 먼저 웃지 아니하였으나 "
    "방 안은 봄날처럼 따뜻하였다. 창밖에는 달이 밝고 개 짖는 소리가 멀리 들렸다."
)
NONSENSE = (
    "다이 는을고\n하가도 지에서 그니 \u1112\u119e\u11ab \u1100 "
    "\x1b[2J \u202e 「學 \ufffd 리라며 [/b] "
)
TOTAL_STEPS = 6000
SECONDS = 300.0


def _started() -> RunStarted:
    return RunStarted(
        run="story", path="checkpoints/story", corpus="이야기.txt", characters=311_204,
        tokenizer="char", vocab_size=1703, cell="lstm", num_layers=1, hidden_size=512,
        embedding_size=512, parameters=2_412_345, device="cpu", precision="bf16", threads=2,
        seed=1, yardstick_bits_per_char=3.607,
    )  # fmt: skip


def _plan() -> PlanFixed:
    return PlanFixed(
        total_steps=TOTAL_STEPS, steps_per_epoch=480, batch_size=32, seq_len=64,
        learning_rate=8e-3, warmup_steps=200, validate_every=300, sample_every=400,
        save_every=600, seconds=SECONDS,
    )  # fmt: skip


def _loss(step: int) -> float:
    return 2.35 + 5.2 * math.exp(-step / 90) + 1.6 * math.exp(-step / 1500)


def _step(step: int, rng: random.Random) -> StepRecord:
    loss = _loss(step) + rng.gauss(0, 0.06)
    elapsed = SECONDS * step / TOTAL_STEPS
    return StepRecord(
        step=step, epoch=step / 480, loss=loss, bits_per_char=loss / math.log(2),
        learning_rate=8e-3 * min(1, step / 200) * (0.5 + 0.5 * math.cos(math.pi * step / 6000)),
        grad_norm=0.6 + 0.3 * rng.random(), chars_per_second=48_210 + rng.gauss(0, 700),
        elapsed=elapsed, remaining=SECONDS - elapsed, memory=812_345_678,
    )  # fmt: skip


def _validation(step: int, best: bool) -> Validation:
    bits = (_loss(step) + 0.05 + 2.5e-9 * step**2) / math.log(2)
    return Validation(
        step=step, loss=bits * math.log(2), bits_per_char=bits, bits_per_byte=bits / 2.6,
        characters=31_000, tokens=31_000, whole=False, is_best=best,
        elapsed=SECONDS * step / TOTAL_STEPS,
    )  # fmt: skip


def make_sample(
    step: int, temperature: float, rng: random.Random, *, elapsed: float | None = None
) -> Sample:
    """A sample that gets from nonsense to the story as the steps go on."""
    skill = min(1.0, step / 2500) * (1.15 - 0.3 * temperature)
    pieces = []
    for index in range(300):
        known = rng.random() < skill
        character = STORY[index % len(STORY)] if known else rng.choice(NONSENSE)
        bits = rng.expovariate(1 / 2.2) if known else 5 + rng.expovariate(1 / 4)
        pieces.append((character, round(bits, 3)))
    at = SECONDS * step / TOTAL_STEPS if elapsed is None else elapsed
    return Sample(step, temperature, "저녁에 ", tuple(pieces), 7, at)


def make_records(last_step: int = TOTAL_STEPS) -> Iterator[Record]:
    """The records of a training of 6,000 steps in 5 minutes, up to a step."""
    rng = random.Random(1)
    yield Preparing("reading", 311_204, 311_204)
    yield _started()
    yield from (make_sample(0, temperature, rng, elapsed=1.0) for temperature in (0.5, 0.8, 1.0))
    yield _plan()
    for step in range(20, last_step + 1, 20):
        yield _step(step, rng)
        elapsed = SECONDS * step / TOTAL_STEPS
        if step % 300 == 0:
            yield _validation(step, best=step <= 5400)
        if step % 400 == 0:
            for temperature in (0.5, 0.8, 1.0):
                yield make_sample(step, temperature, rng)
        if step % 600 == 0:
            yield Event("saved", step, f"checkpoint saved at step {step:,}", elapsed)
        if step == 2460:
            yield Event("warning", step, "a step was dropped: its gradient was not finite", elapsed)
    if last_step == TOTAL_STEPS:
        yield Validation(last_step, 2.5, 3.61, 1.4, 99_000, 99_000, True, False, SECONDS, True)
        yield Finished(last_step, "done", 3.61, 3.605, 5400, SECONDS, "checkpoints/story")


@pytest.fixture(scope="session")
def training() -> Callable[..., list[Record]]:
    """Gives the records of the synthetic training up to a step."""
    return lambda last_step=TOTAL_STEPS: list(make_records(last_step))


@pytest.fixture(scope="session")
def sample_at() -> Callable[..., Sample]:
    """Gives a synthetic sample of a step and a temperature."""
    return lambda step, temperature=0.8: make_sample(step, temperature, random.Random(step))


def can_be_shown(text: str) -> bool:
    """Whether a line of text has nothing in it that a terminal would obey instead of show."""
    return not any(category(mark)[0] == "C" or category(mark) in ("Zl", "Zp") for mark in text)


@pytest.fixture(scope="session")
def shown() -> Callable[[str], bool]:
    """Gives `can_be_shown`."""
    return can_be_shown


class Emulator:
    """A terminal that knows what the view needs, and what it was left in.

    Attributes:
        cells: the rows of the alternate screen; the second cell of a wide character is "".
        normal: what was written to the normal screen.
        modes: private modes by number; 7 autowrap, 25 cursor, 1049 alternate screen.
    """

    _SEQUENCE = re.compile(r"\x1b\[([?]?)([\d;]*)([A-Za-z])")

    def __init__(
        self, width: int = 80, height: int = 24, cell_width: Callable[[str], int] = cell_len
    ) -> None:
        self.width, self.height, self.cell_width = width, height, cell_width
        self.modes = {7: True, 25: True, 1049: False}
        self.normal = ""
        self.clear()

    def clear(self) -> None:
        self.cells = [[" "] * self.width for _ in range(self.height)]
        self.x = self.y = 0

    def feed(self, text: str) -> None:
        at = 0
        while at < len(text):
            match = self._SEQUENCE.match(text, at)
            if match:
                self._obey(*match.groups())
                at = match.end()
            else:
                self._put(text[at])
                at += 1

    def _obey(self, private: str, numbers: str, letter: str) -> None:
        values = [int(number) for number in numbers.split(";") if number]
        if private:
            self.modes[values[0]] = letter == "h"
        elif letter == "H":
            self.y, self.x = (values[0] - 1 if values else 0), 0
        elif letter == "K":
            self.cells[self.y][self.x :] = [" "] * (self.width - self.x)
        elif letter == "J":
            self.cells = [[" "] * self.width for _ in range(self.height)]
        else:
            assert letter == "m", f"unexpected sequence {letter}"

    def _put(self, character: str) -> None:
        if not self.modes[1049]:
            self.normal += character
            return
        if character == "\x18":
            return
        assert can_be_shown(character), f"unexpected {character!r}"
        width = self.cell_width(character)
        assert self.y < self.height
        if width == 0:
            return
        at = min(self.x, self.width - width)
        self.cells[self.y][at : at + width] = [character] + [""] * (width - 1)
        self.x = min(self.width - 1, at + width)

    def screen(self) -> str:
        return "\n".join("".join(row).rstrip(" ") for row in self.cells)


@pytest.fixture
def emulator() -> Callable[..., Emulator]:
    """Gives a terminal emulator of a size."""
    return Emulator


class Pty:
    """A pseudo-terminal: the program's end as a stream, ours as bytes that a thread reads."""

    def __init__(self, width: int = 80, height: int = 24, *, read: bool = True) -> None:
        self.master, slave = pty.openpty()
        self.stream = os.fdopen(slave, "r+b", buffering=0)
        self.out = os.fdopen(os.dup(slave), "w", encoding="utf-8")
        self.resize(width, height)
        self._received: list[bytes] = []
        self._changed = threading.Condition()
        self._end, self._ending = os.pipe()
        self._reader = threading.Thread()
        if read:
            self.start_reading()

    def start_reading(self) -> None:
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def resize(self, width: int, height: int) -> None:
        size = struct.pack("HHHH", height, width, 0, 0)
        fcntl.ioctl(self.stream.fileno(), termios.TIOCSWINSZ, size)

    def attributes(self) -> list[object]:
        return termios.tcgetattr(self.stream.fileno())

    def type(self, keys: str) -> None:
        os.write(self.master, keys.encode())

    def received(self) -> str:
        with self._changed:
            return b"".join(self._received).decode("utf-8", "replace")

    def wait_for(self, condition: Callable[[str], bool], seconds: float = 60.0) -> str:
        """What was received as soon as a condition on it holds; it has to within the time."""
        limit = time.monotonic() + seconds
        with self._changed:
            while not condition(text := b"".join(self._received).decode("utf-8", "replace")):
                assert self._changed.wait(limit - time.monotonic()), text[-500:]
            return text

    def fill(self) -> None:
        """Write to it until it takes no more, as if nobody had read it for long."""
        file = os.open(os.ttyname(self.stream.fileno()), os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
        while select.select([], [file], [], 0.2)[1]:  # the kernel still moves what it has taken
            with contextlib.suppress(BlockingIOError):
                os.write(file, b"x" * 512)
        os.close(file)

    def close(self) -> None:
        os.write(self._ending, b"x")
        if self._reader.ident is not None:
            self._reader.join()
        for stream in (self.stream, self.out):
            with contextlib.suppress(OSError):
                stream.close()
        for descriptor in (self.master, self._end, self._ending):
            os.close(descriptor)

    def _read(self) -> None:
        with contextlib.suppress(OSError):
            while self._end not in select.select([self.master, self._end], [], [])[0]:
                data = os.read(self.master, 65536)
                with self._changed:
                    self._received.append(data)
                    self._changed.notify_all()


@pytest.fixture
def make_pty() -> Iterator[Callable[..., Pty]]:
    """Gives pseudo-terminals, closed after the test."""
    made: list[Pty] = []

    def make(*args: int, **options: bool) -> Pty:
        made.append(Pty(*args, **options))
        return made[-1]

    yield make
    for pseudo_terminal in made:
        pseudo_terminal.close()
