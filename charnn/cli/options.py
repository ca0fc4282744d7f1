"""Options that several commands share, spelled the same everywhere; and options from a file."""

import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from charnn.api import DEFAULT_CHECKPOINTS
from charnn.errors import OptionError

Command = TypeVar("Command", bound=Callable[..., Any])


def checkpoints_option(command: Command) -> Command:
    """--checkpoints DIR, environment CHARNN_CHECKPOINTS."""
    return click.option(
        "--checkpoints",
        envvar="CHARNN_CHECKPOINTS",
        default=DEFAULT_CHECKPOINTS,
        show_default=True,
        metavar="DIR",
        help="The folder of runs.",
    )(command)


def model_option(command: Command) -> Command:
    """-m/--model RUN."""
    return click.option(
        "-m",
        "--model",
        metavar="RUN",
        help="A run: its name, or a path. Default: the one with the newest checkpoint.",
    )(command)


def config_option(command: Command) -> Command:
    """--config FILE, whose values are defaults for the command's other options."""
    return click.option(
        "--config",
        metavar="FILE",
        is_eager=True,
        expose_value=False,
        callback=_read_config,
        help="Take options from a TOML file, or from a run's config.json.",
    )(command)


def encoding_options(command: Command) -> Command:
    """--encoding NAME and --document-separator TEXT."""
    command = click.option(
        "--document-separator",
        metavar="TEXT",
        help="Cut each file into documents where this stands; \\n is a line end.",
    )(command)
    return click.option(
        "--encoding", metavar="NAME", help="Of the text, such as cp949. Default: UTF-8."
    )(command)


def unescape(text: str | None) -> str | None:
    r"""A text from the command line with \n and \t as what they mean.

    >>> unescape(r"\n---\n")
    '\n---\n'
    """
    return text and text.replace("\\n", "\n").replace("\\t", "\t")


def numbers(text: str, name: str) -> tuple[float, ...]:
    """Numbers separated by commas.

    Raises:
        OptionError: one is no number.

    >>> numbers("0.5,1", "temps")
    (0.5, 1.0)
    """
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        rule = "numbers with commas between them"
        raise OptionError(f"{name} must be {rule}, got {text!r}") from None


def _read_config(
    context: click.Context, parameter: click.Parameter, value: str | None
) -> str | None:
    """Make the values in a file the defaults of the command."""
    if value is not None:
        known = {str(parameter.name) for parameter in context.command.params}
        context.default_map = {**(context.default_map or {}), **_options_in(Path(value), known)}
    return value


def _options_in(path: Path, known: set[str]) -> dict[str, Any]:
    """The options a file names; those of a run's config.json that the user had given.

    Raises:
        OptionError: the file cannot be read or names an option that is not there.
    """
    try:
        text = path.read_text("utf-8")
        if path.suffix == ".json":
            saved = json.loads(text)["training"]["options"]
            given = {name: value for name, value in saved.items() if value is not None}
            return {name: _spelled(value) for name, value in given.items() if name in known}
        found = tomllib.loads(text)
    except OSError as error:
        raise OptionError(f"config {path} cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError) as error:
        raise OptionError(
            f"config {path} is neither TOML nor a run's config.json ({error}): "
            "write lines such as minutes = 5"
        ) from None
    options = {name.replace("-", "_"): _spelled(value) for name, value in found.items()}
    for name in options:
        if name not in known:
            raise OptionError(f"config {path} names an option {name!r} that is not there")
    return options


def _spelled(value: Any) -> Any:
    """A value as the command line spells it: a list with commas."""
    if isinstance(value, list):
        return ",".join(str(part) for part in value)
    return value
