"""Options -> recipe (what is trained, and how) -> plan (how many steps, and what happens when).

No torch here: a recipe is also asked for as advice. Everything but a plan made for a number of
minutes follows from the text, the options and the kind of device alone; measured speed enters
only where somebody asked for minutes.
"""

import math
import re
from dataclasses import asdict, dataclass, fields
from typing import Any

from charnn.corpus.stream import split_text
from charnn.errors import OptionError
from charnn.model.shapes import CELLS, ModelShape, parameter_count

SIZES = ("auto", "tiny", "small", "medium", "large", "classic")
OPTIMIZERS = ("adamw", "adagrad", "sgd")
DEFAULT_MINUTES = 10.0
FLOPS = {"cpu": 2.0e11, "cuda": 2.0e13, "mps": 1.5e12}
"""Floating-point operations a second that training reaches on a typical machine of each kind."""

_LAYERS = {"tiny": 1, "small": 1, "medium": 1, "large": 2, "classic": 1}
_HIDDEN = {"tiny": 128, "small": 256, "medium": 512, "large": 1024, "classic": 100}
_DROPOUTS = ("input_dropout", "layer_dropout", "output_dropout", "state_dropout")
_COUNTS = (
    *("vocab_size", "layers", "hidden", "embedding", "steps"),
    *("batch_size", "seq_len", "sample_length", "threads"),
)
_INTERVAL = re.compile(r"(\d+(?:\.\d+)?)\s*(s|steps?)?")


@dataclass(frozen=True, slots=True)
class Interval:
    """How often something happens: every so many seconds or every so many steps."""

    seconds: float | None = None
    steps: int | None = None

    @classmethod
    def parse(cls, text: str, name: str) -> "Interval":
        """An interval such as "30s", "500steps" or "500" (steps).

        Raises:
            OptionError: the text is none, or not above zero.

        >>> Interval.parse("30s", "save-every")
        Interval(seconds=30.0, steps=None)
        """
        number, unit = match.groups() if (match := _INTERVAL.fullmatch(text.strip())) else (0, "")
        value, is_seconds = float(number), unit == "s"
        if not 0 < value < math.inf or not (is_seconds or value.is_integer()):
            raise OptionError(f"{name} must be like 30s or 500steps, above zero, got {text!r}")
        return cls(seconds=value) if is_seconds else cls(steps=int(value))

    def in_steps(self, seconds_per_step: float) -> int:
        """The interval in steps, at least 1."""
        if self.steps is not None:
            return self.steps
        return max(1, round((self.seconds or 0) / seconds_per_step))


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainOptions:
    """What a user may say about a training; None leaves the choice to the recipe.

    Units: minutes of wall clock for the whole command, shares in [0, 1), `prompt` any text,
    `save_every` and `sample_every` as in `Interval.parse`, `temps` temperatures >= 0.

    Raises:
        OptionError: a value breaks its rule.
    """

    tokenizer: str = "char"
    vocab_size: int | None = None
    val_fraction: float | None = None
    test_fraction: float = 0.0
    size: str = "auto"
    cell: str | None = None
    layers: int | None = None
    hidden: int | None = None
    embedding: int | None = None
    dropout: float | None = None
    token_dropout: float | None = None
    input_dropout: float | None = None
    layer_dropout: float | None = None
    output_dropout: float | None = None
    state_dropout: float | None = None
    minutes: float | None = None
    epochs: float | None = None
    steps: int | None = None
    batch_size: int | None = None
    seq_len: int | None = None
    learning_rate: float | None = None
    optimizer: str | None = None
    weight_decay: float | None = None
    grad_clip: float | None = None
    save_every: str = "30s"
    sample_every: str = "20s"
    temps: tuple[float, ...] = (0.5, 0.8, 1.0)
    prompt: str = ""
    sample_length: int = 200
    seed: int = 1
    device: str = "auto"
    precision: str = "auto"
    threads: int | None = None

    def __post_init__(self) -> None:
        _one_of("size", self.size, SIZES)
        _one_of("cell", self.cell, CELLS)
        _one_of("optimizer", self.optimizer, OPTIMIZERS)
        _one_of("tokenizer", self.tokenizer, ("char", "jamo", "byte", "subword"))
        _one_of("device", self.device, ("auto", "cpu", "cuda", "mps"))
        _one_of("precision", self.precision, ("auto", "fp32", "bf16"))
        for name in _COUNTS:
            _at_least(name, getattr(self, name), 1)
        if not 0 <= self.seed < 2**64:
            raise OptionError(f"seed must be in [0, 2**64), got {self.seed}")
        for name in ("minutes", "epochs", "learning_rate", "grad_clip"):
            _above(name, getattr(self, name), 0)
        _at_least("weight_decay", self.weight_decay, 0)
        for name in ("dropout", "token_dropout", *_DROPOUTS):
            _share(name, getattr(self, name))
        split_text(0, self.val_fraction, self.test_fraction)
        budgets = [n for n in ("minutes", "epochs", "steps") if getattr(self, n) is not None]
        if len(budgets) > 1:
            raise OptionError(f"give one of --minutes, --epochs and --steps, got {len(budgets)}")
        if not self.temps or any(not 0 <= t < math.inf for t in self.temps):
            raise OptionError(f"temps must be numbers >= 0, got {self.temps}")
        for name in ("save_every", "sample_every"):
            Interval.parse(getattr(self, name), option_name(name))


@dataclass(frozen=True, slots=True)
class Recipe:
    """What is trained and how; every choice made. Saved with the run.

    Attributes:
        batch_size: parallel rows of text.
        seq_len: tokens per window of truncated BPTT.
        learning_rate: the peak of the schedule.
        schedule: "cosine" (warm-up, then down to zero) or "constant".
        warmup: share of the steps in which the rate rises.
        weight_decay: decoupled, on matrices only.
        grad_clip: largest global norm of the gradient.
        ema: the longest horizon of the weights' moving average, as its decay; 0 is off.
        token_dropout: and the others: shares in [0, 1).
    """

    cell: str
    num_layers: int
    hidden_size: int
    embedding_size: int
    tied: bool
    batch_size: int
    seq_len: int
    learning_rate: float
    optimizer: str
    schedule: str
    warmup: float
    weight_decay: float
    grad_clip: float
    ema: float
    token_dropout: float
    input_dropout: float
    layer_dropout: float
    output_dropout: float
    state_dropout: float

    def shape(self, vocab_size: int) -> ModelShape:
        """The network's sizes for a vocabulary."""
        return ModelShape(
            vocab_size,
            self.embedding_size,
            self.hidden_size,
            self.num_layers,
            self.cell,
            self.tied,
        )


@dataclass(frozen=True, slots=True)
class Plan:
    """How many steps are taken and what happens after every so many of them.

    Attributes:
        total_steps: the length of the schedule.
        steps_per_epoch: steps that make one pass over the training part.
        warmup_steps: steps in which the learning rate rises.
        log_every: a step record, in steps; so are the other intervals.
        patience: evaluations without a better one before training ends; None never ends early.
        seconds: the wall clock the plan was made for, if any.
        first_step: where the plan begins (more of a finished run begins behind its end).
    """

    total_steps: int
    steps_per_epoch: int
    warmup_steps: int
    log_every: int
    validate_every: int
    sample_every: int
    save_every: int
    patience: int | None = None
    seconds: float | None = None
    first_step: int = 0

    def to_json(self) -> dict[str, Any]:
        """The plan as a JSON object."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Plan":
        """The plan that `to_json` made.

        Raises:
            OptionError: a field is missing or of the wrong kind.
        """
        try:
            values = {field.name: data[field.name] for field in fields(cls)}
        except KeyError as error:
            raise OptionError(f"plan is incomplete: {error}") from None
        for name, value in values.items():
            _check_planned(name, value)
        return cls(**values)


def option_name(field: str) -> str:
    """A field as it is spelled on the command line.

    >>> option_name("batch_size")
    'batch-size'
    """
    return field.replace("_", "-")


def make_recipe(options: TrainOptions, tokens: int, vocab_size: int, device: str) -> Recipe:
    """Choose everything the user left open.

    Args:
        options: what the user said.
        tokens: length of the training part.
        vocab_size: of the tokenizer.
        device: "cpu", "cuda" or "mps".
    """
    if options.size == "classic":
        return _classic(options)
    size = _auto_size(tokens, device) if options.size == "auto" else options.size
    hidden = options.hidden or _HIDDEN[size]
    layers = options.layers or _LAYERS[size]
    embedding = options.embedding or hidden
    cell = options.cell or "lstm"
    shape = ModelShape(vocab_size, embedding, hidden, layers, cell)
    batch_size = options.batch_size or _batch_size(tokens, device)
    seq_len = options.seq_len or max(1, min(64, tokens // batch_size))
    epochs = _expected_tokens(options, shape, device, tokens) / max(1, tokens)
    drop = _dropout_for(epochs)
    everywhere = options.dropout
    return Recipe(
        cell=cell,
        num_layers=layers,
        hidden_size=hidden,
        embedding_size=embedding,
        tied=True,
        batch_size=batch_size,
        seq_len=seq_len,
        learning_rate=_or(options.learning_rate, _learning_rate(hidden, layers, cell)),
        optimizer=options.optimizer or "adamw",
        schedule="cosine",
        warmup=0.05,
        weight_decay=_or(options.weight_decay, 0.05),
        grad_clip=_or(options.grad_clip, 1.0),
        ema=0.998,
        token_dropout=_or(options.token_dropout, 0.16 * drop),
        input_dropout=_or(options.input_dropout, everywhere, 0.0),
        layer_dropout=_or(options.layer_dropout, everywhere, 0.6 * drop),
        output_dropout=_or(options.output_dropout, everywhere, drop),
        state_dropout=_or(options.state_dropout, 0.0),
    )


def _classic(options: TrainOptions) -> Recipe:
    """The seed experiment of the field: 100 LSTM units, Adagrad, windows of 25, one row.

    Source: Karpathy 2015, min-char-rnn, with an LSTM in place of the plain recurrence.
    """
    hidden = options.hidden or _HIDDEN["classic"]
    return Recipe(
        cell=options.cell or "lstm",
        num_layers=options.layers or 1,
        hidden_size=hidden,
        embedding_size=options.embedding or hidden,
        tied=False,
        batch_size=options.batch_size or 1,
        seq_len=options.seq_len or 25,
        learning_rate=_or(options.learning_rate, 0.1),
        optimizer=options.optimizer or "adagrad",
        schedule="constant",
        warmup=0.0,
        weight_decay=_or(options.weight_decay, 0.0),
        grad_clip=_or(options.grad_clip, 5.0),
        ema=0.0,
        token_dropout=_or(options.token_dropout, 0.0),
        input_dropout=_or(options.input_dropout, options.dropout, 0.0),
        layer_dropout=_or(options.layer_dropout, options.dropout, 0.0),
        output_dropout=_or(options.output_dropout, options.dropout, 0.0),
        state_dropout=_or(options.state_dropout, 0.0),
    )


def make_plan(
    options: TrainOptions,
    recipe: Recipe,
    windows_per_epoch: int,
    total_steps: int,
    seconds_per_step: float,
    *,
    validations: int = 25,
    seconds: float | None = None,
) -> Plan:
    """Lay out a training of `total_steps` steps; intervals in seconds become steps.

    Args:
        options: for the intervals the user asked for.
        recipe: for the warm-up.
        windows_per_epoch: steps of one epoch.
        total_steps: how many steps to take.
        seconds_per_step: measured, or `nominal_seconds_per_step`.
        validations: how many to make.
        seconds: the wall clock the plan is for.
    """
    ends_early = options.minutes is None and options.epochs is None and options.steps is None
    return Plan(
        total_steps=total_steps,
        steps_per_epoch=windows_per_epoch,
        warmup_steps=round(recipe.warmup * total_steps),
        log_every=max(1, min(round(0.5 / seconds_per_step), total_steps // 100)),
        validate_every=max(1, round(total_steps / validations)),
        sample_every=Interval.parse(options.sample_every, "sample-every").in_steps(
            seconds_per_step
        ),
        save_every=Interval.parse(options.save_every, "save-every").in_steps(seconds_per_step),
        patience=validations // 4 if ends_early else None,
        seconds=seconds,
    )


def planned_steps(options: TrainOptions, windows_per_epoch: int) -> int | None:
    """The steps that --steps or --epochs ask for; None where the time decides."""
    if options.steps is not None:
        return options.steps
    if options.epochs is not None:
        return max(1, round(options.epochs * windows_per_epoch))
    return None


def learning_rate_at(step: int, recipe: Recipe, plan: Plan) -> float:
    """The learning rate of step number `step` (from 0).

    Linear warm-up, then half a cosine down to zero.

    Source: Loshchilov & Hutter 2017, arXiv:1608.03983.
    """
    if recipe.schedule == "constant":
        return recipe.learning_rate
    done = step - plan.first_step
    if done < plan.warmup_steps:
        return recipe.learning_rate * (done + 1) / (plan.warmup_steps + 1)
    length = max(1, plan.total_steps - plan.first_step - plan.warmup_steps)
    share = min(1.0, (done - plan.warmup_steps) / length)
    return recipe.learning_rate * 0.5 * (1 + math.cos(math.pi * share))


def ema_decay_at(step: int, recipe: Recipe) -> float:
    """The decay of the weights' average after `step` updates: short at first, so it forgets."""
    return min(recipe.ema, (1 + step) / (10 + step))


def flops_per_token(shape: ModelShape) -> float:
    """Floating-point operations of forward and backward pass for one token: six a weight used."""
    used = parameter_count(shape)
    if not shape.tied:
        used -= shape.vocab_size * shape.embedding_size
    return 6.0 * used


def nominal_seconds_per_step(recipe: Recipe, vocab_size: int, device: str) -> float:
    """What a step takes on a typical machine with this kind of device; no clock is read."""
    work = flops_per_token(recipe.shape(vocab_size)) * recipe.batch_size * recipe.seq_len
    return work / FLOPS[device] + 1e-3


def _expected_tokens(options: TrainOptions, shape: ModelShape, device: str, tokens: int) -> float:
    """About how many tokens the training will read, from nominal speed, not from a clock."""
    if options.epochs is not None:
        return options.epochs * tokens
    if options.steps is not None:
        return options.steps * (options.batch_size or 16) * (options.seq_len or 64)
    seconds = 60 * (options.minutes or DEFAULT_MINUTES)
    return seconds * FLOPS[device] / flops_per_token(shape)


def _auto_size(tokens: int, device: str) -> str:
    if device == "cuda":
        return "large" if tokens >= 300_000 else "medium"
    return "medium" if tokens >= 50_000 else "small"


def _batch_size(tokens: int, device: str) -> int:
    """Rows: few on a CPU, where more updates beat larger ones; short texts get no tiny rows."""
    most = 64 if device == "cuda" else 16
    return max(1, min(most, tokens // 64))


def _learning_rate(hidden: int, layers: int, cell: str) -> float:
    base = {"lstm": 7e-3, "gru": 5e-3, "rnn": 2e-3}[cell]
    return base * math.sqrt(512 / max(512, hidden)) / math.sqrt(layers)


def _dropout_for(epochs: float) -> float:
    """Output dropout by how often the text is read: none for one pass, at most 0.6."""
    return round(min(0.6, max(0.0, 0.14 * math.log2(max(1.0, epochs)))), 3)


def _check_planned(name: str, value: Any) -> None:
    """Refuse a value that no plan has."""
    optional = name in ("patience", "seconds")
    if optional and value is None:
        return
    least = 0 if optional or name in ("warmup_steps", "first_step") else 1
    kinds = (int, float) if name == "seconds" else (int,)
    if type(value) not in kinds or not value >= least:
        noun = "number" if name == "seconds" else "whole number"
        nothing = " or nothing" if optional else ""
        raise OptionError(f"plan: {name} must be a {noun} >= {least}{nothing}, got {value!r}")


def _or(*values: float | None) -> float:
    """The first value that is not None."""
    return next(float(value) for value in values if value is not None)


def _one_of(name: str, value: str | None, allowed: tuple[str, ...]) -> None:
    if value is not None and value not in allowed:
        rule = ", ".join(allowed)
        raise OptionError(f"{option_name(name)} must be one of {rule}, got {value!r}")


def _at_least(name: str, value: float | None, least: float) -> None:
    if value is not None and not least <= value < math.inf:
        raise OptionError(f"{option_name(name)} must be >= {least}, got {value}")


def _above(name: str, value: float | None, bound: float) -> None:
    if value is not None and not bound < value < math.inf:
        raise OptionError(f"{option_name(name)} must be > {bound}, got {value}")


def _share(name: str, value: float | None) -> None:
    if value is not None and not 0 <= value < 1:
        raise OptionError(f"{option_name(name)} must be in [0, 1), got {value}")
