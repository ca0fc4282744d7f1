"""Which files a person means by what is named on the command line.

What they say is left to encodings.py and reading.py.
"""

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from charnn.errors import OptionError, TextError
from charnn.text.fetch.catalogue import bringing

_STDIN_NAME: Final = "-"


@dataclass(frozen=True, slots=True)
class TextFile:
    """One file of a text.

    Attributes:
        path: where it is; `-` for stdin.
        shown: what to call it in messages.
        size: bytes; None for what can be read only once (stdin, a pipe).
        changed: time of its last change in ns; 0 where size is None.
        identity: device and inode, equal for two names of one file.
    """

    path: Path
    shown: str
    size: int | None
    changed: int
    identity: tuple[int, int]

    @property
    def reads_once(self) -> bool:
        """Whether what it says is gone once it has been read."""
        return self.size is None


STDIN: Final = TextFile(Path(_STDIN_NAME), "stdin", None, 0, (-1, -1))


def find_files(texts: Sequence[str | Path], suffixes: Sequence[str]) -> list[TextFile]:
    """The files behind a list of files, folders and `-`, in the order given.

    A folder stands for all files below it with one of the suffixes, sorted by path; hidden ones
    are left out, links to folders are not followed.

    Raises:
        OptionError: nothing is named, or stdin twice.
        TextError: something is missing or unreadable, or a folder has no such file.
    """
    if not texts:
        raise OptionError("texts must name at least one file, folder or - (stdin), got none")
    if sum(text == _STDIN_NAME for text in texts) > 1:
        raise OptionError("texts may name - (stdin) once, got it twice")
    return [file for text in texts for file in _files_of(text, suffixes)]


def unreadable(shown: str, error: OSError) -> TextError:
    """The error for a file that the system refuses to open or read."""
    if isinstance(error, FileNotFoundError):
        if command := bringing(shown):
            return TextError(f"{shown} does not exist: {command!r} brings it")
        return TextError(f"{shown} does not exist: check its path")
    return TextError(
        f"{shown} cannot be read ({error.strerror}): check what it is and who may read it"
    )


def shown_path(path: str | Path) -> str:
    r"""A path on one line of readable characters, whatever bytes its name is made of.

    >>> shown_path("a\nb.txt")
    'a�b.txt'
    """
    return "".join(
        character if character.isprintable() else "\N{REPLACEMENT CHARACTER}"
        for character in str(path)
    )


def _files_of(text: str | Path, suffixes: Sequence[str]) -> Iterator[TextFile]:
    if text == _STDIN_NAME:
        yield STDIN
        return
    if text == "":
        raise OptionError("texts must name files, folders or - (stdin), got an empty name")
    path = Path(text)
    if not _is_folder(path):
        yield _file(path)
        return
    paths = _paths_below(path, tuple(suffix.lower() for suffix in suffixes))
    if not paths:
        raise TextError(
            f"{shown_path(path)} has no {' or '.join(suffixes)} file in it or below: "
            "name the files themselves"
        )
    for below in paths:
        yield _file(below)


def _is_folder(path: Path) -> bool:
    try:
        return stat.S_ISDIR(path.stat().st_mode)
    except (OSError, ValueError):  # ValueError: a NUL in the name; _file tells what is wrong
        return False


def _paths_below(folder: Path, endings: tuple[str, ...]) -> list[Path]:
    """The files below a folder with one of these lower-case endings, sorted."""

    def refuse(error: OSError) -> None:
        raise unreadable(shown_path(error.filename), error)

    paths: list[Path] = []
    for parent, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        paths += [
            Path(parent, name)
            for name in names
            if not name.startswith(".") and name.lower().endswith(endings)
        ]
    # By the parts of the path: the order must not depend on where "/" sorts, or on the locale.
    return sorted(paths, key=lambda path: path.relative_to(folder).parts)


def _file(path: Path) -> TextFile:
    """A file that is there and can be opened."""
    shown = shown_path(path)
    try:
        status = path.stat()
        if stat.S_ISREG(status.st_mode):
            with path.open("rb"):
                pass
            size, changed = status.st_size, status.st_mtime_ns
            return TextFile(path, shown, size, changed, (status.st_dev, status.st_ino))
    except OSError as error:
        raise unreadable(shown, error) from None
    except ValueError:
        raise TextError(f"{shown} does not exist: check its path") from None
    if stat.S_ISFIFO(status.st_mode) or stat.S_ISCHR(status.st_mode):
        return TextFile(path, shown, None, 0, (status.st_dev, status.st_ino))
    raise TextError(f"{shown} is neither a file nor a folder nor a pipe: name a plain text file")
