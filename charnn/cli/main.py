"""The group of commands, and what every command ends with: its exit code.

Commands are imported when they are called, so that `charnn --help` needs nothing but click.
"""

import contextlib
import errno
import os
import sys
import traceback
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

import click

from charnn._version import __version__
from charnn.cli.interrupts import Interrupted
from charnn.cli.saying import say
from charnn.cli.sink import cannot_write
from charnn.errors import CharnnError, OptionError

COMMANDS = {
    "train": ("charnn.cli.train", "Train a model on a text."),
    "generate": ("charnn.cli.generate", "Let a model write."),
    "eval": ("charnn.cli.evaluate", "Tell what a text costs a model, in bits per character."),
    "watch": ("charnn.cli.watch", "Watch a run that trains elsewhere, or replay one."),
    "runs": ("charnn.cli.runs", "List the runs, or tell of one."),
    "corpus": ("charnn.cli.corpus", "See what a text is made of, repair it, or fetch one."),
}


_NO_ROOM = (errno.ENOSPC, errno.EFBIG, errno.EIO, getattr(errno, "EDQUOT", errno.ENOSPC))


class _ClosedPipe(Exception):  # noqa: N818  no error: the reader has had enough
    """Nobody reads any more."""


@contextlib.contextmanager
def _noticing_interrupted_imports() -> Iterator[None]:
    """Tell of a Ctrl-C of which a compiled module made an error while it was loaded."""
    try:
        yield
    except (ImportError, RuntimeError, SystemError) as error:
        if isinstance(error.__cause__, KeyboardInterrupt):
            raise KeyboardInterrupt from None
        raise


@contextlib.contextmanager
def _noticing_closed_pipes() -> Iterator[None]:
    """Tell of a closed pipe before click makes an exit with 1 of it, as rich has done already."""
    try:
        yield
    except BrokenPipeError:
        raise _ClosedPipe from None
    except SystemExit as error:
        if not isinstance(error.__context__, BrokenPipeError):
            raise
        raise _ClosedPipe from None


class LazyGroup(click.Group):
    """A group whose commands are imported only when they are wanted.

    Args:
        lazy: where each command is, as `command` of a module, and what it does in a line; in the
            order in which they are used.
    """

    def __init__(self, *args: Any, lazy: Mapping[str, tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._lazy = lazy

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """The context of a call; --help is written here."""
        with _noticing_closed_pipes():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that is called."""
        with _noticing_closed_pipes():
            return super().invoke(ctx)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of the commands, in the order in which they are used."""
        return list(self._lazy)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name."""
        if cmd_name not in self._lazy:
            return None
        command: click.Command = import_module(self._lazy[cmd_name][0]).command
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """The command that the first argument names; if there is none, what was perhaps meant."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from difflib import get_close_matches

            if near := get_close_matches(args[0], self._lazy, 1):
                wrong = f"{error.message} Did you mean {near[0]!r}?"
                raise click.UsageError(wrong, ctx) from None
            raise

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in self._lazy.items()])


@click.group(
    cls=LazyGroup,
    lazy=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": "CHARNN"},
)
@click.version_option(__version__, "--version", prog_name="charnn", allow_from_autoenv=False)
@click.option("--debug", is_flag=True, help="Show where an error comes from.")
@click.pass_context
def group(ctx: click.Context, debug: bool) -> None:
    """Character-level text generation that is at home in Korean.

    \b
    charnn train novel.txt             watch a model learn
    charnn generate --temp 0.8 "..."   let it write
    """  # noqa: D301  click wants the character itself
    ctx.obj["debug"] = debug


def run(started: float, arguments: list[str] | None = None) -> int:
    """Run the command line.

    Args:
        started: `time.monotonic()` when the process began.
        arguments: without the program's name; None takes those of the process.

    Returns:
        0, 1 for an error, 2 for wrong usage; 130, 143 or 129 after Ctrl-C, SIGTERM or SIGHUP.
    """
    _speak_utf8()
    try:
        return _outcome(started, arguments)
    finally:
        _forget_what_cannot_be_written()


def _outcome(started: float, arguments: list[str] | None) -> int:
    """Run the command line and say what went wrong; see `run`."""
    shared = {"started": started, "debug": False}
    try:
        with _noticing_interrupted_imports():
            group.main(arguments, prog_name="charnn", standalone_mode=False, obj=shared)
        sys.stdout.flush()
    except (_ClosedPipe, BrokenPipeError):
        pass
    except Interrupted as error:
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        return 130
    except click.ClickException as error:
        with contextlib.suppress(OSError):
            error.show()
        return error.exit_code
    except (CharnnError, MemoryError, OSError) as error:
        told = _in_our_words(error)
        if told is None:
            raise
        return _complain(told, bool(shared["debug"]))
    return 0


def _in_our_words(error: CharnnError | MemoryError | OSError) -> CharnnError | None:
    """What ended a command, as it is told to a user; None for what nobody foresaw."""
    if isinstance(error, CharnnError):
        return error
    if isinstance(error, MemoryError):
        return CharnnError("memory has run out: close other programs, or take less text at once")
    if error.errno in _NO_ROOM and error.filename is None:
        return cannot_write("stdout", error)
    return None


def _complain(error: CharnnError, debug: bool) -> int:
    if debug:
        traceback.print_exc()
    with contextlib.suppress(OSError):  # stderr may be full as well
        say(f"charnn: {error}", err=True)
    return 2 if isinstance(error, OptionError) else 1


def _forget_what_cannot_be_written() -> None:
    """Let Python flush at exit without a complaint and without an exit code of its own."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _speak_utf8() -> None:
    """Text goes out as UTF-8 whatever the locale says; where a stream is closed, nowhere."""
    ends = {"stdout": "\n", "stderr": None}  # a text stays what it is, on Windows too
    for name, newline in ends.items():
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace", newline=newline)
