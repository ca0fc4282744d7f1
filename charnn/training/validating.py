"""What the held-out part costs the model that is trained: quickly on the way, wholly at the end."""

import copy
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from charnn.model.ensemble import Model
from charnn.model.mixture import TEMPERATURES, Blend, fit_blend
from charnn.model.ngram import count_ngrams
from charnn.records import Validation
from charnn.training.device import Device, single_precision
from charnn.training.evaluation import (
    QUICK,
    QUICK_TOKENS,
    WHOLE,
    Reading,
    Tokens,
    nats_at,
    token_nats,
)
from charnn.training.planning import final_seconds
from charnn.training.scores import Nats, Scores, counted_nats, score_together
from charnn.training.state import TrainerState, take_weights
from charnn.training.task import Keeper, Task


class Validator:
    """Scores the weights of a training on its held-out part; leaves the training untouched.

    Args:
        task: text and device.
        state: whose averaged weights are scored.
        keeper: has the best weights.
    """

    def __init__(self, task: Task, state: TrainerState, keeper: Keeper) -> None:
        self._task = task
        self._state = state
        self._keeper = keeper
        self._held_out = task.stream.part("validation")
        self._counted = counted_nats(None, self._held_out, 0)
        self._unseen: Nats | None = None
        self._exact = replace(task.device, precision="fp32")  # results are computed in it
        self._go_on: Callable[[int], bool] = lambda _: not task.control.stopping

    @property
    def has_text(self) -> bool:
        """Whether anything is held out."""
        return len(self._held_out) > 0

    def quick(self) -> Scores | None:
        """What the averaged weights reach on the first tokens; None if somebody asked to stop."""
        tokens = self._held_out[:QUICK_TOKENS]
        if not self.fit_blend():
            return None
        progress = self._state.progress
        blend = Blend(progress.ngram_weight, progress.temperature)
        return self._score(self._state.averaged, tokens, self._task.device, QUICK, blend)

    def best(self) -> Scores | None:
        """What the best weights reach on all of it; None if that is nothing, or if stopped.

        Raises:
            RunError: the best weights are gone.
        """
        if not self.has_text:
            return None
        progress, model = self._state.progress, copy.deepcopy(self._state.averaged)
        weights, _ = self._keeper.load_best(progress)
        take_weights(model, weights)
        blend = Blend(progress.best_ngram_weight, progress.best_temperature)
        with single_precision():
            return self._score(model, self._held_out, self._exact, WHOLE, blend)

    def prepare(self) -> None:
        """Count the n-grams that the weight is fitted with, once; in no validation's own time."""
        task, tokens = self._task, self._task.weight_tokens
        if self._unseen is None and task.counts is not None and len(tokens):
            tokenizer = task.stream.tokenizer
            ngram = count_ngrams(
                task.training_tokens, tokenizer.vocab_size, task.recipe.ngram_order
            )
            self._unseen = counted_nats(ngram, tokens, tokenizer.boundary)

    def fit_blend(self) -> bool:
        """Fit the network's temperature and the n-gram model's weight, on text that is in neither.

        They stay as they are where they are not to be fitted, and where the network comes to no
        number.

        Returns:
            False if somebody asked to stop before it was done.
        """
        self.prepare()
        if not len(self._task.weight_tokens):
            return True
        task, boundary = self._task, self._task.stream.tokenizer.boundary
        model, tokens = self._state.averaged, task.weight_tokens
        where = (tokens, boundary, task.device, QUICK, self._go_on)
        nats = nats_at(TEMPERATURES, model, *where)
        if nats is None:
            return False
        if np.isfinite(nats).all():
            counted = None if self._unseen is None else -self._unseen
            blend, progress = fit_blend(-nats, counted), self._state.progress
            progress.ngram_weight, progress.temperature = blend.weight, blend.temperature
        return True

    def _score(
        self,
        model: Model,
        tokens: Tokens,
        device: Device,
        reading: Reading,
        blend: Blend,
    ) -> Scores | None:
        tokenizer = self._task.stream.tokenizer
        where = (tokens, tokenizer.boundary, device, reading, self._go_on)
        nats = token_nats(model, *where, blend.temperature)
        if nats is None:
            return None
        if len(tokens) > len(self._counted):
            self._counted = counted_nats(self._task.counts, tokens, tokenizer.boundary)
        return score_together(nats, self._counted[: len(tokens)], blend.weight, tokens, tokenizer)

    def best_seconds(self) -> float:
        """About how long `best` will take."""
        boundary, counts = self._task.stream.tokenizer.boundary, self._task.counts
        model, go_on = self._state.averaged, self._go_on
        with single_precision():
            seconds = final_seconds(model, self._held_out, boundary, self._exact, go_on)
        if counts is None or len(self._held_out) <= QUICK_TOKENS:
            return seconds
        started = time.perf_counter()
        counted_nats(counts, self._held_out[:QUICK_TOKENS], boundary)
        counting = time.perf_counter() - started
        return seconds + counting * len(self._held_out) / QUICK_TOKENS

    def record(
        self, scores: Scores, elapsed: float, *, is_best: bool, final: bool = False
    ) -> Validation:
        """Scores as a record."""
        score = scores.score
        return Validation(
            step=self._state.progress.step,
            loss=score.loss,
            bits_per_char=score.bits_per_char,
            bits_per_byte=score.bits_per_byte,
            characters=score.characters,
            tokens=score.tokens,
            whole=final or score.tokens == len(self._held_out),
            is_best=is_best,
            elapsed=elapsed,
            final=final,
            network_bits_per_char=scores.network.bits_per_char,
        )
