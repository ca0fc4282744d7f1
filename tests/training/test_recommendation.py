"""What to train on a text: the rules, and what they say of themselves."""

from dataclasses import replace
from pathlib import Path

import pytest

from charnn.corpus.split import split_text
from charnn.corpus.tokenizers.comparison import Fit, compare_tokenizers
from charnn.text.inspect import Inspection, inspect_texts
from charnn.text.yardsticks import PPMD, XZ, Yardstick
from charnn.training.options import TrainOptions
from charnn.training.recipe import make_recipe, nominal_seconds_per_step
from charnn.training.recommendation import MINUTES, RATIOS, Recommendation, recommend


@pytest.fixture(scope="module")
def inspection(novella: Path) -> Inspection:
    return inspect_texts(novella)


@pytest.fixture(scope="module")
def fits(inspection: Inspection) -> tuple[Fit, ...]:
    return compare_tokenizers(inspection.sample.texts)


@pytest.fixture(scope="module")
def advice(inspection: Inspection, fits: tuple[Fit, ...]) -> Recommendation:
    return recommend(inspection, fits, ["corpora/meongnae.txt"])


def test_the_novella(advice: Recommendation) -> None:
    assert advice.tokenizer == "char"
    assert advice.minutes in MINUTES
    assert advice.command == f"charnn train corpora/meongnae.txt --minutes {advice.minutes}"
    assert len(advice.reasons) == 3
    TrainOptions(tokenizer=advice.tokenizer, minutes=advice.minutes)
    assert advice.size == "4 networks of 1 x 256 lstm + 384"
    assert " passes over the text by each of 4 networks on two cores;" in advice.reasons[1]


def test_what_is_told_is_the_recipe_for_the_minutes(inspection, fits, advice) -> None:
    fit = next(fit for fit in fits if fit.kind == "char")
    tokens = round(split_text(inspection.counts.characters).train * fit.tokens_per_char)
    recipe = make_recipe(TrainOptions(minutes=advice.minutes), tokens, fit.vocab_size, "cpu")
    assert advice.size == str(recipe.shape(fit.vocab_size))
    seconds = nominal_seconds_per_step(recipe, fit.vocab_size, "cpu")
    passes = 60 * advice.minutes / seconds * recipe.batch_size * recipe.seq_len / tokens
    assert advice.reasons[1].startswith(f"about {passes:,.0f} passes")


def with_yardsticks(inspection: Inspection, *found: Yardstick) -> Inspection:
    return replace(inspection, yardsticks=found)


@pytest.mark.parametrize("name", [PPMD, XZ])
def test_bits_are_those_of_a_compressor_times_what_was_measured(
    name: str, inspection: Inspection, fits: tuple[Fit, ...]
) -> None:
    one = Yardstick(name, 5.0, 4.0)
    missing = Yardstick(PPMD if name == XZ else XZ, None, None)
    found = recommend(with_yardsticks(inspection, missing, one), fits)
    assert found.bits_per_char == tuple(4.0 * ratio for ratio in RATIOS[name])
    assert name in found.reasons[-1]


def test_ppmd_goes_before_xz(inspection: Inspection, fits: tuple[Fit, ...]) -> None:
    both = with_yardsticks(inspection, Yardstick(XZ, 5, 5), Yardstick(PPMD, 4, 4))
    assert recommend(both, fits).bits_per_char == (4 * RATIOS[PPMD][0], 4 * RATIOS[PPMD][1])


def test_without_a_yardstick_nothing_is_foreseen(
    inspection: Inspection, fits: tuple[Fit, ...]
) -> None:
    found = recommend(with_yardsticks(inspection), fits)
    assert found.bits_per_char is None
    assert found.reasons[-1] == "the text is too short to foresee bits per character"


def test_the_ratios_contain_what_was_measured() -> None:
    """RESULTS.md and LOG.md over the last tenth by PPMd and xz, as inspect tells it."""
    measured = {"mujeong": (3.377, 3.665, 4.772), "novella": (3.763, 4.080, 5.263)}
    shakespeare = (1.985, 2.036, 2.516)
    for ours, ppmd, xz in (*measured.values(), shakespeare):
        assert RATIOS[PPMD][0] <= ours / ppmd <= RATIOS[PPMD][1]
        assert RATIOS[XZ][0] <= ours / xz <= RATIOS[XZ][1]


def test_where_most_characters_are_rare_another_tokenizer(
    inspection: Inspection, fits: tuple[Fit, ...]
) -> None:
    rare = [replace(fit, rare=0.2 if fit.kind == "char" else fit.rare) for fit in fits]
    found = recommend(inspection, rare)
    assert found.tokenizer == "jamo"
    assert found.command.endswith("--tokenizer jamo")
    assert found.reasons[0] == (
        "20% of the characters are too rare for tokens of their own, so jamo; not measured on "
        "such texts"
    )


def test_a_text_that_has_to_be_mended_first(tmp_path: Path) -> None:
    path = tmp_path / "a b.txt"
    path.write_bytes("형식은 영어를 가르치고 나와.\n".encode("cp949") * 50 + b"\xff")
    inspection = inspect_texts(path)
    found = recommend(inspection, compare_tokenizers(inspection.sample.texts), [str(path)])
    assert found.reasons[0] == "it works once the bytes that cannot be decoded are mended"
    assert found.command == f"charnn train '{path}' --minutes 1 --encoding cp949"


def test_longer_texts_take_longer(inspection: Inspection, fits: tuple[Fit, ...]) -> None:
    minutes = []
    for times in (1, 30, 1000):
        counts = replace(inspection.counts, code_points=inspection.counts.code_points * times)
        found = recommend(replace(inspection, counts=counts), fits)
        minutes.append(found.minutes)
    assert minutes == sorted(minutes) and minutes[0] < minutes[-1] == MINUTES[-1]
