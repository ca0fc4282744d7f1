"""Options of `charnn generate` that exclude each other: the one from nearer by counts.

The command line is nearer than the environment, that nearer than a file. What comes from equally
near is refused: here, where it does not go with writing in turns; by the command itself otherwise.
"""

from collections.abc import Callable
from typing import Any, Final

import click

from charnn.cli.options import is_nearer, nearest_of
from charnn.errors import OptionError

STDIN: Final = "-"
PROMPTS: Final = ("prompt", "prompt_option", "prompt_file")
TEMPERATURES: Final = ("temp", "temps")
_LOOKS: Final = ("heat", "raw")
_TURNS: Final = "interactive"
_NOT_IN_TURNS: Final[dict[str, tuple[str, Callable[[Any], bool]]]] = {
    "as_json": ("--json", bool),
    "output": ("--output", lambda value: value is not None),
    "num_samples": ("--num-samples", lambda value: value > 1),
    "temps": ("--temps", lambda value: "," in (value or "")),
    "prompt_file": ("--prompt-file -", lambda value: value == STDIN),
    "adapt": ("--adapt -", lambda value: value == STDIN),
}
_OFF: Final = {"as_json": False, "num_samples": 1, "heat": False, "raw": False}


class NearestCommand(click.Command):
    """`charnn generate`, which is told of options that exclude each other only the nearest."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command.

        Raises:
            OptionError: something was given that does not go with writing in turns.
        """
        for names in (PROMPTS, TEMPERATURES, _LOOKS):
            given = {name: None if (v := ctx.params[name]) is False else v for name in names}
            _leave_out(ctx, set(given) - set(nearest_of(ctx, given, names)))
        if ctx.params[_TURNS]:
            _settle_turns(ctx)
        return super().invoke(ctx)


def _settle_turns(ctx: click.Context) -> None:
    """Leave out writing in turns, or what does not go with it, whichever comes from further off.

    Raises:
        OptionError: they come from equally near.
    """
    clashing = [name for name, (_, clashes) in _NOT_IN_TURNS.items() if clashes(ctx.params[name])]
    if any(is_nearer(ctx, name, _TURNS) for name in clashing):
        ctx.params[_TURNS] = False
        return
    further = {name for name in clashing if is_nearer(ctx, _TURNS, name)}
    _leave_out(ctx, further)
    for name in clashing:
        if name not in further:
            spelled, _ = _NOT_IN_TURNS[name]
            raise OptionError(f"{spelled} does not go with --interactive: leave one of them out")


def _leave_out(ctx: click.Context, names: set[str]) -> None:
    ctx.params.update({name: _OFF.get(name) for name in names})
