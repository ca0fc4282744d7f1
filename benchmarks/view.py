"""What the live view costs: the same training with and without it, in turn.

    python benchmarks/view.py mujeong.txt --steps 600 --turns 5

Both run in a pseudo-terminal of 120 x 40 that is read as fast as it writes. Previews are made
either way. A third row is a terminal that nobody reads. The figure is the wall clock of the whole
command; ratios are taken pair by pair.
"""

import argparse
import os
import pty
import select
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from machine import heading
from texts import find_text

KINDS = ("none", "live", "unread")


def main() -> None:
    """Run the kinds in turn and print their medians and ratios."""
    options = _arguments()
    print(heading())
    seconds: dict[str, list[float]] = {kind: [] for kind in KINDS}
    for turn in range(options.turns + 1):
        for kind in KINDS:
            taken = run(find_text(options.text), kind, options.steps)
            if turn:  # the first one warms caches
                seconds[kind].append(taken)
    print(f"\n{'view':<8} {'median s':>9} {'against none':>13} {'min':>7} {'max':>7}")
    for kind in KINDS:
        ratios = [a / b for a, b in zip(seconds[kind], seconds["none"], strict=True)]
        print(
            f"{kind:<8} {statistics.median(seconds[kind]):>9.2f} "
            f"{statistics.median(ratios):>13.4f} {min(ratios):>7.3f} {max(ratios):>7.3f}"
        )


def run(text: Path, kind: str, steps: int) -> float:
    """Seconds of one whole training in a pseudo-terminal."""
    ui = "none" if kind == "none" else "live"
    ours, theirs = pty.openpty()
    os.set_blocking(ours, False)
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "charnn", "train", str(text), "--steps", str(steps)]
        command += ["--checkpoints", folder, "--ui", ui]
        environment = {**os.environ, "TERM": "xterm-256color", "LINES": "40", "COLUMNS": "120"}
        environment.pop("CI", None)
        began = time.monotonic()
        process = subprocess.Popen(
            command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment
        )
        while process.poll() is None:
            if kind == "unread":
                time.sleep(0.05)
            else:
                _read(ours)
        taken = time.monotonic() - began
    os.close(ours)
    os.close(theirs)
    if process.returncode:
        sys.exit(f"charnn train --ui {ui} ended with {process.returncode}")
    return taken


def _read(descriptor: int) -> None:
    if select.select([descriptor], [], [], 0.05)[0]:
        os.read(descriptor, 65536)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="the cost of the live view")
    parser.add_argument("text")
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--turns", type=int, default=5)
    return parser.parse_args()


if __name__ == "__main__":
    main()
