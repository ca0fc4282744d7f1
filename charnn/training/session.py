"""Sets a training up: a new run from a text, the rest of one that was stopped, or more of one.

Joins stream, tokenizer, recipe, network and run folder; the training itself is the Trainer's.
"""

import contextlib
import gc
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from charnn.errors import RunError, RunNotFoundError
from charnn.generation.copy_file import COPIES, copies_arrays, copies_of
from charnn.records import RunStarted
from charnn.runs.anew import begin_anew
from charnn.runs.checkpoints import Checkpoint
from charnn.runs.files import measure_file
from charnn.runs.layout import JOURNALS, WEIGHTS, next_free_name
from charnn.runs.lock import lock_run
from charnn.runs.ngram_file import NGRAM, read_ngram
from charnn.runs.run import Run, check_free, create_next_run, create_run
from charnn.text.shell import quoted
from charnn.training.beginning import count_text, opening
from charnn.training.changed import notice_change
from charnn.training.device import choose_device, flushing_denormals
from charnn.training.ending import (
    end_of,
    not_saved,
    read_plan,
    refuse_ended,
    refuse_lost_weights,
    refuse_to_lose,
    saved_plan,
    take_history,
)
from charnn.training.faults import (
    NoMemoryError,
    memory_ran_out,
    noticing_no_memory,
    too_many_rows,
)
from charnn.training.keeper import RunKeeper
from charnn.training.options import TrainOptions
from charnn.training.plan import Plan, steps_between_samples
from charnn.training.recipe import nominal_seconds_per_step
from charnn.training.saved import make_config, recipe_for, saved_training, sizes_of, with_recipe
from charnn.training.setting import Callbacks, Setting, device_again
from charnn.training.speed import measure_flops
from charnn.training.state import TrainerState
from charnn.training.texts import Text, find_stream, looks_of_text, prepare_text
from charnn.training.trainer import Trainer

Events = Sequence[tuple[str, str]]
"""Kinds and messages of what is to be told before a training begins."""
_NOTHING: Mapping[str, Any] = {}


@flushing_denormals()
def train_new(
    text: Text,
    options: TrainOptions,
    checkpoints: Path,
    callbacks: Callbacks,
    *,
    run_name: str | None = None,
    init_from: Run | None = None,
    given: Collection[str] = (),
) -> Run:
    """Train a new run; returns it when the training has ended.

    Args:
        text: what to learn from.
        options: how.
        checkpoints: the folder of runs.
        callbacks: see there.
        run_name: what the run is called; None takes the text's name, or the next free one.
        init_from: a run whose weights, sizes and tokenizer are taken over.
        given: the names of the options that somebody gave, also where they are the default.

    Raises:
        CharnnError: see `charnn.errors`; nothing that was there before is changed.
    """
    if run_name is not None:
        check_free(checkpoints, run_name)
    device = choose_device(options.device, options.precision, options.threads)
    options = sizes_of(init_from, options, given) if init_from else options
    borrowed = init_from.tokenizer() if init_from else None
    looks = looks_of_text(text)
    stream, corpus, notes = prepare_text(text, options, checkpoints, callbacks.on_record, borrowed)
    flops = measure_flops(device) if options.timed else None
    recipe = recipe_for(options, stream, device.kind, flops, init_from)
    likely = Run(checkpoints / (run_name or next_free_name(checkpoints, corpus)))
    counts = count_text(stream, recipe)
    setting = Setting(likely, options, recipe, device, stream, callbacks, counts)
    begun = [setting.state(init_from)]
    config = make_config(text, corpus, options, recipe, device, stream, flops, looks, init_from)
    copies, unknown = copies_of(stream, init_from, callbacks.on_record)
    extra = {COPIES: copies_arrays(copies, stream.text_sha256)} if copies else {}
    if counts:
        extra[NGRAM] = counts.arrays()
    notes = (*notes, unknown) if unknown else notes
    make = create_run if run_name is not None else create_next_run
    run = make(checkpoints, run_name or corpus, config, stream.tokenizer, extra)
    with lock_run(run.path) as lock:
        setting = replace(setting, run=run, check=lock.check)
        _train_from_the_start(setting, begun, [("note", note) for note in notes], init_from)
    return run


@flushing_denormals()
def train_on(
    run: Run,
    callbacks: Callbacks,
    *,
    threads: int | None = None,
    sampling: Mapping[str, Any] = _NOTHING,
    text: Text | None = None,
    budget: Mapping[str, Any] = _NOTHING,
) -> Run:
    """Go on with a run that was stopped, exactly where its last checkpoint left it; or give more.

    Args:
        run: the run.
        callbacks: see there.
        threads: CPU threads from here on; another number than before may round differently.
        sampling: other values for the options that only concern samples.
        text: where the text lies now, if it was moved.
        budget: more of a run that has ended: minutes, epochs or steps.

    Raises:
        CharnnError: see `charnn.errors`.
    """
    with lock_run(run.path) as lock:
        refuse_to_lose(run)
        config = run.config()
        options, recipe, precision = saved_training(config, run)
        options = replace(options, **sampling)
        if budget:
            options = replace(options, **{"minutes": None, "epochs": None, "steps": None, **budget})
        options = replace(options, threads=threads or options.threads)
        device, elsewhere = device_again(run, config, options, precision)
        stream, kept = find_stream(run, config, text, options, callbacks.on_record)
        change = None
        if kept:  # else the text has just been read, and proved to be the same
            moved = text.paths if text else None
            change = notice_change(run, config, moved, callbacks.on_record)
        events = [("warning", note) for note in (elsewhere, change) if note]
        checkpoint = None
        with contextlib.suppress(RunNotFoundError):
            checkpoint = run.last()
        counts = read_ngram(run, checkpoint)
        setting = Setting(run, options, recipe, device, stream, callbacks, counts, lock.check)
        state = setting.saved_state(checkpoint)
        if checkpoint is None:
            refuse_lost_weights(run, config)
        if checkpoint is None and not budget:
            note = "no checkpoint yet: starting again with the saved options"
            begun = [state]
            del state
            _train_from_the_start(setting, begun, [*events, ("note", note)])
            return run
        if checkpoint is not None:
            events += [("note", checkpoint.note)] if checkpoint.note else []
        saved, missing = saved_plan(run, checkpoint)
        events += [("warning", missing)] if missing else []
        if budget:
            _train_more(setting, state, checkpoint, saved, events)
        else:
            refuse_ended(run, state.progress.step)
            plan = read_plan(run, saved) if saved is not None else None
            if plan is not None and "sample_every" in sampling:
                plan = _sampling_anew(plan, setting)
            going_on = f"going on from step {state.progress.step:,}"
            keeper = setting.keeper(state, checkpoint, plan=saved)
            _run_trainer(setting, state, keeper, events, resumed=going_on, plan=plan)
    return run


def _train_from_the_start(
    setting: Setting, begun: list[TrainerState], events: Events, init_from: Run | None = None
) -> None:
    """Train from step 0; where memory does not suffice, with half the rows, as often as needed.

    Args:
        setting: what is trained.
        begun: the state alone; taken out, so that nobody holds on to it when there must be room
            for a smaller one.
        events: what is to be told.
        init_from: the run whose weights the state has.
    """
    planned, told = setting.recipe.batch_size, list(events)
    state = begun.pop()
    while True:
        keeper = setting.keeper(state)
        try:
            _run_trainer(setting, state, keeper, told, save_first=init_from is not None)
            return
        except NoMemoryError as error:
            rows = setting.recipe.batch_size // 2
            if not error.early or not rows:
                raise
        del state, keeper
        gc.collect()
        note = f"there was not enough memory for {planned} rows of text side by side: {rows} now"
        told = [*events, ("warning", note)]
        setting = replace(setting, recipe=replace(setting.recipe, batch_size=rows))
        setting.check()
        begin_anew(setting.run, with_recipe(setting.run.config(), setting.recipe))
        state = setting.state(init_from)


def _train_more(
    setting: Setting,
    state: TrainerState,
    checkpoint: Checkpoint | None,
    plan: Mapping[str, Any] | None,
    events: Events,
) -> None:
    """Go on behind the end of a plan with another one, from the best weights.

    They are at least as good as the last ones, for the end of a plan is always validated. The
    optimiser keeps its moments: a little better than without, and no worse where the text has been
    read often (bundled text, 64 units: 150 + 150 steps 4.602 and 4.639 bits, 600 + 600 steps 4.237
    and 4.240).

    Raises:
        RunError: the run has not ended yet.
    """
    run, progress = setting.run, state.progress
    if checkpoint is None or end_of(run, progress.step) is None:
        raise RunError(
            f"run {run.name} has not ended yet, and goes on as planned with 'charnn train --resume "
            f"{quoted(run.name)}': --minutes, --epochs and --steps are for more of a run that has "
            "ended"
        )
    best = run.best(WEIGHTS)
    state.begin_again(best.weights(state.model.shape), keep_moments=True)
    progress.begin_more()
    saved = dict(plan or {})
    earlier = [*take_history(run, saved), saved]
    there = [name for name in JOURNALS if (run.path / name).exists()]
    journals = {name: measure_file(run.path / name) for name in there}
    keeper = setting.keeper(state, checkpoint, journals, earlier, plan)
    more = f"more from step {progress.step:,}, with the best weights, of step {best.step:,}"
    _run_trainer(setting, state, keeper, events, resumed=more, first_step=progress.step)


def _run_trainer(
    setting: Setting,
    state: TrainerState,
    keeper: RunKeeper,
    events: Events = (),
    *,
    resumed: str | None = None,
    plan: Plan | None = None,
    first_step: int = 0,
    save_first: bool = False,
) -> None:
    """Hand every record of the training on, from the head to the end.

    With `save_first` there is a checkpoint before any work: of weights that no seed makes again.

    Raises:
        RunError: the training has ended, but could not be saved.
        NoMemoryError: memory has run out.
    """
    on_record, task = setting.callbacks.on_record, setting.task()
    with keeper, noticing_no_memory(lambda: _no_memory(setting, state, resumed)):
        events = [*events, *(("note", note) for note in keeper.notes)]
        for record in opening(setting.run, task, state, resumed, events):
            if not (isinstance(record, RunStarted) and resumed):
                keeper.note(record)
            on_record(record)
        if save_first:
            keeper.save_last(state)
            keeper.wait()
        trainer = Trainer(task, state, keeper, plan, first_step)
        with contextlib.closing(trainer.records()) as records:
            for record in records:
                on_record(record)
        if keeper.unsaved:
            raise not_saved(setting.run, keeper.unsaved, setting.check)


def _no_memory(setting: Setting, state: TrainerState, resumed: str | None) -> NoMemoryError:
    """The error where memory has run out outside of the training's steps."""
    step, rows = state.progress.step, setting.recipe.batch_size
    if resumed is None and step == 0:
        return too_many_rows(rows, setting.recipe.seq_len)
    return memory_ran_out(str(setting.run.path), step, rows)


def _sampling_anew(plan: Plan, setting: Setting) -> Plan:
    """A saved plan with samples as often as the options say now."""
    vocab_size, kind = setting.stream.tokenizer.vocab_size, setting.device.kind
    nominal = nominal_seconds_per_step(setting.recipe, vocab_size, kind)
    steps = plan.total_steps - plan.first_step
    per_step = plan.seconds / max(1, steps) if plan.seconds else nominal
    return replace(plan, sample_every=steps_between_samples(setting.options, steps, per_step))
