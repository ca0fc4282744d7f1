"""How long a training takes to stop: from the signal to the end of its process.

    python benchmarks/stop.py                                  # states of 50, 100 and 200 MB
    python benchmarks/stop.py --megabytes 200 --stops 30       # one size, more often
    python benchmarks/stop.py --options --batch-size 4         # the rest goes to charnn train

Every training is `charnn train` in a process of its own, on the bundled text, with a network whose
checkpoint has so many megabytes and a checkpoint every few steps, so that a signal also comes
while one is being written. It is told to stop by SIGINT, SIGTERM and SIGHUP in turn, at a random
instant after its first checkpoint: within steps, saves, validations and samples. The exit code must
be that of the signal, and the step of the checkpoint that of the end. CPU seconds are those the
process spent after the signal: on a machine that others share they tell more than the wall clock.
"""

import argparse
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from machine import heading

from charnn.records import Finished
from charnn.runs.check import check_run
from charnn.runs.layout import EVENTS
from charnn.runs.run import Run

TEXT = Path(__file__).parents[1] / "corpora" / "meongnae.txt"
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
UNITS = {50: 590, 100: 845, 200: 1200}
"""Units of one layer whose checkpoint on the bundled text has about so many megabytes."""
LATEST = 6.0  # seconds after the first checkpoint


@dataclass(frozen=True, slots=True)
class Stop:
    """One stop.

    Attributes:
        number: of the signal.
        wall: seconds from the signal to the end of the process.
        cpu: seconds of CPU time in between.
        size: bytes of the newest checkpoint.
    """

    number: int
    wall: float
    cpu: float
    size: int


def main() -> None:
    """Stop trainings, and print how long it took."""
    options = _arguments()
    print(heading(), flush=True)
    draw = random.Random(options.seed)
    print(
        f"\n{'state':>8}{'stops':>7}  wall median    90 %     max    CPU median     max", flush=True
    )
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        for megabytes in options.megabytes:
            units = UNITS.get(megabytes) or round(1200 * (megabytes / 200) ** 0.5)
            stops = []
            for turn in range(options.stops):
                number = SIGNALS[turn % len(SIGNALS)]
                delay = draw.uniform(0, LATEST)
                stops.append(stop(Path(name), units, number, delay, options.options))
            print(row(stops), flush=True)
            if options.each:
                print(*(f"    {s.wall:.2f} s, {s.cpu:.2f} s of CPU" for s in stops), sep="\n")


def row(stops: list[Stop]) -> str:
    """A line of the table."""
    wall, cpu = sorted(s.wall for s in stops), [s.cpu for s in stops]
    late = wall[min(len(wall) - 1, round(0.9 * len(wall)))]
    size = statistics.median(s.size for s in stops) / 1e6
    return (
        f"{size:>5.0f} MB{len(stops):>7}{statistics.median(wall):>11.2f} s{late:>6.2f} s"
        f"{wall[-1]:>6.2f} s{statistics.median(cpu):>12.2f} s{max(cpu):>6.2f} s"
    )


def stop(folder: Path, units: int, number: int, delay: float, more: list[str]) -> Stop:
    """Begin a training, stop it, and look at what it has left; then remove it."""
    command = [sys.executable, "-m", "charnn", "train", str(TEXT), "--run", "run"]
    command += ["--checkpoints", str(folder), "--ui", "none", "--hidden", str(units)]
    command += ["--steps", "1000000", "--save-every", "4steps", "--sample-every", "8steps", *more]
    process = subprocess.Popen(command)
    while process.poll() is None and not (folder / "run" / "last").exists():
        time.sleep(0.02)
    time.sleep(delay)
    began, before = time.monotonic(), _cpu(process.pid)
    process.send_signal(number)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 128 + number:
        sys.exit(f"ended with {process.returncode} after signal {number}")
    cpu = usage.ru_utime + usage.ru_stime - before
    return Stop(number, wall, cpu, _look(folder / "run"))


def _look(path: Path) -> int:
    """Bytes of the newest checkpoint, which must be whole and of the end; the run is removed."""
    run = Run(path)
    if problems := [finding.problem for finding in check_run(run) if finding.problem]:
        sys.exit(problems[0])
    end = list(run.records(EVENTS))[-1]
    if not isinstance(end, Finished) or end.step != run.last().step:
        sys.exit(f"the newest checkpoint is of step {run.last().step}, the end {end}")
    size = sum(item.stat().st_size for item in (path / "last").iterdir())
    shutil.rmtree(path)
    return size


def _cpu(pid: int) -> float:
    """CPU seconds of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="seconds from a signal to the end")
    parser.add_argument("--megabytes", type=int, nargs="+", default=list(UNITS))
    parser.add_argument("--stops", type=int, default=12, help="of each size")
    parser.add_argument("--seed", type=int, default=1, help="of the instants")
    parser.add_argument("--each", action="store_true", help="tell every stop")
    parser.add_argument("--options", nargs=argparse.REMAINDER, default=[])
    parser.add_argument("--folder", default=os.environ.get("TMPDIR"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
