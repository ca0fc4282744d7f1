"""Two processes on one run: the second is told of the first; what a killed one leaves is stale."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import charnn
from charnn.records import Control, Event
from charnn.runs.lock import holder

pytestmark = pytest.mark.slow

Cli = Callable[..., Any]
PATIENCE = 120


@pytest.fixture
def training(text: Path, here: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A process that trains the run "novel" and has saved a checkpoint of it."""
    sizes = ("--hidden", "8", "--batch-size", "2", "--seq-len", "16", "--threads", "1")
    often = ("--save-every", "5steps", "--sample-every", "1000000steps", "--steps", "1000000")
    process = subprocess.Popen(
        [sys.executable, "-m", "charnn", "train", str(text), "--ui", "none", *sizes, *often],
        cwd=here,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    try:
        end = time.monotonic() + PATIENCE
        while not (here / "checkpoints" / "novel" / "last").exists():
            assert process.poll() is None and time.monotonic() < end
            time.sleep(0.05)
        yield process
    finally:
        process.kill()
        process.wait()


def test_the_second_is_refused_until_the_first_is_gone(
    cli: Cli, training: "subprocess.Popen[bytes]"
) -> None:
    who = f"being trained by process {training.pid} on {socket.gethostname()} (since 20"
    refused = [
        ("train", "--resume", "novel", "--ui", "none"),
        ("runs", "novel", "--delete", "--yes"),
        ("runs", "novel", "--rename", "other"),
    ]
    for arguments in refused:
        said = cli(*arguments)
        assert said.code == 1
        assert said.err.startswith(f"charnn: run novel is {who}")
        assert said.err.endswith("): wait for it or stop it\n")
    assert training.poll() is None
    assert f"in training by process {training.pid} on " in cli("runs", "novel").out
    said = cli("runs", "--check", "novel")
    assert said.code == 0, said.out
    assert f"note    .lock: {who}" in said.out
    assert cli("generate", "-m", "novel", "-n", "5").code == 0

    training.send_signal(signal.SIGKILL)
    training.wait()
    assert str(training.pid) in Path("checkpoints/novel/.lock").read_text("utf-8")
    assert holder(Path("checkpoints/novel")) is None
    control, told = Control(), []

    def stop(record: Any) -> None:
        told.append(record)
        if isinstance(record, Event) and record.kind == "resumed":
            control.stop()

    charnn.resume("novel", on_record=stop, control=control, threads=1)
    assert next(record.kind for record in told if isinstance(record, Event)) == "resumed"
    assert cli("runs", "--check", "novel").code == 0
