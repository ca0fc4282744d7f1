"""NumPy as it is imported from Python: with one thread, as on the command line."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

THREADS = Path("/proc/self/task")
LOAD = """
import os, sys
import charnn
assert "numpy" not in sys.modules
charnn.load(sys.argv[1])
assert "numpy" in sys.modules
print(len(os.listdir("/proc/self/task")), os.environ.get("OPENBLAS_NUM_THREADS"))
"""


def loaded(run: Path, **environ: str) -> str:
    """Threads of a process that has loaded a run, and the variable it has afterwards."""
    inherited = {k: v for k, v in os.environ.items() if not k.endswith("_NUM_THREADS")}
    done = subprocess.run(
        [sys.executable, "-c", LOAD, str(run)],
        env={**inherited, **environ},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


@pytest.mark.skipif(not THREADS.is_dir(), reason="needs /proc")
def test_numpy_has_one_thread_unless_somebody_chose_their_number(written: Path) -> None:
    assert loaded(written) == "1 None"
    chosen = loaded(written, OPENBLAS_NUM_THREADS="2")
    assert chosen in ("2 2", "1 2")  # no more threads than cores


def test_numpy_is_not_waited_for_before_it_is_needed() -> None:
    command = "import sys, charnn; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", command], check=False).returncode == 0
