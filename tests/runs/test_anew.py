"""A run begun anew: a power cut at any call leaves the run that was, or one that begins again."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from charnn.errors import RunNotFoundError
from charnn.runs.anew import begin_anew
from charnn.runs.config import RunConfig
from charnn.runs.run import Run


def step_of(run: Run) -> int | None:
    try:
        return run.last().step
    except RunNotFoundError:
        return None


def test_a_power_cut_at_every_call(
    full_run: Run, tmp_path: Path, config: Callable[..., RunConfig], faults: Any, power_cut: Any
) -> None:
    begun, call, died = config(charnn="0.2.0"), 1, True
    while died:
        run = Run(Path(shutil.copytree(full_run.path, tmp_path / f"copy-{call}")))
        faults.arm(call, power_cut, half=True)
        try:
            begin_anew(run, begun)
            died = False
        except power_cut:
            pass
        faults.disarm(lose_unflushed=died)
        assert step_of(run) in ((4, 2, None) if died else (None,)), faults.log
        if run.config() == begun:
            assert step_of(run) is None
        call += 1
    assert (run.config(), run.plan()) == (begun, None)
    assert not [path for path in run.path.iterdir() if path.is_dir()]
