"""The lock: two real processes, one that is killed, and what strangers leave in its file."""

import errno
import fcntl
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from charnn.errors import RunDamagedError, RunError, RunLockedError
from charnn.runs.lock import Holder, holder, lock_run

HOLD = """
import sys
from pathlib import Path
from charnn.runs.lock import lock_run
with lock_run(Path(sys.argv[1])):
    print("locked", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def other(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the lock of tmp_path until its stdin ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "locked\n"
        yield process
        process.kill()


def test_the_second_process_is_told_of_the_first(
    tmp_path: Path, other: subprocess.Popen[str]
) -> None:
    with pytest.raises(RunLockedError) as caught, lock_run(tmp_path):
        pass
    seen = holder(tmp_path)
    assert seen is not None
    assert (seen.pid, seen.host) == (other.pid, socket.gethostname())
    assert str(caught.value) == (
        f"run {tmp_path.name} is being trained by process {other.pid} on {seen.host} "
        f"(since {seen.since}): wait for it or stop it"
    )


def test_the_lock_of_a_killed_process_is_stale(
    tmp_path: Path, other: subprocess.Popen[str]
) -> None:
    other.send_signal(signal.SIGKILL)
    other.wait()
    assert str(other.pid) in (tmp_path / ".lock").read_text(encoding="utf-8")
    assert holder(tmp_path) is None
    with lock_run(tmp_path):
        mine = holder(tmp_path)
        assert mine is not None
        assert mine.pid == os.getpid()


def test_the_lock_ends_with_the_block(tmp_path: Path) -> None:
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), lock_run(tmp_path):
            raise ZeroDivisionError
        assert holder(tmp_path) is None
        assert (tmp_path / ".lock").read_bytes() == b""


def test_once_in_a_process_too(tmp_path: Path) -> None:
    with lock_run(tmp_path):
        with (
            pytest.raises(RunLockedError, match=f"by process {os.getpid()} on "),
            lock_run(tmp_path),
        ):
            pass
        assert holder(tmp_path) is not None


def test_a_forked_child_does_not_let_go(tmp_path: Path) -> None:
    with lock_run(tmp_path):
        context = lock_run(tmp_path.parent)
        context.__enter__()
        if (child := os.fork()) == 0:
            context.__exit__(None, None, None)
            os._exit(0)
        os.waitpid(child, 0)
        assert holder(tmp_path.parent) is not None
        context.__exit__(None, None, None)
        assert holder(tmp_path.parent) is None
    (tmp_path.parent / ".lock").unlink()


@pytest.mark.parametrize(
    "text", [b"", b"{", b"[]", b'{"pid": "1"}', b'{"pid": 1, "host": 2}', b"\xff" * 9999]
)
def test_a_lock_that_does_not_say_whose(tmp_path: Path, text: bytes) -> None:
    with lock_run(tmp_path):
        (tmp_path / ".lock").write_bytes(text)
        assert holder(tmp_path) == Holder()
        with (
            pytest.raises(RunLockedError, match="trained by another process: wait"),
            lock_run(tmp_path),
        ):
            pass


def test_nobody_holds_what_is_not_there(tmp_path: Path) -> None:
    assert holder(tmp_path / "nowhere") is None
    with pytest.raises(RunError, match="put the folder back"), lock_run(tmp_path / "nowhere"):
        pass


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / ".lock").symlink_to(tmp_path / "target")
    with pytest.raises(RunDamagedError, match="is not a plain file"), lock_run(tmp_path):
        pass
    assert not (tmp_path / "target").exists()


def test_a_file_system_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(descriptor: int, kind: int) -> Any:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    assert holder(tmp_path) is None
    with pytest.raises(RunError) as caught, lock_run(tmp_path):
        pass
    assert str(caught.value) == (
        f"{tmp_path}/.lock cannot be written (No locks available): "
        "move the run to a disk where files can be locked"
    )


def test_a_folder_put_in_the_place_of_the_locked_one(tmp_path: Path) -> None:
    run, away = tmp_path / "novel", tmp_path / "away"
    run.mkdir()
    said = (
        f"{run} is another run's folder now: move that one away, and put the folder that was there "
        "back"
    )
    with lock_run(run) as lock:
        lock.check()
        run.rename(away)
        lock.check()  # gone: who writes into it is told by the system
        run.mkdir()
        with pytest.raises(RunError) as caught:
            lock.check()
        assert str(caught.value) == said
        with lock_run(run):
            with pytest.raises(RunError) as caught:
                lock.check()
            assert str(caught.value) == said
        run.rename(tmp_path / "other")
        away.rename(run)
        lock.check()
        (run / ".lock").unlink()
        lock.check()  # the folder is the same
        (run / ".lock").touch()
        with pytest.raises(RunError, match="is another run's folder now"):
            lock.check()  # another process can have locked it
