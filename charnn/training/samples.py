"""What a run writes beside what really stands there: the numbers of `charnn eval --samples`.

Each sample goes on from a passage of held-out text, and is measured beside what follows that
passage in truth. The measures are in text/quality.py.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from charnn.corpus.split import check_part
from charnn.corpus.stream import TokenStream
from charnn.corpus.tokenizers import Tokenizer
from charnn.errors import OptionError, TextError
from charnn.generation.loading import Writer
from charnn.generation.sampler import SamplingOptions, sample_text
from charnn.runs.run import Run
from charnn.text.quality import Comparison, compare
from charnn.training.saved import stream_of
from charnn.training.scoring import named_part

PROMPT_LENGTH: Final = 200
MOST_TRAINING: Final = 4_000_000
"""Characters of the training part that are searched for copies: the last ones."""
MOST_HELDOUT: Final = 400_000
"""Characters of the held-out part that prompts and passages are taken from: the first ones."""


@dataclass(frozen=True, slots=True)
class SampleOptions:
    """How the samples are written.

    Attributes:
        temperature: see `SamplingOptions`.
        length: characters of each sample, the prompt not counted.
        num_samples: how many, at most: no two go on from the same passage.
        seed: the same seed writes the same samples.

    Raises:
        OptionError: a value breaks its rule.
    """

    temperature: float = 0.8
    length: int = 1000
    num_samples: int = 16
    seed: int = 1

    def __post_init__(self) -> None:
        SamplingOptions(temperature=self.temperature, length=self.length)
        for name, value, least in (("num_samples", self.num_samples, 1), ("seed", self.seed, 0)):
            if value < least:
                raise OptionError(f"{name} must be >= {least}, got {value}")


@dataclass(frozen=True, slots=True)
class SampleReport:
    """The samples of a run, measured.

    Attributes:
        part: "validation" or "test": where prompts and passages come from.
        options: how the samples were written; `num_samples` is how many there were.
        training_characters: searched for copies.
        heldout_characters: that told what is copied by chance.
        comparison: the numbers.
    """

    part: str
    options: SampleOptions
    training_characters: int
    heldout_characters: int
    comparison: Comparison

    def to_json(self) -> dict[str, Any]:
        """The numbers as a JSON object."""
        return {
            "part": self.part,
            "num_samples": self.options.num_samples,
            "length": self.options.length,
            "prompt_length": PROMPT_LENGTH,
            "temperature": self.options.temperature,
            "seed": self.options.seed,
            "training_characters": self.training_characters,
            "heldout_characters": self.heldout_characters,
            **self.comparison.to_json(),
        }


def check_heldout_part(part: str | None) -> None:
    """Refuse what names no held-out part; None leaves the choice open.

    Raises:
        OptionError: it is the training part, or none at all.
    """
    check_part(part)
    if part == "train":
        raise OptionError(
            "part must be validation or test for samples, got 'train': they are measured beside "
            "text that was not trained on"
        )


def measure_samples(
    run: Run, writer: Writer, options: SampleOptions | None = None, part: str | None = None
) -> SampleReport:
    """Write samples and measure them beside held-out text.

    Args:
        run: the run.
        writer: what it writes with.
        options: how to write; None is the fixed way that numbers are compared by.
        part: "validation" or "test"; None is the test part if there is one.

    Raises:
        OptionError: there is no such part, or it is empty.
        TextError: the part is too short, or the run's tokens are gone and so is its text.
        RunDamagedError: the run is damaged.
    """
    check_heldout_part(part)
    options = options or SampleOptions()
    stream = stream_of(run)
    name = named_part(run, stream, part)
    heldout = _documents(_beginning(stream, name), stream.tokenizer)
    passages = _passages("\n".join(heldout), options, f"the {name} part of run {run.name}")
    samples = _continuations(writer, [prompt for prompt, _ in passages], options)
    training = _documents(_end(stream, "train"), stream.tokenizer)
    return SampleReport(
        part=name,
        options=SampleOptions(options.temperature, options.length, len(samples), options.seed),
        training_characters=sum(map(len, training)),
        heldout_characters=sum(map(len, heldout)),
        comparison=compare(samples, [real for _, real in passages], heldout, training),
    )


def _continuations(writer: Writer, prompts: list[str], options: SampleOptions) -> list[str]:
    """What is written behind each prompt."""
    expert, tokenizer = writer[:2]
    sampling = SamplingOptions(temperature=options.temperature, length=options.length)
    return [
        "".join(
            piece.text
            for piece in sample_text(expert, tokenizer, prompt, sampling, options.seed, index=index)
        )
        for index, prompt in enumerate(prompts)
    ]


def _passages(text: str, options: SampleOptions, where: str) -> list[tuple[str, str]]:
    """Prompts, evenly over the text, and what follows each.

    Raises:
        TextError: not even one fits.
    """
    size = PROMPT_LENGTH + options.length
    count = min(options.num_samples, len(text) // size)
    if count == 0:
        raise TextError(
            f"{where} has {len(text):,} characters, samples need at least {size:,}: train on a "
            "longer text, or with a larger --val-fraction"
        )
    starts = [index * (len(text) // count) + PROMPT_LENGTH for index in range(count)]
    return [(text[s - PROMPT_LENGTH : s], text[s : s + options.length]) for s in starts]


def _beginning(stream: TokenStream, name: str) -> NDArray[np.integer[Any]]:
    """The tokens of the first characters of a part."""
    # no character is more than four tokens, and few tokens end a document
    tokens = stream.part(name)[: 8 * MOST_HELDOUT]
    characters = stream.tokenizer.token_characters[tokens]
    # cut before a token that begins a character
    stop = int(np.searchsorted(characters.cumsum(), MOST_HELDOUT, side="right"))
    return tokens[:stop]


def _end(stream: TokenStream, name: str) -> NDArray[np.integer[Any]]:
    """The tokens of the last characters of a part."""
    # no character is more than four tokens
    tokens = stream.part(name)[-4 * MOST_TRAINING :]
    characters = stream.tokenizer.token_characters[tokens]
    behind = characters[::-1].cumsum()[::-1]
    begins = np.flatnonzero((behind <= MOST_TRAINING) & (characters > 0))
    return tokens[begins[0] :] if len(begins) else tokens[:0]


def _documents(tokens: NDArray[np.integer[Any]], tokenizer: Tokenizer) -> list[str]:
    """The texts between the boundaries, empty ones left out."""
    cuts = np.flatnonzero(tokens == tokenizer.boundary)
    texts = map(tokenizer.decode, np.split(tokens, cuts))  # a boundary decodes to nothing
    return [text for text in texts if text]
