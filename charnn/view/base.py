"""What every view is: it is shown records and closed. Which view there is is left to views.py."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from types import TracebackType
from typing import Self

from charnn.records import Record


class View(ABC):
    """Shows the records of a training; a context manager that closes itself.

    `show` never waits for a terminal and never raises: a picture is no reason to lose a training.
    """

    @abstractmethod
    def show(self, record: Record) -> None:
        """Take in one more record; from one thread at a time."""

    @property
    def has_keys(self) -> bool:
        """Whether a person can talk to it by keys."""
        return False

    @property
    def gone(self) -> bool:
        """Whether what it is shown on is gone, so that nobody can see any more of it."""
        return False

    def recall(self, records: Iterable[Record]) -> None:
        """Take in what happened before this session; plain lines do not repeat it."""
        return

    @abstractmethod
    def close(self) -> None:
        """Give everything back that was taken; a second time nothing happens."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class NoView(View):
    """Shows nothing."""

    def show(self, record: Record) -> None:
        """Nothing happens."""

    def close(self) -> None:
        """Nothing happens."""
