"""`charnn watch`: the live view of a run that another process trains, or a replay."""

import time
from pathlib import Path

import click

from charnn.cli.interrupts import interrupts
from charnn.cli.options import checkpoints_option, config_option, ui_option
from charnn.errors import OptionError
from charnn.records import Control

_KEY_SECONDS = 0.1


@click.command()
@click.argument("model", metavar="[RUN]", required=False)
@click.option("--speed", type=float, metavar="F", help="Replay so many times as fast. Default: 20.")
@ui_option
@checkpoints_option
@config_option
def command(model: str | None, speed: float | None, ui: str, checkpoints: str) -> None:
    """Watch RUN while it trains in another process, or replay it from its files.

    Without RUN it is the one with the newest checkpoint. Keys act on the view alone; on a terminal
    the last picture stays until q.
    """
    pace = 20.0 if speed is None else speed
    if not pace > 0:
        raise OptionError(f"speed must be > 0, got {speed}")
    from charnn.runs.catalog import find_run
    from charnn.runs.lock import holder
    from charnn.view.views import make_view
    from charnn.view.watch import ended, follow_run, paced, read_run

    run = find_run(Path(checkpoints), model)
    control = Control()

    def alive() -> bool:
        return holder(run.path) is not None

    following = speed is None and alive()
    if following:
        records = follow_run(run.path, control, alive=alive)
    else:
        records = paced(read_run(run.path), control, speed=pace)
    view = make_view(ui, control, watching=True, speed=1.0 if following else pace)
    with interrupts(control), view:
        for record in ended(records, run.path, control, alive=alive):
            view.show(record)
            if view.gone:
                control.stop()
        while view.has_keys and not control.stopping:
            time.sleep(_KEY_SECONDS)
