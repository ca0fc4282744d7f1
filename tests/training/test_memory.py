"""Out of memory: fewer rows while nothing is lost, and what could be saved afterwards."""

import itertools
import re
import weakref
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import charnn
from charnn.corpus.batches import Batches
from charnn.errors import TrainingError
from charnn.records import Event, Finished, PlanFixed, StepRecord
from charnn.runs.run import Run
from charnn.training import beginning as beginning_module
from charnn.training import trainer as trainer_module
from charnn.training import updates as updates_module
from charnn.training.beginning import new_state
from charnn.training.device import Device
from charnn.training.feed import Feed

ERRORS = [
    MemoryError(),
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:113] DefaultCPUAllocator: can't allocate memory"),
]


@pytest.fixture
def scarce(monkeypatch):
    """Lets steps fail for want of memory where `fails(rows, step)` says so."""

    def scarce(fails, error=ERRORS[1]):
        real = updates_module.Updates._finish_step

        def finish_step(updates, *rest):
            state = updates._state
            rows = state.carried[0][0].shape[0]
            if fails(rows, state.progress.step):
                raise error
            real(updates, *rest)

        monkeypatch.setattr(updates_module.Updates, "_finish_step", finish_step)

    return scarce


def warnings(records):
    return [r.message for r in records if isinstance(r, Event) and r.kind == "warning"]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("budget", [{"steps": 8}, {"minutes": 0.01}], ids=str)
def test_rows_are_halved_until_they_fit(train, checkpoints, scarce, error, budget):
    scarce(lambda rows, step: rows > 3, error)
    seconds = itertools.count()
    trained = train(batch_size=12, clock=lambda: next(seconds) * 0.01, **budget)
    assert warnings(trained.records) == [
        "there was not enough memory for 12 rows of text side by side: 6 now",
        "there was not enough memory for 12 rows of text side by side: 3 now",
    ]
    run = Run(checkpoints / "story")
    assert run.config().training["recipe"]["batch_size"] == 3
    assert run.config().training["options"]["batch_size"] == 12
    assert trained.of(PlanFixed)[-1].batch_size == 3
    assert trained.records[-1].reason == "done"
    assert run.last().tensors("trainer.safetensors")["carried.0.0"].shape[0] == 3
    kept = [r.message for r in run.records("events.jsonl") if isinstance(r, Event)]
    assert kept[:1] == warnings(trained.records)[-1:]


def test_a_network_that_the_machine_has_no_room_for_is_not_begun(train, checkpoints, monkeypatch):
    """A system may promise memory that it does not have, and end the process when it is used."""
    monkeypatch.setattr("charnn.training.needs.machine_memory", lambda: 10**6)
    with pytest.raises(TrainingError) as error:
        train(hidden=300)
    said = (
        r"a network of [\d,]+ numbers takes 0\.0 GB to train, this machine has 0\.0: train it on a "
    )
    assert re.fullmatch(said + "larger one, or a smaller network", str(error.value))
    assert not (checkpoints / "story").exists()


def test_a_run_with_half_its_rows_is_one_that_was_begun_with_them(train, checkpoints, scarce):
    train(run="few", batch_size=6, steps=8, dropout=0.3)
    scarce(lambda rows, step: rows > 6 and step == 1)
    train(run="many", batch_size=12, steps=8, dropout=0.3)
    ours, theirs = (
        Run(checkpoints / name).last().tensors("trainer.safetensors") for name in ("few", "many")
    )
    assert all(np.array_equal(array, theirs[name]) for name, array in ours.items())


def test_what_another_run_has_learned_is_not_lost(train, checkpoints, scarce):
    train(run="old", steps=20)
    scarce(lambda rows, step: rows > 2)
    options = {"hidden": None, "init_from": "old", "learning_rate": 1e-12, "weight_decay": 0.0}
    train(run="new", steps=4, **options)
    old, new = Run(checkpoints / "old"), Run(checkpoints / "new")
    expected = old.best().weights(old.config().model)
    for name, array in new.best().weights(new.config().model).items():
        assert np.allclose(array, expected[name], rtol=0, atol=1e-6), name


def test_a_single_row_that_does_not_fit_is_refused(train, checkpoints, scarce):
    scarce(lambda rows, step: True)
    with pytest.raises(TrainingError) as error:
        train(batch_size=4)
    assert str(error.value) == (
        "there is not enough memory for 1 rows of 8 tokens: make the network or the text's windows "
        "smaller with --hidden, --feed-forward, --networks or --seq-len"
    )


def test_later_the_run_is_saved_and_says_what_to_do(train, checkpoints, scarce, monkeypatch):
    straight = train(run="straight", steps=20)
    scarce(lambda rows, step: step == 9)
    records = []
    with pytest.raises(TrainingError) as error:
        train(run="poor", steps=20, on_record=records.append)
    assert str(error.value) == (
        "memory ran out at step 9, the newest checkpoint is kept: close other programs and go on "
        "with 'charnn train --resume poor', or begin a new run from it with --init-from poor and a "
        "--batch-size below 4"
    )
    assert not isinstance(records[-1], Finished)
    assert Run(checkpoints / "poor").last().step == 9
    monkeypatch.undo()
    charnn.resume("poor", checkpoints=checkpoints)
    ours, theirs = (
        Run(checkpoints / name).last().weights(Run(checkpoints / name).config().model)
        for name in ("straight", "poor")
    )
    assert straight.records[-1].reason == "done"
    assert all(np.array_equal(array, theirs[name]) for name, array in ours.items())


def test_half_an_update_is_not_saved(train, checkpoints, monkeypatch):
    real = updates_module.Updates._update

    def update(updates, learning_rate):
        if updates._state.progress.step == 9:
            updates.halfway = True
            raise MemoryError
        real(updates, learning_rate)

    monkeypatch.setattr(updates_module.Updates, "_update", update)
    with pytest.raises(TrainingError, match=r"^memory ran out at step 9, the newest checkpoint is"):
        train(steps=20)
    assert Run(checkpoints / "story").last().step == 5


def test_an_error_of_another_kind_is_not_taken_for_it(train, scarce):
    scarce(lambda rows, step: step == 3, RuntimeError("size mismatch"))
    with pytest.raises(RuntimeError, match=r"^size mismatch$"):
        train()


def test_a_network_that_does_not_fit_is_refused_before_there_is_a_run(
    train, checkpoints, monkeypatch
):
    def refuse(*_, **__):
        raise RuntimeError("DefaultCPUAllocator: not enough memory")

    monkeypatch.setattr("charnn.training.beginning.make_model", refuse)
    with pytest.raises(TrainingError) as error:
        train()
    assert str(error.value).startswith("there is not enough memory for a network of ")
    assert str(error.value).endswith(
        " numbers: make it smaller with --size, --hidden, --layers, --feed-forward or --networks"
    )
    assert not (checkpoints / "story").exists()


def test_another_mistake_in_making_a_network_is_one(make_task, monkeypatch):
    def refuse(*_, **__):
        raise RuntimeError("something else")

    monkeypatch.setattr("charnn.training.beginning.make_model", refuse)
    task = make_task()
    with pytest.raises(RuntimeError, match=r"^something else$"):
        new_state(task.options, task.recipe, task.stream, Device("cpu", "fp32", 1))


def test_nothing_holds_on_to_the_network_that_did_not_fit(train, scarce, monkeypatch):
    scarce(lambda rows, step: rows > 3, MemoryError)
    networks, alive = [], []
    real = beginning_module.make_model

    def make(*arguments, **named):
        alive.append([network() is not None for network in networks])
        network = real(*arguments, **named)
        networks.append(weakref.ref(network))
        return network

    monkeypatch.setattr(beginning_module, "make_model", make)
    train(batch_size=12, steps=2)
    assert alive == [[], [False], [False, False]]


def test_a_trainer_that_does_not_fit_has_fewer_rows_too(train, checkpoints, monkeypatch):
    real = trainer_module.Updates

    def updates(state, feed, recipe, device):
        if recipe.batch_size > 6:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return real(state, feed, recipe, device)

    monkeypatch.setattr(trainer_module, "Updates", updates)
    trained = train(batch_size=12, steps=4)
    assert warnings(trained.records) == [
        "there was not enough memory for 12 rows of text side by side: 6 now"
    ]
    with monkeypatch.context() as patch:
        patch.setattr(trainer_module, "Updates", lambda *_: (_ for _ in ()).throw(MemoryError()))
        with pytest.raises(TrainingError) as error:
            charnn.resume("story", checkpoints=checkpoints, steps=3)
    assert str(error.value) == (
        "memory ran out at step 4, the newest checkpoint is kept: close other programs and go on "
        "with 'charnn train --resume story', or begin a new run from it with --init-from story and "
        "a --batch-size below 6"
    )
    assert Run(checkpoints / "story").last().step == 4


def test_memory_that_runs_out_in_the_view_costs_no_checkpoint(train, checkpoints):
    def on_record(record):
        if isinstance(record, StepRecord) and record.step == 9:
            raise MemoryError

    with pytest.raises(TrainingError, match=r"^memory ran out at step 9, the newest checkpoint is"):
        train(steps=20, on_record=on_record)
    assert Run(checkpoints / "story").last().step == 5


def test_a_text_that_does_not_fit_on_the_device_is_read_from_the_stream(make_task, monkeypatch):
    def refuse(feed):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    batches = Batches(make_task().training_tokens, 4, 8)
    device = SimpleNamespace(kind="cuda", torch_device=torch.device("cpu"))
    whole = Feed(batches, device)
    monkeypatch.setattr(Feed, "_upload", refuse)
    pieces = Feed(batches, device)
    for step in (0, 1, batches.windows_per_epoch):
        for ours, theirs in zip(whole.window(step), pieces.window(step), strict=True):
            assert torch.as_tensor(ours).tolist() == torch.as_tensor(theirs).tolist()
    monkeypatch.setattr(Feed, "_upload", lambda feed: (_ for _ in ()).throw(RuntimeError("other")))
    with pytest.raises(RuntimeError, match="other"):
        Feed(batches, device)
