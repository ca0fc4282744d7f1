"""Networks that learn side by side, each in a thread of its own.

The products of a small network are over so soon that cores which share each of them spend much of
their time waiting for one another, and far more where another process takes a turn on one of them.
Networks that have nothing to do with each other need not wait.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from threading import Barrier
from typing import TypeVar

import torch

from charnn.model.shapes import ModelShape
from charnn.training.device import Device

Result = TypeVar("Result")

_WIDEST = 256
"""Units of a layer whose recurrent weights a core's own cache holds. Those of wider ones fit it
only where cores share them out: such networks take turns, which is faster while nothing else runs.
"""


def at_once(shape: ModelShape, device: Device) -> int:
    """How many of several networks run at the same time: on a CPU as many as it has threads."""
    if device.kind != "cpu" or shape.hidden_size > _WIDEST:
        return 1
    return min(shape.networks, device.threads)


class SideBySide:
    """Calls a function for each of several networks, as many at a time as a CPU has threads.

    The threads are shared out evenly. Networks that are left over when each thread has had as many
    as the others come last, one by one, with all threads for each: so every network has the same
    number of threads each time, and the same results.

    Args:
        shape: of the networks.
        device: where they are; on anything but a CPU they take turns.
    """

    def __init__(self, shape: ModelShape, device: Device) -> None:
        self._networks = shape.networks
        self._threads = device.threads
        self._at_once = at_once(shape, device)
        self._pool: ThreadPoolExecutor | None = None

    def run(self, work: Callable[[int], Result]) -> list[Result]:
        """What `work` returns for 0, 1, ..., in this order.

        Raises:
            Exception: that of the first network that failed, when the others are done too.
        """
        shared = self._networks - self._networks % self._at_once if self._at_once > 1 else 0
        futures = [self._started().submit(work, number) for number in range(shared)]
        wait(futures)
        alone = (work(number) for number in range(shared, self._networks))
        return [*(future.result() for future in futures), *alone]

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Let the caller compute in one thread while the block lasts, where there are several.

        Threads that helped would stay awake for a while, on the cores that the networks want.
        """
        if self._at_once == 1:
            yield
            return
        before = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(before)

    def _started(self) -> ThreadPoolExecutor:
        """The threads, each of them with its share of the cores."""
        if self._pool is None:
            here, everyone = torch.get_num_threads(), Barrier(self._at_once)
            share = (self._threads // self._at_once,)
            self._pool = ThreadPoolExecutor(self._at_once, "network", _take_share, share)
            list(self._pool.map(lambda _: everyone.wait(), range(self._at_once)))
            torch.set_num_threads(here)  # else threads that others start have that share too
        return self._pool


def _take_share(threads: int) -> None:
    """Let this thread use so many of torch's threads, itself among them."""
    torch.get_num_threads()  # what torch does first in a thread gives it the usual number
    torch.set_num_threads(threads)
