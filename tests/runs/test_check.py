"""Every file of a run looked at: whatever was done to one of them is found, and nothing else is."""

import os
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from charnn.errors import RunError
from charnn.runs.check import Finding, check_run
from charnn.runs.documents import read_sealed, write_sealed
from charnn.runs.export import export_run
from charnn.runs.journals import Journals
from charnn.runs.lock import lock_run
from charnn.runs.run import Run
from charnn.runs.tensors import encode_tensors


def problems(run: Run) -> dict[str, str]:
    return {f.name: f.problem for f in check_run(run) if f.problem is not None}


def notes(run: Run) -> dict[str, str]:
    return {f.name: f.note for f in check_run(run) if f.is_aside}


def files_of(run: Run) -> list[str]:
    return sorted(str(p.relative_to(run.path)) for p in run.path.rglob("*") if p.is_file())


def test_a_whole_run_names_each_of_its_files_once(whole_run: Run) -> None:
    found = list(check_run(whole_run))
    assert sorted(finding.name for finding in found) == files_of(whole_run)
    assert found[0] == Finding("config.json")
    assert Finding("best/manifest.json", None, "step 3") in found
    assert not [finding for finding in found if finding.problem or finding.is_aside]


def damages(data: bytes) -> Iterator[bytes]:
    for number, offset in enumerate(range(0, len(data), max(1, len(data) // 7))):
        flipped = bytearray(data)
        flipped[offset] ^= 1 << (number % 8)
        yield bytes(flipped)
    yield from (b"", data[: len(data) // 2], data[:-1], bytes(len(data)))


def test_any_damage_is_found_where_it_is(whole_run: Run) -> None:
    for name in files_of(whole_run):
        path = whole_run.path / name
        good = path.read_bytes()
        for bad in damages(good):
            path.write_bytes(bad)
            found = problems(whole_run)
            assert name in found or (name == "config.json" and found), (name, len(bad))
            assert all("\n" not in problem for problem in found.values())
        path.write_bytes(good)
    assert problems(whole_run) == {}


@pytest.mark.parametrize("substitute", ["nothing", "link", "folder", "pipe"])
def test_a_file_that_is_something_else(whole_run: Run, tmp_path: Path, substitute: str) -> None:
    for name in files_of(whole_run):
        path = whole_run.path / name
        hidden = path.rename(tmp_path / "hidden")
        if substitute == "link":
            path.symlink_to(hidden)
        elif substitute == "folder":
            path.mkdir()
        elif substitute == "pipe":
            os.mkfifo(path)
        assert name in problems(whole_run), name
        if path.is_dir() and not path.is_symlink():
            path.rmdir()
        else:
            path.unlink(missing_ok=True)
        hidden.rename(path)


def test_a_file_of_another_run(whole_run: Run, tmp_path: Path, reseal: Any) -> None:
    other = shutil.copytree(whole_run.path, tmp_path / "other")
    reseal(other / "config.json", lambda text: text.replace("0.1.0", "0.1.1"))
    shutil.copy(other / "config.json", whole_run.path / "config.json")
    found = problems(whole_run)
    assert set(found) == {"config.json", "plan.json"}
    assert found["config.json"].endswith(
        "config.json was altered: its checksum differs from the manifest's (of last.prev)"
    )


def test_numbers_that_are_none(whole_run: Run, helpers: Any) -> None:
    bad = {"moments": np.array([1.0, np.nan]), "bits": np.array([0xFFFF], np.uint16)}
    (whole_run.path / "ngram.safetensors").write_bytes(
        b"".join(encode_tensors({"counts": np.array([np.inf], np.float32)}))
    )
    helpers.save(whole_run, 5, files={"trainer.safetensors": bad})
    found = problems(whole_run)
    assert found["last/trainer.safetensors"] == (
        f"{whole_run.path}/last/trainer.safetensors: tensor moments holds numbers that are not "
        "finite"
    )
    assert "tensor counts holds numbers that are not finite" in found["ngram.safetensors"] or (
        "was altered" in found["ngram.safetensors"]
    )


def test_weights_of_another_network(whole_run: Run, helpers: Any) -> None:
    helpers.save(whole_run, 5, "best")
    assert problems(whole_run)["best/weights.safetensors"].endswith("it is of another network")


def test_what_does_not_belong_is_noted(whole_run: Run) -> None:
    (whole_run.path / "notes.txt").touch()
    (whole_run.path / "notes.old").touch()
    (whole_run.path / "last.new").mkdir()
    (whole_run.path / "best" / "optimizer.pt").touch()
    (whole_run.path / "ngram.extra").touch()
    assert notes(whole_run) == {
        "best/optimizer.pt": "not part of the checkpoint; nobody reads it",
        "last.new": "left from a save that died, --prune removes it",
        "notes.old": "not part of the run, nobody reads it",
        "notes.txt": "not part of the run, nobody reads it",
    }
    assert Finding("ngram.extra", None, "no checkpoint was made with it") in check_run(whole_run)
    assert problems(whole_run) == {}


def test_a_line_that_is_being_written(whole_run: Run) -> None:
    with (whole_run.path / "metrics.jsonl").open("ab") as journal:
        journal.write(b'{"record": "st')
    (found,) = [f for f in check_run(whole_run) if f.name == "metrics.jsonl"]
    assert found == Finding(
        "metrics.jsonl", None, "its last line of 14 bytes is unfinished, readers leave it out"
    )


def test_a_run_in_training_says_so(whole_run: Run) -> None:
    with lock_run(whole_run.path):
        assert f"process {os.getpid()} on " in notes(whole_run)[".lock"]
    assert notes(whole_run) == {}


def test_a_run_without_a_checkpoint(run: Run, tmp_path: Path) -> None:
    assert set(problems(run)) == {"tokenizer.json"}  # the conftest's is none
    with Journals(run.path, {}):
        pass
    assert set(problems(run)) == {"tokenizer.json"}
    with pytest.raises(RunError, match="nowhere is missing"):
        list(check_run(Run(tmp_path / "nowhere")))


@pytest.mark.parametrize(
    ("said", "missing"),
    [
        ({}, True),
        ({"plan": {"total_steps": 9}}, True),
        ({"plan": None}, False),  # killed before the plan was fixed
    ],
    ids=str,
)
def test_a_plan_that_was_removed(
    whole_run: Run, helpers: Any, said: dict[str, Any], missing: bool
) -> None:
    weights = whole_run.last().weights(whole_run.config().model)
    files = {"weights.safetensors": weights, "trainer.json": said}
    helpers.save(whole_run, 5, files=files)
    assert problems(whole_run) == {}
    (whole_run.path / "plan.json").unlink()
    expected = {"plan.json": f"{whole_run.path}/plan.json is missing"} if missing else {}
    assert problems(whole_run) == expected


def test_an_exported_run_has_no_plan_to_miss(whole_run: Run, tmp_path: Path) -> None:
    shutil.rmtree(whole_run.path / "best")
    shutil.rmtree(whole_run.path / "best.prev")
    export_run(whole_run, tmp_path / "x.charnn")
    with zipfile.ZipFile(tmp_path / "x.charnn") as file:
        file.extractall(tmp_path / "x")
    for path in ("x", "x.charnn"):
        assert Run(tmp_path / path).last().step == 4
        assert problems(Run(tmp_path / path)) == {}


@pytest.mark.parametrize(
    ("score", "problem"),
    [
        ("temperature", "temperature must be in [0.1, 10], got 50.0"),
        ("ngram_weight", "ngram_weight must be in [0, 1], got 50.0"),
    ],
)
def test_what_no_network_predicts_with(whole_run: Run, score: str, problem: str) -> None:
    """Sealed as it should be, yet every command refuses it."""
    path = whole_run.path / "best" / "manifest.json"
    manifest = read_sealed(path)
    manifest["scores"][score] = 50.0
    write_sealed(path, manifest)
    assert problems(whole_run) == {"best/manifest.json": f"{path.parent}: {problem}"}
