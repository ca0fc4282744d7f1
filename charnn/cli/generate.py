"""`charnn generate`: a prompt in, text to stdout, everything else to stderr."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TextIO

import click

from charnn import api
from charnn.cli.options import checkpoints_option, config_option, model_option, unescape
from charnn.errors import OptionError, TextError

if TYPE_CHECKING:
    from charnn.generation.sampler import SamplingOptions, TextPiece

_SEPARATOR = "─" * 24


@click.command()
@click.argument("prompt", required=False)
@click.option(
    "-p",
    "--prompt",
    "prompt_option",
    envvar="CHARNN_GENERATE_PROMPT",
    metavar="TEXT",
    help="The same as PROMPT.",
)
@click.option("--prompt-file", metavar="FILE", help="Take the prompt from a file, - for stdin.")
@model_option
@click.option("--temp", type=float, metavar="F", help="Temperature >= 0. Default: 0.8.")
@click.option("--top-k", type=int, metavar="N", help="Choose among the N likeliest tokens.")
@click.option("--top-p", type=float, metavar="F", help="Choose among a share of probability.")
@click.option("--min-p", type=float, metavar="F", help="Leave out what is F times rarer.")
@click.option("--repeat-penalty", type=float, metavar="F", help="Above 1: repeat less.")
@click.option("-n", "--length", type=int, metavar="N", help="Characters. Default: 500.")
@click.option("--num-samples", type=int, default=1, metavar="N", help="How many texts.")
@click.option("--stop", multiple=True, metavar="TEXT", help="End before this; repeatable.")
@click.option("--seed", type=int, metavar="N", help="The same seed writes the same text.")
@click.option("--no-prompt", is_flag=True, help="Do not repeat the prompt.")
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
    num_samples: int,
    seed: int | None,
    no_prompt: bool,
    as_json: bool,
    raw: bool,
    output: str | None,
    checkpoints: str,
    **given: Any,
) -> None:
    """Let a model write on from PROMPT, or from the beginning of a document."""
    options = _options(given)
    if num_samples < 1:
        raise OptionError(f"num-samples must be >= 1, got {num_samples}")
    if seed is not None and seed < 0:
        raise OptionError(f"seed must be >= 0, got {seed}")
    start = _prompt(prompt, prompt_option, prompt_file)
    loaded = api.load(model, checkpoints=checkpoints)
    if loaded.writer.note:
        click.echo(f"charnn: {loaded.writer.note}", err=True)
    chosen = api.new_seed() if seed is None else seed
    texts = _texts(loaded, start, options, chosen, num_samples)
    with _Sink(output, raw=raw) as sink:
        if as_json:
            head = {"model": loaded.name, "prompt": start, "seed": chosen}
            _write_json(texts, head, options, sink)
        else:
            _write_text(texts, "" if no_prompt else start, sink)
    click.echo(f"seed {chosen}", err=True)


def _texts(
    model: api.Model, prompt: str, options: "SamplingOptions", seed: int, num_samples: int
) -> Iterator[Iterable["TextPiece"]]:
    """Each text as its pieces; one alone comes as it is written, many when they are finished."""
    if num_samples == 1:
        return iter([model.pieces(prompt, options, seed)])
    return model.samples(prompt, options, seed, num_samples)


def _write_text(texts: Iterator[Iterable["TextPiece"]], shown: str, sink: "_Sink") -> None:
    """Write the texts, each behind its prompt, with a line between them."""
    for index, pieces in enumerate(texts):
        if index:
            sink.write(f"{_SEPARATOR}\n")
        sink.write(shown)
        for piece in pieces:
            sink.write(piece.text)
        sink.end_line()


def _write_json(
    texts: Iterator[Iterable["TextPiece"]],
    head: dict[str, Any],
    options: "SamplingOptions",
    sink: "_Sink",
) -> None:
    from dataclasses import asdict

    for index, written in enumerate(texts):
        pieces = tuple(written)
        data = {
            **head,
            "text": "".join(piece.text for piece in pieces),
            "index": index,
            "bits_per_char": _bits_per_char(pieces),
            "options": asdict(options),
        }
        sink.write_exactly(json.dumps(data, ensure_ascii=False) + "\n")


def _bits_per_char(pieces: tuple["TextPiece", ...]) -> float | None:
    characters = sum(len(piece.text) for piece in pieces)
    return sum(piece.bits for piece in pieces) / characters if characters else None


class _Sink:
    """Where the text goes: a new file, a pipe, or a terminal, which gets safe text.

    Raises:
        OptionError: the file is there already.
    """

    def __init__(self, output: str | None, *, raw: bool) -> None:
        self._file = _new_file(output) if output is not None else None
        self._stream: TextIO = self._file or sys.stdout
        self._safe = self._stream.isatty() and not raw
        self._push, self._finish = _through(self._safe)
        self._last = "\n"

    def __enter__(self) -> "_Sink":
        return self

    def __exit__(self, *_: object) -> None:
        self.write_exactly(self._finish())
        if self._last != "\n":
            self.write_exactly("\n")
        if self._file:
            self._file.close()

    def write(self, text: str) -> None:
        """Write generated text, at once."""
        self.write_exactly(self._push(text))

    def end_line(self) -> None:
        """End the text with a line end; on a pipe nothing is added to the text itself."""
        self.write_exactly(self._finish())
        if self._last != "\n":
            self.write_exactly("\n")

    def write_exactly(self, text: str) -> None:
        """Write text that is not the model's, or was made safe."""
        if text:
            self._stream.write(text)
            self._stream.flush()
            self._last = text[-1]


def _through(safe: bool) -> tuple[Callable[[str], str], Callable[[], str]]:
    """What each piece passes on its way, and what is held back at the end."""
    if not safe:
        return (lambda text: text), (lambda: "")
    from charnn.view.display_text import SafeStream

    stream = SafeStream()
    return stream.push, stream.finish


def _new_file(output: str) -> TextIO:
    try:
        return Path(output).open("x", encoding="utf-8", newline="")
    except FileExistsError:
        raise OptionError(
            f"{output} is there already and is not overwritten: name another -o"
        ) from None
    except OSError as error:
        raise TextError(f"cannot write {output}: {error.strerror}") from None


def _options(given: dict[str, Any]) -> "SamplingOptions":
    from charnn.generation.sampler import SamplingOptions

    options = {name: value for name, value in given.items() if value is not None}
    options["stop"] = tuple(unescape(text) or "" for text in options.pop("stop", ()))
    if "temp" in options:
        options["temperature"] = options.pop("temp")
    return SamplingOptions(**options)


def _prompt(argument: str | None, option: str | None, file: str | None) -> str:
    """The prompt, however it was given.

    Raises:
        OptionError: it was given twice.
        TextError: its file cannot be read.
    """
    given = [name for name, value in _named(argument, option, file) if value is not None]
    if len(given) > 1:
        raise OptionError(f"give the prompt once, got {' and '.join(given)}")
    if file is not None:
        return _read_prompt(file)
    return argument or option or ""


def _named(*values: str | None) -> Iterator[tuple[str, str | None]]:
    return zip(("PROMPT", "--prompt", "--prompt-file"), values, strict=True)


def _read_prompt(file: str) -> str:
    try:
        data = _stdin().read() if file == "-" else Path(file).read_bytes()
        return data.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except OSError as error:
        raise TextError(f"prompt file {file} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise TextError(
            f"prompt file {file} is not UTF-8 (byte 0x{error.object[error.start]:02X} at offset "
            f"{error.start}): save it as UTF-8"
        ) from None


def _stdin() -> BinaryIO:
    return sys.stdin.buffer
