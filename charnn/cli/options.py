"""Options that several commands share, spelled the same everywhere; and options from a file."""

import contextlib
import json
import tomllib
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from charnn.api import DEFAULT_CHECKPOINTS
from charnn.errors import OptionError

Command = TypeVar("Command", bound=Callable[..., Any])

_NEAR_TO_FAR = (
    ParameterSource.COMMANDLINE,
    ParameterSource.ENVIRONMENT,
    ParameterSource.DEFAULT_MAP,
)


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


def ui_option(command: Command) -> Command:
    """--ui auto|live|plain|none, checked before anything is opened."""
    return click.option(
        "--ui",
        metavar="auto|live|plain|none",
        default="auto",
        callback=_check_ui,
        help="Default: auto.",
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


def nearest_of(
    context: click.Context, given: Mapping[str, Any], names: Collection[str]
) -> dict[str, Any]:
    """What was given, without those of `names` that another of them overrides from nearer by.

    Args:
        context: knows where each value comes from.
        given: options; None was not given.
        names: options that exclude each other.
    """
    sources = {
        name: context.get_parameter_source(name) for name in names if given[name] is not None
    }
    nearest = next((source for source in _NEAR_TO_FAR if source in sources.values()), None)
    return {name: value for name, value in given.items() if sources.get(name, nearest) == nearest}


def is_typed(context: click.Context, name: str) -> bool:
    """Whether an option stands on the command line; the environment and files say it for all."""
    return context.get_parameter_source(name) == ParameterSource.COMMANDLINE


def is_nearer(context: click.Context, name: str, other: str) -> bool:
    """Whether an option comes from nearer by than another: command line, environment, file.

    Args:
        context: knows where each value comes from.
        name: an option that was given.
        other: another one that was.
    """
    sources = [context.get_parameter_source(option) for option in (name, other)]
    places = [_NEAR_TO_FAR.index(s) if s in _NEAR_TO_FAR else len(_NEAR_TO_FAR) for s in sources]
    return places[0] < places[1]


@contextlib.contextmanager
def as_typed(spelling: Mapping[str, str]) -> Iterator[None]:
    """Name an option in an error as it is typed, where Python names the field.

    Args:
        spelling: field -> what is typed.

    >>> with as_typed({"top_k": "--top-k"}):
    ...     raise OptionError("top_k must be >= 0, got -1")
    Traceback (most recent call last):
    charnn.errors.OptionError: --top-k must be >= 0, got -1
    """
    try:
        yield
    except OptionError as error:
        name, _, rest = str(error).partition(" ")
        raise OptionError(f"{spelling.get(name, name)} {rest}") from None


def _check_ui(context: click.Context, parameter: click.Parameter, value: str) -> str:
    from charnn.view.views import check_ui

    check_ui(value)
    return value


def _read_config(
    context: click.Context, parameter: click.Parameter, value: str | None
) -> str | None:
    """Make the values in a file the defaults of the command."""
    if value is not None:
        path, known = Path(value), _by_spelling(context.command)
        if path.suffix == ".json" and context.info_name != "train":
            raise OptionError(
                f"config {path} is that of a run and holds options of train alone: "
                "write those of this command into a TOML file"
            )
        found = {name.replace("-", "_"): given for name, given in _options_in(path).items()}
        for name in found:
            if name not in known:
                raise OptionError(
                    f"config {path} names an option {name!r} that is not there: "
                    + _instead(name, known, context)
                )
        values = {str(known[name].name): _spelled(v, known[name]) for name, v in found.items()}
        context.default_map = {**(context.default_map or {}), **values}
    return value


def _instead(name: str, known: Collection[str], context: click.Context) -> str:
    """What to write in the place of a name that is none."""
    from difflib import get_close_matches

    if near := get_close_matches(name, known, 1):
        return f"write {near[0].replace('_', '-')}"
    return f"'{context.command_path} --help' tells which there are"


def _by_spelling(command: click.Command) -> dict[str, click.Option]:
    """The options of a command by their long names, with _ for -."""
    options = [option for option in command.params if isinstance(option, click.Option)]
    spelled = {max(option.opts, key=len): option for option in options if option.expose_value}
    return {name.lstrip("-").replace("-", "_"): option for name, option in spelled.items()}


def _options_in(path: Path) -> dict[str, Any]:
    """The options a file names; of a run's config.json those that are not left to the recipe.

    Raises:
        OptionError: the file cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        if path.suffix == ".json":
            saved = json.loads(text)["training"]["options"].items()
            return {name: value for name, value in saved if value is not None}
        return tomllib.loads(text)
    except OSError as error:
        raise OptionError(
            f"config {path} cannot be read: {error.strerror}: name another with --config"
        ) from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise OptionError(
            f"config {path} is neither TOML nor a run's config.json ({error}): "
            "write lines such as minutes = 5"
        ) from None


def _spelled(value: Any, option: click.Option) -> Any:
    """A value as the command line spells it, to be checked as such.

    A list has commas, or is an option given repeatedly; 5.5 is not cut to 5.
    """
    if option.multiple:
        return value if isinstance(value, list) else [value]
    if isinstance(value, list):
        return ",".join(str(part) for part in value)
    return value if option.is_flag and isinstance(value, bool) else str(value)
