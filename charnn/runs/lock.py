"""One process per run: a lock that the system lets go of when its holder dies.

The file .lock stays where it is; what locks the run is the system's lock on it, so that a file
left by a killed process is stale without anybody having to guess. Its text only says who.
"""

import contextlib
import json
import os
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from charnn.errors import RunDamagedError, RunError, RunLockedError
from charnn.runs.documents import read_json, take
from charnn.runs.files import open_plain
from charnn.runs.layout import LOCK
from charnn.runs.storage import write_all, writing
from charnn.text.shell import quoted

_MAX_BYTES = 4096
_ATTEMPTS = 5
_PAUSE_SECONDS = 0.02  # `holder` takes the lock for an instant to see whether it is free

if sys.platform == "win32":
    import msvcrt

    # Windows keeps others from reading what is locked: lock a byte far behind the text.
    _FAR = 1 << 30

    def _take(descriptor: int, shared: bool = False) -> bool:
        os.lseek(descriptor, _FAR, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _let_go(descriptor: int) -> None:
        os.lseek(descriptor, _FAR, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _take(descriptor: int, shared: bool = False) -> bool:
        kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _let_go(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_UN)


@dataclass(frozen=True, slots=True)
class Holder:
    """The process that has a run locked, as far as it said.

    Attributes:
        pid: its process id; 0 if it did not say.
        host: its machine's name; empty if it did not say.
        since: when it took the lock, ISO 8601; empty if it did not say.
    """

    pid: int = 0
    host: str = ""
    since: str = ""

    def __str__(self) -> str:
        if not self.pid:
            return "another process"
        return f"process {self.pid} on {self.host} (since {self.since})"


class RunLock:
    """The lock that this process has on a run, and the folder it was taken in.

    Args:
        run: the run's folder.
        descriptor: of the locked file.
    """

    def __init__(self, run: Path, descriptor: int) -> None:
        self._run = run
        self._locked = _identity(os.fstat(descriptor))
        self._folder = _identity(run.stat())

    def check(self) -> None:
        """Refuse a folder that somebody has put in the place of the one that is locked.

        A folder that is gone is left to who writes into it.

        Raises:
            RunError: the run of that name is another one now.
        """
        try:
            if _identity((self._run / LOCK).lstat()) == self._locked:
                return
        except OSError:
            if not _is_other(self._run, self._folder):
                return
        raise RunError(
            f"{self._run} is another run's folder now: move that one away, and put the folder "
            "that was there back"
        )


def _is_other(folder: Path, identity: tuple[int, int]) -> bool:
    """Whether a folder is there, and is not the one that was meant."""
    try:
        return _identity(folder.stat()) != identity
    except OSError:
        return False


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


@contextlib.contextmanager
def lock_run(run: Path) -> Iterator[RunLock]:
    """Have the run alone while the block lasts; what has it comes out.

    Args:
        run: the run's folder.

    Raises:
        RunLockedError: another process has it; the message names its pid and host.
        RunDamagedError: the lock file is a link or no plain file.
        RunError: the system refused, or the run is an exported one.
    """
    path = run / LOCK
    if run.is_file():
        raise RunError(
            f"{run} holds no training to go on with, only what it came to: begin a new run from "
            f"it with --init-from {quoted(str(run))}"
        )
    with writing(str(path)):
        descriptor = _acquire(path)
    owner = os.getpid()
    try:
        with contextlib.suppress(OSError):  # on a full disk the lock holds without its text
            _say_who(descriptor)
        with writing(str(path)):
            lock = RunLock(run, descriptor)
        yield lock
    finally:
        if os.getpid() == owner:  # a forked child has the descriptor, but not the run
            with contextlib.suppress(OSError):
                os.ftruncate(descriptor, 0)
            _let_go(descriptor)
        os.close(descriptor)


def _acquire(path: Path) -> int:
    for _ in range(_ATTEMPTS):
        if not os.path.lexists(path):
            path.touch()
        descriptor = _open(path)
        if _take(descriptor):
            return descriptor
        os.close(descriptor)
        time.sleep(_PAUSE_SECONDS)
    raise RunLockedError(
        f"run {path.parent.name} is being trained by {_read_holder(path)}: wait for it or stop it"
    )


def _open(path: Path) -> int:
    """A descriptor to lock; what the system says against it is an OSError again."""
    try:
        return open_plain(path, os.O_RDWR)
    except RunDamagedError as error:
        if isinstance(error.__cause__, OSError):
            raise error.__cause__ from None
        raise


def _say_who(descriptor: int) -> None:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    who = Holder(os.getpid(), socket.gethostname(), now)
    os.ftruncate(descriptor, 0)
    os.lseek(descriptor, 0, os.SEEK_SET)
    write_all(descriptor, json.dumps(asdict(who)).encode() + b"\n")


def _read_holder(path: Path) -> Holder:
    where = str(path)
    try:
        data = read_json(path, _MAX_BYTES)
        pid = take(data, "pid", int, where)
        names = [take(data, key, str, where)[:80] for key in ("host", "since")]
    except RunDamagedError:
        return Holder()
    return Holder(pid, *names)


def holder(run: Path) -> Holder | None:
    """Who has the run locked; None if nobody has, or if that cannot be seen from here.

    Args:
        run: the run's folder.
    """
    path = run / LOCK
    try:
        descriptor = open_plain(path)
    except RunDamagedError:
        return None
    try:
        if _take(descriptor, shared=True):
            _let_go(descriptor)
            return None
    except OSError:
        return None
    finally:
        os.close(descriptor)
    return _read_holder(path)
