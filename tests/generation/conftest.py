"""A tiny network, tokenizers of every kind, and experts that write what they are told."""

from types import SimpleNamespace

import numpy as np
import pytest

from charnn.corpus.tokenizers import train_tokenizer
from charnn.model.shapes import ModelShape, weight_shapes
from charnn.model.stepper import Stepper

TEXT = "형식은 아모 말도 업시 先生을 보았다. “그래?” a b c 1 2 3\n가나다라 마바사\n" * 30


class FixedExpert:
    """Predicts the same distribution whatever came before; counts what it is asked."""

    def __init__(self, log_probs):
        self.log_probs = np.asarray(log_probs)
        self.vocab_size = len(log_probs)
        self.steps, self.reads = [], []

    def initial_state(self, batch_size):
        return (np.zeros(batch_size),)

    def step(self, tokens, state):
        self.steps.append(tokens.tolist())
        return np.tile(self.log_probs, (len(tokens), 1)), state

    def read(self, tokens, state):
        self.reads.append(tokens.tolist())
        return self.log_probs[None].copy(), state

    def select(self, state, rows):
        return tuple(part[rows] for part in state)


class ScriptExpert(FixedExpert):
    """Predicts the tokens of a script one after the other, then its last one for ever."""

    def __init__(self, vocab_size, script):
        super().__init__(np.zeros(vocab_size))
        self.script = list(script)

    def _predict(self, positions):
        log_probs = np.full((len(positions), self.vocab_size), -50.0)
        for row, position in enumerate(positions):
            log_probs[row, self.script[min(int(position), len(self.script) - 1)]] = 0.0
        return log_probs

    def step(self, tokens, state):
        positions = state[0] + 1
        return self._predict(positions), (positions,)

    def read(self, tokens, state):
        return self._predict(state[0]), state


def tiny_stepper(vocab_size, *, seed=0, spread=1.0, dtype=np.float64):
    """A network of random weights; `spread` says how sure of itself it is."""
    shape = ModelShape(vocab_size, 5, 6, 2, "lstm", tied=False)
    rng = np.random.default_rng(seed)
    weights = {name: spread * rng.normal(size=size) for name, size in weight_shapes(shape).items()}
    return Stepper(shape, weights, dtype)


@pytest.fixture(scope="session")
def experts():
    return SimpleNamespace(fixed=FixedExpert, script=ScriptExpert, network=tiny_stepper)


@pytest.fixture(scope="session")
def tokenizers():
    """A tokenizer of each kind, by its name."""
    sizes = {"subword": 320}
    return {
        kind: train_tokenizer(kind, lambda: [TEXT], vocab_size=sizes.get(kind))
        for kind in ("char", "jamo", "byte", "subword")
    }


@pytest.fixture(params=["char", "jamo", "byte", "subword"])
def tokenizer(request, tokenizers):
    return tokenizers[request.param]
