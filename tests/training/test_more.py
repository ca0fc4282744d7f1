"""More of a run that has ended: another plan, from the best weights, never for the worse."""

import json

import numpy as np
import pytest

import charnn
from charnn.errors import OptionError, RunError
from charnn.records import Control, Event, Finished, PlanFixed, Sample, StepRecord, Validation
from charnn.runs.run import Run
from charnn.training import boundaries
from charnn.training.plan import Plan
from charnn.training.progress import Progress


@pytest.fixture
def more(checkpoints):
    """Gives a run more; its records come out."""

    def more(name="story", **options):
        records = []
        options = {"on_record": records.append, **options}
        charnn.resume(name, checkpoints=checkpoints, **options)
        return records

    return more


def of(kind, records):
    return [record for record in records if isinstance(record, kind)]


def test_more_steps_come_behind_the_last_with_a_plan_of_their_own(train, more, checkpoints):
    first = train(steps=20)
    before = Run(first.model.path).plan()
    records = more(steps=40)
    assert (records[-1].reason, records[-1].step) == ("done", 60)
    (told,) = of(PlanFixed, records)
    assert told.total_steps == 60
    saved = Run(first.model.path).plan()
    plan = Plan.from_json(saved)
    assert (plan.first_step, plan.total_steps, plan.warmup_steps) == (20, 60, 2)
    assert saved["history"] == [before]
    rates = {record.step: record.learning_rate for record in of(StepRecord, records)}
    assert rates[21] < rates[23] > rates[40] > rates[60]
    best = Run(first.model.path).best().step
    resumed = next(r for r in of(Event, records) if r.kind == "resumed")
    assert resumed.message.startswith("more from step 20, with the best weights, of step ")
    assert best >= 0


def test_what_was_there_before_stays_in_the_journals(train, more, checkpoints):
    path = train(steps=10).model.path
    before = {p.name: p.read_bytes() for p in path.glob("*.jsonl")}
    more(steps=10)
    for name, content in before.items():
        assert (path / name).read_bytes().startswith(content), name
    ends = [r for r in Run(path).records("events.jsonl") if isinstance(r, Finished)]
    assert [(end.reason, end.step) for end in ends] == [("done", 10), ("done", 20)]


def test_the_best_checkpoint_gives_way_only_to_a_better_one(train, more, monkeypatch):
    path = train(steps=60, hidden=24, seq_len=16).model.path
    best = Run(path).best()
    real = boundaries.Boundaries.rate_at
    monkeypatch.setattr(boundaries.Boundaries, "rate_at", lambda b, step: 3 * real(b, step) + 0.05)
    records = more(steps=60)
    validations = [r.bits_per_char for r in of(Validation, records)[:-1]]
    after = Run(path).best()
    scores = best.manifest.scores["bits_per_char"], after.manifest.scores["bits_per_char"]
    assert scores[1] == min(scores[0], *validations)
    assert records[-1].best_bits_per_char == scores[1]
    assert records[-1].bits_per_char is not None


@pytest.mark.parametrize("budget", [{"epochs": 0.5}, {"minutes": 0.02}], ids=str)
def test_epochs_and_minutes(train, more, budget):
    windows = of(PlanFixed, train(steps=5).records)[0].steps_per_epoch
    seconds = iter(np.arange(0, 10**4, 0.002).tolist())
    records = more(clock=lambda: next(seconds), **budget)
    plans = of(PlanFixed, records)
    if "epochs" in budget:
        assert [plan.total_steps for plan in plans] == [5 + round(windows / 2)]
    else:  # revised or not, as fast as this machine takes a step
        assert plans
        assert all(plan.seconds == pytest.approx(1.2) for plan in plans)
    assert (records[-1].reason, records[-1].step) == ("done", plans[-1].total_steps)


class StopAt(Control):
    def __init__(self, step):
        super().__init__()
        self._step = step

    def __call__(self, record):
        if isinstance(record, StepRecord) and record.step >= self._step:
            self.stop()


def test_more_can_be_stopped_and_resumed_exactly(train, more, checkpoints):
    for name in ("straight", "stopped"):
        train(run=name, steps=12, dropout=0.3)
    more("straight", steps=14)
    control = StopAt(17)
    more("stopped", steps=14, control=control, on_record=control)
    assert Run(checkpoints / "stopped").last().step == 17
    more("stopped")
    ours, theirs = (Run(checkpoints / name).last() for name in ("straight", "stopped"))
    for file in ("weights.safetensors", "trainer.safetensors"):
        arrays, others = ours.tensors(file), theirs.tensors(file)
        assert all(array.tobytes() == others[name].tobytes() for name, array in arrays.items())
    lines = [
        [
            {k: v for k, v in json.loads(line).items() if k in ("step", "loss", "is_best")}
            for line in (checkpoints / name / "metrics.jsonl").read_text("utf-8").splitlines()
        ]
        for name in ("straight", "stopped")
    ]
    assert lines[0] == lines[1]


def test_more_that_is_stopped_before_its_plan_is_fixed_is_none(train, more, checkpoints):
    train(steps=12)
    control = Control()
    control.stop()
    more(minutes=1, control=control)
    with pytest.raises(RunError, match=r"^run story has finished its 12 steps: give it more with"):
        more()
    assert more(steps=3)[-1].step == 15


def test_more_and_more(train, more, checkpoints):
    train(steps=4)
    for count in (1, 2, 3):
        assert more(steps=4)[-1].step == 4 + 4 * count
    history = Run(checkpoints / "story").plan()["history"]
    assert [plan["total_steps"] for plan in history] == [4, 8, 12]
    assert all("history" not in plan for plan in history)


def test_a_plateau_is_no_reason_to_end_again_at_once(train, more, monkeypatch):
    monkeypatch.setattr(
        "charnn.training.trainer.Trainer._has_plateaued",
        lambda trainer: trainer._state.progress.step == 5 and not trainer._first_step,
    )
    assert train(steps=9).records[-1].reason == "plateau"
    assert more(steps=6)[-1].step == 11


@pytest.mark.parametrize("budget", [{"minutes": 5}, {"steps": 5}], ids=str)
@pytest.mark.parametrize("stop", [0, 5], ids=["without a checkpoint", "stopped"])
def test_a_run_that_has_not_ended_is_refused_more(train, more, budget, stop):
    control = StopAt(stop)
    if not stop:
        control.stop()
    train(run="half", steps=12, control=control, on_record=control)
    with pytest.raises(RunError) as error:
        more("half", **budget)
    assert str(error.value) == (
        "run half has not ended yet, and goes on as planned with 'charnn train --resume half': "
        "--minutes, --epochs and --steps are for more of a run that has ended"
    )
    assert more("half")[-1].step == 12


@pytest.mark.parametrize(
    ("budget", "message"),
    [
        ({"minutes": 0}, "minutes must be > 0, got 0"),
        ({"minutes": 1, "steps": 1}, "give one of --minutes, --epochs and --steps, got 2"),
        (
            {"hidden": 9},
            "hidden is fixed when a run goes on: it must be one of sample_every, sample_length, "
            "temps, prompt, minutes, epochs, steps",
        ),
    ],
)
def test_budgets_are_checked(train, more, budget, message):
    train(steps=3)
    with pytest.raises(OptionError) as error:
        more(**budget)
    assert str(error.value) == message


def test_samples_are_of_the_weights_it_goes_on_with(train, more, checkpoints):
    train(steps=6)
    records = more(steps=7, temps=(0.0,), sample_every="1000steps", prompt="배")
    assert [r.step for r in of(Sample, records)] == [6, 13]


def test_it_begins_by_judging_the_weights_it_goes_on_with(train, more, checkpoints):
    """So that a plan for minutes knows what validations and samples take."""
    train(steps=7, val_fraction=0.2)
    seconds = iter(np.arange(0, 10**4, 0.002).tolist())
    records = more(minutes=0.02, clock=lambda: next(seconds), temps=(0.5,))
    planned = next(i for i, record in enumerate(records) if isinstance(record, PlanFixed))
    assert [r.step for r in of(Validation, records[:planned])] == [7]
    assert [r.step for r in of(Sample, records[:planned])] == [7]


def test_what_a_plan_was_slowed_down_by_is_no_matter_of_the_next():
    progress = Progress(step=40)
    progress.note_dropped()
    progress.note_restored()
    assert progress.rate_share(40) < progress.rate_share(1000) < 0.5
    progress.begin_more()
    assert progress.rate_share(40) == 1


@pytest.mark.slow
def test_more_makes_the_bundled_text_more_predictable(tmp_path, novella):
    options = {"hidden": 32, "threads": 1, "sample_every": "10000steps", "no_ngram": True}
    first = []
    charnn.train(
        novella, checkpoints=tmp_path, run="x", steps=60, on_record=first.append, **options
    )
    second = []
    charnn.resume("x", checkpoints=tmp_path, steps=60, on_record=second.append)
    assert second[-1].bits_per_char < first[-1].bits_per_char - 0.1
