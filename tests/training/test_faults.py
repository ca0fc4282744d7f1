"""Numbers that explode, in a training: dropped, lowered, gone back from, and ended in the end."""

import itertools
import math
import time

import numpy as np
import pytest
import torch

import charnn
from charnn.errors import RunError, TrainingError
from charnn.records import Control, Event, Finished, StepRecord, Validation
from charnn.runs.run import Run
from charnn.training import updates as updates_module
from charnn.training.faults import MOST_IN_A_ROW, MOST_RESTORES, Faults, is_out_of_memory
from charnn.training.progress import Progress
from charnn.training.telling import Teller


@pytest.fixture
def poisoned(monkeypatch):
    """Makes the losses of these steps, counted from 0 over all trainings, no numbers."""

    def poisoned(steps):
        calls, real = itertools.count(), updates_module.mean_nats

        def mean_nats(logits, targets):
            loss = real(logits, targets)
            return loss * math.nan if next(calls) in steps else loss

        monkeypatch.setattr(updates_module, "mean_nats", mean_nats)

    return poisoned


@pytest.fixture
def faults(make_task, make_state, keeper):
    """A Faults with the state it watches; `keeper` has the weights of another state as the best."""
    task = make_task()
    state = make_state(task)
    keeper.best = make_state(task, seed=9).weights(averaged=True)
    teller = Teller(task, state, keeper)
    return Faults(task, state, keeper, teller, drain=lambda: None), state


def told(records, kind):
    return [r.message for r in records if isinstance(r, Event) and r.kind == kind]


# -- the rate -----------------------------------------------------------------------------------


def test_without_faults_the_rate_is_the_plans():
    progress = Progress()
    assert [progress.rate_share(step) for step in (0, 1, 10**6)] == [1.0, 1.0, 1.0]


def test_a_dropped_step_lowers_the_rate_by_a_tenth():
    progress = Progress()
    progress.note_dropped()
    progress.note_dropped()
    assert progress.rate_share(7) == pytest.approx(0.81)


def test_each_return_lowers_the_rate_more_and_warms_it_up_again():
    progress, factors = Progress(step=100), []
    for _ in range(MOST_RESTORES):
        progress.note_restored()
        factors.append(progress.rate_factor)
    assert factors == [0.5**power for power in (1, 3, 6, 10, 15, 21)]
    shares = [progress.rate_share(step) / progress.rate_factor for step in (100, 124, 149, 1000)]
    assert shares == [0.02, 0.5, 1.0, 1.0]


# -- going back ---------------------------------------------------------------------------------


def test_the_best_weights_come_back_and_everything_else_begins_anew(faults, keeper):
    faults, state = faults
    state.progress.best_step = 12
    state.carried = tuple(tuple(part + 1 for part in layer) for layer in state.carried)
    (event,) = faults.go_back("the loss was 99 nats a token")
    assert (event.kind, event.message) == (
        "warning",
        "the loss was 99 nats a token: back to the best weights of step 12; "
        "the learning rate is 50 % of the plan's now",
    )
    for averaged in (True, False):
        for name, array in state.weights(averaged=averaged).items():
            assert np.array_equal(array, keeper.best[name])
    assert not state.optimizer.state
    assert all((part == 0).all() for layer in state.carried for part in layer)
    assert keeper.records == [event]


def test_steps_dropped_one_by_one_are_told_and_no_more(faults):
    faults, state = faults
    assert list(faults.look()) == []
    state.progress.note_dropped()
    (event,) = faults.look()
    assert event.message == (
        "1 step was dropped, for the loss or the gradient was no number; "
        "the learning rate is 90 % of the plan's now"
    )
    assert list(faults.look()) == []
    for _ in range(MOST_IN_A_ROW - 2):
        state.progress.note_dropped()
    (event,) = faults.look()
    assert event.message.startswith("3 steps were dropped, for")
    state.progress.note_dropped()
    dropped, back = faults.look()
    assert (dropped.kind, back.kind) == ("dropped", "warning")
    assert back.message.startswith("5 steps in a row were dropped: back to the best weights; ")
    assert state.progress.dropped_in_a_row == 0


@pytest.mark.parametrize(("times", "goes_back"), [(1.9, False), (2.1, True), (math.inf, True)])
def test_a_loss_far_above_knowing_nothing_is_hopeless(faults, times, goes_back):
    faults, state = faults
    nothing = math.log(state.model.shape.vocab_size)
    state.progress.tokens, state.progress.nats = 10, 10 * times * nothing
    found = []
    checking = faults.check_loss()
    try:
        while True:
            found.append(next(checking))
    except StopIteration as stop:
        assert stop.value is goes_back
    assert len(found) == goes_back


def test_a_text_that_costs_much_from_the_beginning_is_not_hopeless(faults, make_task):
    """As one that a run of another text begins with."""
    faults, state = faults
    nothing = math.log(state.model.shape.vocab_size)
    state.progress.best_bits_per_char = 3 * nothing / math.log(2) / make_task().chars_per_token
    state.progress.tokens, state.progress.nats = 10, 10 * 5.9 * nothing
    assert list(faults.check_loss()) == []
    state.progress.nats = 10 * 6.1 * nothing
    assert len(list(faults.check_loss())) == 1


def test_after_too_many_returns_training_ends(faults):
    faults, state = faults
    state.progress.best_step, state.progress.step = 4, 30
    for _ in range(MOST_RESTORES):
        assert len(list(faults.go_back("it was so"))) == 1
    with pytest.raises(TrainingError) as error:
        list(faults.go_back("it was so"))
    assert str(error.value) == (
        "the numbers exploded at step 30 again, after 6 returns to the best weights of step 4, "
        "which are kept: start a new run with a --learning-rate below 8e-11"
    )


# -- in a training ------------------------------------------------------------------------------


def test_a_few_poisoned_steps_are_dropped_and_training_goes_on(train, poisoned):
    poisoned({3, 9, 10})
    trained = train(steps=20)
    assert trained.records[-1].reason == "done"
    assert len(told(trained.records, "dropped")) == 3
    assert told(trained.records, "warning") == []
    assert all(math.isfinite(record.loss) for record in trained.of(StepRecord))
    progress = Run(trained.model.path).last().document("trainer.json")
    assert (progress["dropped"], progress["restores"]) == (3, 0)
    assert progress["rate_factor"] == pytest.approx(0.9**3)
    kinds = [r.kind for r in Run(trained.model.path).records("events.jsonl") if r.tag == "event"]
    assert kinds.count("dropped") == 3


def test_poison_that_persists_brings_the_best_weights_back(train, poisoned):
    poisoned(set(range(8, 8 + MOST_IN_A_ROW)))
    trained = train(steps=30)
    assert trained.records[-1].reason == "done"
    (message,) = told(trained.records, "warning")
    assert message.startswith("5 steps in a row were dropped: back to the best weights of step ")
    validations = trained.of(Validation)
    assert validations[-1].bits_per_char < validations[0].bits_per_char


def test_poison_in_every_step_ends_with_the_best_weights_and_one_line(train, poisoned, checkpoints):
    poisoned(range(10**6))
    records = []
    with pytest.raises(
        TrainingError, match=r"^the numbers exploded at step 35 again, after 6 retur"
    ):
        train(steps=200, on_record=records.append)
    end = records[-1]
    assert isinstance(end, Finished)
    assert (end.reason, end.step) == ("exploded", 5 * (MOST_RESTORES + 1))
    assert math.isfinite(end.bits_per_char)
    run = Run(checkpoints / "story")
    assert run.best().step == 0
    assert run.last().step == 35
    assert charnn.load("story", checkpoints=checkpoints).generate("바람", length=3, seed=1)
    with pytest.raises(RunError, match=r"^run story ended at step 35, for its numbers kept expl"):
        charnn.resume("story", checkpoints=checkpoints)


@pytest.mark.parametrize("optimizer", ["adamw", "sgd", "adagrad"])
def test_a_learning_rate_of_a_thousand_still_ends_in_a_model(train, checkpoints, optimizer):
    records = []
    try:
        train(steps=120, learning_rate=1e3, optimizer=optimizer, on_record=records.append)
    except TrainingError as error:
        assert "start a new run with a --learning-rate below" in str(error)
    end = records[-1]
    assert isinstance(end, Finished)
    assert math.isfinite(end.bits_per_char)
    assert (
        end.bits_per_char <= min(r.bits_per_char for r in records if r.tag == "validation") + 1e-6
    )
    run = Run(checkpoints / "story")
    for slot in ("best", "last"):
        weights = getattr(run, slot)().weights(run.config().model)
        assert all(np.isfinite(array).all() for array in weights.values())


def test_a_rate_that_is_too_high_is_lowered_until_the_model_learns(train):
    trained = train(steps=250, learning_rate=1e3, hidden=24, seq_len=16, dropout=0.0)
    validations = trained.of(Validation)
    assert trained.records[-1].reason == "done"
    assert trained.records[-1].best_step > 0
    assert validations[-1].bits_per_char < validations[0].bits_per_char - 0.05


class StopAt(Control):
    """Stops when a step record is told."""

    def __init__(self, steps):
        super().__init__()
        self._steps = set(steps)

    def __call__(self, record):
        if isinstance(record, StepRecord) and record.step in self._steps:
            self.stop()


def weights_of(run):
    arrays = run.last().tensors("trainer.safetensors") | run.last().tensors("weights.safetensors")
    return {name: np.array(array) for name, array in arrays.items()}


def test_resuming_after_faults_is_exact(train, checkpoints, monkeypatch):
    """The poison hangs on the step, so that both trainings meet the same."""
    real = updates_module.Updates._finish_step

    def finish_step(updates, loss, *rest):
        bad = updates._state.progress.step in {3, 12, 13, 14, 15, 16, 24}
        return real(updates, loss * torch.nan if bad else loss, *rest)

    monkeypatch.setattr(updates_module.Updates, "_finish_step", finish_step)
    straight = train(run="straight", steps=40, dropout=0.2)
    assert len(told(straight.records, "warning")) == 1
    for stop in (2, 14, 15, 18, 30):
        name, control = f"stopped-{stop}", StopAt([stop])
        train(run=name, steps=40, dropout=0.2, control=control, on_record=control)
        charnn.resume(name, checkpoints=checkpoints)
        ours, theirs = (weights_of(Run(checkpoints / n)) for n in ("straight", name))
        assert ours.keys() == theirs.keys()
        assert all(ours[key].tobytes() == theirs[key].tobytes() for key in ours), stop


# -- memory -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "is_it"),
    [
        (MemoryError(), True),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"), True),
        (RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 9 B"), True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to ..."), True),
        (RuntimeError("MPS backend out of memory (MPS allocated: 1.00 GB)"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"), True),
        (RuntimeError("cuDNN error: CUDNN_STATUS_..._DEVICE_ALLOCATION_FAILED"), True),
        (RuntimeError("size mismatch"), False),
        (OSError("out of memory"), False),
    ],
    ids=str,
)
def test_what_says_that_memory_has_run_out(error, is_it):
    assert is_out_of_memory(error) is is_it


# -- after a kill -------------------------------------------------------------------------------


class Killed(BaseException):
    """As if the process had been killed: nobody saves because of it."""


def test_the_best_weights_of_a_later_step_are_not_gone_back_to(train, checkpoints, monkeypatch):
    """Killed behind two better ones than the newest last/ knows of; then the numbers explode."""
    real, killed = updates_module.Updates._finish_step, []

    def finish_step(updates, loss, *rest):
        bad = killed and updates._state.progress.step in range(20, 25)
        return real(updates, loss * torch.nan if bad else loss, *rest)

    monkeypatch.setattr(updates_module.Updates, "_finish_step", finish_step)
    options = {"steps": 60, "save_every": "20steps", "learning_rate": 0.02}
    killed.append("not")
    straight = train(run="straight", **options)
    assert any("back to the best weights of step " in m for m in told(straight.records, "warning"))
    killed.clear()
    bests = []

    def die(record):
        if isinstance(record, Validation) and record.is_best and record.step > 20:
            bests.append(record.step)
            if len(bests) == 3:
                deadline = time.monotonic() + 60  # the saver has a thread of its own
                while run.best().step == bests[0] and time.monotonic() < deadline:
                    time.sleep(0.01)
                raise Killed

    run = Run(checkpoints / "killed")
    with pytest.raises(Killed):
        train(run="killed", on_record=die, **options)
    assert run.last().step == 20
    assert run.best().step > bests[0] > 20
    killed.append("now")
    records = []
    charnn.resume("killed", checkpoints=checkpoints, on_record=records.append)
    assert told(records, "warning") == told(straight.records, "warning")
    ours, theirs = (weights_of(Run(checkpoints / n)) for n in ("straight", "killed"))
    assert all(ours[key].tobytes() == theirs[key].tobytes() for key in ours)


def test_where_the_best_weights_are_gone_it_is_said(faults, keeper, monkeypatch):
    faults, state = faults
    state.progress.best_step = 12
    monkeypatch.setattr(keeper, "load_best", lambda progress: (keeper.best, 20))
    (event,) = faults.go_back("it was so")
    assert event.message.startswith(
        "it was so: back to the best weights of step 20 (those of step 12 are gone); "
    )
