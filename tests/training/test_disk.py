"""A disk that refuses while a training runs: nothing that was saved is lost, and it is told."""

import contextlib
import errno
import itertools
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import charnn
from charnn.errors import RunError
from charnn.records import Event, Finished, RunStarted, StepRecord
from charnn.runs.run import Run
from charnn.training import keeper as keeper_module

CALLS = ("open", "write", "fsync", "mkdir", "rename", "replace", "unlink", "rmdir", "ftruncate")
OPTIONS = {"steps": 12, "save_every": "3steps", "sample_every": "12steps"}


class Trouble:
    """Lets calls that change the disk fail, from the `first` after `begin` on, `count` of them."""

    def __init__(self, patch):
        self.calls = 0
        self._failing = range(0)
        self._number = errno.ENOSPC
        for name in CALLS:
            patch.setattr(os, name, self._wrap(name, getattr(os, name)))

    def begin(self, first, count=1, number=errno.ENOSPC):
        self.calls, self._number = 0, number
        self._failing = range(first, first + count)

    def end(self):
        self._failing = range(0)

    def _wrap(self, name, real):
        def call(*arguments, **options):
            if name == "open" and not arguments[1] & os.O_CREAT:
                return real(*arguments, **options)
            self.calls += 1
            if self.calls - 1 in self._failing:
                raise OSError(self._number, os.strerror(self._number))
            return real(*arguments, **options)

        return call


@pytest.fixture
def trouble(no_waiting, monkeypatch):
    trouble = Trouble(monkeypatch)
    yield trouble
    trouble.end()


@pytest.fixture
def in_order(monkeypatch):
    """What is handed over is written before the training goes on, so that calls can be counted."""
    real = keeper_module.RunKeeper._save

    def save(keeper, *arguments):
        real(keeper, *arguments)
        keeper.wait()

    monkeypatch.setattr(keeper_module.RunKeeper, "_save", save)


def warnings(records):
    return [r.message for r in records if isinstance(r, Event) and r.kind == "warning"]


def weights_of(run):
    return run.last().weights(run.config().model)


def assert_same(run, other):
    ours, theirs = weights_of(run), weights_of(other)
    assert all(np.array_equal(array, theirs[name]) for name, array in ours.items())


@pytest.mark.slow
@pytest.mark.parametrize(("count", "stride"), [(1, 31), (7, 61)])
def test_a_disk_that_refuses_for_a_while_ends_no_training(
    train, trouble, in_order, checkpoints, count, stride
):
    """At calls from the head of the run on, one after another; the last save is tried twice."""
    straight = train(run="straight", **OPTIONS)
    told, first = 0, 0
    while True:
        name, records = f"r{first}", []

        def on_record(record, records=records, first=first):
            records.append(record)
            if isinstance(record, RunStarted):
                trouble.begin(first, count)

        try:
            train(run=name, on_record=on_record, **OPTIONS)
        except RunError as error:
            assert "could not be saved" in str(error)
            assert count > 1
        trouble.end()
        run = Run(checkpoints / name)
        assert isinstance(records[-1], Finished)
        assert run.last().step > 0 and run.best().step >= 0
        if run.last().step < 12:
            charnn.resume(name, checkpoints=checkpoints)
        assert_same(Run(straight.model.path), run)
        told += bool(warnings(records))
        calls = trouble.calls
        shutil.rmtree(run.path)
        if calls <= first:
            break
        first += stride
    assert told > first // stride // 3


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (errno.ENOSPC, "(No space left on device): free some space"),
        (errno.EDQUOT, "(Disk quota exceeded): free some space"),
        (errno.EROFS, "(Read-only file system): make the disk writable"),
        (errno.EACCES, "(Permission denied): check the permissions of the folder"),
    ],
)
def test_a_disk_that_refuses_until_the_end(train, trouble, in_order, checkpoints, number, reason):
    records = []

    def on_record(record):
        records.append(record)
        if isinstance(record, StepRecord) and record.step == 7:
            trouble.begin(0, 10**9, number)

    with pytest.raises(RunError) as error:
        train(on_record=on_record, **OPTIONS)
    assert str(error.value) == (
        f"run story could not be saved: checkpoint last of step 12 cannot be written {reason}; "
        f"what is kept is best of step {Run(checkpoints / 'story').best().step} and last of step 6"
    )
    trouble.end()
    assert (records[-1].reason, records[-1].step) == ("done", 12)
    assert all(message.endswith("tries again at the next save") for message in warnings(records))
    assert all(reason in message for message in warnings(records))
    assert 1 <= len(warnings(records)) <= 5  # a journal each, and the checkpoints: once
    assert Run(checkpoints / "story").last().step == 6
    straight = train(run="straight", **OPTIONS)
    charnn.resume("story", checkpoints=checkpoints)
    assert_same(Run(straight.model.path), Run(checkpoints / "story"))


def test_when_nothing_could_be_saved_it_is_said(train, trouble):
    def on_record(record):
        if isinstance(record, RunStarted):
            trouble.begin(0, 10**9)

    with pytest.raises(RunError, match=r"free some space; nothing of the run is kept$"):
        train(on_record=on_record, **OPTIONS)
    trouble.end()


def test_a_disk_with_room_again_is_written_to_and_journals_miss_nothing(
    train, trouble, in_order, checkpoints
):
    straight = train(run="straight", **OPTIONS)
    records = []

    def on_record(record):
        records.append(record)
        if isinstance(record, StepRecord) and record.step == 4:
            trouble.begin(0, 10**9)
        if isinstance(record, StepRecord) and record.step == 9:
            trouble.end()

    train(run="other", on_record=on_record, **OPTIONS)
    assert warnings(records)
    ours, theirs = (
        [r.step for r in Run(checkpoints / name).records("metrics.jsonl")]
        for name in ("straight", "other")
    )
    assert ours == theirs
    assert_same(Run(straight.model.path), Run(checkpoints / "other"))


def test_a_folder_that_vanishes_and_comes_back(train, in_order, checkpoints):
    away = checkpoints.parent / "away"
    records = []

    def on_record(record):
        records.append(record)
        if isinstance(record, StepRecord) and record.step == 4:
            (checkpoints / "story").rename(away)
        if isinstance(record, StepRecord) and record.step == 10:
            away.rename(checkpoints / "story")

    train(on_record=on_record, **OPTIONS)
    (message,) = {
        message.partition("step")[0] for message in warnings(records) if "last" in message
    }
    assert message == "checkpoint last of "
    assert any("put the folder back where it was" in message for message in warnings(records))
    assert Run(checkpoints / "story").last().step == 12


def test_a_folder_that_vanishes_for_good(train, checkpoints):
    def on_record(record):
        if isinstance(record, StepRecord) and record.step == 4:
            (checkpoints / "story").rename(checkpoints.parent / "gone")

    with pytest.raises(RunError) as error:
        train(on_record=on_record, **OPTIONS)
    assert str(error.value) == (
        "run story could not be saved: checkpoint last of step 12 cannot be written (No such file "
        "or directory): put the folder back where it was; nothing of the run is kept"
    )


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_becomes_read_only(train, in_order, checkpoints):
    run = checkpoints / "story"

    def on_record(record):
        if isinstance(record, StepRecord) and record.step == 4:
            run.chmod(0o500)
        if isinstance(record, StepRecord) and record.step == 10:
            run.chmod(0o700)

    train(on_record=on_record, **OPTIONS)
    assert Run(run).last().step == 12


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 600 kB, where mounting is possible."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=600k", "charnn", str(folder)]
    try:
        done = subprocess.run(mount, capture_output=True, check=False)
    except OSError:
        pytest.skip("there is no mount here")
    if done.returncode:
        pytest.skip("a disk cannot be mounted here")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)  # tokens are still mapped


def test_a_real_disk_that_is_full(train, in_order, small_disk):
    """Full from step 4 on, with room again from step 10 on."""
    filler, records = small_disk / "filler", []

    def fill():
        with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(4096))

    def on_record(record):
        records.append(record)
        if isinstance(record, StepRecord) and record.step == 4:
            fill()
        if isinstance(record, StepRecord) and record.step == 10:
            filler.unlink()

    train(on_record=on_record, checkpoints=small_disk / "runs", hidden=4, **OPTIONS)
    assert any("No space left on device" in message for message in warnings(records))
    run = Run(small_disk / "runs" / "story")
    assert run.last().step == 12
    steps = [r.step for r in run.records("metrics.jsonl") if isinstance(r, StepRecord)]
    assert steps == list(range(1, 13))


def test_records_that_wait_for_a_journal_are_bounded(monkeypatch, train, trouble):
    monkeypatch.setattr(keeper_module, "MOST_WAITING", 3)
    steps = itertools.count()

    def on_record(record):
        if isinstance(record, StepRecord):
            if next(steps) == 2:
                trouble.begin(0, 10**9)
            if record.step == 9:
                trouble.end()

    trained = train(on_record=on_record, **OPTIONS)
    kept = [r.step for r in Run(Path(trained.model.path)).records("metrics.jsonl")]
    assert 4 not in kept
    assert kept[-1] == 12


def test_a_folder_that_another_process_has_put_in_its_place(train, in_order, checkpoints):
    """Moved away at step 4, and a new run of the same name begun; nothing of that is touched."""
    run, away, guest, records = checkpoints / "story", checkpoints.parent / "away", {}, []

    def look(folder):
        return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}

    def on_record(record):
        records.append(record)
        if isinstance(record, StepRecord) and record.step == 4:
            run.rename(away)
            charnn.train(
                checkpoints.parent / "story.txt",
                **{**OPTIONS, "steps": 2, "save_every": "1steps", "sample_every": "2steps"},
                checkpoints=checkpoints,
                run="story",
                hidden=7,
                batch_size=2,
                seq_len=8,
                threads=1,
                no_ngram=True,
                sample_length=3,
            )
            guest.update(look(run))

    with pytest.raises(RunError) as error:
        train(on_record=on_record, **OPTIONS)
    said = (
        f"{run} is another run's folder now: move that one away, and put the folder that was there "
        "back"
    )
    assert str(error.value) == (
        f"run story could not be saved: {said}; what is kept is in the folder that was moved away"
    )
    assert (records[-1].reason, records[-1].step) == ("done", 12)
    assert {message.partition(";")[0] for message in warnings(records)} == {said}
    assert guest and look(run) == guest
    shutil.rmtree(run)
    away.rename(run)
    assert Run(run).last().step == 3
    straight = train(run="straight", **OPTIONS)
    charnn.resume("story", checkpoints=checkpoints)
    assert_same(Run(straight.model.path), Run(run))
