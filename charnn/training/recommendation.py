"""What to train on a text, from rules that rest on few measurements, and say so.

The rules, each from benchmarks/RESULTS.md and benchmarks/LOG.md:

- Tokenizer: characters. On the novel where all four were measured they had the fewest bits per
  character, by 3 to 5 %. Where more than a tenth of the characters would be spelled out, jamo for
  Hangul and bytes for the rest; that was not measured.
- Size: what `charnn train` chooses by itself.
- Time: fifteen passes over the text at the nominal speed of a CPU, from 1 to 60 minutes. The
  bundled novella was best after about as many; the novel gains half a per cent from 12 to 24.
- Bits per character: what a compressor needs for the last tenth of the text, times the range of the
  ratios measured between the two. It is no promise.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from charnn.corpus.split import split_text
from charnn.corpus.tokenizers.comparison import Fit
from charnn.model.shapes import parameter_count
from charnn.text.classes import Sort
from charnn.text.inspect import Inspection
from charnn.text.shell import joined
from charnn.text.yardsticks import PPMD, XZ, Yardstick
from charnn.training.options import TrainOptions
from charnn.training.recipe import Recipe, make_recipe, nominal_seconds_per_step

PASSES: Final = 15
MINUTES: Final = (1, 2, 3, 5, 7, 10, 15, 20, 30, 45, 60)
_MOST_RARE: Final = 0.1

# Ours (network and n-gram together) after a few minutes over the compressor's last tenth, on
# 『무정』, tiny Shakespeare and the novella: 0.92, 0.98, 0.92 of PPMd, 0.71, 0.79, 0.72 of xz.
RATIOS: Final[Mapping[str, tuple[float, float]]] = {PPMD: (0.92, 0.99), XZ: (0.70, 0.81)}
_LEAST_CHARACTERS: Final = 30_000  # of those texts, 38,495 to 1,115,394
_MOST_CHARACTERS: Final = 2_000_000


@dataclass(frozen=True, slots=True)
class Recommendation:
    """What to train on a text.

    Attributes:
        tokenizer: its kind.
        size: layers, units and cell, as in "1 x 512 lstm" or "2 networks of 1 x 512 lstm".
        parameters: of that network.
        size_on_gpu: what it would be with a GPU.
        minutes: how long to train on a CPU.
        bits_per_char: the lowest and the highest that can be expected on the last tenth; None where
            nothing was measured that could say.
        reasons: for each of them a line.
        command: that trains it.
    """

    tokenizer: str
    size: str
    parameters: int
    size_on_gpu: str
    minutes: int
    bits_per_char: tuple[float, float] | None
    reasons: tuple[str, ...]
    command: str


def recommend(
    inspection: Inspection, fits: Sequence[Fit], texts: Sequence[str] = ()
) -> Recommendation:
    """What to train on a text that was looked into.

    Args:
        inspection: what is in the text.
        fits: what the tokenizers make of it, `char` and `byte` among them.
        texts: what to call the text on the command line.
    """
    fit, why = _tokenizer(inspection, {fit.kind: fit for fit in fits})
    split = split_text(inspection.counts.characters)
    tokens = max(1, round(split.train * fit.tokens_per_char))
    options = TrainOptions(tokenizer=fit.kind, networks=1)
    one_pass = _one_pass(
        make_recipe(options, tokens, fit.vocab_size, "cpu"), tokens, fit.vocab_size
    )
    minutes = next((minutes for minutes in MINUTES if minutes >= PASSES * one_pass), MINUTES[-1])
    options = TrainOptions(tokenizer=fit.kind, minutes=minutes)
    recipe, gpu = (make_recipe(options, tokens, fit.vocab_size, kind) for kind in ("cpu", "cuda"))
    pace = _pace(minutes / _one_pass(recipe, tokens, fit.vocab_size), recipe.networks)
    expected, basis = _expected(inspection)
    shape = recipe.shape(fit.vocab_size)
    return Recommendation(
        tokenizer=fit.kind,
        size=str(shape),
        parameters=parameter_count(shape),
        size_on_gpu=str(gpu.shape(fit.vocab_size)),
        minutes=minutes,
        bits_per_char=expected,
        reasons=(*_first(inspection), why, pace, basis),
        command=_command(inspection, fit.kind, minutes, texts),
    )


def _first(inspection: Inspection) -> Iterator[str]:
    """What has to be done before the command works."""
    if inspection.undecodable:
        yield "it works once the bytes that cannot be decoded are mended"
    if inspection.encoding == "mixed":
        yield "it works once all files are in one encoding"


def _tokenizer(inspection: Inspection, fits: Mapping[str, Fit]) -> tuple[Fit, str]:
    """The tokenizer, and why."""
    char = fits["char"]
    if char.rare <= _MOST_RARE or char.characters < _LEAST_CHARACTERS:
        return char, (
            "char had the fewest bits per character on the one novel where all four were measured"
        )
    hangul = inspection.composition.count(Sort.SYLLABLE) / max(1, inspection.counts.characters)
    kind = "jamo" if hangul >= 0.5 and "jamo" in fits else "byte"
    return fits[kind], (
        f"{char.rare:.0%} of the characters are too rare for tokens of their own, so {kind}; "
        "not measured on such texts"
    )


def _one_pass(recipe: Recipe, tokens: int, vocab_size: int) -> float:
    """Minutes in which a CPU reads the text once."""
    steps = tokens / (recipe.batch_size * recipe.seq_len)
    return steps * nominal_seconds_per_step(recipe, vocab_size, "cpu") / 60


def _pace(passes: float, networks: int) -> str:
    """Why it is to be trained so long."""
    told = f"{min(passes, 1000):,.0f}" if passes >= 2 else f"{passes:.2g}"
    told = f"over {told}" if passes > 1000 else f"about {told}"
    by = f" by each of {networks} networks" if networks > 1 else ""
    return f"{told} passes over the text{by} on two cores; a novel gained little from more"


def _expected(inspection: Inspection) -> tuple[tuple[float, float] | None, str]:
    """The range of bits per character to expect, and what it rests on."""
    measured = _best_yardstick(inspection.yardsticks)
    if measured is None or measured.last_tenth is None:
        return None, "the text is too short to foresee bits per character"
    low, high = (measured.last_tenth * ratio for ratio in RATIOS[measured.name])
    lowest, highest = RATIOS[measured.name]
    basis = (
        f"{lowest:.2f} to {highest:.2f} times {measured.name} on the last tenth, "
        "as on the three texts where both were measured"
    )
    characters = inspection.counts.characters
    if characters < _LEAST_CHARACTERS:
        return (low, high), f"{basis}; this one is shorter than they are, and may need more"
    if not inspection.sample.whole or characters > _MOST_CHARACTERS:
        return (low, high), f"{basis}; this one is longer than they are, and may need less"
    return (low, high), basis


def _best_yardstick(yardsticks: Sequence[Yardstick]) -> Yardstick | None:
    """PPMd where it is there, else xz."""
    found = {one.name: one for one in yardsticks if one.last_tenth is not None}
    return found.get(PPMD) or found.get(XZ)


def _command(inspection: Inspection, tokenizer: str, minutes: int, texts: Sequence[str]) -> str:
    """The command that trains it, as it has to be typed."""
    words = ["charnn", "train", *(texts or ("TEXT",)), "--minutes", str(minutes)]
    if encoding := inspection.encoding_option:
        words += ["--encoding", encoding]
    if tokenizer != "char":
        words += ["--tokenizer", tokenizer]
    return joined(words)
