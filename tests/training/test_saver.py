"""The thread that writes: what waits, what fails, what is given up."""

import threading
import time

import pytest

from charnn.errors import RunError
from charnn.training.saver import Outcome, OvertakenError, Saver, Snapshot


def snapshot(slot="last", step=1):
    return Snapshot(slot, step, None, {}, {})


class Disk:
    """Writes when it is told to; fails for the reasons in `problems`, one after another."""

    def __init__(self, *problems):
        self.written = []
        self.begun = threading.Semaphore(0)
        self.may_go_on = threading.Semaphore(0)
        self.problems = list(problems)

    def write(self, snapshot):
        self.begun.release()
        assert self.may_go_on.acquire(timeout=30)
        problem = self.problems.pop(0) if self.problems else None
        if problem is not None:
            raise problem
        self.written.append((snapshot.slot, snapshot.step))


@pytest.fixture
def free_disk():
    def free_disk(*problems):
        disk = Disk(*problems)
        for _ in range(100):
            disk.may_go_on.release()
        return disk

    return free_disk


def test_handing_over_does_not_wait_and_waiting_does():
    disk = Disk()
    saver = Saver(disk.write)
    saver.hand_over(snapshot(step=3))
    assert disk.begun.acquire(timeout=30)
    assert disk.written == []
    assert saver.outcomes() == []
    disk.may_go_on.release()
    saver.wait()
    assert disk.written == [("last", 3)]
    assert saver.outcomes() == [Outcome("last", 3)]
    assert saver.outcomes() == []


def test_of_those_that_wait_the_newest_of_each_slot_is_written_the_best_first():
    disk = Disk()
    saver = Saver(disk.write)
    saver.hand_over(snapshot(step=1))
    assert disk.begun.acquire(timeout=30)
    for step in (2, 3):
        saver.hand_over(snapshot("last", step))
        saver.hand_over(snapshot("best", step))
    for _ in range(3):
        disk.may_go_on.release()
    saver.wait()
    assert disk.written == [("last", 1), ("best", 3), ("last", 3)]


def test_at_most_one_is_written_at_a_time():
    running, most = [], []

    def write(_):
        running.append(1)
        most.append(len(running))
        time.sleep(0.001)
        running.pop()

    saver = Saver(write)
    for step in range(50):
        saver.hand_over(snapshot("best" if step % 2 else "last", step))
        time.sleep(0.0005)
    saver.wait()
    assert max(most) == 1


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        (RunError("the disk is full: free some space"), "the disk is full: free some space"),
        (OSError(28, "No space left on device"), "[Errno 28] No space left on device"),
        (MemoryError(), "there is not enough memory to save"),
    ],
)
def test_what_failed_is_told_and_written_with_the_next(free_disk, error, problem):
    disk = free_disk(error)
    saver = Saver(disk.write)
    saver.hand_over(snapshot("best", 1))
    saver.wait()
    assert saver.outcomes() == [Outcome("best", 1, problem)]
    assert saver.failed == {"best": problem}
    saver.hand_over(snapshot("last", 2))
    saver.wait()
    assert saver.outcomes() == [Outcome("best", 1), Outcome("last", 2)]
    assert saver.failed == {}


def test_what_failed_gives_way_to_a_newer_one(free_disk):
    disk = free_disk(OSError(), OSError())
    saver = Saver(disk.write)
    for step in (1, 2, 3):
        saver.hand_over(snapshot("last", step))
        saver.wait()
    assert disk.written == [("last", 3)]


@pytest.mark.parametrize("error", [TypeError("a mistake"), KeyboardInterrupt()], ids=repr)
def test_a_mistake_in_the_program_is_heard(free_disk, error):
    saver = Saver(free_disk(error).write)
    saver.hand_over(snapshot())
    saver.wait()
    with pytest.raises(type(error)):
        saver.outcomes()


def test_closing_gives_up_what_waits_and_waits_for_what_is_being_written():
    disk = Disk()
    saver = Saver(disk.write)
    saver.hand_over(snapshot(step=1))
    assert disk.begun.acquire(timeout=30)
    saver.hand_over(snapshot(step=2))
    threading.Timer(0.05, disk.may_go_on.release).start()
    saver.close()
    assert disk.written == [("last", 1)]
    saver.close()


def test_what_waits_from_an_earlier_step_is_written_first():
    """A better model must not keep the first checkpoint of all waiting."""
    disk = Disk()
    saver = Saver(disk.write)
    saver.hand_over(snapshot("best", 0))
    assert disk.begun.acquire(timeout=30)
    saver.hand_over(snapshot("last", 0))
    saver.hand_over(snapshot("best", 50))
    for _ in range(3):
        disk.may_go_on.release()
    saver.wait()
    assert disk.written == [("best", 0), ("last", 0), ("best", 50)]


def test_who_closes_at_once_does_not_wait_for_a_disk_that_hangs(monkeypatch):
    monkeypatch.setattr("charnn.training.saver._PATIENCE_SECONDS", 0.05)
    disk = Disk()
    saver = Saver(disk.write)
    saver.hand_over(snapshot())
    assert disk.begun.acquire(timeout=30)
    assert not saver.giving_up
    saver.close(at_once=True)
    assert saver.giving_up
    assert disk.written == []
    disk.may_go_on.release()
    saver.wait()


def test_one_that_is_given_up_for_a_newer_one_is_not_told_of():
    began, may_go_on, written = threading.Semaphore(0), threading.Semaphore(0), []

    def write(snapshot):
        began.release()
        assert may_go_on.acquire(timeout=30)
        if saver.is_overtaken(snapshot):
            raise OvertakenError
        written.append((snapshot.slot, snapshot.step))

    saver = Saver(write)
    saver.hand_over(snapshot("last", 1))
    assert began.acquire(timeout=30)
    saver.hand_over(snapshot("best", 2))
    saver.hand_over(snapshot("last", 3))
    for _ in range(3):
        may_go_on.release()
    saver.wait()
    assert written == [("best", 2), ("last", 3)]
    assert saver.outcomes() == [Outcome("best", 2), Outcome("last", 3)]
    assert saver.failed == {}
