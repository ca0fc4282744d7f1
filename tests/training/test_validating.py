"""What validation does beside scoring: the weight of the counts, what it costs, who writes."""

import re
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

import charnn
from charnn.corpus.accounting import score_tokens
from charnn.errors import RunDamagedError
from charnn.generation.loading import load_writer
from charnn.model import averaging
from charnn.model.mixture import Blend
from charnn.records import Control, Event, Validation
from charnn.runs.documents import read_sealed, write_sealed
from charnn.runs.export import export_run
from charnn.runs.layout import GRADIENTS, TRAINER, WEIGHTS
from charnn.runs.ngram_file import ngram_weight
from charnn.runs.run import Run
from charnn.runs.temperature import temperature_of
from charnn.training import validating
from charnn.training.adapting import adapted_writer
from charnn.training.device import choose_device, single_precision
from charnn.training.evaluation import token_nats
from charnn.training.options import TrainOptions
from charnn.training.plan import make_plan
from charnn.training.saved import stream_of
from charnn.training.scoring import Manner, adapting_checkpoint, load_model, score_part
from charnn.training.session import _sampling_anew
from charnn.training.texts import Text
from charnn.training.validating import Validator


@pytest.fixture
def fitting(monkeypatch):
    """Short texts have a slice for the weight too; it says 0.25, and a temperature of 1.1."""
    monkeypatch.setattr("charnn.training.recipe._LEAST_TO_FIT", 1000)
    blend = Blend(0.25, 1.1)
    monkeypatch.setattr("charnn.training.validating.fit_blend", lambda network, ngram: blend)


def test_where_nothing_is_held_out_the_weight_is_fitted_all_the_same(train, fitting):
    run = Run(train(val_fraction=0.0, steps=10, no_ngram=False).model.path)
    assert run.config().training["recipe"]["weight_tokens"] > 0
    assert ngram_weight(run.chosen(WEIGHTS)) == 0.25
    assert temperature_of(run.chosen(WEIGHTS)) == 1.1


def bits_of(run: Run, temperature: float) -> float:
    """Bits a character of its validation part, as the network predicts at a temperature."""
    stream, device = stream_of(run), choose_device("cpu", "fp32", threads=1)
    model, tokens = load_model(run, run.chosen(WEIGHTS)), stream.part("validation")
    nats = token_nats(model, tokens, stream.tokenizer.boundary, device, temperature=temperature)
    return score_tokens(nats.sum(), tokens, stream.tokenizer).bits_per_char


def test_the_fitted_temperature_is_what_the_network_predicts_with(train, fitting):
    trained = train(steps=30, no_ngram=False, val_fraction=0.2, learning_rate=0.02)
    run = Run(trained.model.path)
    cool, plain = bits_of(run, 1.1), bits_of(run, 1.0)
    assert abs(cool - plain) > 1e-3
    final = trained.of(Validation)[-1]
    assert final.network_bits_per_char == pytest.approx(cool, rel=1e-6)
    scores = score_part(run, manner=Manner(dynamic=True))
    assert scores.network.bits_per_char == pytest.approx(cool, rel=1e-6)
    assert scores.score.bits_per_char == pytest.approx(final.bits_per_char, rel=1e-6)


def test_the_best_weights_keep_what_was_fitted_to_them(train, monkeypatch):
    """Which is another at every validation, and the best of them is not the last."""
    monkeypatch.setattr("charnn.training.recipe._LEAST_TO_FIT", 1000)
    fitted = []

    def fit(network, ngram):
        # less of the counts, and a network closer to uniform: the first stays the best
        later = Blend(0.4 - 0.01 * len(fitted), 5.0 + 0.1 * len(fitted))
        fitted.append(later if fitted else Blend(0.9, 1.1))
        return fitted[-1]

    monkeypatch.setattr("charnn.training.validating.fit_blend", fit)
    trained = train(steps=40, no_ngram=False, val_fraction=0.2)
    run = Run(trained.model.path)
    assert run.best().step < run.last().step
    assert len(fitted) > 1
    for checkpoint, blend in ((run.best(), fitted[0]), (run.last(), fitted[-1])):
        assert ngram_weight(checkpoint) == blend.weight
        assert temperature_of(checkpoint) == blend.temperature
    final, score = trained.of(Validation)[-1], score_part(run)
    assert final.bits_per_char == pytest.approx(score.score.bits_per_char, rel=1e-6)
    assert final.network_bits_per_char == pytest.approx(bits_of(run, 1.1), rel=1e-6)


@pytest.mark.parametrize(("networks", "adapting"), [(1, []), (2, [1.0])])
def test_what_is_written_and_shown_is_written_at_the_fitted_temperature(
    train, fitting, text, monkeypatch, networks, adapting
):
    made = []
    real = averaging.Averaging

    def spy(steppers, temperature):
        made.append(temperature)
        return real(steppers, temperature)

    monkeypatch.setattr(averaging, "Averaging", spy)
    trained = train(steps=30, no_ngram=False, val_fraction=0.2, networks=networks)
    assert 1.1 in made  # by the preview
    made.clear()
    charnn.load(trained.model.path).generate("섭섭이", length=5)
    charnn.load(trained.model.path, ngram=False).generate("섭섭이", length=5)
    assert made == [1.1, 1.1]
    made.clear()
    adapted_writer(Run(trained.model.path), Text((str(text),)))
    assert made == adapting  # what adapts is not divided


def test_a_network_without_counts_has_a_temperature_too(train, monkeypatch):
    monkeypatch.setattr("charnn.training.recipe._LEAST_TO_FIT", 1000)
    fitted = []

    def fit(network, ngram):
        fitted.append(ngram)
        return Blend(0.0, 1.1)

    monkeypatch.setattr("charnn.training.validating.fit_blend", fit)
    run = Run(train(steps=10).model.path)
    assert set(fitted) == {None}
    assert temperature_of(run.chosen(WEIGHTS)) == 1.1
    assert ngram_weight(run.chosen(WEIGHTS)) == 0


@pytest.mark.parametrize("temperature", [0.0, -1.0, 11.0, 1e300])
def test_a_temperature_that_cannot_be_is_refused(train, temperature):
    run = Run(train(steps=3).model.path)
    path = run.path / "best" / "manifest.json"
    manifest = read_sealed(path)
    manifest["scores"]["temperature"] = temperature
    write_sealed(path, manifest)
    message = f"temperature must be in [0.1, 10], got {temperature}"
    with pytest.raises(RunDamagedError, match=re.escape(message)):
        score_part(run)
    with pytest.raises(RunDamagedError, match=re.escape(message)):
        load_writer(run)


def test_a_network_of_no_numbers_is_gone_back_from_and_no_wrong_option(train, monkeypatch):
    """One validation, the third, is of weights that have overflowed."""
    monkeypatch.setattr("charnn.training.recipe._LEAST_TO_FIT", 1000)
    calls = []

    def lost(real):
        def nats_of(*arguments):
            calls.append(arguments)
            nats = real(*arguments)
            return nats * np.nan if len(calls) in (5, 6) else nats  # for the weight, for the score

        return nats_of

    monkeypatch.setattr(validating, "nats_at", lost(validating.nats_at))
    monkeypatch.setattr(validating, "token_nats", lost(validating.token_nats))
    trained = train(val_fraction=0.1, steps=50, no_ngram=False)
    warnings = [e.message for e in trained.of(Event) if e.kind == "warning"]
    assert [m for m in warnings if m.startswith("the loss on held-out text was no number: back to")]
    assert 0 <= ngram_weight(Run(trained.model.path).chosen(WEIGHTS)) < 1


def stopped(control: Control, text: Path, checkpoints: Path, name: str, **options: Any) -> Run:
    """A run that was stopped after 20 steps of 1,000, before its first validation behind step 0."""
    sizes = {"hidden": 12, "threads": 1, "batch_size": 4, "learning_rate": 0.02}
    sizes = {} if "init_from" in options else sizes
    talk = {"control": control, "on_record": control}
    charnn.train(text, checkpoints=checkpoints, run=name, steps=1000, **talk, **sizes, **options)
    return Run(checkpoints / name)


def test_a_training_that_began_with_a_trained_network_writes_with_that_until_it_is_better(
    train, text, checkpoints, stop_at
):
    train(run="first", steps=30)
    run = stopped(stop_at(20), text, checkpoints, "second", init_from="first")
    assert run.chosen(WEIGHTS).manifest.slot == "best"
    assert "unvalidated" not in run.last().manifest.scores
    assert GRADIENTS not in run.last().manifest.files


def test_a_network_that_was_judged_worse_than_the_first_does_not_write(train):
    run = Run(train(steps=40, learning_rate=50.0).model.path)
    assert run.best().step == 0
    assert run.chosen(WEIGHTS).manifest.slot == "best"
    assert "unvalidated" not in run.last().manifest.scores


def test_a_stop_while_the_weight_is_fitted_leaves_that_to_do(train, monkeypatch):
    """Nothing is held out, so that nothing else of the validation would be left."""
    monkeypatch.setattr("charnn.training.recipe._LEAST_TO_FIT", 1000)
    control = Control()
    real = validating.nats_at

    def stop(*arguments):
        control.stop()
        return real(*arguments)

    monkeypatch.setattr(validating, "nats_at", stop)
    options = {"val_fraction": 0.0, "steps": 12, "no_ngram": False}
    run = Run(train(run="stopped", control=control, **options).model.path)
    monkeypatch.setattr(validating, "nats_at", real)
    charnn.resume("stopped", checkpoints=run.path.parent)
    straight = Run(train(run="straight", **options).model.path)
    both = [ngram_weight(one.chosen(WEIGHTS)) for one in (run, straight)]
    assert both[0] == both[1] != 0.4


def test_a_training_that_stops_before_it_is_validated_writes_with_its_last_weights(
    text, checkpoints, tmp_path, fitting, stop_at
):
    run = stopped(stop_at(20), text, checkpoints, "story")
    assert run.best().step == 0
    chosen = run.chosen(WEIGHTS)
    assert chosen.manifest.slot == "last"
    assert chosen.step >= 20
    assert dict(chosen.manifest.scores) == {"ngram_weight": 0.4, "unvalidated": 1.0}
    fitted = run.last(TRAINER).document(TRAINER)
    assert (fitted["ngram_weight"], fitted["temperature"]) == (0.25, 1.1)
    # that of the network before its first step; resuming needs it
    assert adapting_checkpoint(run).content(GRADIENTS)
    written = charnn.load(run.path).generate("섭섭이", length=30, seed=1)
    file = tmp_path / "x.charnn"
    export_run(run, file)
    assert charnn.load(file).generate("섭섭이", length=30, seed=1) == written


def test_so_it_does_where_nothing_is_held_out(text, checkpoints, stop_at):
    run = stopped(stop_at(20), text, checkpoints, "story", val_fraction=0.0)
    assert (run.best().step, run.chosen(WEIGHTS).manifest.slot) == (0, "last")
    control = stop_at(30)
    charnn.resume("story", checkpoints=checkpoints, control=control, on_record=control)
    assert run.chosen(WEIGHTS).manifest.slot == "last"
    assert run.chosen(WEIGHTS).step >= 30
    control = stop_at(60)  # the second validation is that of step 40
    charnn.resume("story", checkpoints=checkpoints, control=control, on_record=control)
    assert run.chosen(WEIGHTS).manifest.slot == "best"
    assert run.chosen(WEIGHTS).step == 40


def test_the_score_at_the_end_costs_the_counting_of_all_of_it(make_task, make_state, monkeypatch):
    def count(*_):
        time.sleep(0.02)
        return np.zeros(0)

    task = make_task(val_fraction=0.2)
    validator = Validator(task, make_state(task), keeper=None)
    monkeypatch.setattr(validating, "final_seconds", lambda *_: 5.0)
    monkeypatch.setattr(validating, "counted_nats", count)
    monkeypatch.setattr(validating, "QUICK_TOKENS", 50)
    held_out = len(task.stream.part("validation"))
    assert validator.best_seconds() == 5.0
    object.__setattr__(task, "counts", object())
    assert validator.best_seconds() == pytest.approx(5 + 0.02 * held_out / 50, rel=0.5)


def test_a_gpu_scores_in_single_precision_and_then_goes_on_as_before():
    flags = torch.backends.cuda.matmul, torch.backends.cudnn
    before = [flag.allow_tf32 for flag in flags]
    try:
        for flag in flags:
            flag.allow_tf32 = True
        with single_precision():
            assert [flag.allow_tf32 for flag in flags] == [False, False]
        assert [flag.allow_tf32 for flag in flags] == [True, True]
    finally:
        for flag, was in zip(flags, before, strict=True):
            flag.allow_tf32 = was


def test_samples_of_a_second_plan_come_by_its_own_pace(make_task):
    task = make_task(sample_every="20s")
    plan = make_plan(TrainOptions(minutes=1.0), task.recipe, 100, 1000, 0.06, seconds=60.0)
    behind = replace(plan, first_step=10_000, total_steps=11_000)
    setting = SimpleNamespace(
        stream=task.stream, device=task.device, recipe=task.recipe, options=task.options
    )
    assert _sampling_anew(behind, setting).sample_every == round(20 / 0.06)
