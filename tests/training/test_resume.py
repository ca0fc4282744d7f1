"""A training that was stopped and resumed is, bit for bit, the one that was not.

A stop takes effect wherever the trainer looks for one: between steps, inside an evaluation, inside
a sample. `Impatient` stops at the n-th look, so random n reach all of these places.
"""

import json
import random
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import charnn
from charnn.errors import DeviceError, RunError
from charnn.model.mixture import Blend
from charnn.records import Control, Finished, PlanFixed, Sample, StepRecord, Validation
from charnn.runs.anew import begin_anew
from charnn.runs.run import Run
from charnn.runs.temperature import temperature_of
from charnn.training import evaluation, sizing
from charnn.training import keeper as keeper_module
from charnn.training.device import choose_device
from charnn.training.updates import Updates
from charnn.training.validating import Validator

BY_TIME = {"elapsed", "remaining", "chars_per_second", "memory"}
STEPS = 26

CASES: dict[str, dict[str, Any]] = {
    "lstm char": {"cell": "lstm"},
    "gru char": {"cell": "gru", "layers": 2},
    "rnn char": {"cell": "rnn"},
    "lstm tied": {"tied": True},
    "three networks": {"networks": 3, "layers": 2},
    "side by side": {"networks": 3, "threads": 2, "output_dropout": 0.3, "weight_dropout": 0.2},
    "lstm byte": {"cell": "lstm", "tokenizer": "byte", "layers": 2},
    "gru jamo": {"cell": "gru", "tokenizer": "jamo", "embedding": 5},
    "weight dropout": {"weight_dropout": 0.3, "cell": "gru"},
    "state dropout": {"state_dropout": 0.2, "input_dropout": 0.1},
    "classic": {"size": "classic", "batch_size": None, "seq_len": None},
    "sgd": {"optimizer": "sgd", "learning_rate": 0.5},
    "lstm bf16": {"precision": "bf16"},
    "gru bf16": {"cell": "gru", "precision": "bf16"},
    "rnn bf16 byte": {"cell": "rnn", "tokenizer": "byte", "precision": "bf16"},
}


class Impatient(Control):
    """A Control that somebody stops at the n-th look; it counts the looks."""

    def __init__(self, looks: int | None = None) -> None:
        super().__init__()
        self.looks = 0
        self._most = looks

    @property
    def stopping(self) -> bool:
        self.looks += 1
        return self._most is not None and self.looks >= self._most


@pytest.fixture(autouse=True)
def small_windows(monkeypatch):
    """An evaluation is several windows, so that it can be stopped between them."""
    monkeypatch.setattr(evaluation, "_WINDOW_TOKENS", 100)


@pytest.fixture
def options(request, train, monkeypatch):
    """The options of a case; one that this machine cannot do is skipped."""
    options = {**CASES[request.param], "steps": STEPS}
    if options.pop("tied", False):  # the text is too short for a vocabulary that is
        monkeypatch.setattr(sizing, "_SMALL_VOCABULARY", 0)
    if options.get("precision") == "bf16" and choose_device("cpu", threads=1).precision != "bf16":
        pytest.skip("this processor has no bf16")
    # a short last window at step 13, the epoch's end at 14; then once more
    return {"batch_size": 8, "seq_len": 23, "temps": (0.7, 1.1), "dropout": 0.3, **options}


def kept(run: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Everything a run has kept that must not depend on stops: arrays, and all else."""
    arrays, rest = {}, {}
    for slot in ("best", "last"):
        checkpoint = getattr(Run(run), slot)()
        rest[slot] = (checkpoint.step, dict(checkpoint.manifest.scores))
        for name in checkpoint.manifest.files:
            if name.endswith(".safetensors"):
                for key, array in checkpoint.tensors(name).items():
                    arrays[f"{slot}/{name}/{key}"] = np.array(array)
            else:
                document = checkpoint.document(name)
                rest[f"{slot}/{name}"] = {
                    key: value
                    for key, value in document.items()
                    if key not in ("elapsed", "seconds")
                }
    for name in ("metrics.jsonl", "samples.jsonl"):
        lines = (run / name).read_text("utf-8").splitlines()
        rest[name] = [
            {key: value for key, value in json.loads(line).items() if key not in BY_TIME}
            for line in lines
        ]
    return arrays, rest


def assert_same(run: Path, other: Path) -> None:
    arrays, rest = kept(run)
    other_arrays, other_rest = kept(other)
    for name, value in rest.items():
        assert other_rest[name] == value, name
    assert arrays.keys() == other_arrays.keys()
    for name, array in arrays.items():
        assert array.dtype == other_arrays[name].dtype, name
        assert array.tobytes() == other_arrays[name].tobytes(), name


def go_on(run: str, checkpoints: Path, looks: int | None) -> Finished:
    """Resume a run, perhaps up to a stop; how it ended comes out."""
    records: list[Any] = []
    charnn.resume(run, checkpoints=checkpoints, control=Impatient(looks), on_record=records.append)
    return records[-1]


@pytest.mark.parametrize("options", CASES, indirect=True)
def test_a_stopped_and_resumed_training_is_the_uninterrupted_one(
    train, checkpoints, options, request
):
    control = Impatient()
    straight = train(run="straight", control=control, **options)
    assert straight.records[-1].reason == "done"

    draw = random.Random(request.node.name)
    first = draw.randint(1, control.looks // 3)
    end = train(run="stopped", control=Impatient(first), **options).records[-1]
    stops = 0
    while end.reason == "stopped":
        stops += 1
        assert stops < 100
        end = go_on("stopped", checkpoints, draw.randint(5, control.looks // 6 + 10 * stops))
    assert stops >= 4
    assert_same(checkpoints / "straight", checkpoints / "stopped")


def test_what_is_fitted_at_validations_goes_on_too(train, checkpoints, monkeypatch):
    """A weight and a temperature that tell any difference of the weights they are fitted to."""

    def fit(network, ngram):
        share = float(network.sum()) % 1.0
        return Blend(share, 1.0 + share)

    monkeypatch.setattr("charnn.training.recipe._LEAST_TO_FIT", 1000)
    monkeypatch.setattr("charnn.training.validating.fit_blend", fit)
    options = {"steps": STEPS, "networks": 2, "no_ngram": False, "val_fraction": 0.2}
    control = Impatient()
    train(run="straight", control=control, **options)
    for look in range(3, control.looks, control.looks // 6):
        name = f"stopped-{look}"
        end = train(run=name, control=Impatient(look), **options).records[-1]
        if end.reason == "stopped":
            go_on(name, checkpoints, None)
        assert_same(checkpoints / "straight", checkpoints / name)
    assert temperature_of(Run(checkpoints / "straight").last()) != 1


def test_wherever_it_is_stopped_it_goes_on_as_if_it_had_not_been(train, checkpoints):
    """Every place there is where a stop can take effect, one after another."""
    options = {"steps": 4, "temps": (0.7, 1.1), "sample_every": "2steps", "sample_length": 2}
    control = Impatient()
    train(run="straight", control=control, **options)
    ended = 0
    for look in range(1, control.looks + 1, 3):
        name = f"stopped-{look}"
        end = train(run=name, control=Impatient(look), **options).records[-1]
        if end.reason == "stopped":
            assert go_on(name, checkpoints, None).reason == "done"
            ended += 1
        assert_same(checkpoints / "straight", checkpoints / name)
        shutil.rmtree(checkpoints / name)
    assert ended > 20  # how often it looks while it waits for a disk depends


def copy_when_saved(monkeypatch, condition) -> list[Path]:
    """Copies of the run's folder, as a power cut right after a save would leave it."""
    copies: list[Path] = []
    real = keeper_module.RunKeeper.save_last

    def save_last(keeper, state):
        real(keeper, state)
        keeper.wait()
        run = keeper._run.path
        if run.name == "straight" and condition(state, run):
            copy = run.with_name(f"copy-{len(copies)}")
            shutil.copytree(run, copy)
            copies.append(copy)

    monkeypatch.setattr(keeper_module.RunKeeper, "save_last", save_last)
    return copies


def test_a_killed_training_goes_on_from_every_checkpoint(train, checkpoints, monkeypatch):
    """Also what was written behind the checkpoint is there at a kill, and must go."""
    copies = copy_when_saved(monkeypatch, lambda state, run: True)
    straight = train(run="straight", steps=16, dropout=0.3)
    assert len(copies) >= 4
    for copy in copies:
        for name in ("metrics.jsonl", "samples.jsonl", "events.jsonl"):
            written = (straight.model.path / name).read_bytes()
            written = written.partition(b'{"record": "finished"')[0]
            (copy / name).write_bytes(written + b'{"record": "to')  # a torn line at its end
        assert go_on(copy.name, checkpoints, None).reason == "done"
        assert_same(straight.model.path, copy)


@pytest.mark.parametrize("speed", [0.002, 0.02])
def test_a_plan_for_minutes_is_followed_to_the_bit(train, checkpoints, monkeypatch, speed):
    """From the saved plan on: the clock has done its part when the plan is fixed."""
    seconds = iter(np.arange(0, 10**4, speed).tolist())
    take_step = Updates.take_step

    def take_step_in_time(updates, rate):  # or a busy machine has the plan revised
        take_step(updates, rate)
        return speed

    monkeypatch.setattr(Updates, "take_step", take_step_in_time)
    copies = copy_when_saved(monkeypatch, lambda state, run: (run / "plan.json").exists())
    straight = train(run="straight", minutes=0.01, clock=lambda: next(seconds), dropout=0.3)
    (plan,) = straight.of(PlanFixed)
    assert plan.seconds == pytest.approx(0.6)
    assert copies
    for copy in dict.fromkeys(copies[:2] + copies[-1:]):
        assert go_on(copy.name, checkpoints, None).reason == "done"
        assert_same(straight.model.path, copy)


def test_a_stop_while_the_end_is_scored_leaves_only_the_score_to_do(
    train, checkpoints, monkeypatch
):
    straight = train(run="straight", steps=5)
    control = Control()
    best = Validator.best

    def stop_at_the_end(validator):
        control.stop()
        return best(validator)

    monkeypatch.setattr(Validator, "best", stop_at_the_end)
    assert train(run="stopped", steps=5, control=control).records[-1].reason == "stopped"
    monkeypatch.undo()
    records: list[Any] = []
    charnn.resume("stopped", checkpoints=checkpoints, on_record=records.append)
    assert not [r for r in records if isinstance(r, StepRecord | Sample)]
    assert [r.whole for r in records if isinstance(r, Validation)] == [True]
    lines = (checkpoints / "stopped" / "metrics.jsonl").read_text("utf-8").splitlines()
    assert json.loads(lines[-1])["bits_per_char"] == straight.of(Validation)[-1].bits_per_char


@pytest.mark.parametrize(
    ("reason", "message"),
    [
        ("done", "has finished its 5 steps"),
        ("plateau", "ended at step 5, where validation had stopped improving"),
    ],
)
def test_a_training_that_has_ended_is_not_gone_on_with(
    train, checkpoints, monkeypatch, reason, message
):
    if reason == "plateau":
        monkeypatch.setattr(
            "charnn.training.trainer.Trainer._has_plateaued",
            lambda trainer: trainer._state.progress.step >= 5,
        )
    train(run="ended", steps=5 if reason == "done" else 9)
    before = {p: p.read_bytes() for p in (checkpoints / "ended").rglob("*.jsonl")}
    with pytest.raises(RunError) as error:
        charnn.resume("ended", checkpoints=checkpoints)
    assert str(error.value) == (
        f"run ended {message}: give it more with --minutes, --epochs or --steps, "
        "or start a new one from it with --init-from ended"
    )
    assert {p: p.read_bytes() for p in (checkpoints / "ended").rglob("*.jsonl")} == before


def test_before_its_first_checkpoint_a_run_starts_again(train, checkpoints):
    straight = train(run="straight", steps=6)
    control = Control()
    control.stop()
    train(run="stopped", steps=6, control=control)
    assert not (checkpoints / "stopped" / "last").exists()
    records: list[Any] = []
    charnn.resume("stopped", checkpoints=checkpoints, on_record=records.append)
    messages = [r.message for r in records if r.tag == "event" and r.kind == "note"]
    assert messages == ["no checkpoint yet: starting again with the saved options"]
    assert_same(straight.model.path, checkpoints / "stopped")


def test_a_run_that_lost_the_weights_it_began_with_is_not_begun_from_a_seed(train, checkpoints):
    train(run="first", steps=6)
    run = Run(train(run="second", steps=1, init_from="first").model.path)
    for name in ("last", "last.prev", "best", "best.prev"):
        shutil.rmtree(run.path / name, ignore_errors=True)
    with pytest.raises(RunError, match=r"^run second ended before it had saved the weights"):
        charnn.resume("second", checkpoints=checkpoints, minutes=1.0)
    with pytest.raises(RunError) as error:
        charnn.resume("second", checkpoints=checkpoints)
    assert str(error.value) == (
        "run second ended before it had saved the weights of run first, which it began with: "
        "begin a new run with --init-from and that run"
    )


def resumed_elsewhere(run: Run, **device: str) -> list[str]:
    """The warnings of a run that is gone on with where its device is another one."""
    config = run.config()
    changed = {**config.training, "device": {**config.training["device"], **device}}
    begin_anew(run, replace(config, training=changed))
    records: list[Any] = []
    charnn.resume(run.name, checkpoints=run.path.parent, on_record=records.append)
    return [r.message for r in records if r.tag == "event" and r.kind == "warning"]


def test_another_kind_of_device_is_told(train):
    run = Run(train(run="moved", steps=3).model.path)
    assert resumed_elsewhere(run, kind="cuda") == [
        "the run was begun on cuda and goes on on cpu: numbers differ in their last digits, and "
        "its plan was made for cuda"
    ]


def test_a_precision_that_this_machine_lacks_is_no_wrong_option(train, monkeypatch):
    run = Run(train(run="moved", steps=3).model.path)
    monkeypatch.setattr("charnn.training.device._has_bf16", lambda kind: False)
    with pytest.raises(DeviceError) as error:
        resumed_elsewhere(run, precision="bf16")
    assert str(error.value) == (
        "run moved was begun in bf16 on cpu, and this machine cannot go on with that: begin a new "
        "run from it with --init-from moved"
    )


def test_the_time_of_all_sessions_is_added(train, checkpoints):
    clock = iter(range(1000))
    train(run="stopped", steps=9, control=Impatient(60), clock=lambda: float(next(clock)))
    before = Run(checkpoints / "stopped").last().document("trainer.json")["elapsed"]
    assert before > 3
    later = iter(range(1000))
    records: list[Any] = []
    charnn.resume(
        "stopped",
        checkpoints=checkpoints,
        on_record=records.append,
        clock=lambda: float(next(later)),
    )
    told = [r.elapsed for r in records if hasattr(r, "elapsed")]
    assert told == sorted(told)
    assert told[0] == before


def test_another_process_may_have_used_torch_meanwhile(train, checkpoints):
    """All randomness of a run is its own."""
    straight = train(run="straight", steps=8, dropout=0.3)
    train(run="stopped", steps=8, dropout=0.3, control=Impatient(40))
    torch.manual_seed(123)
    torch.rand(1000)
    np.random.seed(5)  # noqa: NPY002  the global generator is what is to be disturbed
    go_on("stopped", checkpoints, None)
    assert_same(straight.model.path, checkpoints / "stopped")
