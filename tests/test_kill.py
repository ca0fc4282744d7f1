"""Real trainings killed at random instants; what they save is whole, and the end is the same."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
def test_a_killed_training_loses_nothing_that_was_saved(tmp_path: Path) -> None:
    """20 kills in a process of its own: it forks, which one that has used torch must not."""
    memory = "/dev/shm"
    folder = memory if os.access(memory, os.W_OK) else tmp_path
    done = subprocess.run(
        [
            *(sys.executable, ROOT / "benchmarks" / "kill.py"),
            *("--kills", "20", "--steps", "8", "--folder", str(folder)),
        ],
        env={**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^in all +20$", done.stdout, re.MULTILINE)
    ended = re.search(r"^(\d+) trainings came to their end, each bit for bit", done.stdout, re.M)
    assert ended and int(ended[1]) > 0
