"""Whole `charnn train` commands, timed and watched, and what their models cost a text.

A training is a process of its own, from its start to its exit; scoring is not part of its time.
"""

import json
import math
import shlex
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from intervals import Floats, cells_of
from machine import DRIFT, Rates, calibrate, drift
from rows import Row
from torch.nn import functional as F

from charnn.corpus.batches import Tokens
from charnn.corpus.tokenizers import Tokenizer
from charnn.runs.layout import GRADIENTS, WEIGHTS
from charnn.runs.run import Run
from charnn.runs.temperature import temperature_of
from charnn.training.device import choose_device
from charnn.training.saved import stream_of
from charnn.training.scoring import (
    Evaluation,
    Manner,
    load_model,
    read_tokens,
    score_part,
    score_text,
)
from charnn.training.texts import Text

STATIC = {"network": "network", "n-gram": "ngram", "both": "both"}
"""What predicts as it was trained, and what charnn calls it."""
ADAPTIVE = {f"{name}*": f"dynamic_{key}" for name, key in STATIC.items()}
"""The same while going on learning from what was read."""


@dataclass(frozen=True, slots=True)
class Training:
    """One whole command.

    Attributes:
        run: what it left.
        wall: seconds from start to exit.
        steps: that it took.
        characters_per_second: of training, the median of its records.
        drift: of the machine's matrix products from before to after it.
        gflops: of those before it.
        attempts: 2 where it was repeated because the speed drifted, and this is the steadier one.
    """

    run: Run
    wall: float
    steps: int
    characters_per_second: float
    drift: float
    gflops: Rates
    attempts: int = 1

    def to_row(self) -> Row:
        """Its numbers."""
        return {
            "wall": round(self.wall, 2),
            "steps": self.steps,
            "characters_per_second": round(self.characters_per_second),
            "drift": self.drift,
            "gflops": [round(rate, 1) for rate in self.gflops],
            "attempts": self.attempts,
        }


def train(text: Path, options: list[str], folder: Path, name: str = "run") -> Training:
    """One whole `charnn train`, with the machine's speed before and after.

    Args:
        text: what it trains on.
        options: what else the command says: minutes, seed, ...
        folder: of runs.
        name: of this one.
    """
    command = [sys.executable, "-m", "charnn", "train", str(text), "--run", name, "--ui", "none"]
    before = calibrate()
    began = time.monotonic()
    subprocess.run([*command, *options, "--checkpoints", str(folder)], check=True)
    wall = time.monotonic() - began
    after = calibrate()
    run = Run(folder / name)
    return Training(run, wall, run.last().step, _pace(run), drift(before, after), before)


def train_steadily(text: Path, options: list[str], folder: Path) -> Training:
    """The same, once more if the machine's speed drifted; then the steadier of the two."""
    first = train(text, options, folder)
    if abs(first.drift) <= DRIFT:
        return first
    again = train(text, options, folder, "again")
    return replace(min(first, again, key=lambda one: abs(one.drift)), attempts=2)


def options_of(minutes: float, seed: int, extra: str = "") -> list[str]:
    """Options of `charnn train`; what else is said may take their place."""
    return ["--minutes", str(minutes), "--seed", str(seed), *shlex.split(extra)]


@dataclass(frozen=True, slots=True)
class Costs:
    """What systems pay for one text.

    Attributes:
        part: which text: "validation", "test", or "text".
        characters: of it.
        cells: nats of each 100 characters under each system, (cells,) each.
    """

    part: str
    characters: int
    cells: dict[str, Floats]

    def to_row(self) -> Row:
        """Bits per character and the cells, as they are kept in JSON."""
        per_char = {name: cells.sum() / self.characters for name, cells in self.cells.items()}
        return {
            "part": self.part,
            "characters": self.characters,
            "bits_per_char": {name: round(n / math.log(2), 5) for name, n in per_char.items()},
            "cells": {name: cells.round(2).tolist() for name, cells in self.cells.items()},
        }


def cost_of_part(run: Run, *, adapting: bool = True) -> Costs:
    """What the test part of a run's text costs it, or the validation part if there is none.

    Args:
        run: the run.
        adapting: whether it is scored once more while it goes on learning.
    """
    tokens_of = stream_of(run).part
    return _costs(run, lambda manner: score_part(run, manner=manner), tokens_of, adapting)


def cost_of_text(run: Run, path: Path) -> Costs:
    """What a text of its own costs a run."""
    text = Text((str(path),))
    return _costs(
        run,
        lambda manner: score_text(run, text, manner=manner),
        lambda _: read_tokens(text, run.tokenizer()),
    )


def _costs(
    run: Run,
    score: Callable[[Manner], Evaluation],
    tokens_of: Callable[[str], Tokens],
    adapting: bool = True,
) -> Costs:
    heard: dict[str, Floats] = {}
    adapting &= GRADIENTS in run.chosen(WEIGHTS).manifest.files  # not before the first step
    evaluation = score(Manner(dynamic=adapting, on_nats=heard.__setitem__))
    tokens, tokenizer = tokens_of(evaluation.part), run.tokenizer()
    lengths = tokenizer.token_characters[tokens]
    names = {key: name for name, key in (STATIC | ADAPTIVE).items()}
    cells = {names[key]: cells_of(nats, lengths) for key, nats in heard.items()}
    return Costs(evaluation.part, evaluation.score.characters, cells)


def windows_of_part(run: Run, part: str, batches: int) -> Row:
    """The network alone by the protocol of nanoGPT: random windows, each from zero state.

    The first of a window's 257 tokens is read and not scored; 64 windows are a batch. This is what
    nanoGPT's `estimate_loss` does on a text of characters (block_size 256, batch_size 64,
    eval_iters 200), where the figure that is quoted is the lowest of many such estimates.

    Args:
        run: the run.
        part: of its text.
        batches: how many to draw.

    Returns:
        Nats per character, their standard error over the batches, and the protocol; nothing where
        the part is shorter than a window, or no batches are wanted.
    """
    rows, window, seed = 64, 256, 1
    stream = stream_of(run)
    tokens, tokenizer = stream.part(part), stream.tokenizer
    if len(tokens) <= window or not batches:
        return {}
    means = _window_means(run, tokens, tokenizer, (batches, rows, window), seed)
    return {
        "nats_per_char": float(means.mean()),
        "standard_error": float(means.std() / batches**0.5),
        "protocol": {"batches": batches, "rows": rows, "window": window, "seed": seed},
    }


@torch.no_grad()
def _window_means(
    run: Run, tokens: Tokens, tokenizer: Tokenizer, sizes: tuple[int, int, int], seed: int
) -> torch.Tensor:
    """Nats per character of each batch of random windows, (batches,)."""
    batches, rows, window = sizes
    device = choose_device("auto", "fp32")
    checkpoint = run.chosen(WEIGHTS)
    temperature = temperature_of(checkpoint)
    model = load_model(run, checkpoint).to(device.torch_device).eval()
    text = torch.tensor(tokens.astype("int64"))
    lengths = torch.tensor(tokenizer.token_characters[tokens].astype("int64"))
    generator = torch.Generator().manual_seed(seed)
    means = torch.empty(batches, dtype=torch.float64)
    for batch in range(batches):
        starts = torch.randint(len(text) - window, (rows,), generator=generator)
        where = starts + torch.arange(window + 1)[:, None]  # (window + 1, rows)
        windows = text[where].to(device.torch_device)
        logits, _ = model(windows[:-1], model.initial_state(rows))
        held, targets = logits.flatten(0, 1) / temperature, windows[1:].flatten()
        nats = F.cross_entropy(held, targets, reduction="sum")
        means[batch] = nats.cpu().double() / lengths[where[1:]].sum()
    return means


def _pace(run: Run) -> float:
    """Characters a second: the median of a run's step records."""
    lines = (run.path / "metrics.jsonl").read_text("utf-8").splitlines()
    records: list[dict[str, Any]] = [json.loads(line) for line in lines]
    paces = [one["chars_per_second"] for one in records if one["record"] == "step"]
    return statistics.median(paces) if paces else float("nan")
