"""`charnn generate`: a prompt in, text to stdout, everything else to stderr."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from charnn import api
from charnn.cli.exclusive import STDIN, TEMPERATURES, NearestCommand
from charnn.cli.line_reader import check_stdin
from charnn.cli.options import (
    as_typed,
    checkpoints_option,
    config_option,
    model_option,
    numbers,
    unescape,
)
from charnn.cli.saying import say
from charnn.cli.sink import Sink, refuse_existing
from charnn.cli.texts import JsonShower, TextShower, show_in_order
from charnn.errors import OptionError, TextError

if TYPE_CHECKING:
    from charnn.generation.sampler import SamplingOptions

_LONG_PROMPT = 50_000  # characters; reading takes seconds, and the terminal would be silent
_PROMPT_NAMES = ("PROMPT", "--prompt", "--prompt-file")
_FILTERS = ("top_k", "top_p", "min_p", "repeat_penalty")
_DEMANDS = ("length", "stop", "max_copy", "acrostic", "initials", "include")
_SPELLING = {f: f"--{f.replace('_', '-')}" for f in (*_FILTERS, *_DEMANDS, "precision")}


@click.command(cls=NearestCommand)
@click.argument("prompt", required=False)
@click.option(
    "-p",
    "--prompt",
    "prompt_option",
    envvar="CHARNN_GENERATE_PROMPT",
    metavar="TEXT",
    help="The same as PROMPT; \\n is a line end.",
)
@click.option("--prompt-file", metavar="FILE", help="Take the prompt from a file, - for stdin.")
@model_option
@click.option("-i", "--interactive", is_flag=True, help="Write in turns: you, the model, you.")
@click.option("--temp", type=float, metavar="F", help="Temperature >= 0. Default: 0.8.")
@click.option("--temps", metavar="0.5,0.8,1.0", help="The same seed at each of these temperatures.")
@click.option("--top-k", type=int, metavar="N", help="Choose among the N likeliest tokens.")
@click.option("--top-p", type=float, metavar="F", help="Choose among a share of probability.")
@click.option("--min-p", type=float, metavar="F", help="Leave out what is F times rarer.")
@click.option("--repeat-penalty", type=float, metavar="F", help="Above 1: repeat less.")
@click.option("-n", "--length", type=int, metavar="N", help="Characters. Default: 500.")
@click.option("--num-samples", type=int, default=1, metavar="N", help="How many texts.")
@click.option("--stop", multiple=True, metavar="TEXT", help="End before this; repeatable.")
@click.option("--max-copy", type=int, metavar="N", help="Never N + 1 characters as in training.")
@click.option("--acrostic", metavar="TEXT", help="What the lines begin with, such as 삼행시.")
@click.option("--initials", metavar="TEXT", help="Consonants of the syllables, such as ㅇㄱㅅ.")
@click.option("--include", multiple=True, metavar="TEXT", help="A word to use; repeatable.")
@click.option("--seed", type=int, metavar="N", help="The same seed writes the same text.")
@click.option("--adapt", metavar="FILE", help="Read this first, and write in its manner.")
@click.option("--no-ngram", is_flag=True, help="The network alone, without its n-gram model.")
@click.option("--precision", default="auto", metavar="auto|fp32|bf16", help="Default: auto.")
@click.option("--no-prompt", is_flag=True, help="Do not repeat the prompt.")
@click.option("--heat", is_flag=True, help="Tint characters by how surprising they were.")
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    envvar="CHARNN_GENERATE_JSON",
    help="A JSON object a text, one a line.",
)
@click.option("--raw", is_flag=True, help="Exact text on a terminal, control characters too.")
@click.option("-o", "--output", metavar="FILE", help="Write to a new file.")
@checkpoints_option
@config_option
def command(
    prompt: str | None,
    prompt_option: str | None,
    prompt_file: str | None,
    model: str | None,
    interactive: bool,
    num_samples: int,
    seed: int | None,
    adapt: str | None,
    no_ngram: bool,
    precision: str,
    no_prompt: bool,
    heat: bool,
    as_json: bool,
    raw: bool,
    output: str | None,
    checkpoints: str,
    **given: Any,
) -> None:
    r"""Let a model write on from PROMPT, or from the beginning of a document.

    In PROMPT \n is a line end. With -i you write and the model goes on, in turns.
    """
    ladder = _ladder(given)
    _check(num_samples, seed, output, heat=heat, raw=raw)
    with as_typed(_SPELLING):
        api.check_precision(precision)
    if interactive:
        check_stdin()
    start = _prompt(prompt, prompt_option, prompt_file)
    loaded = api.load(model, checkpoints=checkpoints, ngram=not no_ngram, precision=precision)
    if adapt is not None:
        say(f"reading {adapt}", err=True)
        loaded.adapt(adapt)
    if loaded.writer.note:
        say(f"charnn: {loaded.writer.note}", err=True)
    _tell_of_indexing(loaded, ladder[0])
    chosen = api.new_seed() if seed is None else seed
    if interactive:
        from charnn.cli.interactive import converse

        with as_typed(_SPELLING):  # what no turn can fulfil is told at once
            loaded.pieces("", ladder[0], chosen)
        with Sink(raw=raw, heat=heat, bold=True) as sink:
            converse(loaded, start, ladder[0], chosen, sink, repeated=not no_prompt)
        return
    if len(start) > _LONG_PROMPT:
        click.echo(f"reading {len(start):,} characters", err=True)
    read = loaded.read(start)
    with as_typed(_SPELLING):
        writings = [loaded.together(read, options, chosen, num_samples) for options in ladder]
    with as_typed(_SPELLING), Sink(output, raw=raw, heat=heat and not as_json) as sink:
        _announce(chosen, sink)
        shower: TextShower | JsonShower
        if as_json:
            head = {"model": loaded.name, "ngram": not no_ngram, "adapt": adapt}
            head |= {"precision": loaded.writer.precision, "prompt": start, "seed": chosen}
            shower = JsonShower(sink, head)
        else:
            shower = TextShower(sink, "" if no_prompt else start, headed=len(ladder) > 1)
        for options in ladder:
            show_in_order(writings.pop(0), shower.begin(options, num_samples))


def _tell_of_indexing(loaded: api.Model, options: "SamplingOptions") -> None:
    """Say what takes its time before anything is written."""
    if options.max_copy:
        from charnn.generation.copy_file import waits_for_copies
        from charnn.runs.run import Run

        if waits_for_copies(run := Run(loaded.path)):
            once = ", once" if run.path.is_dir() else ""
            click.echo(f"indexing the text for --max-copy{once}", err=True)


def _announce(seed: int, sink: Sink) -> None:
    """Tell the seed before the text, which may be broken off; and what its colours mean."""
    click.echo(f"seed {seed}", err=True)
    if sink.tinted:
        from charnn.view.heat import legend_for

        if legend := legend_for(sys.stderr):
            click.echo(legend, err=True)


def _ladder(given: dict[str, Any]) -> "list[SamplingOptions]":
    """The options of each temperature; one alone without --temps.

    Raises:
        OptionError: a value breaks its rule.
    """
    from charnn.generation.sampler import SamplingOptions

    options = {name: value for name, value in given.items() if value is not None}
    options["stop"] = tuple(unescape(text) or "" for text in options.pop("stop", ()))
    if all(name in options for name in TEMPERATURES):
        raise OptionError("give the temperature once, got --temp and --temps")
    if "temps" in options:
        temperature = "--temps"
        rungs: list[dict[str, Any]] = [
            {"temperature": rung} for rung in numbers(options.pop("temps"), "--temps")
        ]
    else:
        temperature = "--temp"
        rungs = [{"temperature": options.pop("temp")} if "temp" in options else {}]
    with as_typed({**_SPELLING, "temperature": temperature}):
        return [SamplingOptions(**options, **rung) for rung in rungs]


def _check(
    num_samples: int, seed: int | None, output: str | None, *, heat: bool, raw: bool
) -> None:
    """Refuse what no run is needed to know.

    Raises:
        OptionError: a value breaks its rule.
    """
    if num_samples < 1:
        raise OptionError(f"--num-samples must be >= 1, got {num_samples}")
    if seed is not None and seed < 0:
        raise OptionError(f"--seed must be >= 0, got {seed}")
    if heat and raw:
        raise OptionError("--heat and --raw exclude each other: leave one of them out")
    if output is not None:
        refuse_existing(output, "name another -o")


def _prompt(argument: str | None, option: str | None, file: str | None) -> str:
    """The prompt, however it was given.

    Raises:
        OptionError: it was given twice.
        TextError: its file cannot be read.
    """
    named = zip(_PROMPT_NAMES, (argument, option, file), strict=True)
    given = [name for name, value in named if value is not None]
    if len(given) > 1:
        raise OptionError(f"give the prompt once, got {' and '.join(given)}")
    if file is not None:
        return _read_prompt(file)
    return unescape(argument or option) or ""


def _read_prompt(file: str) -> str:
    try:
        data = _stdin_bytes() if file == STDIN else Path(file).read_bytes()
        return data.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except OSError as error:
        raise TextError(
            f"prompt file {file} cannot be read: {error.strerror}: name another with --prompt-file"
        ) from None
    except UnicodeDecodeError as error:
        raise TextError(
            f"prompt file {file} is not UTF-8 (byte 0x{error.object[error.start]:02X} at offset "
            f"{error.start}): save it as UTF-8"
        ) from None
    except ValueError as error:  # a NUL in the name
        raise TextError(
            f"prompt file {file!r} cannot be read: {error}: name another with --prompt-file"
        ) from None


def _stdin_bytes() -> bytes:
    if (stdin := _stdin()) is None:
        raise TextError("prompt file - cannot be read: stdin is closed, name a file")
    return stdin.read()


def _stdin() -> BinaryIO | None:
    return getattr(sys.stdin, "buffer", None)
