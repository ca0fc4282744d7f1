"""What the scripts make of what they measured: tables, pictures, and what is measured next."""

import doctest
import importlib
import math
from pathlib import Path

import numpy as np
import pytest
import steps
import torch
from learning import comparison_table, options_table, runs_table
from map import halves, last_bytes, sizes_of
from map import table as map_table
from sizes import AUTO, grid_table, networks_table

from charnn.model.shapes import ModelShape
from charnn.records import StepRecord, Validation

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
RNG = np.random.default_rng(4)
CELLS = {
    name: RNG.normal(mean, 10, 40)
    for name, mean in (("network", 240), ("n-gram", 250), ("both", 230))
}
CELLS |= {f"{name}*": cells - 8 for name, cells in CELLS.items()}


def row(benchmark: str, **given: object) -> dict:
    """A row of 4,000 characters."""
    bits = {name: cells.sum() / 4000 / math.log(2) for name, cells in CELLS.items()}
    return {
        "benchmark": benchmark,
        "text": "a.txt",
        "minutes": 2.0,
        "seed": 1,
        "options": "",
        "split": "90/10",
        "wall": 120.0,
        "steps": 1000,
        "characters_per_second": 9000,
        "drift": 0.01,
        "characters": 4000,
        "bits_per_char": bits,
        "network": "1 x 512 lstm",
        "cells": {name: cells.tolist() for name, cells in CELLS.items()},
        "windows": {"nats_per_char": 2.5, "standard_error": 0.01},
        **given,
    }


@pytest.mark.parametrize(
    ("embedding", "hidden", "tied"), [(8, 8, True), (6, 10, True), (6, 10, False)]
)
def test_the_bare_loop_has_the_network_of_any_text(embedding: int, hidden: int, tied: bool) -> None:
    shape = ModelShape(30, embedding, hidden, 2, "lstm", tied, feed_forward_size=7 * tied)
    bare = steps._Bare(shape)
    logits, state = bare(torch.arange(12).reshape(4, 3), None)
    assert logits.shape == (4, 3, 30)
    assert state[0].shape == (2, 3, hidden)
    assert (bare.output.weight is bare.embedding.weight) is tied


def cheaper(nats: float) -> dict:
    """The fields of a row that costs so much less in each cell."""
    cells = {name: (of - nats).tolist() for name, of in CELLS.items()}
    bits = {name: sum(of) / 4000 / math.log(2) for name, of in cells.items()}
    return {"cells": cells, "bits_per_char": bits}


@pytest.mark.parametrize("path", sorted(BENCHMARKS.glob("*.py")), ids=lambda path: path.stem)
def test_every_script_finds_what_it_imports(path):
    if path.stem == "picture":
        pytest.importorskip("matplotlib", reason="an extra draws the picture")
    importlib.import_module(path.stem)


@pytest.mark.parametrize(
    "name",
    [
        *("arguments", "intervals", "machine", "map", "plain_lstm", "rows", "step", "texts"),
        "trainings",
    ],
)
def test_examples_are_true(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_a_table_of_runs_has_the_spread_of_seeds_and_shows_a_drift():
    lines = runs_table([row("learning"), row("learning", seed=2, drift=-0.07)]).splitlines()
    assert "windows" in lines[0]
    assert lines[3].endswith("| **-7%** |")
    assert "mean of 2" in lines[4]
    assert "± 0.0000" in lines[4]


def test_systems_are_compared_with_what_needs_no_minutes():
    counted = {"benchmark": "baseline", "text": "a.txt", "split": "90/10", "characters": 4000}
    table = comparison_table([row("learning"), counted | {"bits_per_char": {"xz*": 4.0}}])
    assert len(table.splitlines()) == 3
    assert "both 3.3" in table
    assert "xz\\* 4.000" in table


def test_options_are_compared_with_none():
    rows = [row("learning"), row("learning", options="--layers 2", **cheaper(5))]
    assert options_table(rows[:1]) == ""
    line = options_table(rows).splitlines()[2]
    assert "`--layers 2`" in line
    assert line.count("-0.072 ± 0.000") == 6


def test_auto_may_be_beaten_by_so_much_and_no_more():
    auto = row("sizes", options=AUTO)
    rows = [auto, row("sizes", options="--size tiny", **cheaper(-9))]
    assert "above the rule" not in grid_table(rows)
    better = row("sizes", options="--size large", **cheaper(9))
    table = grid_table([*rows, better])
    assert "**above the rule**" in table
    assert "`--size large`" in table
    assert grid_table([auto]).count("\n") == 1


def test_networks_stand_side_by_side_the_narrow_first_and_autos_is_bold():
    rows = [
        row("sizes", options="--hidden 1024", network="1 x 1024 lstm"),
        row("sizes", options=AUTO),
        row("sizes", options=AUTO, minutes=5.0, network="2 x 512 lstm"),
        row("sizes", options="--networks 3", minutes=5.0, network="3 networks of 1 x 512 lstm"),
        row("sizes", options="--size medium", minutes=5.0, network="1 x 512 lstm + 768"),
    ]
    head, _, two, five = networks_table(rows).splitlines()
    ones = "1 x 512 lstm | 1 x 512 lstm + 768 | 1 x 1024 lstm | 2 x 512 lstm"
    assert head == f"| text | min | {ones} | 3 networks of 1 x 512 lstm |"
    bits = f"{rows[0]['bits_per_char']['both']:.3f}"
    assert two == f"| a.txt | 2 | **{bits}** |  | {bits} |  |  |"
    assert five == f"| a.txt | 5 |  | {bits} |  | **{bits}** | {bits} |"


def test_a_cut_ends_where_the_held_out_part_begins():
    whole, held_out = halves("가나다라마바사아자차" * 10)
    assert whole + held_out == "가나다라마바사아자차" * 10
    assert len(held_out) == 10
    assert whole.endswith(last_bytes(whole, 100))
    assert len(last_bytes(whole, 100)) == 33


def test_sizes_that_are_nearly_the_whole_are_the_whole():
    assert sizes_of("a" * 1000, [100, 799, 801, 5000]) == [100, 799, 1000]
    assert sizes_of("a" * 1000, [100, 801]) == [100, 801]


def cells_of_map() -> list[dict]:
    return [
        row("map", size=size, seconds=seconds, **cheaper(10 * math.log10(seconds)))
        for size in (30_000, 1_000_000)
        for seconds in (10.0, 60.0, 3600.0)
    ]


def test_the_map_has_a_line_for_each_cell():
    lines = map_table(cells_of_map()).splitlines()
    assert len(lines) == 2 + 6
    assert lines[2].startswith("| a.txt | 30 KB | 10 |")


def test_a_cell_that_could_not_adapt_has_no_numbers_for_it():
    static = {name: bits for name, bits in row("map")["bits_per_char"].items() if name[-1] != "*"}
    line = map_table([row("map", size=10, seconds=1.0, bits_per_char=static)]).splitlines()[2]
    assert line.split(" | ")[6:9] == ["-", "-", "-"]


def test_the_map_can_be_drawn_with_cells_missing(tmp_path):
    pytest.importorskip("matplotlib")
    from picture import draw_map, gain, grid

    rows = cells_of_map()[1:]
    found = grid(rows, [30_000, 1_000_000], [10.0, 60.0, 3600.0])
    assert np.isnan(found["both"]).tolist() == [[True, False, False], [False, False, False]]
    assert (gain(found)[1] > 0).all()
    draw_map(rows, tmp_path / "map.png")
    assert (tmp_path / "map.png").read_bytes().startswith(b"\x89PNG")


def test_parts_of_a_step_are_told_by_name_and_size():
    from step import part_of

    assert part_of("aten::mkldnn_rnn_layer_backward", [[64, 16, 512]], 1356) == "LSTM"
    assert part_of("aten::_fused_adamw_", [], 1356) == "optimiser"
    assert part_of("aten::addmm", [[1356, 512], [1356, 68], [68, 512]], 1356) == (
        "composing syllables"
    )
    assert part_of("aten::mul", [[64, 16, 512]], 1356) == "everything else"


def test_a_watched_training_tells_its_pace_and_when_it_was_good_enough():
    from gpu import Watch

    watch = Watch()
    rest = (5.0, 7.0, 1e-3, 1.0, 100.0)
    for step, elapsed in ((10, 1.0), (50, 3.0)):
        watch(StepRecord(step, 0.1, *rest, elapsed, 0.0, 1))
        bits = 3.0 - elapsed / 3
        watch(Validation(step, 1.0, 9.0, 1.0, 1, 1, False, True, elapsed, False, bits))
    assert watch.steps_per_second() == 20
    assert watch.seconds_to(2.1 * math.log(2)) == 3.0
    assert watch.seconds_to(1.0) is None
