"""Runs that are there already: the model of one, and a list of all."""

from pathlib import Path
from typing import TYPE_CHECKING

from charnn.api.arguments import DEFAULT_CHECKPOINTS, StrPath, import_numpy
from charnn.api.model import Model

if TYPE_CHECKING:
    from charnn.runs.catalog import RunSummary


def load(
    run: StrPath | None = None,
    *,
    checkpoints: StrPath = DEFAULT_CHECKPOINTS,
    ngram: bool = True,
    precision: str = "auto",
) -> Model:
    """The model of a run.

    Args:
        run: its name in `checkpoints`, or a path; None is the one with the newest checkpoint.
        checkpoints: the folder of runs.
        ngram: whether its n-gram model, if it has one, predicts beside the network.
        precision: of the network's products when it writes: "fp32", "bf16" (which needs numkong,
            `pip install 'charnn[fast]'`), or "auto", which is bf16 where that is faster.

    Raises:
        OptionError: the precision cannot be had.
        RunNotFoundError: there is none; the message says which there are.
    """
    check_precision(precision)
    from charnn.runs.catalog import find_run

    return Model(find_run(Path(checkpoints), run), ngram=ngram, precision=precision)


def check_precision(precision: str) -> None:
    """Refuse a precision that cannot be had: see `load`.

    Raises:
        OptionError: it is unknown, or needs what is not installed.
    """
    import_numpy()
    from charnn.model import products

    products.check_precision(precision)


def list_runs(checkpoints: StrPath = DEFAULT_CHECKPOINTS) -> list["RunSummary"]:
    """All runs in a folder, the newest first; a damaged one is listed as such."""
    import_numpy()
    from charnn.runs import catalog

    return catalog.list_runs(Path(checkpoints))
