"""Runs are begun and gone on with here; what a run can do afterwards is its model's."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from charnn.api.arguments import (
    DEFAULT_CHECKPOINTS,
    StrPath,
    ignore,
    import_numpy,
    known,
    paths,
    stopwatch,
)
from charnn.api.model import Model
from charnn.errors import OptionError
from charnn.records import Control, Record

_WITH_RESUME = ("sample_every", "sample_length", "temps", "prompt")
_MORE = ("minutes", "epochs", "steps")


def train(
    texts: StrPath | Sequence[StrPath],
    *,
    run: str | None = None,
    checkpoints: StrPath = DEFAULT_CHECKPOINTS,
    init_from: str | None = None,
    encoding: str | None = None,
    document_separator: str | None = None,
    on_record: Callable[[Record], None] | None = None,
    control: Control | None = None,
    clock: Callable[[], float] | None = None,
    **options: Any,
) -> Model:
    """Train a new run on a text and return its model.

    Args:
        texts: files, folders, or "-" for stdin; every file is a document of its own.
        run: what the run is called; None takes the text's name, or the next free one.
        checkpoints: the folder of runs.
        init_from: a run to begin from: its weights, sizes and tokenizer.
        encoding: of the texts; None is UTF-8.
        document_separator: cuts each file into documents.
        on_record: told every record of the training, see `charnn.records`.
        control: to stop or pause it from elsewhere.
        clock: seconds since the whole command began; `minutes` are counted by it.
        options: fields of `charnn.training.options.TrainOptions`: minutes, tokenizer, size, ...

    Raises:
        CharnnError: an option breaks its rule, the text cannot be used, or the run's name is
            taken. Nothing that was there before is changed.
    """
    import_numpy()
    from charnn.runs.catalog import find_run
    from charnn.training.options import TrainOptions

    watch = clock or stopwatch()
    checked = TrainOptions(**known(options, TrainOptions))
    folder = Path(checkpoints)
    start = find_run(folder, init_from) if init_from is not None else None
    from charnn.training.session import train_new
    from charnn.training.setting import Callbacks
    from charnn.training.texts import Text

    trained = train_new(
        Text(paths(texts), encoding, document_separator),
        checked,
        folder,
        Callbacks(on_record or ignore, control or Control(), watch),
        run_name=run,
        init_from=start,
        given=options,
    )
    return Model(trained)


def resume(
    run: str | None = None,
    *,
    checkpoints: StrPath = DEFAULT_CHECKPOINTS,
    text: StrPath | None = None,
    threads: int | None = None,
    on_record: Callable[[Record], None] | None = None,
    control: Control | None = None,
    clock: Callable[[], float] | None = None,
    **options: Any,
) -> Model:
    """Go on with a run that was stopped, exactly where its last checkpoint left it.

    A run that has ended takes `minutes`, `epochs` or `steps`: it goes on from its best weights
    with another plan, and keeps what it has learned only where that is better.

    Args:
        run: its name or path; None is the one with the newest checkpoint.
        checkpoints: the folder of runs.
        text: where the text lies now, if it was moved.
        threads: CPU threads from here on; another number than before may round differently.
        on_record: see `train`.
        control: see `train`.
        clock: see `train`.
        options: minutes, epochs or steps of a run that has ended; other values for
            sample_every, sample_length, temps or prompt.

    Raises:
        CharnnError: there is no such run, it has finished, or it is damaged; or something else
            was to be changed.
    """
    import_numpy()
    from charnn.runs.catalog import find_run
    from charnn.training.options import TrainOptions

    watch = clock or stopwatch()
    for name in options:
        if name not in _WITH_RESUME + _MORE:
            rule = ", ".join(_WITH_RESUME + _MORE)
            raise OptionError(f"{name} is fixed when a run goes on: it must be one of {rule}")
    TrainOptions(**options)
    found = find_run(Path(checkpoints), run)
    from charnn.training.session import train_on
    from charnn.training.setting import Callbacks
    from charnn.training.texts import Text

    resumed = train_on(
        found,
        Callbacks(on_record or ignore, control or Control(), watch),
        threads=threads,
        sampling={name: value for name, value in options.items() if name in _WITH_RESUME},
        text=Text(paths(text)) if text is not None else None,
        budget={name: value for name, value in options.items() if name in _MORE},
    )
    return Model(resumed)
