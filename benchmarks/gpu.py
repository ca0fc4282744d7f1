"""What a GPU makes of charnn: speed of training, time to a loss, best loss in a minute, memory.

    python benchmarks/gpu.py tinyshakespeare.txt --out gpu.jsonl       # about 8 minutes
    python benchmarks/gpu.py tinyshakespeare.txt --only speed
    python benchmarks/gpu.py --table gpu.jsonl                         # measures nothing

Speed, in characters a second, of three networks: 1 x 512 and 2 x 1024 with charnn's own batch and
window, and 3 x 1000 as published for PTB characters (embedding 200, batch 128, window 150). "steps"
are charnn's own, with dropout, clipping and averaging; "bare" is nn.LSTM, forward, backward,
clipping and fused AdamW in the same precision on windows that lie on the GPU; the two take turns,
and medians count. "everything on" is a whole training with its validations, samples, journals and
checkpoints, from its first step record to its last.

Loss: trainings of 15, 20, 30 and 60 seconds, each with its own schedule; the network alone on the
last 10 % of the text. "to 1.43 nats" is when the first validation was as low (seconds since the
call of charnn.train: torch is loaded already); the final loss is of all of that part, the checks on
the way of its first 40,000 characters.
"""

import argparse
import math
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from arguments import add_table, numbers
from machine import heading, made_by
from rows import Row, append, markdown, read
from rows import made_by as made_by_rows
from steps import BareSteps, OurSteps, medians, timer
from texts import find_text

import charnn
from charnn.records import Record, StepRecord, Validation
from charnn.training.device import Device, choose_device
from charnn.training.options import TrainOptions

TARGET = 1.43
"""Nats per character."""
SETTINGS: dict[str, dict[str, Any]] = {
    "1 x 512": {"layers": 1, "hidden": 512},
    "2 x 1024": {"layers": 2, "hidden": 1024},
    "3 x 1000": {
        "layers": 3,
        "hidden": 1000,
        "embedding": 200,
        "batch_size": 128,
        "seq_len": 150,
    },
}
_QUICK = {"1 x 16": {"layers": 1, "hidden": 16, "batch_size": 2, "seq_len": 8}}


@dataclass
class Watch:
    """Takes down what a training tells."""

    steps: list[StepRecord] = field(default_factory=list)
    validations: list[Validation] = field(default_factory=list)

    def __call__(self, record: Record) -> None:
        """Hear a record."""
        if isinstance(record, StepRecord):
            self.steps.append(record)
        elif isinstance(record, Validation):
            self.validations.append(record)

    def steps_per_second(self) -> float:
        """From the first step record to the last, with all that lay between them."""
        first, last = self.steps[0], self.steps[-1]
        return (last.step - first.step) / (last.elapsed - first.elapsed)

    def seconds_to(self, nats: float) -> float | None:
        """When the network alone was first as good; None if it never was."""
        found = (one.elapsed for one in self.validations if nats_of(one) <= nats)
        return next(found, None)


def main() -> None:
    """Measure, keep each row as a line of JSON, and print both tables."""
    options = _arguments()
    if options.table:
        rows = read(*options.table)
        print(f"{made_by_rows(rows)}\n")
    else:
        if options.device == "cuda" and not torch.cuda.is_available():
            sys.exit(f"there is no CUDA device for this torch ({torch.__version__}): not measured")
        print(heading(), flush=True)
        rows = []
        for row in _measured(options, choose_device(options.device)):
            append(options.out, row)
            rows.append(row)
        print()
    print(speed_table(rows))
    print()
    print(loss_table(rows))


def _measured(options: argparse.Namespace, device: Device) -> Iterator[Row]:
    path = find_text(options.text)
    same = {"benchmark": "gpu", "text": path.name, "precision": device.precision}
    settings = _QUICK if options.quick else SETTINGS
    for name, sizes in settings.items() if options.only != "loss" else ():
        row = {**same, "network": name, **speed(path, sizes, device, options)}
        yield row | {"made_by": made_by()}
    for seconds in options.seconds if options.only != "speed" else ():
        row = {**same, "seconds": seconds, **loss(path, seconds, device, options)}
        yield row | {"made_by": made_by()}


def speed(path: Path, sizes: dict[str, Any], device: Device, options: argparse.Namespace) -> Row:
    """Characters a second of steps, of the bare loop, and of a whole training."""
    _forget_peak(device)
    sizes = sizes | {"minutes": options.minutes, "networks": 1}
    given = TrainOptions(device=device.kind, **sizes)
    ours = OurSteps(path, given, device)
    bare = BareSteps(ours, device)
    contestants = [timer(one.take, device.kind, options.turn) for one in (ours, bare)]
    own, other = medians(contestants, options.turns)
    ours.drain()
    characters, recipe = ours.tokens * ours.characters_per_token, ours.recipe
    del ours, bare, contestants  # what they hold is no part of the training's peak
    _forget_peak(device)
    watch, peak = _train(path, device, sizes)
    return {
        "window": f"{recipe.batch_size} x {recipe.seq_len}",
        "steps": characters / own,
        "bare": characters / other,
        "everything": characters * watch.steps_per_second(),
        "peak_memory": peak,
    }


def loss(path: Path, seconds: float, device: Device, options: argparse.Namespace) -> Row:
    """What the network alone reaches in so many seconds, and when it reaches the target."""
    sizes = {"layers": 1, "hidden": 16} if options.quick else {}
    watch, peak = _train(path, device, sizes | {"minutes": seconds / 60})
    return {
        "target": TARGET,
        "to_target": watch.seconds_to(TARGET),
        "final": nats_of(watch.validations[-1]),
        "ended": watch.validations[-1].elapsed,
        "peak_memory": peak,
    }


def nats_of(validation: Validation) -> float:
    """Nats per character of the network alone."""
    bits = validation.network_bits_per_char
    return math.log(2) * (validation.bits_per_char if bits is None else bits)


def _train(path: Path, device: Device, options: dict[str, Any]) -> tuple[Watch, int]:
    """A whole training, and the most memory that it has held."""
    _forget_peak(device)
    watch = Watch()
    with tempfile.TemporaryDirectory() as folder:
        charnn.train(path, checkpoints=folder, device=device.kind, on_record=watch, **options)
    return watch, torch.cuda.max_memory_allocated() if device.kind == "cuda" else device.memory()


def _forget_peak(device: Device) -> None:
    if device.kind == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def speed_table(rows: list[Row]) -> str:
    """A line for each network."""
    head = ["network", "batch x window", "precision", "bare chars/s", "steps", "everything on"]
    lines = [
        [
            row["network"],
            row["window"],
            row["precision"],
            f"{row['bare']:,.0f}",
            f"{row['steps']:,.0f} ({row['steps'] / row['bare']:.2f})",
            f"{row['everything']:,.0f} ({row['everything'] / row['bare']:.2f})",
            _memory(row),
        ]
        for row in rows
        if "network" in row
    ]
    return markdown([*head, "peak memory"], lines, left=3)


def loss_table(rows: list[Row]) -> str:
    """A line for each budget."""
    head = ["text", "seconds", f"to {TARGET} nats", "ended after", "nats at the end", "peak memory"]
    lines = [
        [
            row["text"],
            f"{row['seconds']:g}",
            "-" if row["to_target"] is None else f"{row['to_target']:.1f} s",
            f"{row['ended']:.1f} s",
            f"{row['final']:.4f}",
            _memory(row),
        ]
        for row in rows
        if "seconds" in row
    ]
    return markdown(head, lines)


def _memory(row: Row) -> str:
    return f"{row['peak_memory'] / 2**20:,.0f} MB"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="what a GPU makes of charnn")
    parser.add_argument("text", nargs="?", help="a path, or a name in CHARNN_TEXTS or corpora/")
    parser.add_argument("--only", choices=("speed", "loss"))
    parser.add_argument("--minutes", type=float, default=1, help="of each whole training for speed")
    parser.add_argument("--seconds", type=numbers, default="15,20,30,60", help="budgets for loss")
    parser.add_argument("--turns", type=int, default=9, help="of steps and of the bare loop")
    parser.add_argument("--turn", type=float, default=1.0, help="seconds of each")
    parser.add_argument("--out", help="append each row to this file as JSON")
    add_table(parser)
    parser.add_argument("--device", default="cuda", help=argparse.SUPPRESS)  # to try the script
    parser.add_argument("--quick", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if bool(options.text) == bool(options.table):
        parser.error("name a text to train on, or files of rows with --table")
    return options


if __name__ == "__main__":
    main()
