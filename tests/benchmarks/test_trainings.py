"""What a run costs a text, cell by cell; the training itself is that of tests/cli."""

import math
from dataclasses import replace

import pytest
import trainings
from machine import drift
from trainings import Training, cost_of_part, cost_of_text, train_steadily, windows_of_part

import charnn
from charnn.runs.run import Run
from charnn.training.scoring import Manner, score_part, score_text
from charnn.training.texts import Text


@pytest.fixture
def adaptable(text):
    """A run whose best weights are not those it began with."""
    sizes = {"hidden": 8, "batch_size": 2, "seq_len": 16, "sample_length": 10}
    return Run(charnn.train(text, steps=20, ngram_weight=0.05, threads=1, **sizes).path)


def test_the_cells_of_a_part_are_what_eval_says(adaptable):
    run = adaptable
    costs, expected = cost_of_part(run), score_part(run, manner=Manner(dynamic=True))
    bits = costs.to_row()["bits_per_char"]
    assert costs.characters == expected.score.characters == 150
    assert {name: len(cells) for name, cells in costs.cells.items()} == dict.fromkeys(bits, 2)
    for name, score in (
        ("network", expected.network),
        ("n-gram", expected.ngram),
        ("both", expected.score),
        ("network*", expected.dynamic.network),
        ("n-gram*", expected.dynamic.ngram),
        ("both*", expected.dynamic.score),
    ):
        assert bits[name] == pytest.approx(score.bits_per_char, abs=1e-5)


def test_a_text_of_its_own_is_scored_as_one(story, novella, here):
    path = here / "other.txt"
    path.write_text(novella.read_text("utf-8")[5000:5250], encoding="utf-8")
    costs, expected = cost_of_text(Run(story), path), score_text(Run(story), Text((str(path),)))
    assert (costs.part, costs.characters) == ("text", 250)
    assert costs.cells["both"].sum() == pytest.approx(expected.score.nats)


def test_as_trained_alone_where_nothing_else_is_wanted(story):
    assert set(cost_of_part(Run(story), adapting=False).cells) == {"network", "n-gram", "both"}


def test_random_windows_are_near_the_stateful_pass(story):
    found = windows_of_part(Run(story), "validation", batches=2)
    expected = score_part(Run(story), "validation").network.nats_per_char
    assert found["nats_per_char"] == pytest.approx(expected, rel=0.1)
    assert found["protocol"] == {"batches": 2, "rows": 64, "window": 256, "seed": 1}
    assert windows_of_part(Run(story), "test", batches=2) == {}
    assert windows_of_part(Run(story), "validation", batches=0) == {}


@pytest.fixture
def trained(monkeypatch, story):
    """Trainings whose drifts were told before; how often one was asked for."""
    asked = []

    def told(*drifts):
        made = Training(Run(story), 60.0, 100, 5000.0, 0.0, (1.0, 2.0))
        monkeypatch.setattr(
            trainings,
            "train",
            lambda *given: asked.append(given) or replace(made, drift=drifts[len(asked) - 1]),
        )
        return asked

    return told


@pytest.mark.parametrize(
    ("drifts", "kept", "attempts"),
    [((0.04,), 0.04, 1), ((-0.06, 0.01), 0.01, 2), ((0.06, -0.09), 0.06, 2)],
)
def test_a_training_that_drifted_is_repeated_once(trained, story, drifts, kept, attempts):
    asked = trained(*drifts)
    found = train_steadily(story, [], story)
    assert (found.drift, found.attempts, len(asked)) == (kept, attempts, attempts)
    assert found.to_row()["attempts"] == attempts


def test_drift_is_the_larger_change():
    assert drift((100.0, 200.0), (97.0, 202.0)) == -0.03
    assert math.isclose(drift((100.0, 200.0), (100.0, 190.0)), -0.05)
