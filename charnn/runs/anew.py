"""A run begun anew under its name, as long as it has nothing to lose."""

from charnn.runs.config import RunConfig
from charnn.runs.documents import write_sealed
from charnn.runs.layout import CONFIG, NEW, OLD, PLAN, PREVIOUS, SLOTS
from charnn.runs.run import Run
from charnn.runs.storage import flush_folder, remove, remove_whole, writing


def begin_anew(run: Run, config: RunConfig) -> None:
    """Give a run another config.json, and forget its plan and the checkpoints made with the old.

    What is removed goes first: a crash in between leaves a run without a checkpoint, which begins
    again by itself.

    Args:
        run: the run; the caller holds its lock.
        config: what the run is from now on.

    Raises:
        RunError: the system refused.
    """
    with writing(f"run {run.name}"):
        for slot in SLOTS:
            for suffix in ("", PREVIOUS):
                remove_whole(run.path / (slot + suffix))
            for suffix in (NEW, OLD):
                remove(run.path / (slot + suffix))
        remove(run.path / PLAN)
        flush_folder(run.path)
    write_sealed(run.path / CONFIG, config.to_json())
