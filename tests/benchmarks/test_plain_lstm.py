"""The plain LSTM: its probabilities are all there are, and rows do not change what it pays."""

import argparse
import itertools
import math
from itertools import pairwise
from types import SimpleNamespace

import plain_lstm
import pytest
import torch
from plain_lstm import CODE_POINTS, SIZES, Alphabet, PlainLSTM, Trainer, score

STORY = "the cat sat on the mat; the dog sat on the log. " * 20


@pytest.fixture
def model():
    torch.manual_seed(0)
    return PlainLSTM(len(Alphabet.of(STORY).index), 8, 16, 2)


def test_all_characters_together_have_one(model):
    alphabet = Alphabet.of("abca")
    logits = torch.tensor([[0.3, -1.0, 2.0]])
    known = sum(
        math.exp(-alphabet.nats(logits, torch.tensor([token])).item()) for token in range(3)
    )
    one_unseen = math.exp(-alphabet.nats(logits, torch.tensor([-1])).item())
    assert known + one_unseen * (CODE_POINTS - 3) == pytest.approx(1, rel=1e-4)


def test_an_unseen_character_is_paid_for():
    alphabet = Alphabet.of("abca")
    assert alphabet.encode("a가").tolist() == [0, -1]
    assert alphabet.unseen == 3 / 5
    assert alphabet.unseen_nats == pytest.approx(math.log((CODE_POINTS - 3) * 5 / 3))


@torch.no_grad()
def test_a_pass_is_the_model_step_by_step(model):
    alphabet = Alphabet.of(STORY)
    text = STORY[:40] + "Z" + STORY[:9]
    tokens, state, expected = alphabet.encode(text), None, []
    for before, token in pairwise(tokens):
        logits, state = model(before.clamp(min=0).view(1, 1), state)
        expected.append(alphabet.nats(logits[0], token.view(1)).item())
    assert score(model, alphabet, text, past=0, rows=1) == pytest.approx(expected, abs=1e-4)
    assert score(model, alphabet, text, past=10, rows=1) == pytest.approx(expected[10:], abs=1e-4)


def test_rows_read_side_by_side_come_back_in_order(model):
    alphabet, text = Alphabet.of(STORY), STORY[:300]
    alone = score(model, alphabet, text, past=60, rows=1)
    together = score(model, alphabet, text, past=60, rows=4)
    assert len(together) == len(alone) == 239
    assert together == pytest.approx(alone, abs=1e-2)


def test_it_learns_within_its_time(model, monkeypatch):
    calls = itertools.count()
    clock = SimpleNamespace(monotonic=lambda: next(calls) / 100)
    monkeypatch.setattr(plain_lstm, "time", clock)
    alphabet, sizes = Alphabet.of(STORY), SIZES | {"batch": 4, "window": 16, "rate": 1e-2}
    before = score(model, alphabet, STORY[:200], past=9).mean()
    trainer = Trainer(model, alphabet, STORY, STORY[:100], argparse.Namespace(**sizes))
    assert 0 < trainer.train(STORY[:100], end=1.0) <= 100
    assert clock.monotonic() < 1.3
    assert score(model, alphabet, STORY[:200], past=9).mean() < before - 0.3
