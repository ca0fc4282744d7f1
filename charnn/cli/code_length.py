"""`charnn eval --code-length`: what a whole text costs from nothing, beside other compressors."""

import signal
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from charnn import api
from charnn.cli.as_json import show_json
from charnn.cli.interrupts import Interrupted
from charnn.cli.options import is_typed
from charnn.cli.saying import say
from charnn.errors import OptionError
from charnn.records import Preparing, Record

if TYPE_CHECKING:
    from charnn.training.code_length import CodeLength

_OF_A_RUN = ("model", "part", "no_ngram", "dynamic", "samples", "checkpoints")
_OF_A_CODE = ("minutes", "size", "seed", "threads")


def check_options(context: click.Context, texts: tuple[str, ...], *, code_length: bool) -> None:
    """Refuse what belongs to a run beside --code-length, and what belongs to that without it.

    What the environment or a file says of them is left aside.

    Raises:
        OptionError: something does not belong.
    """
    for name in _OF_A_RUN if code_length else _OF_A_CODE:
        if not is_typed(context, name):
            continue
        option = name.replace("_", "-")
        if code_length:
            raise OptionError(
                f"--{option} is of a run and --code-length begins with nothing: leave one out"
            )
        raise OptionError(f"--{option} goes with --code-length: leave it out, or add that")
    if code_length and not texts:
        raise OptionError("--code-length needs a TEXT: name a file, a folder, or - for stdin")


def tell_code_length(
    context: click.Context, texts: tuple[str, ...], *, as_json: bool, **given: Any
) -> None:
    """Measure a text and print what it costs; a bar on a terminal tells how far it is.

    Args:
        context: knows when the command began.
        texts: files, folders or stdin.
        as_json: whether to print a JSON object.
        given: arguments of `charnn.code_length`; None was not given.

    Raises:
        Interrupted: Ctrl-C; one line says that there is no number.
    """
    from charnn.view.working import Working

    began: float = context.obj["started"]
    with Working() as working:

        def show(record: Record) -> None:
            if isinstance(record, Preparing):
                working.tell(record.stage, record.done, record.total or 0)

        options = {name: value for name, value in given.items() if value is not None}
        clock = lambda: time.monotonic() - began  # noqa: E731
        try:
            result = api.code_length(texts, on_record=show, clock=clock, **options)
        except KeyboardInterrupt:
            result = None
    if result is None:
        click.echo("charnn: stopped: a code length is known at the end of the text only", err=True)
        raise Interrupted(signal.SIGINT)
    if as_json:
        show_json(result.to_json())
    else:
        for line in _lines(texts, result):
            say(line)


def _lines(texts: tuple[str, ...], result: "CodeLength") -> Iterator[str]:
    told = sum(stretch.stop - stretch.start for stretch in result.stretches)
    code = sum(len(stretch.code) for stretch in result.stretches)
    bits = sum(stretch.bits for stretch in result.stretches)
    yield f"{', '.join(texts)} from nothing"
    yield f"  bits per character  {result.bits_per_char:.4f}"
    yield (
        f"  bytes               {result.bytes:,} (vocabulary {result.vocabulary_bytes:,}, "
        f"header {result.header_bytes:,})"
    )
    yield (
        f"  characters          {result.characters:,} ({result.text_bytes:,} bytes, "
        f"{result.tokens:,} tokens)"
    )
    yield f"  network             {result.hidden_size} units, {result.steps:,} steps"
    yield f"  verified            {told:,} tokens: {bits:,.1f} bits are {code:,} bytes, and back"
    yield ""
    yield "                           bytes    bits per character"
    for name, size in (
        ("together", result.bytes),
        ("counts alone", result.ngram_bytes),
        ("network alone", result.network_bytes),
        ("PPMd", result.ppmd_bytes),
        ("xz -9e", result.xz_bytes),
    ):
        yield _row(name, size, result)


def _row(name: str, size: int | None, result: "CodeLength") -> str:
    if size is None:
        from charnn.text.yardsticks import WITHOUT_PPMD

        return f"  {name:<18}{WITHOUT_PPMD}"
    return f"  {name:<18}{size:>12,}{result.per_char(size):>10.4f}"
