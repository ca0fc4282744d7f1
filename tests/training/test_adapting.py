"""A run that reads a text before it writes."""

import numpy as np
import pytest

import charnn
from charnn.errors import OptionError, TextError
from charnn.runs.run import Run
from charnn.training.adapting import adapted_writer
from charnn.training.saved import Text

MANNER = "숲 속의 늙은 곰은 꿀을 먹었다.\n"


@pytest.fixture
def run(train):
    path = train(val_fraction=0.1, steps=60, no_ngram=False, ngram_weight=0.3).model.path
    return Run(path)


@pytest.fixture
def manner(tmp_path):
    path = tmp_path / "manner.txt"
    path.write_text(MANNER * 40, encoding="utf-8")
    return path


def cost(writer, text):
    """Nats of a text, token by token."""
    expert, tokenizer = writer[:2]
    state, before, nats = expert.initial_state(1), tokenizer.boundary, 0.0
    for token in tokenizer.encode(text).tolist():
        log_probs, state = expert.step(np.array([before]), state)
        nats -= float(log_probs[0, token])
        before = token
    return nats


@pytest.mark.parametrize("with_ngram", [True, False])
def test_what_was_read_gets_cheaper(run, manner, with_ngram):
    before = charnn.load(run.path, ngram=with_ngram).writer
    after = adapted_writer(run, Text((str(manner),)), with_ngram=with_ngram)
    assert cost(after, MANNER) < cost(before, MANNER) - 2


def test_the_run_stays_as_it_is(run, manner):
    files = {p: p.read_bytes() for p in run.path.rglob("*") if p.is_file()}
    adapted_writer(run, Text((str(manner),)))
    assert {p: p.read_bytes() for p in run.path.rglob("*") if p.is_file()} == files


def test_a_model_that_adapted_writes_otherwise(run, manner):
    model = charnn.load(run.path)
    before = model.generate("숲", seed=1, length=60)
    model.adapt(manner)
    assert model.generate("숲", seed=1, length=60) != before
    assert charnn.load(run.path).generate("숲", seed=1, length=60) == before


def test_nothing_to_read_is_refused(run, tmp_path):
    (tmp_path / "empty.txt").write_text("", encoding="utf-8")
    with pytest.raises(TextError):
        adapted_writer(run, Text((str(tmp_path / "empty.txt"),)))


def test_a_run_that_cannot_adapt_says_so(train, manner):
    run = Run(train(val_fraction=0.1, optimizer="sgd").model.path)
    with pytest.raises(OptionError, match=r"^run story cannot adapt: its checkpoint does not say"):
        adapted_writer(run, Text((str(manner),)))
