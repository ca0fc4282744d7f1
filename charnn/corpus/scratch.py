"""Folders that are being filled beside their place, and the leavings of processes that died.

Who fills a folder has the system's lock on it, which goes with the process: an unlocked one is
nobody's. What is in it may be worth going on with if it says so by a file; what that file says is
left to `unfinished.py`. Where a system cannot lock folders (Windows, some network disks) nothing
is cleared, and nothing taken up.
"""

import contextlib
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

if sys.platform == "win32":

    def _lock(folder: Path, *, wait: bool = False) -> int | None:
        return None

else:
    import fcntl

    def _lock(folder: Path, *, wait: bool = False) -> int | None:
        """A descriptor that locks the folder; None if another has it, or if it cannot be locked."""
        descriptor = None
        try:
            descriptor = os.open(folder, os.O_RDONLY)
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except OSError:
            if descriptor is not None:
                os.close(descriptor)
            return None
        return descriptor


UNFINISHED: Final = "unfinished.json"
"""The file by which a folder says that it is worth going on with."""
MOST_KEPT: Final = 2
"""Unfinished folders for other keys that are kept, the newest."""
KEPT_SECONDS: Final = 7 * 24 * 3600.0
"""How long they are."""
_SCRATCH = re.compile(r"\.[0-9a-f]{16}-[a-z0-9_]{8}")


class ScratchFolder:
    """A hidden folder of this process alone: a new one, or one left unfinished for the same key.

    What dead processes have left beside it is removed, but for a few unfinished folders.

    Args:
        parent: where; made if it is not there.
        key: at least 16 hexadecimal digits, the first of which are in the name.

    Attributes:
        path: the folder.

    Raises:
        OSError: the system refused.
    """

    def __init__(self, parent: Path, key: str) -> None:
        parent.mkdir(parents=True, exist_ok=True)
        prefix = f".{key[:16]}-"
        self._locked: int | None
        with _alone(parent):
            if found := _sort_out(parent, prefix):
                self.path, self._locked = found
            else:
                self.path = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
                self._locked = _lock(self.path)

    def empty(self) -> None:
        """Remove all that is in it."""
        for item in self.path.iterdir():
            shutil.rmtree(item) if item.is_dir() and not item.is_symlink() else item.unlink()

    def close(self, *, keep: bool = False) -> None:
        """Remove it, if it is still where it was made; may be called again.

        Args:
            keep: leave it to the next one for the same key, if it says that it is unfinished.
        """
        if not (keep and self._locked is not None and _is_unfinished(self.path)):
            shutil.rmtree(self.path, ignore_errors=True)
        if self._locked is not None:
            os.close(self._locked)
            self._locked = None


def is_needed(folder: Path, now: float) -> bool:
    """Whether a process fills a folder, or may go on with it: its week is not over yet.

    Args:
        folder: a hidden one beside the streams.
        now: seconds since 1970.
    """
    if folder.is_symlink() or not folder.is_dir():
        return False
    descriptor = _lock(folder)
    if descriptor is None:
        return sys.platform != "win32"  # somebody has it, or nobody can tell
    os.close(descriptor)
    return _is_unfinished(folder) and now - folder.lstat().st_mtime < KEPT_SECONDS


@contextlib.contextmanager
def _alone(parent: Path) -> Iterator[None]:
    """Nobody else makes or clears scratch folders: one just made is not locked yet."""
    descriptor = _lock(parent, wait=True)
    try:
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _sort_out(parent: Path, prefix: str) -> tuple[Path, int] | None:
    """The newest unfinished folder with this prefix, locked; what nobody needs is removed."""
    found, others = None, 0
    for path in _scratches(parent):
        descriptor = _lock(path)
        if descriptor is None:
            continue
        unfinished, ours = _is_unfinished(path), path.name.startswith(prefix)
        if unfinished and ours and found is None:
            found = path, descriptor
            continue
        if unfinished and not ours and others < MOST_KEPT and _age(path) < KEPT_SECONDS:
            others += 1
        else:
            shutil.rmtree(path, ignore_errors=True)
        os.close(descriptor)
    return found


def _scratches(parent: Path) -> list[Path]:
    """The scratch folders, those written to last first."""
    names = (path for path in parent.iterdir() if _SCRATCH.fullmatch(path.name))
    return sorted((path for path in names if not path.is_symlink()), key=_age)


def _is_unfinished(folder: Path) -> bool:
    path = folder / UNFINISHED
    return path.is_file() and not path.is_symlink()


def _age(folder: Path) -> float:
    """Seconds since something in it was made or replaced; without end if it is gone."""
    try:
        return time.time() - folder.lstat().st_mtime
    except OSError:
        return float("inf")
