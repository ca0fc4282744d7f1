"""A character LSTM as tutorials write it: what charnn has to beat in the same minutes.

    python benchmarks/plain_lstm.py mujeong.txt --minutes 5          # prints a JSON object
    python benchmarks/baseline.py mujeong.txt --minutes 5            # beside counts and compressors

Two layers of nn.LSTM with 512 units over an embedding of 128, a linear layer, Adam at a constant
2e-3, gradients clipped at 5, 32 rows of 64 characters whose state is carried on, fp32, and nothing
else: no dropout, no schedule, no averaging. Ten times in its budget it is scored on the first
20,000 held-out characters, and the best of these counts, as with charnn. The budget is the wall
clock of the whole process, with its imports (by their CPU time), validations and final score.

The vocabulary is every character of the training part. Another one is paid for: the softmax keeps
1 - u, and all other code points share u equally. u is (characters seen once + 1) / (characters + 1)
of the training part (Good & Turing). As an input such a character is taken for the first of the
vocabulary.
"""

import argparse
import copy
import json
import math
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from intervals import Floats, cells_of
from rows import Row
from texts import USUAL, cut, find_text, read_text
from torch import Tensor, nn
from torch.nn import functional as F

from charnn.training.device import usable_cores

SYSTEM = "plain LSTM"
CODE_POINTS = 0x110000 - 0x800
"""All that can be a character: surrogates cannot."""
VALIDATIONS, QUICK = 10, 20_000
ROWS, PAST = 16, 1024
"""How the held-out part is read: side by side, each row behind characters that are not scored."""
SIZES = {"hidden": 512, "layers": 2, "embedding": 128, "rate": 2e-3, "batch": 32, "window": 64}
"""What may be chosen otherwise."""
_CLIP = 5.0

State = tuple[Tensor, Tensor]
"""h and c, each (layers, rows, hidden)."""


class PlainLSTM(nn.Module):
    """Embedding, nn.LSTM, linear layer."""

    def __init__(self, vocab_size: int, embedding: int, hidden: int, layers: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embedding)
        self.lstm = nn.LSTM(embedding, hidden, layers)
        self.output = nn.Linear(hidden, vocab_size)

    def forward(self, tokens: Tensor, state: State | None) -> tuple[Tensor, State]:
        """Logits (seq_len, rows, vocab_size) of tokens (seq_len, rows), and the state behind."""
        hidden, after = self.lstm(self.embedding(tokens), state)
        return self.output(hidden), after


@dataclass(frozen=True)
class Alphabet:
    """Every character of a training part, and what another one costs.

    Attributes:
        index: character -> token.
        unseen: share of probability that all other characters have together.

    >>> Alphabet.of("abcab").unseen
    0.3333333333333333
    """

    index: dict[str, int]
    unseen: float

    @classmethod
    def of(cls, text: str) -> "Alphabet":
        """The alphabet of a training part."""
        counts = Counter(text)
        once = sum(count == 1 for count in counts.values())
        index = {character: token for token, character in enumerate(sorted(counts))}
        return cls(index, (once + 1) / (len(text) + 1))

    def encode(self, text: str) -> Tensor:
        """Tokens (n,); -1 for a character that is not of the alphabet."""
        return torch.tensor([self.index.get(character, -1) for character in text])

    @property
    def unseen_nats(self) -> float:
        """What a character costs that is not of the alphabet."""
        return math.log(CODE_POINTS - len(self.index)) - math.log(self.unseen)

    def nats(self, logits: Tensor, targets: Tensor) -> Tensor:
        """What targets (n,) cost by logits (n, vocab_size), unseen characters included."""
        known = F.cross_entropy(logits, targets.clamp(min=0), reduction="none")
        known = known - math.log1p(-self.unseen)
        return known.where(targets >= 0, torch.tensor(self.unseen_nats))


def main() -> None:
    """Train within the minutes, score the held-out part, print both as JSON."""
    began = time.monotonic() - time.process_time()
    options = _arguments()
    torch.set_num_threads(usable_cores())
    torch.manual_seed(options.seed)
    train, validation, test = cut(read_text(find_text(options.text)), options.split)
    alphabet = Alphabet.of(train)
    model = PlainLSTM(len(alphabet.index), options.embedding, options.hidden, options.layers)
    trainer = Trainer(model, alphabet, train, test or validation, options)
    steps = trainer.train(validation, began + 60 * options.minutes)
    held_out = test or validation
    nats = score(model, alphabet, train[-PAST - 1 :] + held_out)
    found = {"wall": round(time.monotonic() - began, 2), "steps": steps}
    print(json.dumps(found | _row(_system(options), nats, alphabet, held_out)))


class Trainer:
    """Trains a plain LSTM for some time.

    Args:
        model: what to train; ends with the best weights.
        alphabet: of the training part.
        train: the training part.
        held_out: what is scored in the end, for which time is left.
        options: rate, batch and window.
    """

    def __init__(
        self,
        model: PlainLSTM,
        alphabet: Alphabet,
        train: str,
        held_out: str,
        options: argparse.Namespace,
    ) -> None:
        self._model, self._alphabet = model, alphabet
        self._train, self._held_out = train, held_out
        self._window = options.window
        tokens = alphabet.encode(train)
        length = len(tokens) // options.batch
        self._rows = tokens[: length * options.batch].view(options.batch, -1).T  # (length, batch)
        self._optimizer = torch.optim.Adam(model.parameters(), lr=options.rate)

    def train(self, validation: str, end: float) -> int:
        """Train until a moment of `time.monotonic`; returns the steps of the best weights."""
        quick = self._train[-PAST - 1 :] + validation[:QUICK]
        seconds, best = _timed(lambda: score(self._model, self._alphabet, quick).mean())
        kept, kept_steps = copy.deepcopy(self._model.state_dict()), 0
        end -= 2 * seconds * len(self._held_out) / min(QUICK, len(validation))
        began = time.monotonic()
        due = [began + (end - began) * turn / VALIDATIONS for turn in range(1, VALIDATIONS + 1)]
        for steps, _ in enumerate(self._steps(), 1):
            if time.monotonic() < due[0]:
                continue
            due = [moment for moment in due if moment > time.monotonic()]
            if (mean := score(self._model, self._alphabet, quick).mean()) < best:
                best, kept_steps = mean, steps
                kept = copy.deepcopy(self._model.state_dict())
            if not due:
                break
        self._model.load_state_dict(kept)
        return kept_steps

    def _steps(self) -> Iterator[float]:
        """Step after step of truncated BPTT, without end; each yields its loss."""
        while True:
            state: State | None = None
            for start in range(0, len(self._rows) - 1, self._window):
                stop = min(start + self._window, len(self._rows) - 1)
                logits, after = self._model(self._rows[start:stop], state)
                loss = F.cross_entropy(
                    logits.flatten(0, 1), self._rows[start + 1 : stop + 1].flatten()
                )
                self._optimizer.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(self._model.parameters(), _CLIP)
                self._optimizer.step()
                state = (after[0].detach(), after[1].detach())
                yield loss.item()


@torch.no_grad()
def score(
    model: PlainLSTM, alphabet: Alphabet, text: str, past: int = PAST, rows: int = ROWS
) -> Floats:
    """What each character of a text costs behind its first past + 1, (n - past - 1,), in nats."""
    tokens = alphabet.encode(text)
    count = len(tokens) - past - 1
    length = -(-count // rows)
    padded = F.pad(tokens, (0, rows * length - count))
    where = torch.arange(past + length)[:, None] + length * torch.arange(rows)  # (.., rows)
    state, nats = None, []
    for part in where.split(256):
        logits, state = model(padded[part].clamp(min=0), state)
        nats.append(alphabet.nats(logits.flatten(0, 1), padded[part + 1].flatten()))
    found = torch.cat(nats).view(-1, rows)[past:].T.flatten()[:count]  # row after row
    return np.asarray(found.double().numpy())


def _system(options: argparse.Namespace) -> str:
    """What it is called: with its sizes, where they are others."""
    sizes = {name: getattr(options, name) for name in SIZES}
    if sizes == SIZES:
        return SYSTEM
    return SYSTEM + " ({layers} x {hidden}, {rate:g}, {batch} x {window})".format(**sizes)


def _row(system: str, nats: Floats, alphabet: Alphabet, text: str) -> Row:
    """What a text costs, as it is kept."""
    unseen = sum(character not in alphabet.index for character in text)
    scale = len(text) * math.log(2)
    return {
        "characters": len(text),
        "unseen_bits_per_char": round(unseen * alphabet.unseen_nats / scale, 5),
        "bits_per_char": {system: round(float(nats.sum()) / scale, 5)},
        "cells": {system: cells_of(nats, np.ones(len(text), np.int64)).round(2).tolist()},
    }


def _timed(work: Callable[[], float]) -> tuple[float, float]:
    """Seconds that something took, and what came out."""
    began = time.monotonic()
    found = work()
    return time.monotonic() - began, found


def add_sizes(parser: argparse.ArgumentParser) -> None:
    """The options of the network and its training."""
    for name, value in SIZES.items():
        parser.add_argument(f"--{name}", type=type(value), default=value)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="a character LSTM as tutorials write it")
    parser.add_argument("text")
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--split", default=USUAL)
    add_sizes(parser)
    return parser.parse_args()


if __name__ == "__main__":
    main()
