"""The code length of a text: how few bytes tell all of it, from nothing, in so many minutes.

The bytes are those of a header, of the vocabulary, and of every token by what was learnt from the
tokens before it (prequential.py). They stand beside what general compressors need.
"""

import lzma
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from charnn.corpus.encoding import encode_source
from charnn.corpus.tokenizers import CharTokenizer
from charnn.corpus.tokenizers.telling import tell_tokenizer
from charnn.corpus.varint import to_varint
from charnn.errors import OptionError, TextError
from charnn.model.shapes import ModelShape, parameter_count
from charnn.records import Preparing
from charnn.text.reading import TextSource, open_texts
from charnn.text.yardsticks import ppmd_size, xz_size
from charnn.training.device import choose_device, flushing_denormals
from charnn.training.foresight import Learner
from charnn.training.options import TrainOptions
from charnn.training.planning import EXIT_SECONDS
from charnn.training.prequential import Deadlines, Pass, Stretch, Wants, code_text
from charnn.training.recipe import Recipe, make_recipe
from charnn.training.texts import Text

DEFAULT_MINUTES: Final = 2.0
LEAST_CHARACTERS: Final = 1_000
SIZES: Final = ("auto", "tiny", "small", "medium", "large")
_FORMAT: Final = 1
_END_BYTES: Final = 2
"""An arithmetic code ends with at most so many bytes that say nothing but where it is."""

_AUTO_SIZES: Final = {"tiny": 100_000, "small": 2_000_000, "medium": 2**63}
"""The most tokens for which a size is chosen: what learns fast enough to be of use early."""
_ADAPTING_SECONDS: Final = 25e-6
_ADAPTING_SECONDS_A_WEIGHT: Final = 2.9e-10
"""What it takes to adapt to a token: measured with 128, 256 and 512 units on one core."""
_ADAPTING_SHARE: Final = 0.15
"""Of the time there is; where adapting takes more, training gains more."""

Tokens = NDArray[np.integer[Any]]
Report = Callable[[Preparing], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeOptions:
    """How a text is coded.

    Attributes:
        minutes: of wall clock for the whole command.
        size: of the network, as in `TrainOptions`; "classic" is none of them.
        seed: of the first weights and of dropout.
        threads: of the CPU; None uses every core.

    Raises:
        OptionError: a value breaks its rule.
    """

    minutes: float = DEFAULT_MINUTES
    size: str = "auto"
    seed: int = 1
    threads: int | None = None

    def __post_init__(self) -> None:
        if self.size not in SIZES:
            raise OptionError(f"size must be one of {', '.join(SIZES)}, got {self.size!r}")
        self.as_training()

    def as_training(self) -> TrainOptions:
        """The same as options of a training."""
        return TrainOptions(
            minutes=self.minutes,
            size=self.size,
            networks=1,
            feed_forward=0,
            seed=self.seed,
            threads=self.threads,
            device="cpu",
        )


@dataclass(frozen=True, slots=True)
class CodeLength:
    """What a text costs from nothing.

    Attributes:
        characters: code points of the text.
        text_bytes: of the text in UTF-8.
        tokens: that tell it.
        header_bytes: of what a decoder must know of the options and the steps.
        vocabulary_bytes: of the characters that have tokens.
        token_bits: of all tokens.
        network_bits, ngram_bits: of all tokens under each expert alone.
        hidden_size: units of the network's layers.
        steps: of training, in all.
        xz_bytes: what `xz -9e` needs.
        ppmd_bytes: what PPMd needs; None where pyppmd is not installed.
        stretches: what was coded and decoded.
    """

    characters: int
    text_bytes: int
    tokens: int
    header_bytes: int
    vocabulary_bytes: int
    token_bits: float
    network_bits: float
    ngram_bits: float
    hidden_size: int
    steps: int
    xz_bytes: int
    ppmd_bytes: int | None
    stretches: tuple[Stretch, ...]

    @property
    def bytes(self) -> int:
        """Of the whole code."""
        return self._bytes(self.token_bits)

    @property
    def ngram_bytes(self) -> int:
        """Of the code by the counting n-gram model alone."""
        return self._bytes(self.ngram_bits)

    @property
    def network_bytes(self) -> int:
        """Of the code by the network alone."""
        return self._bytes(self.network_bits)

    @property
    def bits_per_char(self) -> float:
        """Bits of the whole code per character of the text."""
        return self.per_char(self.bytes)

    def per_char(self, size: int) -> float:
        """A size in bytes as bits per character of the text."""
        return 8 * size / self.characters

    def to_json(self) -> dict[str, Any]:
        """The numbers as a JSON object."""
        return {
            "bits_per_char": self.bits_per_char,
            "bytes": self.bytes,
            "header_bytes": self.header_bytes,
            "vocabulary_bytes": self.vocabulary_bytes,
            "network_bytes": self.network_bytes,
            "ngram_bytes": self.ngram_bytes,
            "ppmd_bytes": self.ppmd_bytes,
            "xz_bytes": self.xz_bytes,
            "text_bytes": self.text_bytes,
            "characters": self.characters,
            "tokens": self.tokens,
            "hidden_size": self.hidden_size,
            "steps": self.steps,
            "verified": [
                {
                    "first_token": stretch.start,
                    "tokens": stretch.stop - stretch.start,
                    "bits": stretch.bits,
                    "code_bytes": len(stretch.code),
                }
                for stretch in self.stretches
            ],
        }

    def _bytes(self, bits: float) -> int:
        return self.header_bytes + self.vocabulary_bytes + math.ceil(bits / 8) + _END_BYTES


@flushing_denormals()
def code_length(
    text: Text,
    options: CodeOptions,
    clock: Callable[[], float],
    on_progress: Report | None = None,
    steps: Callable[[int, int], int] | None = None,
) -> CodeLength:
    """The code length of a text.

    Args:
        text: files, folders or stdin.
        options: how long, and how large a network.
        clock: seconds since the command began.
        on_progress: told how far it is.
        steps: how many steps to take before the block from one token to another; None takes as
            many as there is time for.

    Raises:
        TextError: the text cannot be read, or is too short.
        TrainingError: the machine does not compute the same numbers twice.
    """
    content, tokenizer, tokens = _read(text)
    data = content.encode()
    xz_bytes, ppmd_bytes = xz_size(data, 9 | lzma.PRESET_EXTREME), ppmd_size(data)
    device = choose_device("cpu", "auto", options.threads)
    recipe = _recipe(options, len(tokens), tokenizer.vocab_size)
    adapts = _adapts(options, recipe.shape(tokenizer.vocab_size), len(tokens))

    def new_learner() -> Learner:
        return Learner(tokenizer, recipe, device, options.seed, adapts=adapts)

    wants_more = _wants(options, len(tokens), clock, on_progress, steps)
    done = code_text(tokens, tokenizer.boundary, new_learner, wants_more)
    return CodeLength(
        characters=len(content),
        text_bytes=len(data),
        tokens=len(tokens),
        header_bytes=len(_header(options, recipe, len(tokens), done)),
        vocabulary_bytes=len(tell_tokenizer(tokenizer)),
        token_bits=_bits(done.together),
        network_bits=_bits(done.network),
        ngram_bits=_bits(done.ngram),
        hidden_size=recipe.hidden_size,
        steps=sum(done.steps),
        xz_bytes=xz_bytes,
        ppmd_bytes=ppmd_bytes,
        stretches=done.stretches,
    )


def _read(text: Text) -> tuple[str, CharTokenizer, Tokens]:
    """The text without what stands between documents, its tokenizer, and its tokens.

    Raises:
        TextError: it cannot be read, or is too short.
    """
    with open_texts(
        text.paths, encoding=text.encoding, document_separator=text.document_separator
    ) as source:
        content = _content(source)
        # Telling a character takes a byte, spelling it the first time three (benchmarks/LOG.md).
        tokenizer = CharTokenizer.train(lambda: [content], min_count=1)
        return content, tokenizer, np.concatenate(list(encode_source(source, tokenizer)))


def _content(source: TextSource) -> str:
    content = "".join(piece.text for piece in source.pieces())
    if len(content) < LEAST_CHARACTERS:
        raise TextError(
            f"{source.name} has {len(content)} characters, too few for a code length: "
            f"use a text of {LEAST_CHARACTERS:,} or more"
        )
    return content


def _recipe(options: CodeOptions, tokens: int, vocab_size: int) -> Recipe:
    """Sizes and choices, a function of what the header tells."""
    size = options.size
    if size == "auto":
        size = next(name for name, most in _AUTO_SIZES.items() if tokens <= most)
    return make_recipe(replace(options, size=size).as_training(), tokens, vocab_size, "cpu")


def _adapts(options: CodeOptions, shape: ModelShape, tokens: int) -> bool:
    """Whether there is time for the network to adapt to every block, by a nominal speed."""
    seconds = tokens * (_ADAPTING_SECONDS + _ADAPTING_SECONDS_A_WEIGHT * parameter_count(shape))
    return seconds <= _ADAPTING_SHARE * 60 * options.minutes


def _wants(
    options: CodeOptions,
    tokens: int,
    clock: Callable[[], float],
    on_progress: Report | None,
    steps: Callable[[int, int], int] | None,
) -> Wants:
    """Who decides how long is trained."""
    if steps is not None:
        return lambda start, stop, taken: taken < steps(start, stop)
    seconds = 60 * options.minutes

    def tick(now: float) -> None:
        if on_progress:
            on_progress(Preparing("coding", round(now), round(seconds), "seconds"))

    return Deadlines(tokens, clock, seconds - EXIT_SECONDS, tick).wants_more


def _header(options: CodeOptions, recipe: Recipe, tokens: int, done: Pass) -> bytes:
    """What a decoder must be told beside vocabulary and tokens, as numbers of 7 bits a byte."""
    seconds = round(60 * options.minutes)
    numbers = (_FORMAT, seconds, SIZES.index(options.size), options.seed, tokens, *done.steps)
    return b"".join(map(to_varint, numbers))


def _bits(nats: NDArray[np.float64]) -> float:
    return float(nats.sum()) / math.log(2)
