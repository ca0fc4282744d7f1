"""What a user may say about a training, checked before anything is opened. No torch here."""

import math
import re
from dataclasses import dataclass

from charnn.corpus.split import split_text
from charnn.corpus.tokenizers import TOKENIZERS
from charnn.corpus.tokenizers.base import check_vocab_size
from charnn.errors import OptionError
from charnn.generation.prompt import check_prompt
from charnn.model.shapes import CELLS

SIZES = ("auto", "tiny", "small", "medium", "large", "classic")
OPTIMIZERS = ("adamw", "adagrad", "sgd")
DEFAULT_MINUTES = 10.0

_DROPOUTS = ("input_dropout", "layer_dropout", "output_dropout", "state_dropout")
_OTHER_DROPOUTS = ("token_dropout", "weight_dropout")
_COUNTS = (
    *("vocab_size", "layers", "hidden", "embedding", "networks", "steps"),
    *("batch_size", "seq_len", "sample_length", "threads"),
)
MOST_ROWS = MOST_WINDOW = 1 << 20
MOST_STEPS = 1 << 53
MOST_TEMPS = 64
MOST_NETWORKS = 64
MOST_CHARACTERS = 100_000
"""Of a sample and of its prompt: both stand in a line of samples.jsonl."""
_MOST = {
    "steps": MOST_STEPS,
    "minutes": 1e9,
    "epochs": 1e9,
    "threads": 1 << 10,
    "networks": MOST_NETWORKS,
    "batch_size": MOST_ROWS,
    "seq_len": MOST_WINDOW,
    "sample_length": MOST_CHARACTERS,
}
"""What a run that was saved may be asked for when it is read again."""
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
            OptionError: the text is none, or the number not above zero or beyond 2**53.

        >>> Interval.parse("30s", "save-every")
        Interval(seconds=30.0, steps=None)
        """
        number, unit = match.groups() if (match := _INTERVAL.fullmatch(text.strip())) else (0, "")
        value, is_seconds = float(number), unit == "s"
        if not 0 < value <= MOST_STEPS or not (is_seconds or value.is_integer()):
            raise OptionError(f"{name} must be like 30s or 500steps, above zero, got {text!r}")
        return cls(seconds=value) if is_seconds else cls(steps=int(value))

    def in_steps(self, seconds_per_step: float) -> int:
        """The interval in steps, at least 1."""
        if self.steps is not None:
            return self.steps
        return min(MOST_STEPS, max(1, round((self.seconds or 0) / seconds_per_step)))


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainOptions:
    """What a user may say about a training; None leaves the choice to the recipe.

    Units: minutes of wall clock for the whole command, shares in [0, 1), `prompt` any text,
    `save_every` and `sample_every` as in `Interval.parse`, `temps` temperatures >= 0. Whatever is
    taken here can be read back from the run that was begun with it.

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
    feed_forward: int | None = None
    networks: int | None = None
    no_ngram: bool = False
    ngram_weight: float | None = None
    dropout: float | None = None
    token_dropout: float | None = None
    input_dropout: float | None = None
    layer_dropout: float | None = None
    output_dropout: float | None = None
    state_dropout: float | None = None
    weight_dropout: float | None = None
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

    @property
    def timed(self) -> bool:
        """Whether the clock decides how many steps are taken."""
        return self.epochs is None and self.steps is None

    @property
    def seconds(self) -> float:
        """What the clock gives a training where it decides."""
        return 60 * (self.minutes or DEFAULT_MINUTES)

    def __post_init__(self) -> None:
        _one_of("size", self.size, SIZES)
        _one_of("cell", self.cell, CELLS)
        _one_of("optimizer", self.optimizer, OPTIMIZERS)
        _one_of("tokenizer", self.tokenizer, tuple(TOKENIZERS))
        _one_of("device", self.device, ("auto", "cpu", "cuda", "mps"))
        _one_of("precision", self.precision, ("auto", "fp32", "bf16"))
        for name in _COUNTS:
            _at_least(name, getattr(self, name), 1)
        _at_least("feed_forward", self.feed_forward, 0)
        check_vocab_size(TOKENIZERS[self.tokenizer], self.vocab_size)
        if not 0 <= self.seed < 2**64:
            raise OptionError(f"seed must be in [0, 2**64), got {self.seed}")
        for name in ("minutes", "epochs", "learning_rate", "grad_clip"):
            _above(name, getattr(self, name), 0)
        _at_least("weight_decay", self.weight_decay, 0)
        for name in ("dropout", *_OTHER_DROPOUTS, "ngram_weight", *_DROPOUTS):
            _share(name, getattr(self, name))
        split_text(0, self.val_fraction, self.test_fraction)
        budgets = [n for n in ("minutes", "epochs", "steps") if getattr(self, n) is not None]
        if len(budgets) > 1:
            raise OptionError(f"give one of --minutes, --epochs and --steps, got {len(budgets)}")
        for name, most in _MOST.items():
            _at_most(name, getattr(self, name), most)
        if not self.temps or any(not 0 <= t < math.inf for t in self.temps):
            raise OptionError(f"temps must be numbers >= 0, got {self.temps}")
        if len(self.temps) > MOST_TEMPS:
            raise OptionError(f"temps must be at most {MOST_TEMPS} numbers, got {len(self.temps)}")
        check_prompt(self.prompt)
        if len(self.prompt) > MOST_CHARACTERS:
            rule = f"at most {MOST_CHARACTERS:,} characters"
            raise OptionError(f"prompt must be {rule}, got {len(self.prompt):,}")
        for name in ("save_every", "sample_every"):
            Interval.parse(getattr(self, name), option_name(name))


def option_name(field: str) -> str:
    """A field as it is spelled on the command line.

    >>> option_name("batch_size")
    'batch-size'
    """
    return field.replace("_", "-")


def _one_of(name: str, value: str | None, allowed: tuple[str, ...]) -> None:
    if value is not None and value not in allowed:
        rule = ", ".join(allowed)
        raise OptionError(f"{option_name(name)} must be one of {rule}, got {value!r}")


def _at_least(name: str, value: float | None, least: float) -> None:
    if value is not None and not least <= value < math.inf:
        rule = "finite" if value == math.inf else f">= {least}"
        raise OptionError(f"{option_name(name)} must be {rule}, got {value}")


def _at_most(name: str, value: float | None, most: float) -> None:
    if value is not None and value > most:
        raise OptionError(f"{option_name(name)} must be <= {most:,.0f}, got {value}")


def _above(name: str, value: float | None, bound: float) -> None:
    if value is not None and not bound < value < math.inf:
        rule = "finite" if value == math.inf else f"> {bound}"
        raise OptionError(f"{option_name(name)} must be {rule}, got {value}")


def _share(name: str, value: float | None) -> None:
    if value is not None and not 0 <= value < 1:
        raise OptionError(f"{option_name(name)} must be in [0, 1), got {value}")
