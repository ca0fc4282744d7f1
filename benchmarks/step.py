"""How well a training step uses a CPU, and where its time goes.

    python benchmarks/step.py mujeong.txt
    python benchmarks/step.py tinyshakespeare.txt --batches 16,64 --hidden 768

Three take turns, and medians are printed: charnn's whole step (`Updates.take_step`, with dropout,
clipping, averaging and all that a recipe switches on), the bare loop (nn.LSTM under autocast,
forward, backward, clipping, fused AdamW, the same windows again and again), and a large matrix
product, 4096 x 512 x 2048 in the same precision: the rate that the machine can give. GFLOP are six
for each weight and token, embeddings that are not tied left out.

The table of parts is one more round under torch's profiler: an operation's own time, told apart by
its name and by whether one of its sizes is that of the vocabulary. "between operations" is what the
step took beyond them: Python, and the profiler itself.
"""

import argparse
import time
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from arguments import add_step, whole_numbers
from machine import heading, product_rate
from rows import markdown
from steps import BareSteps, OurSteps, medians, timer
from texts import find_text
from torch.profiler import ProfilerActivity, profile

from charnn.model.embedding import PARTS
from charnn.training.device import Device, choose_device, flushing_denormals
from charnn.training.options import TrainOptions
from charnn.training.sizing import flops_per_token

LARGE = (4096, 512, 2048)
HEAD = (
    *("network", "precision", "batch x window", "step ms", "GFLOP/s"),
    *("large product GFLOP/s", "share of it", "bare loop ms", "against bare"),
)
BETWEEN = "between operations"
_NAMES = (
    ("LSTM", ("rnn", "lstm")),
    ("optimiser", ("adam", "optimizer")),
    ("averaging", ("lerp",)),
    ("block", ("layer_norm", "silu")),
    ("clipping", ("norm", "_foreach_mul", "clamp")),
    ("embedding", ("embedding", "index_select")),
    ("conversions", ("copy_", "_to_copy")),
)
"""Part and what stands in the names of its operations; the first that fits counts."""


def main() -> None:
    """Time each batch size and print both tables."""
    options = _arguments()
    print(heading(), flush=True)
    device = choose_device("cpu", options.precision)
    path = find_text(options.text)
    with flushing_denormals():
        found = {batch: measure(path, batch, options, device) for batch in options.batches}
    print()
    print(markdown(HEAD, [line for line, _ in found.values()], left=2))
    print()
    print(parts_table({batch: parts for batch, (_, parts) in found.items()}))


def measure(
    path: Path, batch: int, options: argparse.Namespace, device: Device
) -> tuple[list[str], Counter[str]]:
    """A line of the first table, and milliseconds of each part of the step."""
    sizes = {name: getattr(options, name) for name in ("size", "hidden", "layers", "minutes")}
    ours = OurSteps(path, TrainOptions(batch_size=batch, networks=1, **sizes), device)
    bare = BareSteps(ours, device)
    dtype = torch.bfloat16 if device.precision == "bf16" else torch.float32
    contestants = (
        timer(ours.take, "cpu", options.seconds),
        timer(bare.take, "cpu", options.seconds),
        partial(product_rate, *LARGE, dtype, "cpu"),
    )
    seconds, bare_seconds, large = medians(contestants, options.turns)
    shape = ours.shape
    rate = flops_per_token(shape) * ours.tokens / seconds / 1e9
    line = [
        f"{shape}, {shape.vocab_size:,} tokens",
        device.precision,
        f"{batch} x {ours.recipe.seq_len}",
        f"{1e3 * seconds:.1f}",
        f"{rate:.0f}",
        f"{large:.0f}",
        f"{rate / large:.0%}",
        f"{1e3 * bare_seconds:.1f}",
        f"{bare_seconds / seconds:.2f} x",
    ]
    return line, parts_of_step(ours, options.profiled)


def parts_of_step(ours: OurSteps, steps: int) -> Counter[str]:
    """Milliseconds of each part of a step, from some steps under the profiler."""
    with profile(activities=[ProfilerActivity.CPU], record_shapes=True) as profiler:
        began = time.perf_counter()
        for _ in range(steps):
            ours.take()
        taken = 1e3 * (time.perf_counter() - began) / steps
    parts: Counter[str] = Counter()
    for event in profiler.key_averages(group_by_input_shape=True):
        part = part_of(event.key, event.input_shapes, ours.shape.vocab_size)
        parts[part] += event.self_cpu_time_total / 1e3 / steps
    parts[BETWEEN] = max(0.0, taken - parts.total())
    return parts


def part_of(name: str, shapes: Sequence[Any], vocab_size: int) -> str:
    """The part of the step that an operation belongs to.

    >>> part_of("aten::addmm", [[1024, 512], [512, 1356]], 1356)
    'output and loss'
    """
    lower = name.lower()
    sizes = {size for shape in shapes if isinstance(shape, list | tuple) for size in shape}
    if PARTS in sizes and vocab_size in sizes:
        return "composing syllables"
    for part, words in _NAMES:
        if any(word in lower for word in words):
            return part
    return "output and loss" if vocab_size in sizes else "everything else"


def parts_table(found: dict[int, Counter[str]]) -> str:
    """Milliseconds and share of each part, for each batch size; the largest first."""
    first = next(iter(found.values()))
    names = [name for name, _ in first.most_common() if name != BETWEEN] + [BETWEEN]
    head = ["ms of a step", *(f"batch {batch}" for batch in found)]
    lines = [
        [name, *(f"{p[name]:.1f} ({p[name] / p.total():.0%})" for p in found.values())]
        for name in names
    ]
    return markdown(head, lines)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="how well a training step uses a CPU")
    add_step(parser, turns=9)
    parser.add_argument("--batches", type=whole_numbers, default="16,64")
    parser.add_argument("--layers", type=int, help="and the next: as of charnn train")
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--profiled", type=int, default=10, help="steps under the profiler")
    return parser.parse_args()


if __name__ == "__main__":
    main()
