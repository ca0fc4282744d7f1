"""Checkpoints written on a thread beside the training, which waits for a copy of its state alone.

What a checkpoint is made of, and where it goes, is left to keeper.py.
"""

import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from charnn.errors import RunError
from charnn.runs.layout import Slot
from charnn.runs.storage import Checksum

_PATIENCE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a checkpoint will hold, copied when the training stood there.

    Attributes:
        slot: "best" or "last".
        step: where it stood.
        scores: numbers by name that are kept with it.
        files: by file name; nobody changes them any more.
        journals: how much of each journal there was.
        best_step: where the best weights that the training knew of were of.
    """

    slot: Slot
    step: int
    scores: Mapping[str, float]
    files: Mapping[str, Mapping[str, Any]]
    journals: Mapping[str, Checksum]
    best_step: int | None = None


class Outcome(NamedTuple):
    """How writing something ended.

    Attributes:
        what: "best", "last", "plan" or "journal".
        step: of a checkpoint; else 0.
        problem: why it could not be written, in a sentence; None if it was.
    """

    what: str
    step: int = 0
    problem: str | None = None


class OvertakenError(Exception):
    """What was being written is not worth the time: a newer one waits for its place."""


class Saver:
    """Writes snapshots one after another on a thread that lives while there is one to write.

    Of those that wait only the newest of each slot is kept, and one that failed waits for the
    next to be handed over. So there are at most three in memory: the one that is being written,
    and one that waits in each slot.

    Args:
        write: writes a snapshot; called on the thread. Where it ends with OvertakenError it has
            left everything as it was, and nothing is told of it.
    """

    def __init__(self, write: Callable[[Snapshot], object]) -> None:
        self._write = write
        self._lock = threading.Lock()
        self._waiting: dict[str, Snapshot] = {}
        self._failed: dict[str, tuple[Snapshot, str]] = {}
        self._thread: threading.Thread | None = None
        self._outcomes: deque[Outcome] = deque()
        self._error: BaseException | None = None
        self._giving_up = False

    @property
    def failed(self) -> dict[str, str]:
        """The slots whose newest snapshot could not be written, and why."""
        return {slot: problem for slot, (_, problem) in self._failed.items()}

    def hand_over(self, snapshot: Snapshot) -> None:
        """Have a snapshot written, and those that failed before tried again."""
        with self._lock:
            again = {slot: failed for slot, (failed, _) in self._failed.items()}
            self._waiting = {**again, **self._waiting, snapshot.slot: snapshot}
            self._failed.clear()
            if self._thread is None:
                # A daemon: the end of the program does not wait for a disk that hangs.
                self._thread = threading.Thread(target=self._work, name="saver", daemon=True)
                self._thread.start()

    def is_overtaken(self, snapshot: Snapshot) -> bool:
        """Whether a newer snapshot of the same slot waits while this one is written."""
        return snapshot.slot in self._waiting

    @property
    def giving_up(self) -> bool:
        """Whether nobody waits for what is being written any more."""
        return self._giving_up

    def wait(self) -> None:
        """Wait until everything handed over is written, or has failed."""
        while (thread := self._thread) is not None:
            thread.join()

    def close(self, *, at_once: bool = False) -> None:
        """Forget what waits, and wait for what is being written: the run may then be let go of.

        Args:
            at_once: have that given up too. A disk that hangs is waited for a second.
        """
        with self._lock:
            self._waiting.clear()
            self._failed.clear()
        if not at_once:
            self.wait()
            return
        self._giving_up = True
        if (thread := self._thread) is not None:
            thread.join(_PATIENCE_SECONDS)

    def outcomes(self) -> list[Outcome]:
        """How writing has ended since the last call, in order."""
        if self._error is not None:
            raise self._error
        return [self._outcomes.popleft() for _ in range(len(self._outcomes))]

    def _work(self) -> None:
        while (snapshot := self._next()) is not None:
            try:
                self._write(snapshot)
                self._outcomes.append(Outcome(snapshot.slot, snapshot.step))
            except OvertakenError:
                continue
            except (RunError, OSError, MemoryError) as error:
                problem = str(error) or "there is not enough memory to save"
                with self._lock:
                    self._failed[snapshot.slot] = snapshot, problem
                self._outcomes.append(Outcome(snapshot.slot, snapshot.step, problem))
            except BaseException as error:
                self._error = error

    def _next(self) -> Snapshot | None:
        with self._lock:
            if not self._waiting:
                self._thread = None
                return None
            # What is older first, so that nothing waits for ever; the best before the last.
            slot = min(self._waiting, key=lambda slot: (self._waiting[slot].step, slot))
            return self._waiting.pop(slot)
