"""`charnn generate -i`: a person types, the model goes on, in turns. Commands begin with /."""

import contextlib
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import click

from charnn.api import Model
from charnn.cli.echo import without_echo
from charnn.cli.interrupts import ending_signals
from charnn.cli.line_reader import LineReader, line_reader
from charnn.cli.options import as_typed, unescape
from charnn.cli.saying import say
from charnn.cli.sink import Sink, save_text
from charnn.errors import CharnnError, OptionError
from charnn.view.display_text import safe_text
from charnn.view.lines import fit, join_fitting, plain, rule
from charnn.view.wrapping import wrap_text

if TYPE_CHECKING:
    from charnn.generation.sampler import SamplingOptions, TextPiece

_SETTINGS: Final = {
    "/temp": ("temperature", float, "F", "the temperature: below 1 safer, above 1 bolder"),
    "/length": ("length", int, "N", "how many characters the model writes at a time"),
    "/top-k": ("top_k", int, "N", "choose among the N likeliest tokens; 0 is off"),
    "/top-p": ("top_p", float, "F", "choose among a share of the probability; 1 is off"),
    "/min-p": ("min_p", float, "F", "leave out what is F times rarer; 0 is off"),
    "/repeat-penalty": ("repeat_penalty", float, "F", "above 1, repeat less"),
}
_COMMANDS: Final = (
    *("/temp", "/length", "/retry", "/undo", "/save", "/help", "/quit", "/show"),
    *("/top-k", "/top-p", "/min-p", "/repeat-penalty"),
)
_TAIL: Final = 200  # characters shown of a text's end
_INDENT: Final = "  "


def converse(
    model: Model,
    prompt: str,
    options: "SamplingOptions",
    seed: int,
    sink: Sink,
    *,
    repeated: bool,
    reader: LineReader | None = None,
) -> None:
    """Write in turns until the person has had enough.

    Args:
        model: what goes on from what the person types.
        prompt: the person's first turn; "" asks for it.
        options: how the model writes, until the person changes that.
        seed: the same seed and the same lines make the same text.
        sink: where the text goes.
        repeated: whether what was typed is written there too.
        reader: where lines come from; None is stdin, with an editor on a terminal.

    Raises:
        Interrupted: SIGTERM or SIGHUP.
    """
    reader = reader or line_reader()
    with ending_signals(reader.end):
        session = _Session(model, options, seed, sink, reader, repeated=repeated)
        session.greet(model.name, seed)
        session.run(prompt)


class _Session:
    """The story, how it is written on, and whether it still goes on."""

    def __init__(
        self,
        model: Model,
        options: "SamplingOptions",
        seed: int,
        sink: Sink,
        reader: LineReader,
        *,
        repeated: bool,
    ) -> None:
        self._story = model.story(seed=seed)
        self._options = options
        self._sink = sink
        self._reader = reader
        self._repeated = repeated and not (reader.leaves_trace and sys.stdout.isatty())
        self._going = True

    def greet(self, name: str, seed: int) -> None:
        """Say who writes, and how one begins."""
        _say(f"{name}, seed {seed}")
        if self._reader.at_terminal:
            _say("Type a beginning and press Enter. /help tells the rest.")

    def run(self, prompt: str) -> None:
        """Turns, until there are no lines any more or /quit is typed."""
        first = [prompt] if prompt else []
        while self._going:
            try:
                typed = None if first else self._reader.read(self._status)
                with without_echo():
                    if typed is None:
                        self._begin(first.pop())
                    else:
                        self._obey(typed)
            except EOFError:
                self._going = False
            except KeyboardInterrupt:
                if not self._reader.at_terminal:
                    raise
            except CharnnError as error:
                if self._sink.failed and not self._reader.at_terminal:
                    raise
                _say(str(error))

    def _obey(self, typed: str) -> None:
        """A line that was typed: a command, or text."""
        if not typed.startswith("/"):
            self._begin(unescape(typed) or "")
        elif typed.startswith("//"):
            self._begin(unescape(typed[1:]) or "")
        else:
            name, _, value = typed.partition(" ")
            self._command(_meant(name), value.strip())

    def _command(self, name: str, value: str) -> None:
        if name in _SETTINGS:
            self._set(name, value)
        elif name == "/save":
            self._save(value)
        elif value:
            raise OptionError(f"{name} takes nothing behind it, got {value!r}: leave it out")
        else:
            self._actions()[name]()

    def _actions(self) -> dict[str, Callable[[], None]]:
        return {
            "/retry": self._retry,
            "/undo": self._undo,
            "/show": self._show_text,
            "/help": self._help,
            "/quit": self._quit,
        }

    def _begin(self, added: str) -> None:
        self._show(added, self._story.write(added, self._options))

    def _retry(self) -> None:
        pieces = self._story.retry(self._options)
        self._show(self._story.added, pieces)

    def _show(self, added: str, pieces: "Iterator[TextPiece]") -> None:
        """Show a turn as it is written; Ctrl-C ends it, and what is there stays."""
        try:
            if self._repeated:
                self._sink.write(added)
            for piece in pieces:
                self._sink.write(piece.text, piece.bits)
        finally:
            self._sink.end_line()

    def _undo(self) -> None:
        self._story.undo()
        text = self._story.text
        if not text:
            _say("taken back: the text is empty")
            return
        tail = safe_text(text[-_TAIL:], newline=" ")
        cut = "…" if len(text) > _TAIL else ""
        _say(f"taken back: the text now ends in {cut}{tail}")

    def _show_text(self) -> None:
        self._sink.write(self._story.text)
        self._sink.end_line()

    def _quit(self) -> None:
        self._going = False

    def _set(self, name: str, value: str) -> None:
        field, kind, *_ = _SETTINGS[name]
        if value:
            try:
                number = kind(value)
            except ValueError:
                rule_ = "a number" if kind is float else "a whole number"
                raise OptionError(f"{name} must be {rule_}, got {value!r}") from None
            with as_typed({field: name}):
                self._options = replace(self._options, **{field: number})
        _say(f"{name} {_number(getattr(self._options, field))}")

    def _save(self, name: str) -> None:
        if not name:
            raise OptionError("/save needs the name of a new file: /save FILE")
        text = self._story.text
        save_text(text, os.path.expanduser(name), "give another name")  # noqa: PTH111  never fails
        _say(f"saved {len(text):,} characters in {name}")

    def _help(self) -> None:
        for left, right in self._commands():
            _say_pair(left, right)

    def _commands(self) -> Iterator[tuple[str, str]]:
        yield "Enter", "adds what you typed to the text, and the model goes on; \\n is a line end"
        for name, (field, _, sign, meaning) in _SETTINGS.items():
            yield f"{name} {sign}", f"{meaning} (now {_number(getattr(self._options, field))})"
        yield "/retry", "the last part of the model anew"
        yield "/undo", "takes back your last part and the model's"
        yield "/show", "shows the whole text"
        yield "/save FILE", "writes the text to a new file"
        yield "/help", "tells this"
        yield "/quit", "ends, as Ctrl-D does; Ctrl-C stops the model"
        yield "//", "begins a text with /"

    def _status(self, width: int) -> str:
        """A line that tells how it is written on, above what is typed."""
        options = self._options
        parts = [
            f"temp {options.temperature:g}",
            f"{options.length:,} at a time",
            f"{self._story.characters:,} so far",
            "/help",
        ]
        title = plain(join_fitting(parts, max(1, width - 6), " · "))
        return plain(fit(rule(title, width), width))


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:g}"


def _meant(name: str) -> str:
    """The first command that begins like this.

    Raises:
        OptionError: there is none.
    """
    found = [command for command in _COMMANDS if command.startswith(name) and name != "/"]
    if not found:
        raise OptionError(
            f"there is no command {name!r}: /help tells which there are, // begins a text with /"
        )
    return found[0]


def _say(text: str) -> None:
    """Tell the person something: on stderr, in lines no wider than the terminal."""
    if not sys.stderr.isatty():
        say(text, err=True)
        return
    for shown in wrap_text(text, max(2, _columns() - 1)):
        click.echo(shown, err=True)


def _say_pair(left: str, right: str) -> None:
    """A command and what it does: beside each other, or below where the terminal is narrow."""
    width = 20
    if _columns() >= 3 * width:
        room = _columns() - width - 1
        for index, shown in enumerate(wrap_text(right, room)):
            click.echo(f"{'' if index else left:<{width}}{shown}", err=True)
        return
    click.echo(left, err=True)
    for shown in wrap_text(right, max(2, _columns() - len(_INDENT) - 1)):
        click.echo(_INDENT + shown, err=True)


def _columns() -> int:
    """Of the terminal that is told things; stdout may be a file."""
    with contextlib.suppress(OSError, ValueError):
        if columns := os.get_terminal_size(sys.stderr.fileno()).columns:
            return columns
    return shutil.get_terminal_size().columns
