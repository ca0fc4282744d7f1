"""What it is worth that each of several networks has a thread of its own on a CPU.

    python benchmarks/threads.py mujeong.txt --networks 2,4
    python benchmarks/threads.py mujeong.txt --busy 1

The same steps (`Updates.take_step`, everything that a recipe switches on) with the networks side by
side and one after another, each with all threads; both take turns, and medians are printed, in
milliseconds a step of one network. Networks that charnn would let take turns, for they are wide,
run side by side here too where `--hidden` names their units. `--busy N` has N other processes
compute all the while, as neighbours on a shared machine do.
"""

import argparse
import multiprocessing
import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from arguments import add_step, whole_numbers
from machine import heading
from rows import markdown
from steps import OurSteps, timer
from texts import find_text

from charnn.training import side_by_side
from charnn.training.device import Device, choose_device, flushing_denormals
from charnn.training.options import TrainOptions

HEAD = ("networks", "one after another, ms", "side by side, ms", "ratio", "of all turns")


def main() -> None:
    """Time each number of networks and print the table."""
    options = _arguments()
    side_by_side._WIDEST = options.hidden or side_by_side._WIDEST
    print(heading(), flush=True)
    device = choose_device("cpu", options.precision)
    path = find_text(options.text)
    with flushing_denormals(), _busy(options.busy):
        lines = [measure(path, networks, options, device) for networks in options.networks]
    print()
    print(markdown(HEAD, lines))


def measure(path: Path, networks: int, options: argparse.Namespace, device: Device) -> list[str]:
    """A line of the table."""
    sizes = TrainOptions(networks=networks, size=options.size, hidden=options.hidden, minutes=5)
    in_turn = OurSteps(path, sizes, device, side_by_side=False)
    at_once = OurSteps(path, sizes, device)
    contestants = [timer(steps.take, "cpu", options.seconds) for steps in (in_turn, at_once)]
    rounds = [[contestant() / networks for contestant in contestants] for _ in range(options.turns)]
    before, after = (1e3 * statistics.median(found) for found in zip(*rounds, strict=True))
    ratios = sorted(other / one for one, other in rounds)
    return [
        f"{at_once.shape}, {at_once.shape.vocab_size:,} tokens",
        *(f"{before:.1f}", f"{after:.1f}", f"{statistics.median(ratios):.2f}"),
        f"{ratios[0]:.2f} to {ratios[-1]:.2f}",
    ]


@contextmanager
def _busy(processes: int) -> Iterator[None]:
    """Other processes that do nothing but count, while the block lasts."""
    others = [multiprocessing.Process(target=_count, daemon=True) for _ in range(processes)]
    for other in others:
        other.start()
    try:
        yield
    finally:
        for other in others:
            other.terminate()
            other.join()


def _count() -> None:
    number = 0
    while True:
        number += 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="several networks side by side, or in turn")
    add_step(parser, turns=11)
    parser.add_argument("--networks", type=whole_numbers, default="2,4")
    parser.add_argument("--busy", type=int, default=0, help="other processes that compute")
    return parser.parse_args()


if __name__ == "__main__":
    main()
