"""What saving costs a training: the copies it waits for, and the thread that writes.

    python benchmarks/saving.py                         # default settings, 2 minutes
    python benchmarks/saving.py --options --hidden 1200 # a checkpoint of 200 MB

One training in this process with the default intervals. For each slot: how many checkpoints, how
long the training waited for the copy of its state, and what the thread beside it took to write
them. The share of the seconds that went into copies is what the training was stopped for; CPU
seconds of the thread are taken from another core, or from the training where there is only one.
"""

import argparse
import os
import shlex
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from machine import heading

from charnn.cli.main import run as run_command
from charnn.runs.layout import SLOTS
from charnn.training.keeper import RunKeeper
from charnn.training.saver import Snapshot

TEXT = Path(__file__).parents[1] / "corpora" / "meongnae.txt"


def main() -> None:
    """Train, and print what saving took."""
    options = _arguments()
    print(heading(), flush=True)
    copies, writes = _watch_copies(), _watch_writes()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        arguments = ["train", str(options.text), "--run", "run", "--ui", "none", *options.options]
        arguments += ["--minutes", str(options.minutes), "--checkpoints", folder]
        began = os.times()
        code = run_command(time.monotonic(), arguments)
        ended = os.times()
        sizes = {slot: _size(Path(folder, "run", slot)) for slot in SLOTS}
    if code:
        raise SystemExit(f"{shlex.join(arguments)} ended with {code}")
    wall, cpu = ended.elapsed - began.elapsed, sum(ended[:2]) - sum(began[:2])
    print(f"\nthe whole command: {wall:.1f} s, {cpu:.1f} s of CPU time\n")
    print(f"{'':6}{'MB':>6}{'saves':>7}{'copy, median':>15}{'longest':>10}", end="")
    print(f"{'written in':>13}{'CPU':>9}")
    for slot in SLOTS:
        copied, written, thread = copies[slot], writes[slot, "wall"], writes[slot, "cpu"]
        print(
            f"{slot:6}{sizes[slot] / 1e6:>6.0f}{len(copied):>7}{_median(copied):>13.3f} s"
            f"{max(copied, default=0):>8.3f} s{_median(written):>11.2f} s{sum(thread):>7.2f} s"
        )
    waited, threads = sum(map(sum, copies.values())), sum(sum(writes[s, "cpu"]) for s in SLOTS)
    print(f"\nwaited for copies {waited / wall:.2%} of the wall clock")
    print(f"CPU of the writer {threads / cpu:.2%} of the CPU time")


def _watch_copies() -> dict[str, list[float]]:
    """Seconds for which each save stops the training, by slot; filled while it trains."""
    seconds: dict[str, list[float]] = defaultdict(list)

    def watched(slot: str, real: Callable[..., None]) -> Callable[..., None]:
        def save(*arguments: Any) -> None:
            began = time.perf_counter()
            real(*arguments)
            seconds[slot].append(time.perf_counter() - began)

        return save

    for slot in SLOTS:
        name = f"save_{slot}"
        setattr(RunKeeper, name, watched(slot, getattr(RunKeeper, name)))
    return seconds


def _watch_writes() -> dict[tuple[str, str], list[float]]:
    """Wall and CPU seconds of the thread for each checkpoint, by slot."""
    seconds: dict[tuple[str, str], list[float]] = defaultdict(list)
    real = RunKeeper._write

    def write(keeper: RunKeeper, snapshot: Snapshot) -> None:
        began, spent = time.perf_counter(), time.thread_time()
        real(keeper, snapshot)
        seconds[snapshot.slot, "wall"].append(time.perf_counter() - began)
        seconds[snapshot.slot, "cpu"].append(time.thread_time() - spent)

    RunKeeper._write = write  # type: ignore[method-assign]
    return seconds


def _median(seconds: list[float]) -> float:
    return float(np.median(seconds)) if seconds else 0.0


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir()) if folder.exists() else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="what saving costs a training")
    parser.add_argument("text", nargs="?", type=Path, default=TEXT)
    parser.add_argument("--minutes", type=float, default=2)
    parser.add_argument("--folder", help="for the run; a temporary one in it is used")
    parser.add_argument("--options", nargs=argparse.REMAINDER, default=[])
    return parser.parse_args()


if __name__ == "__main__":
    main()
