"""A bar that tells how far some work is, for commands that take a while. Only on a terminal."""

import sys
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from charnn.view.palette import TRAINING


class Working:
    """Draws one bar on stderr while it is open, and takes it away; nothing where no terminal is.

    Args:
        console: where to draw; None is stderr.
    """

    def __init__(self, console: Console | None = None) -> None:
        console = console or Console(stderr=True)
        self._shown = console.is_terminal and not console.is_dumb_terminal
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24, complete_style=TRAINING, finished_style=TRAINING),
            TextColumn("{task.percentage:>3.0f}%"),
            TimeRemainingColumn(compact=True),
            console=console,
            transient=True,
        )
        self._stage = ""

    def __enter__(self) -> Self:
        if self._shown:
            self._task = self._progress.add_task("reading", total=None)
            self._progress.start()
            self._progress.console.show_cursor(True)  # a stop by a signal would leave it hidden
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._shown:
            self._progress.stop()
            sys.stderr.flush()

    def tell(self, stage: str, done: int, total: int) -> None:
        """Say what is being done now, how much of it is done, and of how much (0: unknown)."""
        if not self._shown:
            return
        if stage != self._stage:
            self._stage = stage
            self._progress.reset(self._task)
        self._progress.update(self._task, description=stage, completed=done, total=total or None)
