"""Another reader, written from docs/formats.md with nothing but NumPy, json and hashlib."""

import hashlib
import json
import re
import shutil
import struct
import zlib
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import charnn
from charnn.corpus.stream import Part
from charnn.corpus.unfinished import Mark
from charnn.model.shapes import ModelShape, weight_shapes
from charnn.records import (
    Event,
    Finished,
    PlanFixed,
    RunStarted,
    Sample,
    StepRecord,
    Validation,
)
from charnn.runs.config import _CORPUS
from charnn.runs.documents import read_sealed, write_sealed
from charnn.runs.export import export_run
from charnn.runs.run import Run
from charnn.training.plan import Plan
from charnn.training.recipe import Recipe

TYPES = {"F32": "<f4", "F64": "<f8", "U32": "<u4", "U16": "<u2", "U8": "<u1"}
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
    if f := model.get("feed_forward_size", 0):
        found["feed_forward.norm.weight"] = found["feed_forward.norm.bias"] = (h,)
        found["feed_forward.inner.weight"] = (2 * f, h)
        found["feed_forward.inner.bias"] = (2 * f,)
        found["feed_forward.outer.weight"] = (h, f)
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


# -- what a run predicts: a second reader, with nothing of charnn in it ---------------------------


def sigmoid(z: Any) -> Any:
    return 1 / (1 + np.exp(-z))


def layer_step(cell: str, w: dict[str, Any], k: int, x: Any, state: Any) -> Any:
    """The state of layer k behind one input, h first."""
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    weights = [w[f"layers.{k}.{name}_l0"].astype(np.float64) for name in names]
    gates = [np.split(array, GATES[cell]) for array in weights]
    below = [wi @ x + a for wi, a in zip(gates[0], gates[2], strict=True)]
    before = [u @ state[0] + b for u, b in zip(gates[1], gates[3], strict=True)]
    both = [one + other for one, other in zip(below, before, strict=True)]
    if cell == "lstm":
        i, f, o = sigmoid(both[0]), sigmoid(both[1]), sigmoid(both[3])
        c = f * state[1] + i * np.tanh(both[2])
        return o * np.tanh(c), c
    if cell == "gru":
        r, z = sigmoid(both[0]), sigmoid(both[1])
        n = np.tanh(below[2] + r * before[2])
        return ((1 - z) * n + z * state[0],)
    return (np.tanh(both[0]),)


def network_probs(model: Any, w: dict[str, Any], tokens: list[int], t: float) -> Any:
    """p of each token under all networks at a temperature."""
    count = model.get("networks", 1)
    each = []
    for index in range(count):
        start = f"networks.{index}." if count > 1 else ""
        own = {name[len(start) :]: array for name, array in w.items() if name.startswith(start)}
        each.append(one_network_logits(model, own, tokens))
    weights = np.exp(sum(each) / count / t)
    return weights[np.arange(len(tokens)), tokens] / weights.sum(axis=1)


def one_network_logits(model: Any, w: dict[str, Any], tokens: list[int]) -> Any:
    """Logits before each token under one network, (tokens, vocabulary)."""
    zero = np.zeros(model["hidden_size"])
    states = [(zero, zero)] * model["num_layers"]
    logits, before = [], 0
    for token in tokens:
        x = w["embedding.weight"][before].astype(np.float64)
        for k in range(model["num_layers"]):
            states[k] = layer_step(model["cell"], w, k, x, states[k])
            x = states[k][0]
        x = behind_the_block(model, w, x)
        if model["tied"] and model["embedding_size"] != model["hidden_size"]:
            x = w["projection.weight"] @ x
        output = w["embedding.weight" if model["tied"] else "output.weight"]
        logits.append(output @ x + w["output.bias"])
        before = token
    return np.array(logits)


def behind_the_block(model: Any, w: dict[str, Any], x: Any) -> Any:
    """What the output is made from."""
    f = model.get("feed_forward_size", 0)
    if not f:
        return x
    n = (x - x.mean()) / np.sqrt(((x - x.mean()) ** 2).mean() + 1e-5)
    n = w["feed_forward.norm.weight"] * n + w["feed_forward.norm.bias"]
    both = w["feed_forward.inner.weight"] @ n + w["feed_forward.inner.bias"]
    return x + w["feed_forward.outer.weight"] @ (both[:f] * sigmoid(both[:f]) * both[f:])


def discounts(counts: Any) -> list[float]:
    n1, n2, n3, n4 = (int((counts == n).sum()) for n in (1, 2, 3, 4))
    if not n1 or not n2:
        return [0, 0.5, 0.75, 0.9]
    y = n1 / (n1 + 2 * n2)
    d1, d2 = 1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2
    d3 = 3 - 4 * y * n4 / n3 if n3 else d2
    return [0, *(min(max(d, 0.05), most) for d, most in ((d1, 0.95), (d2, 1.95), (d3, 2.95)))]


def ngram_probs(arrays: dict[str, Any], vocab_size: int, tokens: list[int]) -> Any:
    """p of each token under the n-gram model."""
    levels = [
        tuple(arrays[f"{n}.{name}"].astype(np.int64) for name in ("tokens", "starts", "counts"))
        for n in range(1, len(arrays) // 3 + 1)
    ]
    taken = [discounts(counts) for _, _, counts in levels]

    def entry(context: list[int]) -> int:
        """The entry that these tokens are at their length; -1 if they were never met."""
        place = 0
        for (last, starts, _), token in zip(levels, context, strict=False):
            found = np.flatnonzero(last[starts[place] : starts[place + 1]] == token)
            if not len(found):
                return -1
            place = int(starts[place] + found[0])
        return place

    text, probs = [0, *tokens], []
    for position in range(1, len(text)):
        p = 1 / vocab_size
        for n in range(1, min(len(levels), position + 1) + 1):
            last, starts, counts = levels[n - 1]
            place = entry(text[position - n + 1 : position]) if n > 1 else 0
            if place < 0 or starts[place] == starts[place + 1]:
                continue
            here = slice(starts[place], starts[place + 1])
            total = counts[here].sum()
            held = [taken[n - 1][min(int(c), 3)] for c in counts[here]]
            mine = last[here] == text[position]
            share = (counts[here] - held)[mine].sum() / total
            p = share + sum(held) / total * p
        probs.append(p)
    return np.array(probs)


def bits_by_the_page(run: Path) -> dict[str, float]:
    """Bits per character of the validation part, under each expert and under both."""
    config = sealed(run / "config.json")
    manifest = sealed(run / "best" / "manifest.json")
    stream = run.parent / ".streams" / config["corpus"]["stream"]
    said = json.loads((stream / "stream.json").read_text("utf-8"))
    checksum = said.pop("checksum")
    assert checksum == hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
    data = (stream / "tokens.bin").read_bytes()
    assert hashlib.sha256(data).hexdigest() == said["sha256"]
    assert said["text_sha256"] == config["corpus"]["sha256"]
    assert said["parts"] == config["corpus"]["parts"]
    part = said["parts"]["validation"]
    tokens = np.frombuffer(data, said["dtype"])[part["start"] : part["stop"]].tolist()

    weights = checked(
        run / "best" / "weights.safetensors", manifest["files"]["weights.safetensors"]
    )
    t = manifest["scores"].get("temperature", 1.0)
    probs = {"network": network_probs(config["model"], tensors(weights), tokens, t)}
    probs["both"] = probs["network"]
    if "ngram" in config["experts"]:
        kept = checked(run / "ngram.safetensors", manifest["run_files"]["ngram.safetensors"])
        probs["ngram"] = ngram_probs(tensors(kept), config["model"]["vocab_size"], tokens)
        w = manifest["scores"].get("ngram_weight", 0.4)
        probs["both"] = (1 - w) * probs["network"] + w * probs["ngram"]
    return {name: -np.log2(p).sum() / part["characters"] for name, p in probs.items()}


CASES: dict[str, dict[str, Any]] = {
    "lstm, tied, projected": {"cell": "lstm", "layers": 2, "embedding": 6, "tied": True},
    "gru, tied": {"cell": "gru", "embedding": 8, "tied": True},
    "rnn, bytes": {"cell": "rnn", "layers": 2, "tokenizer": "byte"},
    "network alone": {"cell": "lstm", "no_ngram": True},
    "three networks": {"cell": "lstm", "networks": 3},
    "no block": {"cell": "lstm", "tied": True, "feed_forward": 0},
    "blocks of two networks": {"cell": "rnn", "tied": True, "networks": 2, "feed_forward": 5},
}


@pytest.mark.parametrize("options", CASES.values(), ids=CASES.keys())
def test_a_reader_predicts_what_the_run_does(
    tmp_path: Path, novella: Path, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    options = dict(options)
    if options.pop("tied", False):  # the text is too short for a vocabulary that is
        monkeypatch.setattr("charnn.training.sizing._SMALL_VOCABULARY", 0)
    texts = [tmp_path / "one.txt", tmp_path / "two.txt"]
    story = novella.read_text("utf-8")
    for text, part in zip(texts, (story[:1100], story[1200:1700]), strict=True):
        text.write_text(part, encoding="utf-8")
    sizes = {"steps": 20, "hidden": 8, "batch_size": 2, "seq_len": 16, "sample_length": 5}
    records: list[Any] = []
    trained = charnn.train(
        texts,
        checkpoints=tmp_path / "checkpoints",
        val_fraction=0.4,  # with the boundary between the two in it
        threads=1,
        device="cpu",
        learning_rate=0.02,
        on_record=records.append,
        **sizes,
        **options,
    )
    bits = bits_by_the_page(Path(trained.path))
    evaluation = trained.evaluate(part="validation")
    assert bits["both"] == pytest.approx(evaluation.score.bits_per_char, rel=1e-5)
    assert bits["network"] == pytest.approx(evaluation.network.bits_per_char, rel=1e-5)
    if "no_ngram" not in options:
        assert bits["ngram"] == pytest.approx(evaluation.ngram.bits_per_char, rel=1e-5)
        assert bits["both"] != pytest.approx(bits["network"], rel=1e-3)
    lines = (Path(trained.path) / "metrics.jsonl").read_text("utf-8").splitlines()
    final = next(line for line in map(json.loads, lines) if line.get("final"))
    assert bits["both"] == pytest.approx(final["bits_per_char"], rel=1e-5)
    assert bits["network"] == pytest.approx(final["network_bits_per_char"], rel=1e-5)


def test_weight_and_temperature_that_are_not_told_are_the_usual_ones(
    tmp_path: Path, written: Path
) -> None:
    shutil.copytree(written.parent, tmp_path / "checkpoints")
    run = tmp_path / "checkpoints" / "story"
    for scores in ({"ngram_weight": 0.9}, {"temperature": 1.3}, {}):
        manifest = read_sealed(run / "best" / "manifest.json")
        for name in ("ngram_weight", "temperature"):
            manifest["scores"].pop(name, None)
        manifest["scores"] |= scores
        write_sealed(run / "best" / "manifest.json", manifest)
        bits = bits_by_the_page(run)["both"]
        found = charnn.load("story", checkpoints=run.parent).evaluate(part="validation")
        assert bits == pytest.approx(found.score.bits_per_char, rel=1e-5)


def test_every_key_is_on_the_page() -> None:
    page = (Path(__file__).parents[2] / "docs" / "formats.md").read_text("utf-8")
    kept = (RunStarted, PlanFixed, StepRecord, Validation, Sample, Event, Finished)
    names = {field.name for kind in (*kept, Plan, Recipe, Mark, Part) for field in fields(kind)}
    names |= {*_CORPUS, "format", "text_sha256", "dtype", "checksum", "options", "device"}
    assert {name for name in names if f"`{name}`" not in page} == set()
    for kind in kept:
        assert f"`{kind.tag}`" in page
