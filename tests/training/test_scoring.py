"""What a text costs a run, against the stepper adding it up token by token."""

import json
import math
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from charnn.corpus.accounting import Score
from charnn.corpus.split import split_text
from charnn.errors import EncodingError, OptionError, RunNotFoundError, TextError
from charnn.generation.loading import load_writer
from charnn.model.mixture import TEMPERATURES, Blend
from charnn.model.stepper import Stepper
from charnn.records import Preparing
from charnn.runs.layout import WEIGHTS
from charnn.runs.ngram_file import ngram_weight
from charnn.runs.run import Run
from charnn.training import evaluation
from charnn.training.saved import stream_of
from charnn.training.scoring import Evaluation, Manner, score_part, score_text
from charnn.training.texts import Text


@pytest.fixture(autouse=True)
def one_core(monkeypatch):
    """So that scoring takes one thread too: two that wait for each other are slow."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0}, raising=False)


@pytest.fixture(params=["lstm", "gru", "rnn"])
def cell(request):
    return request.param


@pytest.fixture
def run(train):
    """A run with three parts."""
    return Run(train(test_fraction=0.05, val_fraction=0.1).model.path)


def cost(run: Run, tokens) -> float:
    """The slow twin: nats of tokens behind a boundary, one step after another, in float64."""
    shape = run.config().model
    stepper = Stepper(shape, run.chosen(WEIGHTS).weights(shape), np.float64)
    state, before, nats = stepper.initial_state(1), 0, 0.0
    for token in tokens.tolist():
        log_probs, state = stepper.step(np.array([before]), state)
        nats -= float(log_probs[0, token])
        before = token
    return nats


@pytest.mark.parametrize("part", ["validation", "test"])
def test_a_part_costs_what_the_stepper_says(run, part, story):
    evaluation = score_part(run, part)
    stream = stream_of(run)
    split = split_text(len(story), 0.1, 0.05)
    assert evaluation.part == part
    score = evaluation.score
    assert score.nats == pytest.approx(cost(run, stream.part(part)), rel=1e-6)
    assert score.tokens == len(stream.part(part))
    assert score.characters == getattr(split, part) == stream.parts[part].characters
    assert score.bytes == stream.parts[part].bytes
    assert evaluation.network == score
    assert evaluation.ngram is None


def test_every_cell_and_tokenizer(train, cell):
    kind = {"lstm": "jamo", "gru": "byte", "rnn": "char"}[cell]
    run = Run(train(cell=cell, tokenizer=kind, layers=2).model.path)
    tokens = stream_of(run).part("validation")
    assert score_part(run).score.nats == pytest.approx(cost(run, tokens), rel=1e-6)


def test_a_part_in_many_windows_costs_the_same(run, monkeypatch):
    whole = score_part(run, "train").score
    monkeypatch.setattr(evaluation, "_WINDOW_TOKENS", 100)
    told: list[Preparing] = []
    parted = score_part(run, "train", told.append).score
    assert parted.nats == pytest.approx(whole.nats, rel=1e-6)
    done = [record.done for record in told]
    assert done == [*range(100, whole.tokens, 100), whole.tokens]
    assert {(r.stage, r.total, r.unit) for r in told} == {("scoring", whole.tokens, "tokens")}


def test_the_test_part_is_taken_if_there_is_one(run, train):
    assert score_part(run).part == "test"
    assert score_part(run) == score_part(run, "test")
    assert score_part(Run(train().model.path)).part == "validation"


def test_the_last_validation_of_the_training_is_the_score(train):
    trained = train()
    score = score_part(Run(trained.model.path)).score
    assert score.bits_per_char == pytest.approx(trained.records[-1].bits_per_char, rel=1e-6)


def test_a_text_of_its_own(run, tmp_path):
    path = tmp_path / "other.txt"
    path.write_text("달빛이 뷁 \U00020000 moon\n", encoding="utf-8")
    evaluation = score_text(run, Text((str(path),)))
    text = path.read_text("utf-8")
    tokens = stream_of(run).tokenizer.encode(text)
    assert len(tokens) > len(text)  # what the run never saw is spelled out
    assert evaluation.part == "text"
    assert evaluation.score.nats == pytest.approx(cost(run, tokens), rel=1e-6)
    assert evaluation.score.characters == len(text)
    assert evaluation.score.bytes == len(text.encode())


def test_a_text_of_many_documents(run, tmp_path):
    path = tmp_path / "other.txt"
    path.write_text("첫째\n=\n둘째\n=\n셋째", encoding="utf-8")
    score = score_text(run, Text((str(path),), document_separator="\n=\n")).score
    tokenizer = stream_of(run).tokenizer
    tokens = [tokenizer.encode(text) for text in ("첫째", "둘째", "셋째")]
    joined = np.concatenate([tokens[0], [0], tokens[1], [0], tokens[2]])
    assert (score.tokens, score.characters) == (len(joined), 6)
    assert score.nats == pytest.approx(cost(run, joined), rel=1e-6)


def test_the_own_text_as_a_text_of_its_own_costs_the_same_until_the_split(train, text, story):
    """The parts of the stream are read each from the beginning; so are texts."""
    run = Run(train(val_fraction=0.1).model.path)
    split = split_text(len(story), 0.1)
    text.with_name("end.txt").write_text(story[split.train :], encoding="utf-8")
    evaluation = score_text(run, Text((str(text.with_name("end.txt")),)))
    assert evaluation.score == score_part(run, "validation").score


def test_an_old_encoding_is_read_where_it_is_named(run, tmp_path):
    path = tmp_path / "old.txt"
    path.write_bytes("달빛이 밝다".encode("cp949"))
    assert score_text(run, Text((str(path),), encoding="cp949")).score.characters == 6
    with pytest.raises(EncodingError):
        score_text(run, Text((str(path),)))


def test_the_numbers_as_json(run):
    evaluation = score_part(run)
    data = json.loads(json.dumps(evaluation.to_json()))
    score = evaluation.score
    assert data == {
        "part": "test",
        "bits_per_char": score.nats / score.characters / math.log(2),
        "bits_per_byte": score.nats / score.bytes / math.log(2),
        "nats_per_char": score.nats / score.characters,
        "nats_per_token": score.nats / score.tokens,
        "characters": score.characters,
        "bytes": score.bytes,
        "tokens": score.tokens,
        "network_bits_per_char": score.bits_per_char,
        "ngram_bits_per_char": None,
        "dynamic_bits_per_char": None,
        "dynamic_network_bits_per_char": None,
        "dynamic_ngram_bits_per_char": None,
    }


def test_the_experts_keep_their_own_numbers():
    scores = [Score(nats, 2, 2, 2) for nats in (2.0, 4.0, 6.0)]
    data = Evaluation(*scores).to_json()
    keys = ("bits_per_char", "network_bits_per_char", "ngram_bits_per_char")
    assert [data[key] for key in keys] == [score.bits_per_char for score in scores]


def test_a_run_is_scored_as_it_writes(run):
    """By the best checkpoint, or by the last where there is no best."""
    best = score_part(run).score
    shutil.rmtree(run.path / "best")
    shutil.rmtree(run.path / "best.prev", ignore_errors=True)
    assert score_part(run).score.nats == pytest.approx(cost(run, stream_of(run).part("test")))
    shutil.rmtree(run.path / "last")
    shutil.rmtree(run.path / "last.prev")
    with pytest.raises(RunNotFoundError):
        score_part(run)
    assert best.tokens


# -- where the tokens come from -----------------------------------------------------------------


def test_lost_tokens_are_made_again(run, checkpoints):
    before = score_part(run).score
    shutil.rmtree(checkpoints / ".streams")
    told: list[Preparing] = []
    assert score_part(run, on_progress=told.append).score == before
    stages = ["reading", "learning the char vocabulary", "tokenising", "scoring"]
    assert list(dict.fromkeys(r.stage for r in told)) == stages


def test_without_tokens_and_text_there_is_nothing_to_score(run, checkpoints, text):
    shutil.rmtree(checkpoints / ".streams")
    text.unlink()
    with pytest.raises(TextError) as error:
        score_part(run)
    assert str(error.value) == (
        f"the tokens of run story are gone and {text.resolve()} does not exist: "
        "say where its text lies now with --text FILE"
    )


# -- refusals -----------------------------------------------------------------------------------


def test_an_unknown_part_is_refused_before_the_run_is_opened(tmp_path):
    with pytest.raises(OptionError) as error:
        score_part(Run(tmp_path / "nothing"), "valid")
    assert str(error.value) == "part must be one of train, validation, test, got 'valid'"


def test_an_empty_part_is_refused(train):
    run = Run(train(val_fraction=0).model.path)
    for part in (None, "validation"):
        with pytest.raises(OptionError) as error:
            score_part(run, part)
        assert str(error.value) == (
            "run story has no validation part: name another --part, or a text"
        )
    with pytest.raises(OptionError, match=r"^run story has no test part: name another --part"):
        score_part(run, "test")


def test_a_text_that_cannot_be_read_is_refused(run, tmp_path):
    with pytest.raises(TextError, match=r"nothing.txt does not exist: check its path$"):
        score_text(run, Text((str(tmp_path / "nothing.txt"),)))
    empty = Path(tmp_path / "empty.txt")
    empty.write_text("")
    with pytest.raises(TextError, match=r"empty.txt is empty, there is nothing to learn from"):
        score_text(run, Text((str(empty),)))


def test_a_network_and_its_counts_predict_together(train, story):
    """Against both experts written out token by token in one mixture."""
    run = Run(train(test_fraction=0.05, val_fraction=0.1, steps=40, no_ngram=False).model.path)
    result = score_part(run)
    expert, tokenizer = load_writer(run)[:2]
    state, before, nats = expert.initial_state(1), tokenizer.boundary, 0.0
    for token in stream_of(run).part("test").tolist():
        log_probs, state = expert.step(np.array([before]), state)
        nats -= float(log_probs[0, token])
        before = token
    assert result.score.nats == pytest.approx(nats, rel=1e-4)
    assert result.ngram is not None
    assert result.score.nats < max(result.network.nats, result.ngram.nats)


def test_without_the_counts_it_is_the_network_alone(train):
    run = Run(train(val_fraction=0.1, no_ngram=False).model.path)
    whole, alone = score_part(run), score_part(run, manner=Manner(with_ngram=False))
    assert alone.score == whole.network
    assert alone.ngram is None


def test_what_each_token_costs_is_told_for_those_who_ask(train):
    told = {}
    run = Run(train(no_ngram=False, ngram_weight=0.01, steps=20).model.path)
    scores = score_part(run, manner=Manner(dynamic=True, on_nats=told.__setitem__))
    for prefix, found in (("", scores), ("dynamic_", scores.dynamic)):
        for name, score in (("network", found.network), ("ngram", found.ngram)):
            assert told[prefix + name].sum() == pytest.approx(score.nats)
        assert told[f"{prefix}both"].sum() == pytest.approx(found.score.nats)
    assert {len(nats) for nats in told.values()} == {scores.score.tokens}


def test_the_weight_is_fitted_on_text_that_nobody_was_trained_on(train, monkeypatch):
    fitted = []

    def fit(network, ngram):
        fitted.append((network.shape, len(ngram)))
        return Blend(0.25)

    monkeypatch.setattr("charnn.training.validating.fit_blend", fit)
    monkeypatch.setattr("charnn.training.recipe._LEAST_TO_FIT", 1000)
    run = Run(train(val_fraction=0.1, steps=10, no_ngram=False).model.path)
    held_back = run.config().training["recipe"]["weight_tokens"]
    assert held_back > 0
    assert set(fitted) == {((len(TEMPERATURES), held_back), held_back)}
    assert ngram_weight(run.chosen(WEIGHTS)) == 0.25


def test_a_weight_that_was_given_stays(train):
    run = Run(train(val_fraction=0.1, no_ngram=False, ngram_weight=0.7).model.path)
    assert run.config().training["recipe"]["weight_tokens"] == 0
    assert ngram_weight(run.chosen(WEIGHTS)) == 0.7
