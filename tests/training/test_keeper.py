"""The Keeper of a run folder: what is kept where, and taken up again."""

import threading

import numpy as np
import pytest

from charnn.errors import RunDamagedError, RunNotFoundError
from charnn.records import Event, Heartbeat, Preparing, Sample, StepRecord
from charnn.runs import saving
from charnn.runs.manifest import read_manifest
from charnn.runs.run import Run, create_run
from charnn.training.device import Device
from charnn.training.keeper import RunKeeper, restore
from charnn.training.plan import Plan
from charnn.training.saved import make_config
from charnn.training.saver import Outcome
from charnn.training.texts import Text

STEP = StepRecord(3, 0.5, 2.5, 3.6, 0.01, 0.4, 900.0, 1.5, 8.0, 1 << 20)
PLAN = Plan(12, 6, 1, 1, 3, 4, 5, patience=2, seconds=30.0)


@pytest.fixture
def begin(make_task, make_state, checkpoints):
    """A run, its keeper and a state that can be kept; keywords are options."""
    keepers = []

    def begin(name="story", resumed=None, **options):
        task = make_task(**options)
        state = make_state(task)
        config = make_config(
            Text(("story.txt",)),
            "story",
            task.options,
            task.recipe,
            Device("cpu", "fp32", 1),
            task.stream,
        )
        run = create_run(checkpoints, name, config)
        keepers.append(RunKeeper(run, state.model.shape, resumed))
        return run, keepers[-1], state

    yield begin
    for keeper in keepers:
        keeper.close()


def kept(run: Run, name: str) -> list[object]:
    return list(run.records(name))


def test_records_go_to_the_journals_of_their_kinds(begin):
    run, keeper, _ = begin()
    sample = Sample(3, 0.8, "바", (("람", 2.0),), 1, 1.5)
    event = Event("note", 3, "바람이 분다", 1.5)
    for record in (STEP, sample, event, Heartbeat(3, True, 1.6), Preparing("reading", 1)):
        keeper.note(record)
    assert kept(run, "metrics.jsonl") == [STEP]
    assert kept(run, "samples.jsonl") == [sample]
    assert kept(run, "events.jsonl") == [event]
    assert keeper.notes == ()


def test_the_plan_is_kept(begin):
    run, keeper, _ = begin()
    assert run.plan() is None
    keeper.save_plan(PLAN)
    assert Plan.from_json(run.plan()) == PLAN


def test_a_reader_of_the_last_checkpoint_finds_the_averaged_weights(begin):
    run, keeper, state = begin()
    with pytest.raises(RunNotFoundError):
        run.last()
    state.progress.step, state.progress.best_bits_per_char = 7, 3.25
    state.averaged.output.bias.fill_(0.5)
    keeper.save_last(state)
    keeper.wait()
    last = run.last()
    assert sorted(last.manifest.files) == [
        *("trainer.json", "trainer.safetensors", "weights.safetensors"),
    ]
    assert (last.step, dict(last.manifest.scores)) == (
        7,
        {"bits_per_char": 3.25, "ngram_weight": 0.0},
    )
    weights = last.weights(state.model.shape)
    assert (weights["output.bias"] == 0.5).all()
    assert last.document("trainer.json") == {**state.progress.to_json(), "plan": None}
    arrays = last.tensors("trainer.safetensors")
    assert {n: a.tobytes() for n, a in arrays.items()} == {
        n: a.tobytes() for n, a in state.arrays().items()
    }


def test_the_best_weights_come_back(begin):
    run, keeper, state = begin()
    with pytest.raises(RunNotFoundError):
        keeper.load_best(state.progress)
    state.progress.step = 4
    keeper.save_best(state, 3.5)
    keeper.wait()
    expected = state.weights(averaged=True)
    state.averaged.output.bias.fill_(9)
    best, step = keeper.load_best(state.progress)
    assert step == 4
    assert best.keys() == expected.keys()
    assert all(np.array_equal(best[name], expected[name]) for name in best)
    assert dict(run.best().manifest.scores) == {"bits_per_char": 3.5, "ngram_weight": 0.0}
    keeper.save_best(state, None)
    keeper.wait()
    assert dict(run.best().manifest.scores) == {"ngram_weight": 0.0}
    assert (keeper.load_best(state.progress)[0]["output.bias"] == 9).all()


def test_what_was_written_behind_a_checkpoint_is_cut_when_it_is_taken_up(begin):
    run, keeper, state = begin()
    keeper.note(STEP)
    keeper.save_last(state)
    keeper.wait()
    keeper.note(Event("note", 4, "lost", 2.0))
    keeper.note(STEP)
    keeper.close()
    again = RunKeeper(run, state.model.shape, run.last())
    again.note(Event("resumed", 3, "kept", 2.0))
    again.close()
    assert again.notes == ()
    assert kept(run, "metrics.jsonl") == [STEP]
    assert kept(run, "events.jsonl") == [Event("resumed", 3, "kept", 2.0)]


def test_without_a_checkpoint_the_journals_begin_empty(begin):
    run, keeper, state = begin()
    keeper.note(STEP)
    keeper.close()
    RunKeeper(run, state.model.shape).close()
    assert kept(run, "metrics.jsonl") == []


def test_a_journal_that_was_altered_is_told(begin):
    run, keeper, state = begin()
    keeper.note(STEP)
    keeper.save_last(state)
    keeper.wait()
    keeper.close()
    path = run.path / "metrics.jsonl"
    size = path.stat().st_size
    path.write_bytes(b"")
    again = RunKeeper(run, state.model.shape, run.last())
    again.close()
    assert again.notes == (
        f"{path} is not as the checkpoint left it: 0 of {size:,} bytes are kept",
    )


def test_a_state_is_put_where_it_was(begin):
    run, keeper, state = begin()
    state.progress.step, state.progress.nats = 5, 1.25
    keeper.save_last(state)
    keeper.wait()
    _, _, other = begin("other", seed=9)
    restore(other, run.last(), state.model.shape)
    assert other.progress == state.progress
    for averaged in (True, False):
        ours, theirs = state.weights(averaged=averaged), other.weights(averaged=averaged)
        assert all(np.array_equal(ours[name], theirs[name]) for name in ours)


def test_a_checkpoint_of_another_network_is_refused(begin):
    run, keeper, state = begin()
    keeper.save_last(state)
    keeper.wait()
    _, _, other = begin("other", hidden=9)
    with pytest.raises(RunDamagedError) as error:
        restore(other, run.last(), other.model.shape)
    assert str(error.value).startswith(f"{run.path / 'last'}: ")
    with pytest.raises(RunDamagedError) as error:
        restore(begin("rows", batch_size=3)[2], run.last(), state.model.shape)
    assert str(error.value) == (
        f"{run.path / 'last'}: the saved training state does not fit: "
        "carried.0.0 is float32 (4, 12), must be float32 (3, 12)"
    )


def test_who_hurries_gives_an_old_checkpoint_up_for_a_newer_one(begin, monkeypatch):
    run, keeper, state = begin()
    began, may_go_on, encode = threading.Event(), threading.Event(), saving.encode_tensors

    def slowly(arrays):
        for part in encode(arrays):
            began.set()
            assert may_go_on.wait(30)
            yield part

    monkeypatch.setattr(saving, "encode_tensors", slowly)
    hurried = False
    keeper._hurried = lambda: hurried
    state.progress.step = 1
    keeper.save_last(state)
    assert began.wait(30)
    state.progress.step = 2
    keeper.save_last(state)
    hurried = True
    may_go_on.set()
    keeper.wait()
    assert keeper.outcomes() == [Outcome("last", 2)]
    assert run.last().step == 2
    assert not (run.path / "last.prev").exists()


def test_who_does_not_hurry_has_every_checkpoint_that_was_begun(begin):
    run, keeper, state = begin()
    for step in (1, 2, 3):
        state.progress.step = step
        keeper.save_last(state)
        keeper.wait()
    assert keeper.outcomes() == [Outcome("last", step) for step in (1, 2, 3)]
    assert run.last().step == 3


def test_damage_between_two_saves_does_not_become_the_one_before(begin):
    run, keeper, state = begin()
    for step in (1, 2, 3):
        state.progress.step = step
        keeper.save_last(state)
        keeper.wait()
        if step == 2:
            path = run.path / "last" / "weights.safetensors"
            data = bytearray(path.read_bytes())
            data[-1] ^= 1
            path.write_bytes(data)
    (run.path / "last" / "manifest.json").unlink()
    assert run.last().step == 1


def save_all(keeper, state, *steps):
    """Save the best at each step, with weights that tell it."""
    for step in steps:
        state.progress.step = step
        state.averaged.output.bias.fill_(step)
        keeper.save_best(state, 9.0 - step / 100)
        keeper.wait()


def test_the_best_that_the_last_one_knows_of_stays_until_there_is_another_last(begin):
    run, keeper, state = begin()
    state.progress.best_step = 10
    save_all(keeper, state, 5, 10)
    keeper.save_last(state)
    keeper.wait()
    for steps, kept in (((20,), 10), ((30,), 10), ((40, 50), 10)):
        save_all(keeper, state, *steps)
        manifests = [read_manifest(run.path / name, "best") for name in ("best", "best.prev")]
        assert [m.step for m in manifests] == [steps[-1], kept]
    again = RunKeeper(run, state.model.shape, run.last())
    state.progress.step = 10
    weights, step = again.load_best(state.progress)
    assert step == 10 and (weights["output.bias"] == 10).all()
    save_all(again, state, 20, 30)
    assert read_manifest(run.path / "best.prev", "best").step == 10
    state.progress.best_step = 30
    again.save_last(state)
    again.wait()
    save_all(again, state, 40)
    assert read_manifest(run.path / "best.prev", "best").step == 30
    again.close()


def test_without_the_best_that_is_meant_another_one_is_taken(begin):
    run, keeper, state = begin()
    save_all(keeper, state, 5)
    state.progress.best_step = 3
    again = RunKeeper(run, state.model.shape)
    weights, step = again.load_best(state.progress)
    assert step == 5 and (weights["output.bias"] == 5).all()
    again.close()


def test_without_held_out_text_the_newest_before_the_state_is_the_best(begin):
    run, keeper, state = begin()
    save_all(keeper, state, 5, 10)
    state.progress.step, state.progress.best_step = 7, None
    again = RunKeeper(run, state.model.shape)
    assert again.load_best(state.progress)[1] == 5
    state.progress.step = 10
    assert again.load_best(state.progress)[1] == 10
    again.close()


def test_what_ends_the_program_does_not_wait_for_what_is_being_written(begin, monkeypatch):
    run, keeper, state = begin()
    state.progress.step = 1
    keeper.save_last(state)
    keeper.wait()
    began, encode = threading.Event(), saving.encode_tensors

    def slowly(arrays):
        while True:
            began.set()
            yield from encode(arrays)

    monkeypatch.setattr(saving, "encode_tensors", slowly)
    with pytest.raises(KeyboardInterrupt), keeper:
        state.progress.step = 2
        keeper.save_last(state)
        assert began.wait(30)
        raise KeyboardInterrupt
    assert run.last().step == 1
    assert not (run.path / "last.new").exists()
