"""Another reader, written from docs/formats.md with nothing but NumPy, json and hashlib."""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import numpy as np

from charnn.model.shapes import ModelShape, weight_shapes
from charnn.runs.run import Run

TYPES = {"F32": "<f4", "F64": "<f8", "U16": "<u2", "U8": "<u1"}
GATES = {"lstm": 4, "gru": 3, "rnn": 1}


def sealed(path: Path) -> Any:
    data = path.read_bytes()
    head = re.match(rb'\{\n  "format": (\d+),\n  "checksum": "([0-9a-f]{64})",\n', data)
    assert head
    zeroed = data[: head.start(2)] + b"0" * 64 + data[head.end(2) :]
    assert hashlib.sha256(zeroed).hexdigest() == head[2].decode()
    assert head[1] == b"1"
    return json.loads(data)


def checked(path: Path, entry: Any, prefix: bool = False) -> bytes:
    data = path.read_bytes()
    if prefix:
        data = data[: entry["length"]]
    assert len(data) == entry["length"]
    assert hashlib.sha256(data).hexdigest() == entry["sha256"]
    return data


def tensors(data: bytes) -> dict[str, Any]:
    start = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:start])
    return {
        name: np.frombuffer(
            data[start + entry["data_offsets"][0] : start + entry["data_offsets"][1]],
            TYPES[entry["dtype"]],
        ).reshape(entry["shape"])
        for name, entry in header.items()
    }


def shapes(model: Any) -> dict[str, tuple[int, ...]]:
    v, e, h = (model[f"{name}_size"] for name in ("vocab", "embedding", "hidden"))
    g = GATES[model["cell"]] * h
    found = {"embedding.weight": (v, e), "output.bias": (v,)}
    for k in range(model["num_layers"]):
        found[f"layers.{k}.weight_ih_l0"] = (g, h if k else e)
        found[f"layers.{k}.weight_hh_l0"] = (g, h)
        found[f"layers.{k}.bias_ih_l0"] = found[f"layers.{k}.bias_hh_l0"] = (g,)
    if model["tied"] and e != h:
        found["projection.weight"] = (e, h)
    if not model["tied"]:
        found["output.weight"] = (v, h)
    return found


def test_a_reader_written_from_the_page(full_run: Run) -> None:
    folder = full_run.path
    config = sealed(folder / "config.json")
    assert config["corpus"]["name"] == "무정"
    plan = sealed(folder / "plan.json")
    assert plan["config"] == hashlib.sha256((folder / "config.json").read_bytes()).hexdigest()
    assert plan["plan"] == {"total_steps": 100}
    for slot, step in (("best", 3), ("best.prev", 1), ("last", 4), ("last.prev", 2)):
        manifest = sealed(folder / slot / "manifest.json")
        assert (manifest["slot"], manifest["step"]) == (slot.partition(".")[0], step)
        for name, entry in manifest["run_files"].items():
            checked(folder / name, entry)
        for name, entry in manifest["journals"].items():
            lines = checked(folder / name, entry, prefix=True).decode().splitlines()
            assert all(json.loads(line)["record"] for line in lines)
        files = {
            name: checked(folder / slot / name, entry) for name, entry in manifest["files"].items()
        }
        weights = tensors(files["weights.safetensors"])
        assert {name: array.shape for name, array in weights.items()} == shapes(config["model"])
        assert all((array == step).all() for array in weights.values())
        assert tensors(files["trainer.safetensors"])["torch_rng"].tolist()[0] == step
        assert json.loads(files["trainer.json"])["step"] == step


def test_the_shapes_on_the_page_are_those_of_the_network() -> None:
    for cell in ("lstm", "gru", "rnn"):
        for tied in (False, True):
            for embedding in (3, 4):
                shape = ModelShape(7, embedding, 4, 2, cell, tied)
                model = {name: getattr(shape, name) for name in ModelShape.__slots__}
                assert shapes(model) == weight_shapes(shape)
