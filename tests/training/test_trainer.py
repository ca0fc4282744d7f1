"""The trainer: what it tells, in which order, what a person may ask of it, and how it ends."""

import itertools
import math
from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest
import torch

from charnn.corpus.accounting import Score, score_tokens
from charnn.corpus.batches import Batches
from charnn.corpus.preparing import prepare_stream
from charnn.model.language_model import LanguageModel
from charnn.records import (
    Control,
    Event,
    Finished,
    Heartbeat,
    PlanFixed,
    Sample,
    StepRecord,
    Validation,
)
from charnn.text.reading import open_texts
from charnn.training import trainer as trainer_module
from charnn.training import validating
from charnn.training.device import Device
from charnn.training.evaluation import QUICK, token_nats
from charnn.training.feed import Feed
from charnn.training.plan import Plan, learning_rate_at
from charnn.training.previews import preview_seed
from charnn.training.scores import Scores
from charnn.training.trainer import Trainer
from charnn.training.updates import Updates
from charnn.training.validating import Validator

CPU = Device("cpu", "fp32", 1)


@pytest.fixture
def train(make_task, make_state, keeper):
    """Trains to the end; the records, the state and the task come out.

    `each` is called with every record as it comes, `plan` follows a saved plan.
    """

    def train(each=lambda record: None, plan=None, keeper=keeper, **options):
        if not {"steps", "minutes", "epochs"} & set(options):
            options["steps"] = 20
        task = make_task(**options)
        state = make_state(task)
        records = []
        for record in Trainer(task, state, keeper, plan).records():
            records.append(record)
            each(record)
        return records, state, task

    return train


def of(kind, records):
    return [record for record in records if isinstance(record, kind)]


def weights_of(state):
    return {**state.weights(averaged=False), **{f"a {k}": v for k, v in state.arrays().items()}}


def a_plan(**changes):
    plan = Plan(
        total_steps=20,
        steps_per_epoch=70,
        warmup_steps=2,
        log_every=3,
        validate_every=5,
        sample_every=7,
        save_every=4,
    )
    return replace(plan, **changes)


# -- learning -----------------------------------------------------------------------------------


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_training_makes_the_text_more_predictable(train, cell):
    records, _, _ = train(cell=cell, steps=60, hidden=24, seq_len=16, dropout=0.0)
    steps, validations = of(StepRecord, records), of(Validation, records)
    assert np.mean([r.loss for r in steps[-5:]]) < steps[0].loss - 0.5
    assert validations[-2].loss < validations[0].loss - 0.2


def test_the_same_seed_trains_the_same_model(train):
    first, second = (weights_of(train(keeper=k)[1]) for k in (None_keeper(), None_keeper()))
    assert all(np.array_equal(array, second[name]) for name, array in first.items())


class None_keeper:  # noqa: N801  used like a function
    """Keeps nothing but the best weights."""

    def __init__(self):
        self.best = {}

    def note(self, record):
        pass

    save_plan = save_last = note
    unsaved: ClassVar[dict[str, str]] = {}

    def wait(self):
        pass

    def outcomes(self):
        return []

    def save_best(self, state, bits_per_char):
        self.best = state.weights(averaged=True)

    def load_best(self, progress):
        return self.best, progress.best_step


# -- records ------------------------------------------------------------------------------------


def test_everything_happens_when_the_plan_says(train, keeper):
    plan = a_plan()
    records, _, _ = train(plan=plan, temps=(0.5, 1.0))
    assert [r.step for r in of(StepRecord, records)] == [3, 6, 9, 12, 15, 18]
    assert [r.step for r in of(Validation, records)] == [0, 5, 10, 15, 20, 20]
    assert [(r.step, r.temperature) for r in of(Sample, records)] == [
        *itertools.product([0, 7, 14, 20], [0.5, 1.0])
    ]
    assert [r.step for r in of(Event, records)] == [4, 8, 12, 16, 20, 20]
    assert {r.message for r in of(Event, records)} == {
        f"checkpoint at step {step}" for step in (4, 8, 12, 16, 20)
    }
    assert [step for step, _ in keeper.saved] == [4, 8, 12, 16, 20, 20]


def test_records_come_in_their_order(train, keeper):
    records, _, _ = train()
    assert [type(r) for r in records if not isinstance(r, StepRecord)][:3] == [
        *(Validation, Sample, PlanFixed)
    ]
    assert isinstance(records[-1], Finished)
    assert keeper.records == records
    steps = [r.step for r in records if not isinstance(r, PlanFixed)]
    assert steps == sorted(steps)
    rank = {StepRecord: 0, Validation: 1, Sample: 2, Event: 3}
    for _, group in itertools.groupby(records[3:-3], key=lambda record: record.step):
        ranks = [rank[type(record)] for record in group]
        assert ranks == sorted(ranks)


def test_a_saved_plan_is_told_first_and_not_made_again(train, keeper):
    records, _, _ = train(plan=a_plan(seconds=77.0))
    assert isinstance(records[0], PlanFixed)
    assert records[0].seconds == 77.0
    assert len(of(PlanFixed, records)) == 1
    assert keeper.plans == []


def test_the_plan_is_kept_before_the_first_step(train, keeper):
    records, _, task = train(steps=9)
    (plan,) = keeper.plans
    told = of(PlanFixed, records)[0]
    for name in ("total_steps", "steps_per_epoch", "warmup_steps", "validate_every"):
        assert getattr(told, name) == getattr(plan, name)
    assert (plan.total_steps, plan.sample_every, plan.save_every) == (9, 7, 5)
    assert (told.batch_size, told.seq_len) == (task.recipe.batch_size, task.recipe.seq_len)
    assert keeper.saved[0][0] == 0


def test_a_step_record_is_the_mean_since_the_one_before(train, make_task, make_state):
    """The slow twin takes the same steps and looks at each."""
    records, _, task = train(plan=a_plan(), seq_len=100, clock=lambda: 5.0)
    state = make_state(task)
    tokens = task.stream.part("train")
    batches = Batches(tokens, task.recipe.batch_size, task.recipe.seq_len)
    updates = Updates(state, Feed(batches, CPU), task.recipe, CPU)
    nats, norms, sizes = [], [], []
    part = task.stream.parts["train"]
    for step in range(20):
        state.progress.start_sums()
        updates.take_step(learning_rate_at(step, task.recipe, a_plan()))
        updates.drain()
        nats.append(state.progress.nats)
        norms.append(state.progress.grad_norm)
        sizes.append(state.progress.tokens)
    assert len(set(sizes)) > 1  # a short window is among them
    for record in of(StepRecord, records):
        window = slice(record.step - 3, record.step)
        loss = sum(nats[window]) / sum(sizes[window])
        assert record.loss == pytest.approx(loss, rel=1e-6)
        assert record.grad_norm == pytest.approx(np.mean(norms[window]), rel=1e-6)
        per_character = loss * len(tokens) / part.characters
        assert record.bits_per_char == pytest.approx(per_character / math.log(2), rel=1e-6)
        assert record.learning_rate == learning_rate_at(record.step - 1, task.recipe, a_plan())
        assert record.epoch == record.step / batches.windows_per_epoch
        assert record.chars_per_second > 0
        assert record.memory > 1 << 20
        assert record.remaining == pytest.approx(0) or record.step < 20


def test_elapsed_time_is_that_of_the_command(train):
    clock = itertools.count(100.0)
    records, _, _ = train(clock=lambda: next(clock))
    elapsed = [r.elapsed for r in records if not isinstance(r, PlanFixed)]
    assert elapsed == sorted(elapsed)
    assert elapsed[0] >= 100


def test_samples_are_seeded_by_run_and_step(train):
    records, _, _ = train(temps=(0.5, 1.0), seed=3, prompt="바람", sample_length=9)
    for sample in of(Sample, records):
        assert sample.seed == preview_seed(3, sample.step)
        assert sample.prompt == "바람"
        assert 9 <= len(sample.text) <= 12
        assert all(bits >= 0 for _, bits in sample.pieces)


def costing(nats):
    """A score of a text of one character."""
    score = Score(nats, 1, 1, 1)
    return Scores(score, score)


def score_of(model, tokens, task, **options):
    """Of a network alone."""
    tokenizer = task.stream.tokenizer
    nats = token_nats(model, tokens, tokenizer.boundary, CPU, **options)
    return score_tokens(nats.sum(), tokens, tokenizer)


def test_the_best_weights_are_kept_and_scored_at_the_end(train, keeper, monkeypatch):
    """Validation is said to be best in the middle, so the best is not the last."""
    dear = iter([5.0, 3.0, 2.0, 2.5, 2.0])

    monkeypatch.setattr(Validator, "quick", lambda _: costing(next(dear)))
    records, state, task = train(plan=a_plan(), learning_rate=0.1)
    validations = of(Validation, records)[:-1]
    best = min(validations, key=lambda r: r.bits_per_char)
    assert best.step == 10
    assert keeper.bests == [(r.step, r.bits_per_char) for r in validations if r.is_best]
    assert keeper.bests[-1] == (best.step, best.bits_per_char)
    model = LanguageModel(state.model.shape)
    model.load_state_dict({k: torch.from_numpy(v) for k, v in keeper.best.items()})
    whole = score_of(model, task.stream.part("validation"), task)
    final, end = records[-2:]
    assert final.whole
    assert final.bits_per_char == end.bits_per_char == whole.bits_per_char
    assert (end.best_step, end.best_bits_per_char) == (best.step, best.bits_per_char)
    assert (end.reason, end.step, end.path) == ("done", 20, "run")


def test_validation_reads_the_averaged_weights_quickly_and_says_if_not_all(
    train, keeper, monkeypatch
):
    monkeypatch.setattr(validating, "QUICK_TOKENS", 100)
    records, state, task = train(steps=3, val_fraction=0.3)
    held_out = task.stream.part("validation")
    assert len(held_out) > 100
    quick = score_of(state.averaged, held_out[:100], task, reading=QUICK)
    *_, last, final = of(Validation, records)
    assert (last.bits_per_char, last.tokens, last.whole) == (quick.bits_per_char, 100, False)
    assert (final.tokens, final.whole) == (len(held_out), True)


def test_without_held_out_text_the_newest_weights_are_the_best(train, keeper, tmp_path, story):
    path = tmp_path / "story.txt"
    path.write_text(story, encoding="utf-8")
    with open_texts([path]) as source:
        stream, _ = prepare_stream(source, tmp_path / "streams", validation_fraction=0.0)
    records, state, _ = train(stream=stream, plan=a_plan())
    assert of(Validation, records) == []
    assert keeper.bests == [(step, None) for step in (0, 5, 10, 15, 20)]
    assert records[-1].bits_per_char is records[-1].best_bits_per_char is None
    for name, array in state.weights(averaged=True).items():
        assert np.array_equal(keeper.best[name], array)


# -- what must not touch the training -----------------------------------------------------------


def test_looking_at_a_training_does_not_change_it(train):
    """However often it is validated, sampled, saved and reported, the weights are the same."""
    plans = (
        a_plan(),
        a_plan(validate_every=1, sample_every=1, save_every=1, log_every=1),
        a_plan(validate_every=99, sample_every=99, save_every=99, log_every=99),
    )
    weights = [weights_of(train(plan=plan, dropout=0.3, keeper=None_keeper())[1]) for plan in plans]
    for other in weights[1:]:
        assert all(np.array_equal(array, other[name]) for name, array in weights[0].items())


def test_a_sample_asked_for_does_not_change_the_training(train):
    control = Control()
    asked, state, _ = train(each=lambda r: control.sample_now(), control=control, dropout=0.3)
    plain, other, _ = train(dropout=0.3)
    assert len(of(Sample, asked)) > len(of(Sample, plain))
    theirs = weights_of(other)
    assert all(np.array_equal(array, theirs[name]) for name, array in weights_of(state).items())


# -- what a person may ask ----------------------------------------------------------------------


def test_a_sample_asked_for_comes_at_once_and_is_not_kept(train, keeper):
    control = Control(temperature=1.5, sample_length=11)

    def each(record):
        if isinstance(record, StepRecord) and record.step == 10:
            control.sample_now()
            control.sample_now()  # twice before it is answered is once

    records, _, _ = train(each, control=control, plan=a_plan(log_every=1, sample_every=99))
    at = next(i for i, r in enumerate(records) if isinstance(r, StepRecord) and r.step == 10)
    asked = [r for r in of(Sample, records) if r.temperature == 1.5]
    assert [(s.step, 11 <= len(s.text) <= 14) for s in asked] == [(10, True)]
    assert records.index(asked[0]) <= at + 2
    assert asked[0] not in keeper.records


def test_stop_saves_and_ends_at_this_step(train, keeper):
    control = Control()

    def each(record):
        if isinstance(record, StepRecord) and record.step == 9:
            control.stop()

    records, state, _ = train(each, control=control, plan=a_plan())
    saved, end = records[-2:]
    assert (saved.kind, saved.message) == ("saved", "checkpoint at step 9")
    assert (end.reason, end.step) == ("stopped", 9)
    assert end.bits_per_char == end.best_bits_per_char
    assert state.progress.step == keeper.saved[-1][0] == 9
    assert "step" in state.progress.settled


def test_a_stop_before_the_plan_is_fixed_saves_nothing(train, keeper):
    control = Control()
    control.stop()
    records, _, _ = train(control=control)
    assert [type(r) for r in records] == [Finished]
    assert records[0].reason == "stopped"
    assert keeper.saved == keeper.plans == []


def test_a_paused_training_waits_lives_and_goes_on(train, monkeypatch):
    monkeypatch.setattr(trainer_module, "_HEARTBEAT_SECONDS", 0.001)
    control, beats = Control(), []

    def each(record):
        if isinstance(record, StepRecord) and record.step == 9 and not beats:
            control.pause()
        if isinstance(record, Heartbeat):
            beats.append(record)
            if len(beats) == 3:
                control.resume()

    records, _, _ = train(each, control=control, plan=a_plan())
    at = records.index(beats[0])
    assert records[at : at + 3] == beats
    assert [(beat.step, beat.paused) for beat in beats] == [(9, True)] * 3
    assert records[-1].reason == "done"


def test_a_paused_training_answers_and_can_be_stopped(train, monkeypatch, keeper):
    monkeypatch.setattr(trainer_module, "_HEARTBEAT_SECONDS", 0.001)
    control = Control(temperature=1.5)

    def each(record):
        if isinstance(record, StepRecord) and record.step == 9:
            control.pause()
            control.sample_now()  # answered by the settling of this very step
        if isinstance(record, Heartbeat):
            control.sample_now()
        if isinstance(record, Sample) and record.temperature == 1.5 and control.paused:
            answered.append(record.step)
            if len(answered) == 3:
                control.stop()

    answered: list[int] = []
    records, state, _ = train(each, control=control, plan=a_plan())
    assert answered == [9, 9, 9]
    assert (records[-1].reason, state.progress.step) == ("stopped", 9)


def test_a_stop_while_the_end_is_scored_is_a_stop(train, keeper, monkeypatch):
    control = Control()

    best = Validator.best

    def broken_off(validator):
        control.stop()
        return best(validator)

    monkeypatch.setattr(Validator, "best", broken_off)
    records, _, _ = train(control=control, steps=5)
    assert records[-1].reason == "stopped"
    assert records[-1].bits_per_char == records[-1].best_bits_per_char
    assert keeper.saved[-1][0] == 5


# -- other ends ---------------------------------------------------------------------------------


def test_a_training_that_no_longer_improves_ends(train, keeper, monkeypatch):
    bits = itertools.chain([5.0, 4.0, 3.0], itertools.repeat(3.0))

    monkeypatch.setattr(Validator, "quick", lambda _: costing(next(bits)))
    monkeypatch.setattr(Validator, "best", lambda _: costing(1.0))
    records, _, _ = train(plan=a_plan(total_steps=500, patience=4))
    assert [r.step for r in of(Validation, records)][:-1] == [0, 5, 10, 15, 20, 25, 30]
    plateau, _, final, end = records[-4:]
    assert (plateau.kind, plateau.step) == ("plateau", 30)
    assert plateau.message == "validation has not improved since step 10"
    assert final.whole
    assert (end.reason, end.best_step, end.step) == ("plateau", 10, 30)
    assert keeper.saved[-1][0] == 30


def test_a_training_with_a_budget_does_not_end_before(train, monkeypatch):
    monkeypatch.setattr(Validator, "quick", lambda _: costing(1.0))
    records, _, _ = train(steps=60)
    assert (records[-1].reason, records[-1].step) == ("done", 60)


def test_a_dropped_step_does_not_show_in_the_records(train, make_task, make_state, keeper):
    task = make_task(steps=6)
    state = make_state(task)
    calls = itertools.count()
    state.model.output.bias.register_hook(
        lambda gradient: gradient * (math.nan if next(calls) == 2 else 1)
    )
    records = list(Trainer(task, state, keeper, a_plan(total_steps=6)).records())
    assert state.progress.dropped == 1
    assert records[-1].step == 6
    assert all(math.isfinite(r.loss) for r in of(StepRecord, records))
