"""`charnn eval`: what a text costs a model."""

import json
from typing import TYPE_CHECKING

import click

from charnn import api
from charnn.cli.options import (
    checkpoints_option,
    config_option,
    encoding_options,
    model_option,
    unescape,
)
from charnn.errors import OptionError

if TYPE_CHECKING:
    from charnn.training.scoring import Evaluation


@click.command()
@click.argument("texts", nargs=-1, metavar="[TEXT]...")
@model_option
@click.option(
    "--part",
    metavar="train|validation|test",
    help="Of the run's own text. Default: test if there is one, else validation.",
)
@encoding_options
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    envvar="CHARNN_EVAL_JSON",
    help="The numbers as a JSON object.",
)
@checkpoints_option
@config_option
def command(
    texts: tuple[str, ...],
    model: str | None,
    part: str | None,
    encoding: str | None,
    document_separator: str | None,
    as_json: bool,
    checkpoints: str,
) -> None:
    """Tell what TEXT costs a model, or the part of its own text that it was not trained on."""
    from charnn.corpus.split import check_part
    from charnn.text.encodings import text_encoding

    text_encoding(encoding)
    check_part(part)
    if texts and part is not None:
        raise OptionError(f"--part is of the run's own text: leave out {texts[0]!r}, or --part")
    loaded = api.load(model, checkpoints=checkpoints)
    result = loaded.evaluate(
        texts or None,
        part=part,
        encoding=encoding,
        document_separator=unescape(document_separator),
    )
    if as_json:
        click.echo(json.dumps({"model": loaded.name, **result.to_json()}, ensure_ascii=False))
    else:
        for line in _lines(loaded.name, texts, result):
            click.echo(line)


def _lines(name: str, texts: tuple[str, ...], result: "Evaluation") -> list[str]:
    score = result.score
    what = ", ".join(texts) if texts else f"the {result.part} part of its own text"
    return [
        f"{name} on {what}",
        f"  bits per character  {score.bits_per_char:.4f}",
        f"  bits per byte       {score.bits_per_byte:.4f}",
        f"  nats per character  {score.nats_per_char:.4f}",
        f"  characters          {score.characters:,} ({score.bytes:,} bytes, "
        f"{score.tokens:,} tokens)",
    ]
