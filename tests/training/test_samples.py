"""What a run writes beside real text; the measures themselves are tested in tests/text."""

import re

import pytest

from charnn.errors import OptionError, TextError
from charnn.generation.loading import load_writer
from charnn.generation.sampler import SamplingOptions, sample_text
from charnn.runs.run import Run
from charnn.text.quality import compare
from charnn.training import samples
from charnn.training.samples import SampleOptions, SampleReport

SHORT = SampleOptions(length=40, num_samples=3)


def measure_samples(run: Run, options=None, part=None) -> SampleReport:
    return samples.measure_samples(run, load_writer(run), options, part)


@pytest.fixture
def run(train, monkeypatch):
    """A run with three parts; prompts of 20 characters."""
    monkeypatch.setattr(samples, "PROMPT_LENGTH", 20)
    return Run(train(test_fraction=0.2, val_fraction=0.1).model.path)


@pytest.mark.parametrize("part", [None, "validation"])
def test_it_is_what_the_parts_by_hand_give(run, story, part) -> None:
    report = measure_samples(run, SHORT, part)
    count = len(story)
    test, validation = int(count * 0.2), int(count * 0.1)
    train = story[: count - test - validation]
    heldout = story[-test:] if part is None else story[len(train) : -test]
    expert, tokenizer = load_writer(run)[:2]
    written, real = [], []
    for index in range(3):
        start = index * (len(heldout) // 3)
        prompt = heldout[start : start + 20]
        pieces = sample_text(
            expert, tokenizer, prompt, SamplingOptions(0.8, length=40), 1, index=index
        )
        written.append("".join(piece.text for piece in pieces))
        real.append(heldout[start + 20 : start + 60])
    assert report.part == part or report.part == "test"
    assert report.comparison == compare(written, real, [heldout], [train])
    assert (report.training_characters, report.heldout_characters) == (len(train), len(heldout))
    assert measure_samples(run, SHORT, part) == report


def test_fewer_samples_where_passages_would_overlap(run) -> None:
    report = measure_samples(run, SampleOptions(length=100, num_samples=1000))
    assert 1 < report.options.num_samples == report.heldout_characters // 120


def test_large_parts_are_read_in_part(run, story, monkeypatch) -> None:
    monkeypatch.setattr(samples, "MOST_TRAINING", 500)
    monkeypatch.setattr(samples, "MOST_HELDOUT", 300)
    report = measure_samples(run, SHORT)
    assert (report.training_characters, report.heldout_characters) == (500, 300)


@pytest.mark.parametrize("kind", ["char", "jamo", "byte"])
def test_no_character_is_cut_in_two(train, story, monkeypatch, kind) -> None:
    run = Run(train(tokenizer=kind, val_fraction=0.3).model.path)
    monkeypatch.setattr(samples, "MOST_TRAINING", 501)
    monkeypatch.setattr(samples, "MOST_HELDOUT", 301)
    stream = samples.stream_of(run)
    cut = len(story) - int(len(story) * 0.3)
    ends = samples._documents(samples._end(stream, "train"), stream.tokenizer)
    begins = samples._documents(samples._beginning(stream, "validation"), stream.tokenizer)
    assert (ends, begins) == ([story[cut - 501 : cut]], [story[cut : cut + 301]])


def test_the_numbers_as_json(run) -> None:
    data = measure_samples(run, SHORT).to_json()
    assert {name: data[name] for name in list(data)[:6]} == {
        "part": "test",
        "num_samples": 3,
        "length": 40,
        "prompt_length": 20,
        "temperature": 0.8,
        "seed": 1,
    }
    assert list(data)[6:] == [
        *("training_characters", "heldout_characters", "span", "span_share", "measures")
    ]


def test_a_part_that_is_too_short(run) -> None:
    heldout = measure_samples(run, SHORT).heldout_characters
    message = (
        f"the test part of run {run.name} has {heldout:,} characters, samples need at least "
        "100,020: train on a longer text, or with a larger --val-fraction"
    )
    with pytest.raises(TextError, match=f"^{re.escape(message)}$"):
        measure_samples(run, SampleOptions(length=100_000))


def test_the_training_part_is_refused(run) -> None:
    message = (
        "part must be validation or test for samples, got 'train': they are measured beside text "
        "that was not trained on"
    )
    with pytest.raises(OptionError, match=f"^{re.escape(message)}$"):
        measure_samples(run, part="train")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_samples": 0}, "num_samples must be >= 1, got 0"),
        ({"seed": -1}, "seed must be >= 0, got -1"),
        ({"temperature": -1.0}, "temperature must be >= 0, got -1.0"),
        ({"length": 0}, "length must be >= 1, got 0"),
    ],
)
def test_options_are_checked(options, message: str) -> None:
    with pytest.raises(OptionError, match=f"^{re.escape(message)}$"):
        SampleOptions(**options)
