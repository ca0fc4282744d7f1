"""`charnn eval`: what a text costs a model."""

from typing import TYPE_CHECKING

import click

from charnn import api
from charnn.cli.as_json import show_json
from charnn.cli.code_length import check_options, tell_code_length
from charnn.cli.options import (
    checkpoints_option,
    config_option,
    encoding_options,
    is_typed,
    model_option,
    unescape,
)
from charnn.cli.saying import say
from charnn.errors import OptionError

if TYPE_CHECKING:
    from charnn.training.scores import Scores
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
@click.option("--no-ngram", is_flag=True, help="The network alone, without its n-gram model.")
@click.option("--dynamic", is_flag=True, help="Score it again, learning from what was read.")
@click.option(
    "--samples", is_flag=True, help="Let the model write, and measure that beside real text."
)
@click.option(
    "--code-length", is_flag=True, help="What TEXT costs from nothing: no run, and no split."
)
@click.option("--minutes", type=float, metavar="F", help="Wall clock of --code-length. Default: 2.")
@click.option("--size", metavar="auto|tiny|small|medium|large", help="Its network. Default: auto.")
@click.option("--seed", type=int, metavar="N", help="Its seed. Default: 1.")
@click.option("--threads", type=int, metavar="N", help="Its CPU threads. Default: every core.")
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    envvar="CHARNN_EVAL_JSON",
    help="The numbers as a JSON object.",
)
@checkpoints_option
@config_option
@click.pass_context
def command(
    context: click.Context,
    texts: tuple[str, ...],
    model: str | None,
    part: str | None,
    encoding: str | None,
    document_separator: str | None,
    no_ngram: bool,
    dynamic: bool,
    samples: bool,
    code_length: bool,
    minutes: float | None,
    size: str | None,
    seed: int | None,
    threads: int | None,
    as_json: bool,
    checkpoints: str,
) -> None:
    """Tell what TEXT costs a model, or the part of its own text that it was not trained on."""
    from charnn.corpus.split import check_part
    from charnn.text.encodings import text_encoding

    text_encoding(encoding)
    check_options(context, texts, code_length=code_length)
    if code_length:
        tell_code_length(
            context,
            texts,
            as_json=as_json,
            encoding=encoding,
            document_separator=unescape(document_separator),
            minutes=minutes,
            size=size,
            seed=seed,
            threads=threads,
        )
        return
    check_part(part)
    if texts:
        _refuse_own_part(context, texts)
        part, samples = None, False  # for whom the environment or a file says it: not for a TEXT
    if is_typed(context, "dynamic") and not is_typed(context, "samples"):
        samples = False
    if samples:
        _check_samples(part, dynamic=is_typed(context, "dynamic"))
    loaded = api.load(model, checkpoints=checkpoints, ngram=not no_ngram)
    if samples:
        _tell_samples(loaded, part, as_json)
        return
    result = loaded.evaluate(
        texts or None,
        part=part,
        encoding=encoding,
        document_separator=unescape(document_separator),
        dynamic=dynamic,
    )
    if as_json:
        show_json({"model": loaded.name, **result.to_json()})
    else:
        for line in _lines(loaded.name, texts, result):
            say(line)


def _refuse_own_part(context: click.Context, texts: tuple[str, ...]) -> None:
    """Refuse a TEXT beside what is of the run's own."""
    for name in ("part", "samples"):
        if is_typed(context, name):
            raise OptionError(
                f"--{name} is of the run's own text: leave out {texts[0]!r}, or --{name}"
            )


def _check_samples(part: str | None, *, dynamic: bool) -> None:
    """Refuse what has no meaning where the model writes."""
    from charnn.training.samples import check_heldout_part

    check_heldout_part(part)
    if dynamic:
        raise OptionError(
            "--dynamic scores a text and --samples writes some: leave one of them out"
        )


def _tell_samples(loaded: api.Model, part: str | None, as_json: bool) -> None:
    """Measure what the model writes."""
    from charnn.cli.samples import table

    report = loaded.measure_samples(part=part)
    if as_json:
        show_json({"model": loaded.name, **report.to_json()})
    else:
        for line in table(loaded.name, report):
            say(line)


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
        *_expert_lines(result),
    ]


def _expert_lines(result: "Evaluation") -> list[str]:
    """Bits per character of each expert alone, where there is more than one number to tell."""
    rows: list[tuple[str, Scores]] = [("", result)]
    if result.dynamic:
        rows.append(("adapting", result.dynamic))
    if len(rows) == 1 and result.ngram is None:
        return []
    lines = ["", "  bits per character     together   network    n-gram"]
    for name, scores in rows:
        together, network, ngram = (
            f"{score.bits_per_char:>10.4f}" if score else f"{'-':>10}"
            for score in (scores.score, scores.network, scores.ngram)
        )
        lines.append(f"  {name or 'as trained':<20} {together}{network}{ngram}")
    return lines
