"""A small run on disk, and ways to hurt it."""

import errno
import hashlib
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from charnn.corpus.tokenizers import ByteTokenizer
from charnn.model.shapes import ModelShape, weight_shapes
from charnn.records import Event, RunStarted, Sample, StepRecord
from charnn.runs.config import RunConfig
from charnn.runs.journals import Journals
from charnn.runs.manifest import Manifest
from charnn.runs.run import Run, create_run
from charnn.runs.saving import bind_run_files, save_checkpoint
from charnn.runs.tensors import encode_tensors

SHAPE = ModelShape(5, 3, 4, 2, "lstm")


@pytest.fixture
def tmp_path(memory_path: Path) -> Path:
    """A folder in memory: these tests make thousands of files."""
    return memory_path


@pytest.fixture(autouse=True)
def flushed(no_waiting: None) -> None:
    """No test waits for the disk; that everything is flushed is seen in the calls."""


@pytest.fixture
def shape() -> ModelShape:
    return SHAPE


def make_config(**changes: Any) -> RunConfig:
    values: dict[str, Any] = {
        "charnn": "0.1.0",
        "created": "2025-01-02T03:04:05+00:00",
        "corpus": {"name": "무정", "characters": 300_000},
        "tokenizer": {"kind": "char", "vocab_size": 5, "fingerprint": "ab" * 32},
        "model": SHAPE,
        "training": {"seed": 1, "learning_rate": 0.002},
    }
    return RunConfig(**(values | changes))


@pytest.fixture
def config() -> Callable[..., RunConfig]:
    return make_config


def make_run(checkpoints: Path, name: str = "novel", **changes: Any) -> Run:
    run = create_run(checkpoints, name, make_config(**changes))
    (run.path / "tokenizer.json").write_text('{"kind": "char"}', encoding="utf-8")
    (run.path / "ngram.json").write_text(f'{{"order": 5, "of": "{name}"}}', encoding="utf-8")
    return run


def save(run: Run | Path, step: int, slot: str = "last", **changes: Any) -> Manifest:
    """Save a checkpoint in which everything says which step it is of."""
    path = run.path if isinstance(run, Run) else run
    files = {
        "weights.safetensors": {
            name: np.full(sizes, step, np.float32) for name, sizes in weight_shapes(SHAPE).items()
        },
        "trainer.safetensors": {
            "moments": np.full((4, 2), step, np.float64),
            "state": np.full(3, step, np.uint16),
            "torch_rng": np.arange(step, step + 16, dtype=np.uint8),
        },
        "trainer.json": {"step": step, "position": [1, 2]},
    }
    options = {"files": files, "scores": {"bits_per_char": 10.0 / step}, "journals": {}} | changes
    if "run_files" not in options:
        options["run_files"] = bind_run_files(path)
    return save_checkpoint(path, slot, options.pop("files"), step=step, **options)  # type: ignore[arg-type]


def write_journals(run: Run, steps: int = 3) -> dict[str, Any]:
    with Journals(run.path, {}) as journals:
        for step in range(1, steps + 1):
            journals.append(StepRecord(step, 0.5, 2.5, 3.5, 1e-3, 0.5, 1e5, 1.0 * step, None, 9))
        journals.append(Sample(steps, 0.8, "형식은", (("무", 2.5), ("정\n", 0.25)), 7, 2.0))
        journals.append(Event("note", steps, "a note", 2.5))
        return journals.marks()


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run without a checkpoint."""
    return make_run(tmp_path / "checkpoints")


@pytest.fixture
def full_run(tmp_path: Path) -> Run:
    """A run with everything: both slots and their predecessors, a plan, journals."""
    run = make_run(tmp_path / "checkpoints")
    run.write_plan({"total_steps": 100})
    marks = write_journals(run)
    for step, slot in ((1, "best"), (2, "last"), (3, "best"), (4, "last")):
        save(run, step, slot, journals=marks)
    return run


@pytest.fixture
def helpers() -> Any:
    """The functions above; test files cannot import them from here."""

    class Helpers:
        config = staticmethod(make_config)
        run = staticmethod(make_run)
        save = staticmethod(save)
        journals = staticmethod(write_journals)

    return Helpers


class PowerCut(BaseException):
    """Nothing runs after it: no handler of Exception, no clean-up that matters."""


class Faults:
    """Counts every call by which the disk is changed; fails at one of them.

    A power cut loses what was written and not flushed: those files become empty.
    """

    CALLS = ("open", "write", "fsync", "mkdir", "rename", "replace", "unlink", "rmdir", "ftruncate")

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.log: list[str] = []
        self._fail_at = 0
        self._error: Callable[[], BaseException] = PowerCut
        self._half = False
        self._real = {name: getattr(os, name) for name in self.CALLS}
        self._dirty: dict[int, int] = {}
        for name in self.CALLS:
            patch.setattr(os, name, self._wrap(name))

    def arm(self, call: int, error: Callable[[], BaseException], half: bool = False) -> None:
        """Fail at the n-th call from now; with `half`, a write does half of its work before."""
        self.log.clear()
        self._fail_at, self._error, self._half = call, error, half

    def disarm(self, lose_unflushed: bool = False) -> None:
        self._fail_at = 0
        for keeper in self._dirty.values():
            if lose_unflushed:
                self._real["ftruncate"](keeper, 0)
            os.close(keeper)
        self._dirty.clear()

    def _wrap(self, name: str) -> Callable[..., Any]:
        real = self._real[name]

        def call(*args: Any, **options: Any) -> Any:
            if name == "open" and not args[1] & os.O_CREAT:
                return real(*args, **options)
            self.log.append(f"{name} {Path(str(args[0])).name}")
            if len(self.log) == self._fail_at:
                if name == "write" and self._half:
                    real(args[0], bytes(args[1])[: len(args[1]) // 2])
                raise self._error()
            if name == "fsync":  # the disk need not really be waited for
                keeper = self._dirty.pop(os.fstat(args[0]).st_ino, None)
                if keeper is not None:
                    os.close(keeper)
                return None
            result = real(*args, **options)
            if name == "open":
                self._dirty[os.fstat(result).st_ino] = os.dup(result)
            return result

        return call


@pytest.fixture
def faults(no_waiting: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Faults]:
    faults = Faults(monkeypatch)
    yield faults
    faults.disarm()


@pytest.fixture
def power_cut() -> type[BaseException]:
    return PowerCut


@pytest.fixture
def disk_full() -> Callable[[], OSError]:
    return lambda: OSError(errno.ENOSPC, "No space left on device")


@pytest.fixture
def reseal() -> Callable[[Path, Callable[[str], str]], None]:
    """Alter a sealed document and make its checksum right again, as docs/formats.md tells."""

    def alter(path: Path, change: Callable[[str], str]) -> None:
        text = change(path.read_text(encoding="utf-8"))
        zeroed = re.sub(r'(?<="checksum": ")[0-9a-f]{64}', "0" * 64, text, count=1)
        digest = hashlib.sha256(zeroed.encode()).hexdigest()
        path.write_text(zeroed.replace("0" * 64, digest, 1), encoding="utf-8")

    return alter


WHOLE_SHAPE = ModelShape(257, 3, 4, 2, "lstm")


@pytest.fixture
def whole_run(tmp_path: Path) -> Run:
    """A run of which every file is what it says, with everything that a run may have."""
    tokenizer = ByteTokenizer()
    described = {"kind": "byte", "vocab_size": 257, "fingerprint": tokenizer.fingerprint}
    corpus = {"name": "무정", "characters": 300_000, "paths": ["/home/somebody/secret/무정.txt"]}
    config = make_config(model=WHOLE_SHAPE, tokenizer=described, corpus=corpus)
    run = create_run(tmp_path / "checkpoints", "novel", config, tokenizer)
    ngram = b"".join(encode_tensors({"counts": np.arange(9, dtype=np.float32)}))
    (run.path / "ngram.safetensors").write_bytes(ngram)
    run.write_plan({"total_steps": 100})
    with Journals(run.path, {}) as journals:
        head = ("/home/somebody/checkpoints/novel", "무정", 300_000, "byte", 257, "lstm", 2, 4, 3)
        journals.append(RunStarted("novel", *head, 9, "cpu", "fp32", 1, 7))
        journals.append(Event("note", 0, "/home/somebody/secret/무정.txt has a BOM", 0.5))
        for step in range(1, 4):
            journals.append(StepRecord(step, 0.5, 2.5, 3.5, 1e-3, 0.5, 1e5, 1.0 * step, None, 9))
        journals.append(Sample(3, 0.8, "형식은", (("무", 2.5), ("정\n", 0.25)), 7, 2.0))
        marks = journals.marks()
    for step, slot in ((1, "best"), (2, "last"), (3, "best"), (4, "last")):
        weights = {
            name: np.full(sizes, step, np.float32)
            for name, sizes in weight_shapes(WHOLE_SHAPE).items()
        }
        files: dict[str, Any] = {"weights.safetensors": weights}
        if slot == "last":
            files["trainer.safetensors"] = {"moments": np.full((4, 2), step, np.float64)}
            files["trainer.json"] = {"step": step}
        save(run, step, slot, files=files, journals=marks)
    return run
