"""What comes next, by those who have read all before it and nothing else.

A `Learner` is a network that is trained on a growing beginning of a text. At the end of what is
read it gives `Foresight` of the block behind it: the network, which goes on adapting as in dynamic
evaluation, and counts of everything so far, which go on counting, under weights that follow. How
long blocks are, and how long is trained between them, is left to prequential.py.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from charnn.corpus.batches import Batches
from charnn.corpus.tokenizers import Tokenizer
from charnn.model.embedding import spell_syllables
from charnn.model.ensemble import Model, make_model
from charnn.model.ngram import count_ngrams
from charnn.model.ngram_counting import CountingNgram
from charnn.model.ngram_scores import score_adaptive
from charnn.model.recurrence import State, detach
from charnn.model.weighing import Weighing
from charnn.training.beginning import dropout_of
from charnn.training.device import Device
from charnn.training.dynamic import Adaptation, segment_costs
from charnn.training.feed import Feed
from charnn.training.recipe import Recipe
from charnn.training.state import TrainerState, plain_copy
from charnn.training.updates import Updates

Tokens = NDArray[np.integer[Any]]
Floats = NDArray[np.float64]

_SEGMENT = 1024
"""Tokens that a network which does not adapt scores at once."""
_NEWEST, _MORE_OF_THE_NEWEST = 8, 2
"""One part in 8 of what was read, the last one, is trained on three times as often."""
_WARMUP_STEPS = 50
_LEAST_STEPS = 4
"""A network of fewer knows nothing."""
_LEAST_STEPS_TO_ADAPT = 200
"""One of fewer runs astray: what its gradients are like is not known yet."""
_HEDGE = 1e-4


class Costs(NamedTuple):
    """What each token of a block costs in nats, (n,) each.

    Attributes:
        together: the mixture.
        network: the network alone, adapting.
        ngram: the n-gram model alone, counting.
    """

    together: Floats
    network: Floats
    ngram: Floats


class Learner:
    """A network that learns from a growing beginning of a text, and begins with nothing.

    It is a function of its arguments and of what it was trained on, step by step, on one machine
    with one number of threads; its random numbers are its own.

    Args:
        tokenizer: of the text.
        recipe: sizes and choices; the rate stays at its peak, for no end is near.
        device: a CPU, on which the same steps give the same numbers.
        seed: of the first weights and of dropout.
        adapts: whether the network goes on learning inside a block.
    """

    def __init__(
        self, tokenizer: Tokenizer, recipe: Recipe, device: Device, seed: int, *, adapts: bool
    ) -> None:
        self._recipe = recipe
        self._adapts = adapts
        self._device = device
        generator = torch.Generator().manual_seed(seed)
        spelling = spell_syllables([token.text for token in tokenizer.vocabulary])
        shape = recipe.shape(tokenizer.vocab_size)
        with _sparing_random_numbers():
            model = make_model(shape, dropout_of(recipe), generator, spelling)
            self._state = TrainerState(model, recipe, recipe.batch_size)
        self._reading: State = model.initial_state(1)
        self._weighing = Weighing(2)
        self._random = generator.get_state()

    @property
    def vocab_size(self) -> int:
        """Number of tokens."""
        return self._state.model.shape.vocab_size

    def train(self, past: Tokens, wants_more: Callable[[int], bool]) -> int:
        """Take steps on what has been read.

        Args:
            past: a boundary and all tokens so far, (n,), n >= 2.
            wants_more: told how many steps were taken in this call; returns whether to take one.

        Returns:
            How many were taken.
        """
        if not wants_more(0):
            return 0
        state, recipe = self._state, self._recipe
        if state.progress.step == 0:
            self._begin(past)
        replayed = _replayed(past)
        rows = max(1, min(recipe.batch_size, len(replayed) // recipe.seq_len))
        batches = Batches(replayed, rows, min(recipe.seq_len, len(replayed)), int(past[0]))
        updates = Updates(state, Feed(batches, self._device), recipe, self._device)
        state.carried = state.model.initial_state(rows)
        state.model.train()
        taken = 0
        with self._own_random_numbers():
            while taken == 0 or wants_more(taken):
                warm = min(1.0, (state.progress.step + 1) / _WARMUP_STEPS)
                updates.take_step(recipe.learning_rate * warm)
                taken += 1
        return taken

    def foresight(self, past: Tokens) -> "Foresight":
        """What is held of the block that comes next; the learner stays as it is.

        Args:
            past: a boundary and all tokens so far, (n,).
        """
        network = None
        if self._state.progress.step >= _LEAST_STEPS:
            with _sparing_random_numbers():
                network = _Network(plain_copy(self._state.averaged), self._roots())
        order = self._recipe.ngram_order
        return Foresight(past, order, self.vocab_size, network, self._reading, self._weighing)

    def go_on(self, block: "Foresight") -> None:
        """Go on from where a block of text has been read to."""
        self._reading, self._weighing = block.reading, block.weighing

    def _roots(self) -> Mapping[str, NDArray[np.float32]] | None:
        """Root mean square of each weight's gradient so far; None while that says little."""
        if not self._adapts or self._state.progress.step < _LEAST_STEPS_TO_ADAPT:
            return None
        return self._state.gradient_roots()

    def _begin(self, past: Tokens) -> None:
        """Set the output bias to what is known of the tokens' frequencies."""
        counts = np.bincount(past[1:], minlength=self.vocab_size)
        self._state.model.set_output_bias(torch.from_numpy(counts))
        self._state.averaged.take(self._state.model.plain_parameters())

    @contextlib.contextmanager
    def _own_random_numbers(self) -> Iterator[None]:
        """Let torch's global generator, which dropout draws from, be this learner's for a while."""
        with _sparing_random_numbers():
            torch.set_rng_state(self._random)
            yield
            self._random = torch.get_rng_state()


def _hedged(probs: Floats, vocab_size: int) -> Floats:
    """Probabilities with a little of knowing nothing in them; that alone where they are no numbers.

    So that a network which goes astray over a block cannot cost more than two dozen bits a token.
    """
    known = np.where(np.isfinite(probs), probs, 1 / vocab_size)
    hedged: Floats = (1 - _HEDGE) * known + _HEDGE / vocab_size
    return hedged


def _sparing_random_numbers() -> contextlib.AbstractContextManager[None]:
    """Leave torch's global generator as it was; layers draw from it even where they need not."""
    return torch.random.fork_rng(devices=[])


def _replayed(past: Tokens) -> Tokens:
    """What is trained on: all that was read, and the newest of it more often than the rest."""
    newest = past[1:][-((len(past) - 1) // _NEWEST) :]
    return np.concatenate([past[1:], *[newest] * _MORE_OF_THE_NEWEST])


class _Network:
    """A trained network on a block of text.

    Args:
        model: its own: where it adapts, the weights are changed.
        roots: see `Adaptation`; None does not adapt.
    """

    def __init__(self, model: Model, roots: Mapping[str, NDArray[np.float32]] | None) -> None:
        self._model = model.eval()
        self._adaptation = Adaptation(model, roots) if roots is not None else None
        self.segment = self._adaptation.segment if self._adaptation else _SEGMENT

    def score(self, text: Tokens, state: State) -> tuple[Floats, State]:
        """Nats of a segment's tokens but for the first, (n - 1,), which are then learnt from."""
        tokens = torch.from_numpy(np.asarray(text, np.int64))
        with torch.set_grad_enabled(self._adaptation is not None):
            nats, loss, state = segment_costs(self._model, tokens, state)
        if self._adaptation is not None:
            self._adaptation.learn(loss)
        return -np.log(_hedged(np.exp(-nats), self._model.shape.vocab_size)), detach(state)

    @torch.no_grad()
    def step(self, token: int, state: State) -> tuple[Floats, State]:
        """Probabilities of what follows a token, (vocab_size,), and the state behind it."""
        logits, state = self._model(torch.tensor([[token]]), state)
        probs: Floats = logits[0, 0].double().softmax(-1).numpy()
        return _hedged(probs, len(probs)), state


class Foresight:
    """What is held of a block of text: all at once, or token by token. A `Learner` makes it.

    Args:
        past: a boundary and all tokens before the block, (n,).
        order: tokens of the longest n-gram.
        vocab_size: number of tokens.
        network: None holds every token equally likely.
        reading: the network's state before the last token of the past.
        weighing: the weights of network and counts.

    Attributes:
        reading: the network's state before the last token that was read.
        weighing: the weights behind it.
    """

    def __init__(
        self,
        past: Tokens,
        order: int,
        vocab_size: int,
        network: _Network | None,
        reading: State,
        weighing: Weighing,
    ) -> None:
        self.reading, self._begun = reading, reading
        self.weighing = weighing.copy()
        self._past = past
        self._vocab_size = vocab_size
        self._counts = count_ngrams(past, vocab_size, order)
        self._counting = CountingNgram(self._counts, past)
        self._network = network
        self._segment = [int(past[-1])]
        self._held: list[Floats] = []

    def score(self, tokens: Tokens) -> Costs:
        """What each token of the block costs, by operations on arrays.

        Args:
            tokens: (n,), n >= 1.
        """
        network = self._network_nats(np.append(self._past[-1:], tokens))
        ngram = -score_adaptive(self._counts, self._past, tokens)
        return Costs(-self.weighing.note_all((-network, -ngram)), network, ngram)

    def probs(self) -> Floats:
        """Probabilities of the next token, (vocab_size,), all above 0; to be asked for once."""
        network = np.full(self._vocab_size, 1 / self._vocab_size)
        if self._network is not None:
            network, self.reading = self._network.step(self._segment[-1], self.reading)
        self._held = [network, self._counting.probs()]
        return self.weighing.mix(self._held)

    def read(self, token: int) -> None:
        """Take what came into account, behind `probs`."""
        self.weighing.note([float(np.log(held[token])) for held in self._held])
        self._counting.read(token)
        self._segment.append(token)
        if self._network is None or len(self._segment) > self._network.segment:
            if self._network is not None:
                self._network.score(np.array(self._segment), self._begun)
            self._begun, self._segment = self.reading, [token]

    def _network_nats(self, text: Tokens) -> Floats:
        if self._network is None:
            return np.full(len(text) - 1, np.log(self._vocab_size))
        nats = []
        length = self._network.segment
        for start in range(0, len(text) - 1, length):
            segment = text[start : start + length + 1]
            costs, self.reading = self._network.score(segment, self.reading)
            nats.append(costs)
        return np.concatenate(nats)
