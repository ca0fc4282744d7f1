"""The live view: a thread that owns the terminal and draws the newest state when it has time.

The training's thread only hands records over. How a frame is made is left to dashboard.py, how it
gets to the terminal to stage.py.
"""

import atexit
import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Final, Self, TextIO

from charnn.records import Control, Event, Finished, Record
from charnn.view.aside import AsideStreams
from charnn.view.base import View
from charnn.view.dashboard import Frame, render
from charnn.view.keyline import Keyboard
from charnn.view.keys import Keys
from charnn.view.plain import PlainView
from charnn.view.report import Report
from charnn.view.stage import Stage
from charnn.view.state import DashboardState
from charnn.view.suspension import Suspension
from charnn.view.terminal import DEFAULT_SIZE, TerminalStream, TerminalWriter
from charnn.view.writing import is_revealed

FRAME_SECONDS: Final = 1 / 8
COST_FACTOR: Final = 100
_TICK_SECONDS: Final = 1.0
_HIDDEN_SECONDS: Final = 0.1
_REPORT_SECONDS: Final = 0.5
_JOIN_SECONDS: Final = 4.0


class LiveView(View):
    """Draws a dashboard on the full screen of a terminal.

    Its thread is the only one that draws. The mailbox between the threads holds one state, the
    newest; a frame the terminal was too slow for is never made. Frames come `FRAME_SECONDS` apart
    or more, and `COST_FACTOR` times the processor time of the last one, so that they take a
    hundredth of a processor at most.

    Args:
        stream: a terminal, usually sys.stderr.
        control: what the keys act on.
        keyboard: the stream keys are read from, if it is a terminal; None for no keys.
        environ: environment variables (TERM, COLORTERM, NO_COLOR); those of the process if None.
        watching: whether another process trains.
        speed: seconds of the records' clock in a second of ours.
        clock: our seconds.
    """

    def __init__(
        self,
        stream: TextIO,
        control: Control,
        *,
        keyboard: TextIO | None = None,
        environ: Mapping[str, str] | None = None,
        watching: bool = False,
        speed: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._control = control
        self._watching = watching
        self._speed = speed
        self._clock = clock
        self._anchor = (0.0, clock())
        self._state = DashboardState()
        self._report = Report()
        self._lock = threading.RLock()
        self._wake = threading.Event()
        self._interrupt = threading.Event()
        self._stopped = threading.Event()
        self._closed = False
        self._failure: Exception | None = None
        self._fallback: PlainView | None = None
        self._thread: threading.Thread | None = None
        self._keys = None
        if keyboard is not None:
            self._keys = Keys(control, keyboard, on_key=self._wake.set, watching=watching)
        self._writer = TerminalWriter(stream)
        environ = os.environ if environ is None else environ
        self._stage = Stage(self._writer, self._keys, environ, self._interrupt.is_set, clock)
        self._suspension = Suspension(self._interrupt)
        self._aside = AsideStreams(self._tell)

    def __enter__(self) -> Self:
        self.start()
        return self

    def start(self) -> None:
        """Take the screen, in a moment and from another thread; showing a record does it too."""
        if self._thread is None and not self._closed:
            self._thread = threading.Thread(target=self._run, name="charnn-view", daemon=True)
            atexit.register(self.close)
            self._aside.replace()
            self._suspension.watch()
            self._thread.start()

    @property
    def has_keys(self) -> bool:
        """Whether a person can talk to it by keys."""
        return self._keyboard() is not None

    @property
    def gone(self) -> bool:
        """Whether the terminal is."""
        return self._writer.gone

    def recall(self, records: Iterable[Record]) -> None:
        """Take in what happened before this session, so that the curve goes on."""
        for record in records:
            if not isinstance(record, Finished):  # this session has yet to come to its end
                self.show(record)

    def show(self, record: Record) -> None:
        """Take in one more record; it is in the next frame."""
        with self._lock:
            self._state = self._state.update(record)
            self._report = self._report.update(record)
        if (elapsed := getattr(record, "elapsed", None)) is not None:
            self._anchor = (elapsed, self._clock())
        if self._failure is not None:
            self._show_plainly(record)
        else:
            self.start()
            self._wake.set()

    def close(self) -> None:
        """Give the screen back, then say in a few lines what came out of the run."""
        self._closed = True
        self._stopped.set()
        self._interrupt.set()
        self._wake.set()
        try:
            self._wait_for_thread()
        finally:  # a further Ctrl-C ends what it meets, and nothing else
            try:
                self._stage.give_back()
            finally:
                self._say_goodbye()
        atexit.unregister(self.close)
        if self._thread is None or not self._thread.is_alive():
            self._writer.close()

    def _wait_for_thread(self) -> None:
        """Wait until nobody draws any more; a Ctrl-C meanwhile is heard afterwards."""
        if self._thread is not None:
            try:
                self._suspension.unwatch()
                self._thread.join(_JOIN_SECONDS)
            except BaseException:
                self._thread.join(_JOIN_SECONDS)
                raise

    def _run(self) -> None:
        """The thread: frames until it is stopped; nothing it meets may end the training."""
        try:
            self._frame(*DEFAULT_SIZE)  # pays for imports and caches before the first real frame
            while not self._stopped.is_set():
                if self._suspension.wanted:
                    self._stay_away()
                else:
                    self._stage.enter()
                    self._wait(self._stage.draw(self._frame))
        except Exception as error:
            self._failure = error
        finally:
            self._stage.leave()
            self._suspension.left()

    def _stay_away(self) -> None:
        """Leave the terminal to others until this process goes on and has it again."""
        self._stage.leave()
        self._suspension.left()
        self._stopped.wait(_HIDDEN_SECONDS)
        if self._suspension.over and self._writer.in_foreground():
            self._suspension.end()
            if not self._stopped.is_set():
                self._interrupt.clear()

    def _frame(self, width: int, height: int) -> Frame:
        colour = self._stage.colour
        keyboard = self._keyboard()
        return render(self._state, width, height, self._now(), keyboard=keyboard, colour=colour)

    def _keyboard(self) -> Keyboard | None:
        if self._keys is None or not self._keys.available:
            return None
        return Keyboard.of(self._control, help_open=self._keys.help_open, watching=self._watching)

    def _wait(self, cost: float) -> None:
        """Leave the processor to the training; then wait until there is something new to draw."""
        gap = max(FRAME_SECONDS, COST_FACTOR * cost)
        if not self._interrupt.wait(gap) and not self._moving():
            self._wake.wait(max(0.0, _TICK_SECONDS - gap))
        self._wake.clear()

    def _moving(self) -> bool:
        """Whether frames differ without a new record: a text is being uncovered, a bar wanders."""
        state = self._state
        if state.writing is not None and not is_revealed(state.writing, self._now()):
            return True
        return state.under_way is not None and not state.under_way.total

    def _now(self) -> float:
        """Seconds on the records' clock, as of the newest record and ours since it came."""
        elapsed, at = self._anchor
        return elapsed + (self._clock() - at) * self._speed

    def _tell(self, line: str) -> None:
        """Something was printed while the screen is taken: it goes to the log."""
        self.show(Event("note", self._state.steps_done, line, max(0.0, self._now())))

    def _show_plainly(self, record: Record) -> None:
        """Go on with lines after a fault of the view itself, and say so once."""
        if self._fallback is None:
            stream = TerminalStream(self._writer, lambda: True)
            self._fallback = PlainView(stream, self._writer.size()[0])
            message = f"the live view failed ({self._failure!r}), plain lines from here on"
            self._fallback.show(Event("warning", self._state.steps_done, message, self._now()))
        self._fallback.show(record)

    def _say_goodbye(self) -> None:
        """What others printed meanwhile, and the report, on the normal screen."""
        text = self._aside.restore()
        report, self._report = self._report, Report()
        if self._fallback is None:
            text += "".join(line + "\n" for line in report.lines(self._writer.size()[0]))
        if text:
            self._writer.write_within(text.encode("utf-8", "replace"), _REPORT_SECONDS)
