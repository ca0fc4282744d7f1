"""Another reader, written from docs/formats.md with nothing but NumPy, json and hashlib."""

import hashlib
import json
import re
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from charnn.model.shapes import ModelShape, weight_shapes
from charnn.runs.export import export_run
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


def one_file(data: bytes) -> dict[str, bytes]:
    """The members of a run in one file, none of which is believed before all is as it must be."""
    count, size, offset = struct.unpack("<HLL", data[-12:-2])
    directory = data[offset : offset + size]
    contents, parts, listed = {}, [], []
    for _ in range(count):
        crc, length = struct.unpack_from("<LL", directory, 16)
        (name_length,) = struct.unpack_from("<H", directory, 28)
        (start,) = struct.unpack_from("<L", directory, 42)
        name, directory = directory[46 : 46 + name_length], directory[46 + name_length :]
        content = data[start + 30 + name_length :][:length]
        assert zlib.crc32(content) == crc
        sizes = (crc, length, length, name_length, 0)
        parts.append(struct.pack("<4s5H3L2H", b"PK\3\4", 10, 0, 0, 0, 33, *sizes) + name + content)
        head = (788, 10, 0, 0, 0, 33, *sizes, 0, 0, 0, 2175008768, start)
        listed.append(struct.pack("<4s6H3L5H2L", b"PK\1\2", *head) + name)
        contents[name.decode()] = content
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count, count, size, offset, 0)
    assert data == b"".join(parts) + b"".join(listed) + end
    assert list(contents) == sorted(contents)
    return contents


def test_a_reader_of_one_file_written_from_the_page(whole_run: Run, tmp_path: Path) -> None:
    export_run(whole_run, tmp_path / "novel.charnn")
    members = one_file((tmp_path / "novel.charnn").read_bytes())
    for name, content in members.items():
        path = tmp_path / "there" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    config = sealed(tmp_path / "there" / "config.json")
    assert config["corpus"] == {"name": "무정", "characters": 300_000}
    manifest = sealed(tmp_path / "there" / "best" / "manifest.json")
    named = {f"best/{name}": entry for name, entry in manifest["files"].items()}
    named |= manifest["run_files"] | manifest["journals"]
    assert set(members) == {*named, "best/manifest.json"}
    for name, entry in named.items():
        checked(tmp_path / "there" / name, entry)
    weights = tensors(members["best/weights.safetensors"])
    assert {name: array.shape for name, array in weights.items()} == shapes(config["model"])
    assert all((array == 3).all() for array in weights.values())


def test_whole_lines_of_64_bytes_come_first(whole_run: Run) -> None:
    data = (whole_run.path / "best" / "weights.safetensors").read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    entries = json.loads(data[8:start]).values()
    offsets = [entry["data_offsets"] for entry in entries]
    assert offsets == sorted(offsets)
    whole = [(stop - begin) % 64 == 0 for begin, stop in offsets]
    assert whole == sorted(whole, reverse=True)
    assert start % 64 == 0
    assert any(whole)


def test_the_shapes_on_the_page_are_those_of_the_network() -> None:
    for cell in ("lstm", "gru", "rnn"):
        for tied in (False, True):
            for embedding in (3, 4):
                shape = ModelShape(7, embedding, 4, 2, cell, tied)
                model = {name: getattr(shape, name) for name in ModelShape.__slots__}
                assert shapes(model) == weight_shapes(shape)
