"""Minutes to steps: the arithmetic, and whole trainings on machines whose clock is simulated."""

import itertools
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from charnn.corpus.accounting import Score
from charnn.records import Finished, PlanFixed, Sample, StepRecord
from charnn.training import boundaries, planning, trainer, validating
from charnn.training.device import Device
from charnn.training.evaluation import WHOLE, Reading, rows_of, token_nats
from charnn.training.options import TrainOptions
from charnn.training.plan import make_plan
from charnn.training.planning import Costs, Pace, Timing, final_seconds, plan_for_minutes
from charnn.training.recipe import make_recipe, nominal_seconds_per_step
from charnn.training.scores import Scores

OPTIONS = TrainOptions(minutes=5)
RECIPE = make_recipe(OPTIONS, 300_000, 1500, "cpu")


def timed(seconds: list[float], minutes: float = 5.0, clock: float = 0.0) -> Timing:
    timing = Timing(TrainOptions(minutes=minutes), lambda: clock)
    for taken in seconds:
        timing.note(taken)
    return timing


# -- timing -------------------------------------------------------------------------------------


@given(st.floats(1e-2, 100), st.floats(0.01, 600))
def test_timing_takes_a_few_steps_but_no_more_than_five_percent_of_the_minutes(per_step, minutes):
    timing, budget = Timing(TrainOptions(minutes=minutes), lambda: 0.0), 60 * minutes
    taken = 0
    while timing.wants_more():
        timing.note(per_step)
        taken += 1
    assert taken >= 2
    before_the_last = (taken - 2) * per_step
    assert before_the_last < 0.04 * budget
    assert before_the_last < 30  # nobody sees anything meanwhile
    if per_step <= min(1.0, 0.001 * budget):
        assert taken > 12  # enough for a median


def test_the_first_steps_and_a_few_slow_ones_do_not_count():
    assert timed([9.0, 3.0, 2.0, 0.5, 0.5, 0.5, 0.5, 30.0, 0.5]).seconds_per_step == 0.5
    assert timed([9.0, 0.5]).seconds_per_step == 0.5


def test_costs_of_a_kind_are_added():
    costs = Costs()
    assert costs.of("sample") == 0
    for task, seconds in (("sample 0.5", 9), ("sample 0.5", 1), ("sample 0.8", 2), ("save", 4)):
        costs.note(task, seconds)
    assert costs.of("sample") == 3
    assert costs.of("save") == 4
    assert costs.of("samp") == 0


# -- the arithmetic -----------------------------------------------------------------------------


def test_a_plan_for_minutes_by_hand():
    timing = timed([0.1] * 12, minutes=1, clock=5.0)
    costs = Costs({"validation": 0.05, "sample 0.8": 0.5, "save": 0.3, "copy": 0.1, "final": 2.0})
    options = TrainOptions(minutes=1, sample_every="10s", save_every="30s")
    plan = plan_for_minutes(options, RECIPE, 77, timing, costs, steps_done=12)
    left = 60 - 5 - 2.0 - planning.EXIT_SECONDS - 25 * 0.05 - (2 * 0.3 + 0.5)
    per_step = 0.1 + 0.5 / 100 + 0.1 / 300
    assert plan.total_steps == 12 + round(left / per_step)
    assert plan.seconds == 60
    assert plan.steps_per_epoch == 77
    assert plan.sample_every == 100
    assert plan.save_every == 300
    assert plan.validate_every == round(plan.total_steps / 25)
    assert plan.patience is None


@given(st.floats(0, 1e4), st.floats(0, 100), st.floats(1e-4, 100))
def test_a_plan_always_has_a_step_left(clock, validation, per_step):
    timing = timed([per_step] * 2, minutes=1, clock=clock)
    costs = Costs({"validation": validation, "final": validation})
    assert plan_for_minutes(OPTIONS, RECIPE, 1, timing, costs, 2).total_steps >= 3


def test_slow_validations_become_fewer_but_never_fewer_than_four():
    def count(seconds):
        costs = Costs({"validation": seconds})
        plan = plan_for_minutes(OPTIONS, RECIPE, 1, timed([0.01] * 12), costs, 12)
        return round(plan.total_steps / plan.validate_every)

    assert [count(seconds) for seconds in (0.01, 1, 50)] == [25, 8, 4]


# -- the whole of a training, on a simulated machine --------------------------------------------


@dataclass
class Machine:
    """Seconds that everything takes, and the clock they make pass.

    Attributes:
        start: before the first record: imports, reading, tokenising.
        slow_steps: how much longer the first steps take.
        noise: spread of the time of a step.
    """

    start: float
    step: float
    slow_steps: tuple[float, ...]
    noise: float
    validation: float
    sample: float
    save: float
    final: float
    exit: float = planning.EXIT_SECONDS

    def __post_init__(self) -> None:
        self.now = self.start
        self._draw = np.random.default_rng(0)
        self._slow = list(self.slow_steps)

    def passes(self, seconds: float) -> float:
        self.now += seconds
        return seconds

    def step_seconds(self) -> float:
        slow = self._slow.pop(0) if self._slow else 0
        return (self.step + slow) * (1 + self.noise * self._draw.random())


@dataclass
class ChangingMachine(Machine):
    """One whose steps take `factor` times as long from some second on."""

    factor: float = 1.0
    at: float = 0.0

    def step_seconds(self) -> float:
        return super().step_seconds() * (self.factor if self.now > self.at else 1.0)


@pytest.fixture
def simulate(make_task, make_state, keeper, monkeypatch):
    """Trains a plan for minutes on a machine; its seconds to the exit and the records come out."""

    def take_step(updates, learning_rate):
        progress = updates._state.progress
        progress.step, progress.settled = progress.step + 1, []
        progress.tokens, progress.nats = progress.tokens + 32, progress.nats + 32.0
        progress.updates += 1
        progress.seconds += (seconds := simulated.machine.step_seconds())
        return simulated.machine.passes(seconds)

    def scored(seconds):
        simulated.machine.passes(seconds)
        score = Score(1.0 + simulated.machine.now * -1e-6, 1, 1, 1)
        return Scores(score, score)

    def preview(*_, temperature, step, **__):
        simulated.machine.passes(simulated.machine.sample)
        return Sample(step, temperature, "", (), 1, 0.0)

    def probed(*_):
        return simulated.machine.final

    simulated = SimpleNamespace(machine=None)
    monkeypatch.setattr(trainer.Updates, "take_step", take_step)
    validator = validating.Validator
    monkeypatch.setattr(validator, "quick", lambda _: scored(simulated.machine.validation))
    monkeypatch.setattr(validator, "best", lambda _: scored(simulated.machine.final))
    monkeypatch.setattr(boundaries, "write_preview", preview)
    monkeypatch.setattr(validating, "final_seconds", probed)
    clock = SimpleNamespace(perf_counter=lambda: simulated.machine.now)
    for module in (trainer, boundaries):
        monkeypatch.setattr(module, "time", clock)

    def simulate(machine: Machine, minutes: float, **options):
        simulated.machine = machine = replace(machine)
        task = make_task(minutes=minutes, clock=lambda: machine.now, hidden=2, **options)
        keeper.save_last = lambda state: machine.passes(machine.save)
        keeper.save_best = lambda state, bits: machine.passes(machine.save / 3)
        keeper.load_best = lambda progress: (state.weights(averaged=True), 0)
        state = make_state(task)
        records = list(trainer.Trainer(task, state, keeper).records())
        return machine.passes(machine.exit) and machine.now, records

    return simulate


MACHINES = {
    "laptop": (Machine(4.0, 0.12, (0.4, 0.2, 0.1), 0.2, 1.2, 0.25, 0.3, 8.0), 5.0),
    "slow": (Machine(9.0, 1.5, (3.0, 1.0), 0.1, 6.0, 2.0, 2.0, 60.0), 20.0),
    "fast": (Machine(3.0, 0.008, (0.2, 0.1, 0.1), 0.1, 0.1, 0.05, 0.1, 1.0), 1.0),
    "gpu": (Machine(6.0, 0.004, (2.0, 0.02), 0.05, 0.05, 0.3, 0.6, 0.5), 0.5),
    "slow disk": (Machine(5.0, 0.05, (0.1, 0.1), 0.3, 0.5, 0.1, 4.0, 3.0), 5.0),
}


@pytest.mark.parametrize("name", MACHINES)
def test_minutes_are_the_wall_clock_of_the_whole_command(simulate, name):
    machine, minutes = MACHINES[name]
    seconds, records = simulate(
        machine, minutes, temps=(0.5, 0.8, 1.0), sample_every="20s", save_every="30s"
    )
    assert abs(seconds - 60 * minutes) <= 0.03 * 60 * minutes
    *_, plan = (record for record in records if isinstance(record, PlanFixed))
    assert records[-1].reason == "done"
    assert records[-1].step == plan.total_steps


@pytest.mark.parametrize("factor", [0.4, 2.5])
def test_minutes_hold_where_the_machine_becomes_slower_or_faster(simulate, factor):
    machine, minutes = MACHINES["laptop"]
    changed = ChangingMachine(**asdict(machine), factor=factor, at=100.0)
    seconds, records = simulate(changed, minutes, sample_every="20s", save_every="30s")
    assert abs(seconds - 60 * minutes) <= 0.04 * 60 * minutes
    first, *revised = (record for record in records if isinstance(record, PlanFixed))
    assert revised
    assert (revised[-1].total_steps < first.total_steps) == (factor > 1)
    assert records[-1].step == revised[-1].total_steps
    rates = [record.learning_rate for record in records if isinstance(record, StepRecord)]
    assert rates[-1] < 0.01 * max(rates)  # whatever happens, the schedule comes to its end
    decaying = rates[rates.index(max(rates)) :]
    assert decaying == sorted(decaying, reverse=True)


def test_a_pause_is_no_part_of_the_minutes():
    now = SimpleNamespace(seconds=10.0)
    plan = make_plan(OPTIONS, RECIPE, 10, 1000, 0.1, seconds=117.0)
    costs = Costs({"final": 5.0 - planning.EXIT_SECONDS, "validation": 0.4})
    pace = Pace(plan, lambda: now.seconds, costs, step=50)

    def take(steps: int, seconds: float) -> None:
        for _ in range(steps):
            pace.note(seconds)
        now.seconds += steps * seconds

    take(300, 0.1)
    now.seconds += 3600
    pace.skip(3600.0)
    assert pace.revise(plan, 350) is None
    take(300, 0.2)
    revised = pace.revise(plan, 650)
    assert revised.total_steps == pytest.approx(650 + (112 - 10 - 90 - 0.4) / 0.2, abs=1)
    assert revised.revisions == ((650, 1000),)


@settings(max_examples=30)
@given(
    steps=st.integers(300, 4000),
    noise=st.floats(0, 0.3),
    validation=st.floats(0, 100),
    sample=st.floats(0, 30),
    save=st.floats(0, 100),
    final=st.floats(0, 0.2),
)
def test_minutes_hold_whatever_the_tasks_cost(
    make_task, make_state, simulate, steps, noise, validation, sample, save, final
):
    """Costs in steps: a validation as long as 100 steps, a save as long as 100, and so on."""
    budget = 300.0
    step = budget / steps
    machine = Machine(
        start=3.0,
        step=step,
        slow_steps=(3 * step, step),
        noise=noise,
        validation=min(validation * step, 0.01 * budget),
        sample=min(sample * step, 0.02 * budget),
        save=min(save * step, 0.02 * budget),
        final=final * budget,
    )
    seconds, _ = simulate(machine, budget / 60, sample_every="60s", save_every="60s")
    assert abs(seconds - budget) <= 0.03 * budget


def test_the_plan_is_fixed_within_five_percent_of_the_steps(simulate):
    machine, minutes = MACHINES["laptop"]
    _, records = simulate(machine, minutes, sample_every="20s", save_every="30s")
    at = next(index for index, record in enumerate(records) if isinstance(record, PlanFixed))
    total = records[at].total_steps
    first = next(record.step for record in records[at:] if isinstance(record, StepRecord))
    assert first <= 0.05 * total
    assert not any(isinstance(record, StepRecord) for record in records[:at])


def test_without_a_budget_the_minutes_are_ten_and_validation_may_end_them(simulate):
    machine = Machine(2.0, 0.5, (), 0.0, 1.0, 0.1, 0.1, 2.0)
    seconds, records = simulate(machine, None, sample_every="20s", save_every="30s")
    assert abs(seconds - 600) <= 0.03 * 600
    assert isinstance(records[-1], Finished)


# -- how long the last evaluation will take -----------------------------------------------------


@pytest.fixture
def clocked(monkeypatch) -> Callable[..., int]:
    """Counts the tokens that models read as seconds of a fake clock."""
    read = itertools.count()
    now = SimpleNamespace(seconds=0.0)

    def forward(tokens, state):
        next(read)
        now.seconds += tokens.shape[0]  # a window costs its length; its rows run side by side
        return torch.zeros(*tokens.shape, 5), state

    forward.read = lambda tokens, state: forward(tokens, state)[1]
    monkeypatch.setattr(planning, "time", SimpleNamespace(perf_counter=lambda: now.seconds))
    model = SimpleNamespace(
        training=False,
        eval=lambda: None,
        train=lambda mode: None,
        initial_state=lambda rows: ((torch.zeros(rows, 1),),),
        shape=SimpleNamespace(num_layers=1, hidden_size=1, networks=1, vocab_size=5),
        each=[forward],
    )
    return model, now


@pytest.mark.parametrize("count", [1, 100, 3000, 40_000, 80_000, 200_000, 700_001])
def test_the_last_evaluation_is_foretold_from_a_part_of_it(clocked, stream, count):
    model, now = clocked
    device = Device("cpu", "fp32", 1)
    tokens = np.ones(count, dtype=np.uint16)
    foretold = final_seconds(model, tokens, stream.tokenizer.boundary, device)
    probe, before = now.seconds, now.seconds
    token_nats(model, tokens, stream.tokenizer.boundary, device, WHOLE)
    assert foretold == pytest.approx(now.seconds - before, rel=0.01, abs=rows_of(count, WHOLE))
    assert probe <= 2 * planning._PROBE_TOKENS


def test_without_held_out_text_the_last_evaluation_takes_no_time(clocked, stream):
    model, now = clocked
    empty = np.empty(0, dtype=np.uint16)
    assert final_seconds(model, empty, stream.tokenizer.boundary, Device("cpu", "fp32", 1)) == 0
    assert now.seconds == 0


def test_nominal_time_reads_no_clock(monkeypatch):
    monkeypatch.setattr("time.perf_counter", lambda: pytest.fail("a clock was read"))
    assert nominal_seconds_per_step(RECIPE, 1500, "cpu") > 0


def test_rows_are_as_many_as_their_least_length_allows():
    reading = Reading(rows=16, past=0, least_row=100)
    assert [rows_of(count, reading) for count in (1, 99, 100, 250, 1600, 10**6)] == [
        *(1, 1, 1, 2),
        *(16, 16),
    ]
