"""Sets a training up: a new run from a text, or the rest of one that was stopped.

Joins stream, tokenizer, recipe, network and run folder; the training itself is the Trainer's.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from charnn.corpus.stream import TokenStream
from charnn.corpus.tokenizers import load_tokenizer, save_tokenizer
from charnn.errors import OptionError, RunDamagedError, RunError, RunNotFoundError
from charnn.model.language_model import Dropout, LanguageModel
from charnn.model.shapes import parameter_count
from charnn.records import Control, Event, Finished, Record, RunStarted
from charnn.runs.checkpoints import Checkpoint
from charnn.runs.layout import EVENTS, PLAN, WEIGHTS, next_free_name
from charnn.runs.lock import lock_run
from charnn.runs.run import Run, check_free, create_run
from charnn.training.device import Device, choose_device, flushing_denormals
from charnn.training.keeper import RunKeeper, restore
from charnn.training.options import Interval, TrainOptions
from charnn.training.plan import Plan
from charnn.training.recipe import Recipe, nominal_seconds_per_step
from charnn.training.saved import (
    Text,
    find_stream,
    make_config,
    prepare_text,
    recipe_for,
    saved_training,
    sizes_of,
)
from charnn.training.state import TrainerState
from charnn.training.task import Task
from charnn.training.trainer import Trainer


@dataclass(frozen=True, slots=True)
class Callbacks:
    """How a training talks to the one who started it.

    Attributes:
        on_record: told every record, preparations among them.
        control: what a person asks for meanwhile.
        clock: seconds since the command began.
    """

    on_record: Callable[[Record], None]
    control: Control
    clock: Callable[[], float]


@flushing_denormals()
def train_new(
    text: Text,
    options: TrainOptions,
    checkpoints: Path,
    callbacks: Callbacks,
    *,
    run_name: str | None = None,
    init_from: Run | None = None,
) -> Run:
    """Train a new run; returns it when the training has ended.

    Args:
        text: what to learn from.
        options: how.
        checkpoints: the folder of runs.
        callbacks: see there.
        run_name: what the run is called; None takes the text's name, or the next free one.
        init_from: a run whose weights, sizes and tokenizer are taken over.

    Raises:
        CharnnError: see `charnn.errors`; nothing that was there before is changed.
    """
    if run_name is not None:
        check_free(checkpoints, run_name)
    device = choose_device(options.device, options.precision, options.threads)
    borrowed = load_tokenizer(init_from.path) if init_from else None
    options = sizes_of(init_from, options) if init_from else options
    stream, corpus, notes = prepare_text(text, options, checkpoints, callbacks.on_record, borrowed)
    recipe = recipe_for(options, stream, device.kind, init_from)
    state = _new_state(options, recipe, stream, device)
    if init_from:
        state.load_weights(init_from.chosen(WEIGHTS).weights(state.model.shape))
    name = run_name or next_free_name(checkpoints, corpus)
    run = create_run(checkpoints, name, make_config(text, corpus, options, recipe, device, stream))
    save_tokenizer(stream.tokenizer, run.path)
    with lock_run(run.path):
        _run_trainer(
            *(run, options, recipe, device, stream, state, callbacks),
            notes=notes,
            save_first=init_from is not None,
        )
    return run


@flushing_denormals()
def train_on(
    run: Run,
    callbacks: Callbacks,
    *,
    threads: int | None = None,
    sampling: Mapping[str, Any] | None = None,
    text: Text | None = None,
) -> Run:
    """Go on with a run that was stopped, exactly where its last checkpoint left it.

    Args:
        run: the run.
        callbacks: see there.
        threads: CPU threads from here on; another number than before may round differently.
        sampling: other values for the options that only concern samples.
        text: where the text lies now, if it was moved and its tokens are gone.

    Raises:
        CharnnError: see `charnn.errors`.
    """
    with lock_run(run.path):
        config = run.config()
        options, recipe, precision = saved_training(config, run)
        options = replace(options, **dict(sampling or {}))
        device = choose_device(options.device, precision, threads or options.threads)
        stream = find_stream(run, config, text, options, callbacks.on_record)
        state = _new_state(options, recipe, stream, device)
        plan, checkpoint = _saved_plan(run), None
        with contextlib.suppress(RunNotFoundError):
            checkpoint = run.last()
        if checkpoint is None:
            notes = ["no checkpoint yet: starting again with the saved options"]
            _run_trainer(run, options, recipe, device, stream, state, callbacks, notes=notes)
            return run
        restore(state, checkpoint, state.model.shape)
        _refuse_ended(run, state.progress.step)
        if plan is not None and "sample_every" in (sampling or {}):
            plan = _sampling_anew(plan, options, recipe, stream, device)
        _run_trainer(run, options, recipe, device, stream, state, callbacks, plan, checkpoint)
    return run


def _saved_plan(run: Run) -> Plan | None:
    """The plan a run follows; None before it was fixed.

    Raises:
        RunDamagedError: it cannot be followed.
    """
    try:
        saved = run.plan()
        return None if saved is None else Plan.from_json(saved)
    except OptionError as error:
        raise RunDamagedError(f"{run.path / PLAN}: {error}") from None


def _refuse_ended(run: Run, step: int) -> None:
    """Refuse a run whose training has come to its end, and whose newest checkpoint is of then.

    Raises:
        RunError: it has.
    """
    end = None
    with contextlib.suppress(RunDamagedError):  # a torn journal tells of no end
        for record in run.records(EVENTS):
            end = record if isinstance(record, Finished) else end
    if end is None or end.reason == "stopped" or end.step != step:
        return
    how = f"has finished its {step} steps"
    if end.reason == "plateau":
        how = f"ended at step {step}, where validation had stopped improving"
    raise RunError(f"run {run.name} {how}: start a new one from it with --init-from {run.name}")


def _run_trainer(
    run: Run,
    options: TrainOptions,
    recipe: Recipe,
    device: Device,
    stream: TokenStream,
    state: TrainerState,
    callbacks: Callbacks,
    plan: Plan | None = None,
    checkpoint: Checkpoint | None = None,
    notes: Sequence[str] = (),
    save_first: bool = False,
) -> None:
    """Hand every record of the training on, from the head to the end.

    With `save_first` there is a checkpoint before any work: of weights that no seed makes again.
    """
    task = Task(options, recipe, device, stream, callbacks.control, str(run.path), callbacks.clock)
    shape = state.model.shape
    with contextlib.closing(RunKeeper(run, shape, checkpoint)) as keeper:
        for record in _opening(run, task, state, [*notes, *keeper.notes], checkpoint):
            if not (isinstance(record, RunStarted) and checkpoint):
                keeper.note(record)
            callbacks.on_record(record)
        if save_first:
            keeper.save_last(state)
        with contextlib.closing(Trainer(task, state, keeper, plan).records()) as records:
            for record in records:
                callbacks.on_record(record)


def _opening(
    run: Run,
    task: Task,
    state: TrainerState,
    notes: Sequence[str],
    checkpoint: Checkpoint | None,
) -> Iterator[Record]:
    """The head of the run, and what should be said before it trains."""
    shape, device, stream = state.model.shape, task.device, task.stream
    step, elapsed = state.progress.step, state.progress.elapsed
    yield RunStarted(
        run=run.name,
        path=task.path,
        corpus=str(run.config().corpus.get("name", "")),
        characters=stream.characters,
        tokenizer=stream.tokenizer.kind,
        vocab_size=shape.vocab_size,
        cell=shape.cell,
        num_layers=shape.num_layers,
        hidden_size=shape.hidden_size,
        embedding_size=shape.embedding_size,
        parameters=parameter_count(shape),
        device=device.kind,
        precision=device.precision,
        threads=device.threads,
        seed=task.options.seed,
        resumed_at=step,
    )
    if checkpoint:
        yield Event("resumed", step, f"going on from step {step}", elapsed)
        notes = [*notes, checkpoint.note] if checkpoint.note else notes
    if task.recipe.state_dropout > 0:
        notes = [*notes, "state dropout runs the recurrence step by step, which is slower"]
    if device.kind == "cpu" and device.precision == "bf16" and shape.cell != "lstm":
        notes = [*notes, f"the {shape.cell} recurrence runs in fp32 on a CPU, lstm is faster"]
    for note in notes:
        yield Event("note", step, note, elapsed)


def _sampling_anew(
    plan: Plan, options: TrainOptions, recipe: Recipe, stream: TokenStream, device: Device
) -> Plan:
    """A saved plan with samples as often as the options say now."""
    nominal = nominal_seconds_per_step(recipe, stream.tokenizer.vocab_size, device.kind)
    per_step = plan.seconds / plan.total_steps if plan.seconds else nominal
    every = Interval.parse(options.sample_every, "sample-every").in_steps(per_step)
    return replace(plan, sample_every=every)


def _new_state(
    options: TrainOptions, recipe: Recipe, stream: TokenStream, device: Device
) -> TrainerState:
    """A network as it begins: seeded weights, output bias at the tokens' frequencies."""
    torch.manual_seed(options.seed)
    generator = torch.Generator().manual_seed(options.seed)
    dropout = Dropout(
        token=recipe.token_dropout,
        input=recipe.input_dropout,
        layer=recipe.layer_dropout,
        output=recipe.output_dropout,
        state=recipe.state_dropout,
    )
    model = LanguageModel(recipe.shape(stream.tokenizer.vocab_size), dropout, generator)
    model.set_output_bias(_token_frequencies(stream))
    return TrainerState(model.to(device.torch_device), recipe, recipe.batch_size)


def _token_frequencies(stream: TokenStream, most: int = 50_000_000) -> torch.Tensor:
    """How often each token stands in the training part (of its beginning, where it is huge)."""
    tokens = stream.part("train")[:most]
    counts = np.zeros(stream.tokenizer.vocab_size, dtype=np.int64)
    for start in range(0, len(tokens), 1 << 20):
        counts += np.bincount(tokens[start : start + (1 << 20)], minlength=len(counts))
    return torch.from_numpy(counts)
