"""Kill a training at random instants, go on with it, and compare its end with an unkilled one.

    python benchmarks/kill.py                        # 200 kills
    python benchmarks/kill.py --kills 20 --steps 8   # a short one, as in the tests

Every training is a process of its own that runs the command line (forked when everything has been
imported, which makes it affordable), and is killed by SIGKILL at a random instant of it; the next
goes on with `charnn train --resume`, until one comes to its end. After each kill every file of
the run is verified, and the newest checkpoint must not be older than the one before. At the end
every tensor, and every line of metrics and samples but for times, must be what an uninterrupted
training has written. Then it begins anew.
"""

import argparse
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import torch
from machine import heading

from charnn.cli.main import run as run_command
from charnn.errors import RunNotFoundError
from charnn.records import Finished
from charnn.runs.check import check_run
from charnn.runs.layout import EVENTS, JOURNALS, NEW, SLOTS
from charnn.runs.run import Run
from charnn.training import session

TEXT = Path(__file__).parents[1] / "corpora" / "meongnae.txt"
CHARACTERS = 3000
SIZES = ("--hidden", "8", "--batch-size", "4", "--seq-len", "16", "--device", "cpu")
OFTEN = ("--save-every", "2steps", "--sample-every", "4steps", "--sample-length", "20")
BY_TIME = {"elapsed", "remaining", "chars_per_second", "memory", "seconds"}
PATIENCE = 1.3  # how much longer the next may live where one was killed before it came further


def main() -> None:
    """Kill, and print a table; the exit code is 1 if anything was lost."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--steps", type=int, default=20, help="of each training")
    parser.add_argument("--seed", type=int, default=1, help="of the instants")
    parser.add_argument("--folder", type=Path, help="for the runs; a temporary one in it is used")
    options = parser.parse_args()
    print(heading(), flush=True)
    import_all()
    began = os.times()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        killer = Killer(Path(folder), options.steps, random.Random(options.seed))
        killer.kill(options.kills)
    spent = sum(os.times()[:4]) - sum(began[:4])
    print(f"\n{'a kill left':<48}{'kills':>6}")
    for place, count in killer.places.most_common():
        print(f"{place:<48}{count:>6}")
    print(f"{'in all':<48}{options.kills:>6}")
    print(
        f"\n{killer.ends} trainings came to their end, each bit for bit the uninterrupted one; "
        f"{spent:.0f} s of CPU time"
    )


def import_all() -> None:
    """Import in this process what its children need, also what torch leaves for the first use."""
    torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))])
    session.choose_device("cpu", threads=1)


class Killer:
    """Trains one run after the other, and kills the processes that do.

    Args:
        folder: an empty one.
        steps: of each training.
        draw: gives the instants.

    Attributes:
        places: how many kills left the run in which state.
        ends: how many trainings came to their end.
    """

    def __init__(self, folder: Path, steps: int, draw: random.Random) -> None:
        self.places: Counter[str] = Counter()
        self.ends = 0
        self._folder, self._steps, self._draw = folder, steps, draw
        self._text = folder / "text.txt"
        self._text.write_text(TEXT.read_text("utf-8")[:CHARACTERS], encoding="utf-8")
        self._newest = -1
        began = time.monotonic()
        if code := _finish(self._start("straight")):
            sys.exit(f"the uninterrupted training ended with code {code}")
        self._usual = self._longest = time.monotonic() - began
        self._wanted = _kept(folder / "straight")

    def kill(self, kills: int) -> None:
        """Kill so often, then let the last training come to its end."""
        while self.places.total() < kills:
            seconds = self._draw.uniform(0, self._longest)
            self._end(_killed_after(self._start("killed"), seconds))
        while (self._folder / "killed").exists():
            self._end(_finish(self._start("killed")))

    def _start(self, name: str) -> int:
        """The process id of a training that begins, or goes on if there is such a run."""
        if (self._folder / name).exists():
            arguments = ["train", "--resume", name]
        else:
            what = ("--run", name, "--steps", str(self._steps))
            arguments = ["train", str(self._text), *what, *SIZES, *OFTEN]
        if pid := os.fork():
            return pid
        code = 1
        try:
            shared = ["--checkpoints", str(self._folder), "--ui", "none", "--threads", "1"]
            code = run_command(time.monotonic(), [*arguments, *shared])
        except BaseException:  # a child must not go on as its parent
            traceback.print_exc()
        finally:
            os._exit(code)

    def _end(self, code: int) -> None:
        """Verify what a process has left that was killed or has come to its end."""
        path = self._folder / "killed"
        if code == -signal.SIGKILL:
            before = self._newest
            self.places[self._state(path)] += 1
            self._longest *= PATIENCE if self._newest == before else 1.0
        elif code:
            sys.exit(f"a training ended with code {code} after {self.places.total()} kills")
        if code == 0 or _has_ended(path):
            _compare(_kept(path), self._wanted)
            shutil.rmtree(path)
            shutil.rmtree(self._folder / ".streams")
            self.ends, self._newest, self._longest = self.ends + 1, -1, self._usual

    def _state(self, path: Path) -> str:
        """What a kill has left, in a few words."""
        if not path.exists():
            return "no run yet"
        for finding in check_run(Run(path)):
            if finding.problem:
                sys.exit(f"after {self.places.total()} kills: {finding.problem}")
        try:
            step = Run(path).last().step
        except RunNotFoundError:
            step = -1
        if step < self._newest:
            sys.exit(f"a checkpoint was lost: step {step} after step {self._newest}")
        self._newest = step
        if step < 0:
            return "no checkpoint yet"
        for slot in SLOTS:
            if not (path / slot).exists() and (path / f"{slot}.prev").exists():
                return f"{slot}/ between two renames"
        half = sorted(item.name for item in path.iterdir() if item.name.endswith(NEW))
        return f"a checkpoint, and {half[0]} half written" if half else "a checkpoint"


def _has_ended(path: Path) -> bool:
    """Whether a training had come to its end when its process was killed."""
    records = list(Run(path).records(EVENTS)) if path.exists() else []
    return bool(records) and isinstance(records[-1], Finished) and records[-1].reason == "done"


def _finish(pid: int) -> int:
    """The exit code of a process, which is waited for."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _killed_after(pid: int, seconds: float) -> int:
    """The exit code of a process that has so many seconds to live."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        time.sleep(min(0.001, left))
    os.kill(pid, signal.SIGKILL)
    return _finish(pid)


def _kept(path: Path) -> dict[str, Any]:
    """All that must not depend on kills."""
    found: dict[str, Any] = {}
    for slot in SLOTS:
        checkpoint = Run(path).best() if slot == "best" else Run(path).last()
        found[slot] = (checkpoint.step, dict(checkpoint.manifest.scores))
        for name in checkpoint.manifest.files:
            if name.endswith(".safetensors"):
                for key, array in checkpoint.tensors(name).items():
                    found[f"{slot}/{name}/{key}"] = array
            else:
                found[f"{slot}/{name}"] = _timeless(checkpoint.document(name))
    for name in JOURNALS[:2]:
        lines = (path / name).read_text("utf-8").splitlines()
        found[name] = [_timeless(json.loads(line)) for line in lines]
    return found


def _timeless(data: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in data.items() if key not in BY_TIME}


def _compare(found: dict[str, Any], wanted: dict[str, Any]) -> None:
    """End with an error if something differs."""
    if found.keys() != wanted.keys():
        sys.exit(f"another run came out: {sorted(found.keys() ^ wanted.keys())}")
    for name, value in found.items():
        other = wanted[name]
        same = value == other
        if isinstance(value, np.ndarray):
            same = value.dtype == other.dtype and value.tobytes() == other.tobytes()
        if not same:
            sys.exit(f"{name} is not what the uninterrupted training has")


if __name__ == "__main__":
    main()
