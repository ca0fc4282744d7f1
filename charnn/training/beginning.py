"""A training as it begins: its network, and the records that say what is trained."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from charnn.corpus.accounting import score_tokens
from charnn.corpus.stream import TokenStream
from charnn.model.embedding import spell_syllables
from charnn.model.ensemble import make_model
from charnn.model.language_model import Dropout
from charnn.model.ngram import Ngram, count_ngrams
from charnn.model.shapes import parameter_count
from charnn.records import Event, Record, RunStarted
from charnn.runs.run import Run
from charnn.training.device import Device
from charnn.training.evaluation import QUICK_TOKENS
from charnn.training.faults import NoMemoryError, is_out_of_memory
from charnn.training.needs import check_network_memory
from charnn.training.options import TrainOptions
from charnn.training.recipe import Recipe
from charnn.training.scores import counted_nats
from charnn.training.state import TrainerState
from charnn.training.task import Task


def new_state(
    options: TrainOptions, recipe: Recipe, stream: TokenStream, device: Device
) -> TrainerState:
    """A network as it begins: seeded weights, output bias at the tokens' frequencies.

    Raises:
        NoMemoryError: there is no room for it.
    """
    torch.manual_seed(options.seed)
    generator = torch.Generator().manual_seed(options.seed)
    shape = recipe.shape(stream.tokenizer.vocab_size)
    if device.kind == "cpu":  # where a system may promise memory that it does not have
        check_network_memory(recipe, shape)
    try:
        texts = [token.text for token in stream.tokenizer.vocabulary]
        spelling = spell_syllables(texts) if recipe.composed else None
        model = make_model(shape, dropout_of(recipe), generator, spelling)
        model.set_output_bias(_token_frequencies(stream))
        return TrainerState(model.to(device.torch_device), recipe, recipe.batch_size)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
    raise NoMemoryError(
        f"there is not enough memory for a network of {parameter_count(shape):,} numbers: make it "
        "smaller with --size, --hidden, --layers, --feed-forward or --networks",
        early=False,
    )


def dropout_of(recipe: Recipe) -> Dropout:
    """What a recipe drops."""
    return Dropout(
        token=recipe.token_dropout,
        input=recipe.input_dropout,
        layer=recipe.layer_dropout,
        output=recipe.output_dropout,
        state=recipe.state_dropout,
        weight=recipe.weight_dropout,
    )


def count_text(stream: TokenStream, recipe: Recipe) -> Ngram | None:
    """The n-gram model of the training part; None where the recipe has none."""
    if not recipe.ngram_weight:
        return None
    size = stream.tokenizer.vocab_size
    return count_ngrams(stream.part("train"), size, recipe.ngram_order)


def _yardstick(task: Task) -> float | None:
    """What the n-gram model alone reaches on what the curve is made of."""
    held_out, tokenizer = task.stream.part("validation")[:QUICK_TOKENS], task.stream.tokenizer
    if task.counts is None or not len(held_out):
        return None
    nats = counted_nats(task.counts, held_out, tokenizer.boundary)
    return score_tokens(nats.sum(), held_out, tokenizer).bits_per_char


def opening(
    run: Run,
    task: Task,
    state: TrainerState,
    resumed: str | None,
    events: Sequence[tuple[str, str]],
) -> Iterator[Record]:
    """The head of a run, and what should be said before it trains.

    Args:
        run: the run.
        task: what is trained.
        state: where it stands.
        resumed: how it goes on, in a sentence; None where it begins.
        events: kind and message of what else is to be told.
    """
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
        networks=shape.networks,
        feed_forward_size=shape.feed_forward_size,
        parameters=parameter_count(shape),
        device=device.kind,
        precision=device.precision,
        threads=device.threads,
        seed=task.options.seed,
        resumed_at=step,
        yardstick_bits_per_char=_yardstick(task),
    )
    if resumed is not None:
        yield Event("resumed", step, resumed, elapsed)
    for kind, message in [*events, *_slow_choices(task.recipe, device)]:
        yield Event(kind, step, message, elapsed)


def _slow_choices(recipe: Recipe, device: Device) -> Iterator[tuple[str, str]]:
    if recipe.state_dropout > 0:
        yield "note", "state dropout runs the recurrence step by step, which is slower"
    if device.kind == "cpu" and device.precision == "bf16" and recipe.cell != "lstm":
        yield "note", f"the {recipe.cell} recurrence runs in fp32 on a CPU, lstm is faster"


def _token_frequencies(stream: TokenStream, most: int = 50_000_000) -> torch.Tensor:
    """How often each token stands in the training part (of its beginning, where it is huge)."""
    tokens = stream.part("train")[:most]
    counts = np.zeros(stream.tokenizer.vocab_size, dtype=np.int64)
    for start in range(0, len(tokens), 1 << 20):
        counts += np.bincount(tokens[start : start + (1 << 20)], minlength=len(counts))
    return torch.from_numpy(counts)
