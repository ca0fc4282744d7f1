"""A run that reads a text before it writes."""

import numpy as np
import pytest

import charnn
from charnn.errors import OptionError, RunDamagedError, TextError
from charnn.runs.run import Run
from charnn.training.adapting import adapted_writer
from charnn.training.scoring import Manner, score_text
from charnn.training.texts import Text

MANNER = "숲 속의 늙은 곰은 꿀을 먹었다.\n"


@pytest.fixture(params=[1, 2], ids=["one network", "two networks"])
def run(train, request):
    options = {"val_fraction": 0.1, "no_ngram": False, "ngram_weight": 0.3}
    path = train(steps=60, networks=request.param, **options).model.path
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
    after = adapted_writer(run, Text((str(manner),)), with_ngram=with_ngram).writer
    assert cost(after, MANNER) < cost(before, MANNER) - 2


def test_it_writes_by_the_weight_that_dynamic_evaluation_has_at_the_end(run, manner):
    told = {}
    score_text(run, Text((str(manner),)), None, Manner(dynamic=True, on_nats=told.__setitem__))
    network, ngram, both = (
        np.exp(-told[f"dynamic_{name}"]).tolist() for name in ("network", "ngram", "both")
    )
    spoken, heard = 300.0, 1000.0
    for one, other, together in zip(network, ngram, both, strict=True):
        weight = spoken / heard
        assert together == pytest.approx((1 - weight) * one + weight * other)
        spoken, heard = spoken + weight * other / together, heard + 1
    adapted = adapted_writer(run, Text((str(manner),))).writer
    assert adapted.expert._weight == pytest.approx(spoken / heard)
    assert abs(spoken / heard - 0.3) > 0.1


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


def longest_copy(written, text):
    """Characters of the longest stretch that stands in a text too: slow and obvious."""
    return max(
        end - start
        for start in range(len(written))
        for end in range(start, len(written) + 1)
        if written[start:end] in text
    )


@pytest.mark.parametrize("max_copy", [10, 14])
def test_neither_the_own_text_nor_the_other_is_copied(run, manner, text, max_copy):
    model = charnn.load(run.path)
    options = {"seed": 1, "length": 80, "temperature": 0.05}
    model.generate(max_copy=max_copy, **options)
    model.adapt(manner)
    read = manner.read_text("utf-8")
    assert longest_copy(model.generate(MANNER, **options), read) > 14
    kept = model.generate(MANNER, max_copy=max_copy, **options)
    assert longest_copy(kept, read) <= max_copy
    assert longest_copy(kept, text.read_text("utf-8")) <= max_copy
    again = charnn.load(run.path).generate(MANNER, max_copy=max_copy, **options)
    assert longest_copy(again, text.read_text("utf-8")) <= max_copy


def test_a_model_that_adapted_without_its_ngram_file_says_what_helps(run, manner):
    (run.path / "ngram.safetensors").unlink()
    with pytest.raises(RunDamagedError, match=r"network alone \(--no-ngram\)$"):
        adapted_writer(run, Text((str(manner),)))
    assert adapted_writer(run, Text((str(manner),)), with_ngram=False)


def test_the_weight_of_counts_that_do_not_write_is_not_asked_for(run, manner, monkeypatch):
    def refuse(_):
        raise RunDamagedError("no share")

    monkeypatch.setattr("charnn.generation.loading.ngram_weight", refuse)
    monkeypatch.setattr("charnn.training.adapting.ngram_weight", refuse)
    assert charnn.load(run.path, ngram=False).writer
    assert adapted_writer(run, Text((str(manner),)), with_ngram=False)
    with pytest.raises(RunDamagedError):
        adapted_writer(run, Text((str(manner),)))


def test_nothing_to_read_is_refused(run, tmp_path):
    (tmp_path / "empty.txt").write_text("", encoding="utf-8")
    with pytest.raises(TextError):
        adapted_writer(run, Text((str(tmp_path / "empty.txt"),)))


def test_a_run_that_cannot_adapt_says_so(train, manner):
    run = Run(train(val_fraction=0.1, optimizer="sgd").model.path)
    with pytest.raises(OptionError, match=r"^run story cannot adapt: its checkpoint does not say"):
        adapted_writer(run, Text((str(manner),)))
