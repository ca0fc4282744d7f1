"""A run in use from Python: what it writes, and what a text costs it."""

import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import charnn
from charnn.errors import OptionError, RunNotFoundError, TextError
from charnn.generation.sampler import SamplingOptions
from charnn.records import Preparing, Record


def test_generate_is_what_stream_says_in_one(model: charnn.Model) -> None:
    pieces = list(model.stream("섭섭이", seed=5, length=50, temperature=1.0))
    assert all(pieces)
    text = model.generate("섭섭이", seed=5, length=50, temperature=1.0)
    assert "".join(pieces) == text
    assert len(text) in range(50, 54)


def test_generate_many_begins_with_what_generate_writes(model: charnn.Model) -> None:
    many = model.generate_many(3, "섭섭이", seed=5, length=30)
    assert len(set(many)) == 3
    assert many[0] == model.generate("섭섭이", seed=5, length=30)


def test_without_a_seed_every_text_is_another(model: charnn.Model) -> None:
    assert len({model.generate(length=40) for _ in range(3)}) == 3


def test_wrong_options_are_refused_before_anything_is_written(model: charnn.Model) -> None:
    for call in (model.stream, model.generate):
        with pytest.raises(OptionError, match=r"^temperature must be >= 0, got -1$"):
            call(temperature=-1)
    with pytest.raises(OptionError, match=r"^num_samples must be >= 1, got 0$"):
        model.generate_many(0)
    with pytest.raises(OptionError, match=r"^seed must be >= 0, got -1$"):
        model.generate(seed=-1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"length": 1e6}, "length must be a whole number >= 1, got 1000000.0"),
        ({"top_k": 2.0}, "top_k must be a whole number >= 0, got 2.0"),
        ({"max_copy": 20.5}, "max_copy must be a whole number >= 0, got 20.5"),
        ({"seed": 7.0}, "seed must be a whole number >= 0, got 7.0"),
        ({"seed": "7"}, "seed must be a whole number >= 0, got '7'"),
    ],
)
def test_what_must_be_whole_is_refused_before_anything_is_written(
    model: charnn.Model, options: dict[str, Any], message: str
) -> None:
    for call in (model.stream, model.generate):
        with pytest.raises(OptionError) as caught:
            call(**options)
        assert str(caught.value) == message
    with pytest.raises(OptionError, match=r"^num_samples must be a whole number >= 1, got 2.0$"):
        model.generate_many(2.0)  # type: ignore[arg-type]
    with pytest.raises(OptionError, match=r"^seed must be a whole number >= 0, got 1.5$"):
        model.story(seed=1.5)  # type: ignore[arg-type]


def test_a_run_without_a_checkpoint_cannot_write(story: Path) -> None:
    for slot in ("best", "last", "best.prev", "last.prev"):
        shutil.rmtree(story / slot, ignore_errors=True)
    with pytest.raises(RunNotFoundError, match="has no last checkpoint yet"):
        charnn.load(story).generate()


def test_evaluate_the_own_text_and_another(model: charnn.Model, text: Path) -> None:
    own = model.evaluate()
    assert (own.part, own.score.characters) == ("validation", 300)
    assert own.ngram is not None
    assert own.score.bits_per_char < own.network.bits_per_char
    assert own.score.bits_per_char == pytest.approx(own.score.nats / math.log(2) / 300)
    records: list[Record] = []
    other = model.evaluate([text], on_record=records.append)
    assert (other.part, other.score.characters) == ("text", 1500)
    assert any(isinstance(record, Preparing) for record in records)
    assert model.evaluate(part="train").score.characters == 2700


def test_evaluate_what_is_not_there(model: charnn.Model) -> None:
    with pytest.raises(OptionError) as caught:
        model.evaluate(part="best")
    assert str(caught.value) == "part must be one of train, validation, test, got 'best'"
    with pytest.raises(TextError):
        model.evaluate("gone.txt")


def test_a_model_writes_better_what_it_was_trained_on(
    train: Callable[..., charnn.Model], text: Path
) -> None:
    """The whole way, once: a training that takes place shows in the score."""
    options = {"hidden": 32, "learning_rate": 0.03, "val_fraction": 0}
    scores = [
        train(text, run=str(steps), steps=steps, **options).evaluate(part="train").network
        for steps in (1, 200)
    ]
    assert scores[1].bits_per_char < scores[0].bits_per_char - 1


def test_a_story_goes_on_with_what_it_was_begun_with(written, tmp_path: Path) -> None:
    other = tmp_path / "other.txt"
    other.write_text("바다와 고깃배. " * 50, encoding="utf-8")
    texts = []
    for adapts in (False, True):
        model = charnn.load(written)
        story = model.story(seed=1)
        first = list(story.write("배가 ", SamplingOptions(length=10)))
        if adapts:
            model.adapt(other)
        texts.append([*first, *story.write(" 그리고 ", SamplingOptions(length=30))])
    assert texts[0] == texts[1]


def test_arguments_that_would_do_nothing_are_refused(story: Path, text: Path) -> None:
    model = charnn.load(story)
    with pytest.raises(OptionError, match=r"^part is of the run's own text, got 'test' with"):
        model.evaluate(text, part="test")
    with pytest.raises(OptionError, match=r"^encoding and document_separator are for texts"):
        model.evaluate(encoding="cp949")
