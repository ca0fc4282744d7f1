"""`charnn corpus inspect`: what is in a text, and what to do about it."""

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from charnn.cli.as_json import show_json
from charnn.cli.options import config_option
from charnn.errors import OptionError

if TYPE_CHECKING:
    from charnn.training.recommendation import Recommendation

_WIDTH = 80  # cells of a line for a pipe or a file


@click.command()
@click.argument("texts", nargs=-1, metavar="TEXT...")
@click.option(
    "--encoding", metavar="NAME", help="Of the text, such as cp949. Default: found out, and told."
)
@click.option(
    "--full",
    is_flag=True,
    help="Look at all of a long text, not at 8 MB of it, for words, repeats and compressors.",
)
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    envvar="CHARNN_CORPUS_INSPECT_JSON",
    help="All of it as a JSON object.",
)
@config_option
def command(texts: tuple[str, ...], encoding: str | None, full: bool, as_json: bool) -> None:
    """Tell what is in TEXT: files, folders (their .txt files), or - for stdin.

    Any text is taken as it is, in any encoding, also a damaged one; nothing is changed.
    """
    if not texts:
        raise OptionError("inspect needs a TEXT: name a file, a folder, or - for stdin")
    from charnn.corpus.tokenizers.comparison import compare_tokenizers
    from charnn.text.inspect import inspect_texts
    from charnn.training.recommendation import recommend
    from charnn.view.working import Working

    with Working() as working:
        inspection = inspect_texts(texts, encoding=encoding, full=full, tell=working.tell)
        fits = compare_tokenizers(
            inspection.sample.texts, lambda kind: working.tell(f"{kind} tokenizer", 0, 0)
        )
    advice = recommend(inspection, fits, texts)
    if as_json:
        from charnn.text.inspect_json import inspection_json

        tokenizers = {
            fit.kind: {
                "vocab_size": fit.vocab_size,
                "tokens_per_char": fit.tokens_per_char,
                "rare": fit.rare,
            }
            for fit in fits
        }
        told = {**inspection_json(inspection), "tokenizers": tokenizers}
        told["recommendation"] = _as_json(advice)
        show_json(told, indent=1)
        return
    from rich.console import Console

    from charnn.view.inspection import advice_table, show_inspection

    console = Console(highlight=False, width=None if sys.stdout.isatty() else _WIDTH)
    table = advice_table(_rows(advice), advice.command, advice.reasons)
    show_inspection(inspection, fits, table, console)


def _rows(advice: "Recommendation") -> Iterator[tuple[str, str]]:
    yield "tokenizer", advice.tokenizer
    yield (
        "network",
        f"{advice.size} ({advice.parameters:,} parameters); with a GPU {advice.size_on_gpu}",
    )
    yield "time", f"{advice.minutes} minute{'s' if advice.minutes > 1 else ''} on a CPU"
    if advice.bits_per_char is not None:
        low, high = advice.bits_per_char
        yield "expect", f"{low:.2f} to {high:.2f} bits per character on the last tenth"


def _as_json(advice: "Recommendation") -> dict[str, object]:
    return {
        "tokenizer": advice.tokenizer,
        "size": advice.size,
        "parameters": advice.parameters,
        "size_on_gpu": advice.size_on_gpu,
        "minutes": advice.minutes,
        "bits_per_char": advice.bits_per_char,
        "reasons": advice.reasons,
        "command": advice.command,
    }
