"""Folders that are being filled beside their place, and the leavings of processes that died.

Who fills a folder has the system's lock on it, which goes with the process: an unlocked one is
nobody's. Where a system cannot lock folders (Windows, some network disks) nothing is cleared.
"""

import contextlib
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

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


_SCRATCH = re.compile(r"\.[0-9a-f]{16}-[a-z0-9_]{8}")


class ScratchFolder:
    """A hidden folder of this process alone; those of dead processes beside it are removed.

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
        with _alone(parent):
            _clear(parent)
            self.path = Path(tempfile.mkdtemp(prefix=f".{key[:16]}-", dir=parent))
            self._locked = _lock(self.path)

    def close(self) -> None:
        """Remove it, if it is still where it was made; may be called again."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self._locked is not None:
            os.close(self._locked)
            self._locked = None


@contextlib.contextmanager
def _alone(parent: Path) -> Iterator[None]:
    """Nobody else makes or clears scratch folders: one just made is not locked yet."""
    descriptor = _lock(parent, wait=True)
    try:
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _clear(parent: Path) -> None:
    for path in parent.iterdir():
        if not _SCRATCH.fullmatch(path.name) or path.is_symlink():
            continue
        descriptor = _lock(path)
        if descriptor is not None:
            shutil.rmtree(path, ignore_errors=True)
            os.close(descriptor)
