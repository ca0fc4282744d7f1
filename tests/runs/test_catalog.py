"""The runs in a folder: found by name or path, listed whatever state they are in."""

import os
import unicodedata
from pathlib import Path
from typing import Any

import pytest

from charnn.errors import RunError, RunNotFoundError
from charnn.model.shapes import ModelShape
from charnn.runs.catalog import RunSummary, find_run, list_runs
from charnn.runs.export import export_run
from charnn.runs.lock import lock_run
from charnn.runs.run import Run


@pytest.fixture
def checkpoints(tmp_path: Path, helpers: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three runs; "second" has the newest checkpoint, "third" none."""
    folder = tmp_path / "checkpoints"
    for time, name in ((100.0, "first"), (200.0, "second")):
        monkeypatch.setattr("charnn.runs.saving.time.time", lambda now=time: now)
        helpers.save(helpers.run(folder, name), 5, "best", scores={"bits_per_char": 3.5})
        helpers.save(folder / name, 10)
    helpers.run(folder, "third")
    (folder / ".streams").mkdir()
    (folder / "notes.txt").touch()
    return folder


def test_summaries(checkpoints: Path) -> None:
    second, first, third = list_runs(checkpoints)
    assert [run.name for run in (first, third)] == ["first", "third"]
    assert second == RunSummary(
        name="second",
        path=checkpoints / "second",
        corpus="무정",
        tokenizer="char",
        size="2x4 lstm",
        parameters=336,
        step=10,
        bits_per_char=3.5,
        best_step=5,
        saved=200.0,
    )
    assert second.age(260.5) == 60.5
    assert second.age(100.0) == 0.0
    assert (second.age() or 0) >= 0
    assert (third.step, third.saved, third.problem, third.age()) == (None, None, None, None)


def test_several_networks_are_told(tmp_path: Path, helpers: Any) -> None:
    model = ModelShape(5, 3, 4, 2, "lstm", networks=3)
    helpers.run(tmp_path, "three", model=model)
    (summary,) = list_runs(tmp_path)
    assert (summary.size, summary.parameters) == ("3x 2x4 lstm", 1008)


def test_a_block_is_told(tmp_path: Path, helpers: Any) -> None:
    model = ModelShape(5, 4, 4, 1, "lstm", feed_forward_size=6)
    helpers.run(tmp_path, "block", model=model)
    (summary,) = list_runs(tmp_path)
    assert summary.size == "1x4+6 lstm"


def test_a_run_in_training(checkpoints: Path) -> None:
    with lock_run(checkpoints / "first"):
        holders = {run.name: run.holder and run.holder.pid for run in list_runs(checkpoints)}
    assert holders == {"first": os.getpid(), "second": None, "third": None}


def test_damaged_and_foreign_folders_are_listed(checkpoints: Path, helpers: Any) -> None:
    (checkpoints / "foreign").mkdir()
    (checkpoints / "second" / "config.json").write_bytes(b"\xff")
    (checkpoints / "first" / "last" / "manifest.json").unlink()
    (checkpoints / "link").symlink_to(checkpoints / "first")
    problems = {run.name: run.problem for run in list_runs(checkpoints)}
    assert problems == {
        "second": f"{checkpoints}/second/config.json was altered: it does not begin as charnn "
        "writes it: restore it from a copy",
        "first": f"run first has no good last checkpoint ({checkpoints}/first/last/manifest.json "
        f"is missing; {checkpoints}/first/last.prev is missing): restore it from a copy",
        "link": f"run link has no good last checkpoint ({checkpoints}/link/last/manifest.json "
        f"is missing; {checkpoints}/link/last.prev is missing): restore it from a copy",
        "foreign": f"{checkpoints}/foreign/config.json is missing: restore it from a copy",
        "third": None,
    }


def test_a_checkpoint_of_a_newer_version(checkpoints: Path, reseal: Any) -> None:
    manifest = checkpoints / "second" / "best" / "manifest.json"
    reseal(manifest, lambda text: text.replace('"format": 1', '"format": 7'))
    second = list_runs(checkpoints)[0]
    assert second.step == 10
    assert "is of format 7, this charnn reads format 1" in (second.problem or "")


def test_strange_names_are_cut_and_printable(tmp_path: Path, helpers: Any) -> None:
    helpers.run(tmp_path, "a", corpus={"name": "\ud800" + "x" * 1000})
    helpers.run(tmp_path, "b", corpus={"name": None})
    first, second = list_runs(tmp_path)
    assert first.corpus == "?" + "x" * 79
    assert second.corpus is None


def test_find_by_name_path_and_age(checkpoints: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = Run(checkpoints / "first"), Run(checkpoints / "second")
    assert find_run(checkpoints, "first") == first
    assert find_run(checkpoints, checkpoints / "first") == first
    assert find_run(checkpoints) == second
    monkeypatch.chdir(checkpoints.parent)
    assert find_run(Path("nowhere"), "checkpoints/first").path == Path("checkpoints/first")
    monkeypatch.chdir(checkpoints)
    assert find_run(Path("nowhere"), "first").path == Path("first")
    assert find_run(Path("nowhere"), "./first").path == Path("first")
    monkeypatch.chdir(checkpoints / "first")
    assert find_run(Path("nowhere"), ".").name == "first"


def test_a_name_is_found_however_its_hangul_is_written(tmp_path: Path, helpers: Any) -> None:
    """A folder from a Mac may be called in separate jamo, and a person types syllables."""
    apart = unicodedata.normalize("NFD", "무정")
    helpers.run(tmp_path, apart)
    assert find_run(tmp_path, "무정").path == tmp_path / apart
    together = helpers.run(tmp_path, "무정")
    assert find_run(tmp_path, "무정") == together
    assert find_run(tmp_path, apart).path == tmp_path / apart


def refusal(checkpoints: Path, model: Any = None) -> str:
    with pytest.raises(RunNotFoundError) as caught:
        find_run(checkpoints, model)
    return str(caught.value)


def test_not_found(checkpoints: Path) -> None:
    there = f"in {str(checkpoints)!r} there is second, first, third"
    assert refusal(checkpoints, "secund") == (
        f"run 'secund' is not there: {there}, perhaps 'second'?"
    )
    assert refusal(checkpoints, "무정") == (f"run '무정' is not there: {there}: name one of them")
    for model in ("", "a\0b", "x" * 5000, "notes.txt/x", "~nobody-of-that-name/x"):
        assert "is not there" in refusal(checkpoints, model)
    assert refusal(checkpoints, ".streams").startswith("run '.streams' has no config.json: in ")
    assert refusal(checkpoints, checkpoints / "first" / "best") == (
        f"{str(checkpoints / 'first' / 'best')!r} is a checkpoint, not a run: give the folder "
        "that holds it"
    )


def test_nothing_to_find(tmp_path: Path, helpers: Any) -> None:
    folder = tmp_path / "none"
    ways_out = (
        f"there is no run in {str(folder)!r}: train one with 'charnn train TEXT', or name the "
        "folder of runs with --checkpoints"
    )
    assert list_runs(folder) == []
    assert refusal(folder) == ways_out
    assert refusal(folder, "novel") == f"run 'novel' is not there: {ways_out}"
    for number in range(12):
        helpers.run(folder, f"run-{number:02}")
    assert refusal(folder) == (
        f"no run in {str(folder)!r} has a checkpoint yet (there is run-00, run-01, run-02, "
        "run-03, run-04, run-05, run-06, run-07, run-08, run-09 and 2 more): let one train "
        "until it is saved"
    )


def test_a_file_is_no_folder_of_runs(checkpoints: Path) -> None:
    path = checkpoints / "notes.txt"
    with pytest.raises(RunError) as caught:
        list_runs(path)
    assert str(caught.value) == (
        f"{str(path)!r} cannot be read as a folder of runs (Not a directory): name another with "
        "--checkpoints"
    )


def test_exported_runs_are_listed_as_files(whole_run: Run, tmp_path: Path) -> None:
    checkpoints = whole_run.path.parent
    export_run(whole_run, checkpoints / "shared.charnn")
    export_run(whole_run, tmp_path / "other.charnn")
    (checkpoints / "broken.charnn").write_bytes(b"PK\x03\x04 no run")
    (checkpoints / "archive.zip").write_bytes(b"PK\x03\x04 no run either")
    (checkpoints / "notes.txt").write_text("mine", encoding="utf-8")
    folder, file, broken = list_runs(checkpoints)
    assert [(run.name, run.is_file) for run in (folder, file, broken)] == [
        ("novel", False),
        ("shared.charnn", True),
        ("broken.charnn", True),
    ]
    assert (file.step, file.best_step, file.problem) == (3, 3, None)
    assert broken.problem
    assert find_run(checkpoints, "shared.charnn").path == checkpoints / "shared.charnn"


def test_a_file_is_only_meant_where_it_is_named_or_alone(
    whole_run: Run, tmp_path: Path, helpers: Any
) -> None:
    checkpoints = whole_run.path.parent
    export_run(whole_run, checkpoints / "shared.charnn")
    assert find_run(checkpoints).name == "novel"
    whole_run.path.rename(tmp_path / "away")
    assert find_run(checkpoints).name == "shared.charnn"
    helpers.run(checkpoints, "third")
    with pytest.raises(RunNotFoundError, match=r"has a checkpoint yet \(there is third\)"):
        find_run(checkpoints)
