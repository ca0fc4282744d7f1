"""`charnn train`: options in, records to the view, signals to the training."""

import time
from typing import Any

import click

from charnn import api
from charnn.cli.interrupts import Interrupts, interrupts
from charnn.cli.options import (
    checkpoints_option,
    config_option,
    encoding_options,
    is_typed,
    nearest_of,
    numbers,
    ui_option,
    unescape,
)
from charnn.cli.saying import say
from charnn.errors import OptionError
from charnn.records import Control, PlanFixed, Record, Validation

_BUDGETS = ("minutes", "epochs", "steps")
_RESUME_NEWEST = "\0newest"
_WITH_RESUME = {
    "checkpoints",
    "resume",
    "ui",
    "threads",
    "text",
    "sample_every",
    "sample_length",
    "temps",
    "prompt",
    *_BUDGETS,
}


@click.command(context_settings={"show_default": False})
@click.argument("texts", nargs=-1, metavar="TEXT...")
@click.option("--run", metavar="NAME", help="What to call the run. Default: the text's name.")
@click.option(
    "--resume",
    is_flag=False,
    flag_value=_RESUME_NEWEST,
    metavar="[NAME]",
    help="Go on with a run that was stopped, or more of one; without NAME the newest.",
)
@click.option("--text", metavar="FILE", help="With --resume: where the text lies now.")
@click.option(
    "--init-from", metavar="RUN", help="Begin with another run's weights, sizes and tokenizer."
)
@click.option("--minutes", type=float, metavar="F", help="Wall clock of the whole command.")
@click.option("--epochs", type=float, metavar="F", help="Passes over the training part.")
@click.option("--steps", type=int, metavar="N", help="Updates of the weights.")
@click.option("--tokenizer", metavar="char|jamo|byte|subword", help="Default: char.")
@click.option("--vocab-size", type=int, metavar="N", help="The most tokens it may have.")
@encoding_options
@click.option(
    "--val-fraction",
    type=float,
    metavar="F",
    help="Share held out to choose the best checkpoint. Default: 0.1, at most 2 M characters.",
)
@click.option(
    "--test-fraction", type=float, metavar="F", help="Share that chooses nothing. Default: 0."
)
@click.option("--size", metavar="auto|tiny|small|medium|large|classic", help="Default: auto.")
@click.option("--cell", metavar="lstm|gru|rnn", help="The recurrent cell. Default: lstm.")
@click.option("--layers", type=int, metavar="N", help="Recurrent layers.")
@click.option("--hidden", type=int, metavar="N", help="Units of each layer.")
@click.option("--embedding", type=int, metavar="N", help="Numbers per token.")
@click.option(
    "--feed-forward",
    type=int,
    metavar="N",
    help="Units of the block behind the layers; 0 for none.",
)
@click.option(
    "--networks", type=int, metavar="N", help="How many, averaged. Default: by the minutes."
)
@click.option(
    "--no-ngram",
    is_flag=True,
    default=None,
    help="The network alone, without an n-gram model.",
)
@click.option("--ngram-weight", type=float, metavar="F", help="Its share in the mixture.")
@click.option("--dropout", type=float, metavar="F", help="At input, between layers, at output.")
@click.option("--token-dropout", type=float, metavar="F", help="Whole input tokens.")
@click.option("--input-dropout", type=float, metavar="F", help="Units of the embedding.")
@click.option(
    "--layer-dropout", type=float, metavar="F", help="Units between layers, or of the block."
)
@click.option("--output-dropout", type=float, metavar="F", help="Units before the output.")
@click.option("--state-dropout", type=float, metavar="F", help="The recurrent state; slower.")
@click.option("--weight-dropout", type=float, metavar="F", help="Recurrent weights.")
@click.option("--batch-size", type=int, metavar="N", help="Parallel rows of text.")
@click.option("--seq-len", type=int, metavar="N", help="Tokens a window of truncated BPTT.")
@click.option("--learning-rate", type=float, metavar="F", help="The peak of the schedule.")
@click.option("--optimizer", metavar="adamw|adagrad|sgd", help="Default: adamw.")
@click.option("--weight-decay", type=float, metavar="F", help="Of matrices, towards zero.")
@click.option("--grad-clip", type=float, metavar="F", help="Largest norm of the gradient.")
@click.option("--save-every", metavar="30s|500steps", help="A checkpoint. Default: 30s.")
@click.option("--sample-every", metavar="20s|500steps", help="Samples. Default: 20s.")
@click.option("--temps", metavar="0.5,0.8,1.0", help="A sample at each temperature.")
@click.option("--prompt", metavar="TEXT", help="What the samples go on from.")
@click.option("--sample-length", type=int, metavar="N", help="Characters. Default: 200.")
@click.option("--dry-run", is_flag=True, help="Tell size, memory and steps; train nothing.")
@ui_option
@click.option("--seed", type=int, metavar="N", help="Default: 1.")
@click.option("--device", metavar="auto|cpu|cuda|mps", help="Default: auto.")
@click.option("--precision", metavar="auto|fp32|bf16", help="Default: auto.")
@click.option("--threads", type=int, metavar="N", help="CPU threads. Default: every core.")
@checkpoints_option
@config_option
@click.pass_context
def command(
    context: click.Context,
    /,
    texts: tuple[str, ...],
    run: str | None,
    resume: str | None,
    text: str | None,
    init_from: str | None,
    encoding: str | None,
    document_separator: str | None,
    checkpoints: str,
    ui: str,
    dry_run: bool,
    **given: Any,
) -> None:
    """Train a model on TEXT: files, folders (their .txt files), or - for stdin.

    Without --minutes, --epochs or --steps it trains for 10 minutes, or until the held-out text
    has clearly stopped getting more predictable. Ctrl-C saves; --resume goes on.
    """
    given = nearest_of(context, given, _BUDGETS)
    if resume is not None:
        _check_resume(context, texts)
        given = {name: value for name, value in given.items() if _goes_on(context, name)}
    elif not texts:
        raise OptionError("train needs a TEXT: name a file, a folder, or - for stdin")
    elif text is not None and is_typed(context, "text"):
        raise OptionError("--text goes with --resume: name the text itself to train on it")
    options = _options(given)
    source: dict[str, Any] = {
        "encoding": encoding,
        "document_separator": unescape(document_separator),
    }
    if dry_run and resume is None:
        source["init_from"] = init_from
        _tell_plan(texts, checkpoints, source, options)
        return
    began: float = context.obj["started"]
    with _Session(ui, began) as session:
        shared: dict[str, Any] = {"checkpoints": checkpoints, **session.callbacks}
        if resume is not None:
            name = None if resume == _RESUME_NEWEST else resume
            session.recall(name, checkpoints)
            api.resume(name, text=text, **shared, **options)
        else:
            api.train(texts, run=run, init_from=init_from, **shared, **source, **options)


class _Session:
    """The view and the signals of one training."""

    def __init__(self, ui: str, began: float) -> None:
        from charnn.view.views import make_view

        self._control = Control()
        self._view = make_view(ui, self._control)
        self._signals = interrupts(self._control)
        self._state: Interrupts | None = None
        self.callbacks: dict[str, Any] = {
            "on_record": self._show,
            "control": self._control,
            "clock": lambda: time.monotonic() - began,
        }

    def __enter__(self) -> "_Session":
        self._state = self._signals.__enter__()
        self._view.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        try:
            self._view.__exit__(*error)
        finally:
            self._signals.__exit__(*error)

    def recall(self, name: str | None, checkpoints: str) -> None:
        """Show what a run has kept of its training so far, as far as it can be read."""
        from charnn.view.watch import readable_records

        self._view.recall(readable_records(api.load(name, checkpoints=checkpoints).path))

    def _show(self, record: Record) -> None:
        if self._state is not None and isinstance(record, (PlanFixed, Validation)):
            self._state.saving = True
        self._view.show(record)


def _options(given: dict[str, Any]) -> dict[str, Any]:
    """The options that were given, checked; what was not given is left to the recipe."""
    from charnn.training.options import TrainOptions

    options = {name: value for name, value in given.items() if value is not None}
    if "temps" in options:
        options["temps"] = numbers(options["temps"], "temps")
    if "prompt" in options:
        options["prompt"] = unescape(options["prompt"])
    TrainOptions(**options)
    return options


def _check_resume(context: click.Context, texts: tuple[str, ...]) -> None:
    """Refuse what cannot go with --resume: the run already has its text and its options.

    What the environment or a file says of them is for new runs, and is left aside.

    Raises:
        OptionError: something else was given.
    """
    if texts:
        raise OptionError(
            f"--resume takes no TEXT, got {texts[0]!r}: the run knows its text; "
            "--text FILE says where it lies now"
        )
    for name in context.params:
        if is_typed(context, name) and name not in _WITH_RESUME:
            option = name.replace("_", "-")
            raise OptionError(f"--{option} cannot be changed with --resume: leave it out")


def _goes_on(context: click.Context, name: str) -> bool:
    """Whether an option is for the run that goes on; a budget of environment or file is not."""
    return name in _WITH_RESUME and (is_typed(context, name) or name not in _BUDGETS)


def _tell_plan(
    texts: tuple[str, ...], checkpoints: str, source: dict[str, Any], options: dict[str, Any]
) -> None:
    from charnn.training.advice import advise

    for line in advise(texts, checkpoints, options, **source):
        say(line)
