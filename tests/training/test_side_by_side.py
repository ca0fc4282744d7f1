"""Networks in threads of their own: all of them, in their order, and the same each time."""

import threading
import time

import pytest
import torch

from charnn.model.shapes import ModelShape
from charnn.training.device import Device
from charnn.training.side_by_side import SideBySide

NETWORKS = range(1, 6)


@pytest.fixture(autouse=True)
def four_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(before)


def crew(networks, kind="cpu", threads=4, hidden=8):
    shape = ModelShape(10, 8, hidden, 1, "lstm", networks=networks)
    return SideBySide(shape, Device(kind, "fp32", threads))


@pytest.mark.parametrize("threads", [1, 2, 3, 4])
@pytest.mark.parametrize("networks", NETWORKS)
def test_results_come_in_the_order_of_the_networks_whichever_is_done_first(networks, threads):
    def work(number):
        time.sleep(0.002 * (networks - number))
        return number

    side_by_side = crew(networks, threads=threads)
    for _ in range(2):
        assert side_by_side.run(work) == list(range(networks))


def test_networks_really_run_at_the_same_time():
    everyone = threading.Barrier(3)
    assert sorted(crew(3).run(lambda _: everyone.wait(timeout=10))) == [0, 1, 2]


@pytest.mark.parametrize(
    ("networks", "threads", "shares"),
    [
        (1, 4, [4]),
        (2, 1, [1, 1]),
        (2, 2, [1, 1]),
        (3, 2, [1, 1, 2]),
        (2, 4, [2, 2]),
        (4, 4, [1, 1, 1, 1]),
        (5, 4, [1, 1, 1, 1, 4]),
        (3, 4, [1, 1, 1]),
    ],
)
def test_each_network_has_its_share_of_the_threads_each_time(networks, threads, shares):
    torch.set_num_threads(threads)
    side_by_side = crew(networks, threads=threads)
    for _ in range(3):
        assert side_by_side.run(lambda _: torch.get_num_threads()) == shares
    assert torch.get_num_threads() == threads
    others = []
    other = threading.Thread(target=lambda: others.append(torch.get_num_threads()))
    other.start()
    other.join()
    assert others == [threads]


@pytest.mark.parametrize(("networks", "threads", "left"), [(1, 4, 4), (2, 1, 1), (2, 4, 1)])
def test_the_caller_computes_alone_where_networks_have_threads(networks, threads, left):
    torch.set_num_threads(threads)
    with crew(networks, threads=threads).alone():
        assert torch.get_num_threads() == left
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize(("kind", "hidden"), [("cuda", 8), ("mps", 8), ("cpu", 257)])
def test_on_a_gpu_and_where_they_are_wide_they_take_turns_where_they_were_called(kind, hidden):
    here, side_by_side = threading.get_ident(), crew(3, kind, hidden=hidden)
    assert side_by_side.run(lambda _: threading.get_ident()) == [here] * 3
    with side_by_side.alone():
        assert torch.get_num_threads() == 4


def test_an_error_is_told_when_the_others_are_done():
    done = []

    def work(number):
        if number == 0:
            raise MemoryError("no room")
        time.sleep(0.05)
        done.append(number)

    side_by_side = crew(3)
    with pytest.raises(MemoryError, match="no room"):
        side_by_side.run(work)
    assert sorted(done) == [1, 2]
    assert side_by_side.run(lambda number: number) == [0, 1, 2]


def test_numbers_too_small_to_count_are_zero_in_the_threads_too():
    tiny = torch.tensor([1e-38]) * 1e-5
    assert tiny.item() > 0
    torch.set_flush_denormal(True)
    try:
        small = torch.tensor([1e-38])
        assert crew(2).run(lambda _: (small * 1e-5).item()) == [0.0, 0.0]
    finally:
        torch.set_flush_denormal(False)
