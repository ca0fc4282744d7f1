"""Runs renamed and deleted, and what nobody needs any more found and removed.

Asking a person first is left to the command.
"""

import contextlib
import os
import re
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from charnn.corpus.scratch import is_needed
from charnn.errors import RunError, RunLockedError
from charnn.runs.layout import NEW, OLD, belongs, is_leftover
from charnn.runs.lock import holder, lock_run
from charnn.runs.run import Run, check_free
from charnn.runs.storage import flush_folder, remove, writing
from charnn.runs.streams import STREAM_KEY, STREAMS

_STALE_SECONDS = 3600.0
"""What nobody has written to for so long is not being written any more."""
_HALF_EXPORTED = re.compile(rf"\..+\.charnn\.\d+{re.escape(NEW)}", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Waste:
    """Something that can go.

    Attributes:
        path: a file or a folder.
        bytes: what it frees.
        reason: why nobody needs it, in a few words.
    """

    path: Path
    bytes: int
    reason: str


def rename_run(run: Run, name: str) -> Run:
    """Give a run another name in the same folder.

    Raises:
        OptionError: a run may not be called so.
        RunExistsError: the name is taken.
        RunLockedError: a process trains the run.
        RunError: the run is an exported one, or the system refused.
    """
    path = _own_folder(run)
    check_free(path.parent, name)
    with lock_run(path), writing(f"run {name}"):
        path.rename(path.parent / name)
        flush_folder(path.parent)
    return Run(path.parent / name)


def delete_run(run: Run) -> int:
    """Remove a run and all that is in its folder; how many bytes are free then.

    It vanishes at once; if removing what it held is interrupted, `find_waste` finds the rest.

    Raises:
        RunLockedError: a process trains the run.
        RunError: the run is an exported one, holds what is not part of it, or the system refused.
    """
    path = check_deletable(run)
    gone = path.with_name(f".{path.name}{OLD}")
    size = size_of(path)
    with lock_run(path), writing(f"run {path.name}"):
        remove(gone)
        path.rename(gone)
        flush_folder(path.parent)
    with writing(f"run {path.name}"):
        remove(gone)
    return size


def check_deletable(run: Run) -> Path:
    """The folder of a run, if nothing stands against removing it.

    Raises:
        RunLockedError: a process trains the run.
        RunError: the run is an exported one, or holds what is not part of it.
    """
    path = _own_folder(run)
    if strangers := sorted(item.name for item in path.iterdir() if not belongs(item.name)):
        raise RunError(
            f"{run.path} holds {strangers[0]!r}, which is no part of a run: move it away first"
        )
    if (who := holder(path)) is not None:
        raise RunLockedError(f"run {path.name} is being trained by {who}: wait for it or stop it")
    return path


def _own_folder(run: Run) -> Path:
    if run.path.is_file():
        raise RunError(f"{run.path} is a file: move or remove it like any other")
    if run.path.is_symlink():
        raise RunError(f"{run.path} is a link: name the folder it leads to, or remove the link")
    return run.path.resolve()


def find_waste(checkpoints: Path, now: float | None = None) -> list[Waste]:
    """What can go from a folder of runs: tokens no run uses, and what crashes have left.

    Args:
        checkpoints: the folder of runs.
        now: seconds since 1970; what is younger than an hour stays.

    Raises:
        RunError: the configuration of a run cannot be read, so that nobody knows what it uses; or
            the system refused.
    """
    moment = time.time() if now is None else now
    with _looking_into(checkpoints):
        runs = [path for path in _items(checkpoints) if not path.name.startswith(".")]
        found = list(_leftovers(checkpoints, moment, _is_of_a_run))
        for path in runs:
            if (path / "config.json").is_file() and holder(path) is None:
                found += _leftovers(path, moment, lambda item: belongs(item.name))
        found += _streams(checkpoints / STREAMS, _streams_used(runs), moment)
    return found


def remove_waste(
    checkpoints: Path, waste: Iterable[Waste], now: float | None = None
) -> list[Waste]:
    """Remove what was found, as far as it still can go; what was removed comes out.

    Args:
        checkpoints: the folder of runs.
        waste: what `find_waste` found; while a person was asked some of it may have come to use.
        now: seconds since 1970.

    Raises:
        RunError: the system refused.
    """
    still = {item.path for item in find_waste(checkpoints, now)}
    going = [item for item in waste if item.path in still]
    for item in going:
        with writing(str(item.path)):
            remove(item.path)
    return going


@contextlib.contextmanager
def _looking_into(folder: Path) -> Iterator[None]:
    """Turn an error of the system inside the block into one for people.

    Raises:
        RunError: something cannot be looked into.
    """
    try:
        yield
    except OSError as error:
        where = error.filename or folder
        raise RunError(
            f"{where} cannot be looked into ({error.strerror}), so nothing is removed: move it out "
            f"of {folder}, or check its permissions"
        ) from error


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files in a folder; links count nothing."""
    if path.is_symlink():
        return 0
    if not path.is_dir():
        return _size(path)
    files = (Path(folder, name) for folder, _, names in os.walk(path) for name in names)
    return sum(_size(file) for file in files)


def _size(file: Path) -> int:
    with contextlib.suppress(FileNotFoundError):  # gone meanwhile
        status = file.lstat()
        return 0 if stat.S_ISLNK(status.st_mode) else status.st_size
    return 0


def _leftovers(folder: Path, now: float, ours: Callable[[Path], bool]) -> Iterator[Waste]:
    for path in _items(folder):
        if is_leftover(path.name) and ours(path) and _age(path, now) > _STALE_SECONDS:
            half = "half written" if path.name.endswith(NEW) else "half removed"
            yield Waste(path, size_of(path), f"{half} when a process died")


def _is_of_a_run(path: Path) -> bool:
    """Whether something beside the runs is one half made or half deleted, or half an export.

    A run may be called anything that does not begin with a dot, and the folder of runs may hold
    what is none of charnn's.
    """
    if path.is_dir() and not path.is_symlink():
        return path.name.startswith(".") and all(belongs(item.name) for item in path.iterdir())
    return bool(_HALF_EXPORTED.fullmatch(path.name))


def _streams_used(runs: Iterable[Path]) -> set[str]:
    used = set()
    for path in runs:
        if path.is_dir() and os.path.lexists(path / "config.json"):
            used.add(_stream_of(Run(path)))
    return used


def _stream_of(run: Run) -> str:
    try:
        return str(run.config().corpus.get("stream"))
    except RunError as error:
        raise RunError(
            f"{error}: which tokens it uses is not known, so nothing is removed; repair or "
            "delete the run first"
        ) from None


def _streams(folder: Path, used: set[str], now: float) -> Iterator[Waste]:
    for path in _items(folder):
        if path.name in used or _age(path, now) <= _STALE_SECONDS:
            continue
        if STREAM_KEY.fullmatch(path.name):
            yield Waste(path, size_of(path), "tokens no run uses")
        elif path.name.startswith(".") and not is_needed(path, now):
            yield Waste(path, size_of(path), "tokens half written when a process died")


def _items(folder: Path) -> list[Path]:
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        return sorted(folder.iterdir())
    return []


def _age(path: Path, now: float) -> float:
    """Seconds since the item, or anything right in it, was written to; what is gone is young."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        times = [path.lstat().st_mtime]
        if path.is_dir() and not path.is_symlink():
            times += [item.lstat().st_mtime for item in path.iterdir()]
        return now - max(times)
    return 0.0
