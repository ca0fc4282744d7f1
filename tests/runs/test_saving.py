"""Saving: a crash or a failing disk at any call leaves the old checkpoint or the new one."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from charnn.errors import OptionError, RunDamagedError, RunError, RunNotFoundError
from charnn.runs import saving as saving_module
from charnn.runs.checkpoints import open_checkpoint
from charnn.runs.documents import encode_json
from charnn.runs.run import Run
from charnn.runs.saving import bind_run_files, is_whole, looks_of, save_checkpoint


def damage(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def nothing_saved(run: Path) -> set[int | None]:
    for name in ("last", "last.prev"):
        shutil.rmtree(run / name)
    return {None}


def one_saved(run: Path) -> set[int | None]:
    shutil.rmtree(run / "last.prev")
    return {2}


def two_saved(run: Path) -> set[int | None]:
    return {2}


def newest_damaged(run: Path) -> set[int | None]:
    damage(run / "last" / "trainer.safetensors")
    shutil.copytree(run / "last", run / "last.old")
    return {1}


def died_between_renames(run: Path) -> set[int | None]:
    shutil.rmtree(run / "last.prev")
    shutil.copytree(run / "last", run / "last.new")
    (run / "last").rename(run / "last.prev")
    return {2}


def leftovers(run: Path) -> set[int | None]:
    (run / "last.new").symlink_to(run.parent)
    (run / "last.old").mkdir()
    (run / "last.old" / "weights.safetensors").touch()
    return {2}


STATES = [nothing_saved, one_saved, two_saved, newest_damaged, died_between_renames, leftovers]


def step_found(run: Path) -> int | None:
    """The step of the checkpoint a reader takes, all of which is of that step."""
    try:
        checkpoint = open_checkpoint(run, "last")
    except RunNotFoundError:
        return None
    step = checkpoint.document("trainer.json")["step"]
    arrays = checkpoint.tensors("weights.safetensors") | checkpoint.tensors("trainer.safetensors")
    assert all(array.flat[0] == step for array in arrays.values())
    assert step == checkpoint.step
    return int(step)


@pytest.fixture
def saved(run: Any, helpers: Any) -> Path:
    """A run's folder with last/ of step 2 and last.prev/ of step 1."""
    helpers.save(run, 1)
    helpers.save(run, 2)
    return Path(run.path)


@pytest.mark.parametrize("state", STATES)
def test_power_cut_at_every_call(
    saved: Path, state: Callable[[Path], set[int | None]], faults: Any, power_cut: Any, helpers: Any
) -> None:
    good = {7, *state(saved)}
    bound, copy, calls = bind_run_files(saved), saved.with_name("copy"), 1
    while True:
        for half in (False, True):
            shutil.copytree(saved, copy, symlinks=True)
            faults.arm(calls, power_cut, half)
            try:
                helpers.save(copy, 7, run_files=bound)
                died = False
            except power_cut:
                died = True
            faults.disarm(lose_unflushed=died)
            assert step_found(copy) in good, faults.log
            for name in ("last", "last.prev"):  # nothing is ever seen half removed
                whole = is_whole(copy / name, "last")
                assert whole or not (copy / name).exists() or state is newest_damaged, faults.log
            helpers.save(copy, 8, run_files=bound)
            assert step_found(copy) == 8
            assert not [path for path in copy.iterdir() if path.suffix in (".new", ".old")]
            shutil.rmtree(copy)
            if half or not faults_in_write(faults, calls):
                break
        if not died:
            return
        calls += 1


def faults_in_write(faults: Any, calls: int) -> bool:
    return len(faults.log) >= calls and bool(faults.log[calls - 1].startswith("write"))


@pytest.mark.parametrize("state", STATES)
def test_disk_full_at_every_call(
    saved: Path, state: Callable[[Path], set[int | None]], faults: Any, disk_full: Any, helpers: Any
) -> None:
    good = {7, *state(saved)}
    bound, copy, calls, failed = bind_run_files(saved), saved.with_name("copy"), 1, True
    while failed:
        shutil.copytree(saved, copy, symlinks=True)
        faults.arm(calls, disk_full, half=True)
        try:
            helpers.save(copy, 7, run_files=bound)
            failed = len(faults.log) >= calls
        except RunError as error:
            assert str(error) == (
                "checkpoint last of step 7 cannot be written (No space left on device): "
                "free some space"
            )
            assert isinstance(error.__cause__, OSError)
        faults.disarm()
        assert step_found(copy) in good, faults.log
        helpers.save(copy, 8, run_files=bound)
        assert step_found(copy) == 8
        shutil.rmtree(copy)
        calls += 1


def test_failed_save_gives_its_space_back(
    saved: Path, faults: Any, disk_full: Any, helpers: Any
) -> None:
    before = sorted(saved.iterdir())
    faults.arm(6, disk_full)
    with pytest.raises(RunError, match="free some space"):
        helpers.save(saved, 7, run_files={})
    assert faults.log[5].startswith("write")
    assert sorted(saved.iterdir()) == before


def test_everything_is_flushed_before_it_is_renamed(saved: Path, faults: Any, helpers: Any) -> None:
    files: dict[str, Any] = {"weights.safetensors": {}, "trainer.json": {}}
    marks = helpers.journals(Run(saved))
    faults.arm(0, RuntimeError)
    helpers.save(saved, 3, files=files, run_files={}, journals=marks)
    calls = [call.partition(" ")[0] for call in faults.log if not call.startswith("write")]
    assert calls == [
        *["fsync"] * 3,  # journals
        "mkdir",
        *["open", "fsync"] * 3,  # weights, trainer.json, manifest
        "fsync",  # last.new
        "rename",  # last.prev -> last.old
        "rename",  # last -> last.prev
        "rename",  # last.new -> last
        "fsync",  # the run
        *["unlink"] * 4,
        "rmdir",  # last.old
    ]


def test_a_damaged_checkpoint_never_replaces_a_good_one(saved: Path, helpers: Any) -> None:
    damage(saved / "last" / "weights.safetensors")
    helpers.save(saved, 3)
    damage(saved / "last" / "weights.safetensors")
    assert step_found(saved) == 1


def test_a_link_in_place_of_a_checkpoint_is_removed_not_followed(
    saved: Path, tmp_path: Path, helpers: Any
) -> None:
    elsewhere = tmp_path / "elsewhere"
    (saved / "last").rename(elsewhere)
    (saved / "last").symlink_to(elsewhere)
    helpers.save(saved, 3)
    assert step_found(saved) == 3
    assert (elsewhere / "manifest.json").exists()


def test_a_checkpoint_of_a_newer_version_is_left_alone(
    saved: Path, reseal: Any, helpers: Any
) -> None:
    reseal(
        saved / "last" / "manifest.json", lambda text: text.replace('"format": 1', '"format": 2')
    )
    before = sorted(saved.rglob("*"))
    message = (
        f"{saved}/last/manifest.json is of format 2, this charnn reads format 1: "
        "update charnn to read it"
    )
    for action in (lambda: helpers.save(saved, 3), lambda: open_checkpoint(saved, "last")):
        with pytest.raises(RunError) as caught:
            action()
        assert str(caught.value) == message
        assert not isinstance(caught.value, RunDamagedError)
    assert sorted(saved.rglob("*")) == before


def test_the_slots_do_not_touch_each_other(saved: Path, helpers: Any) -> None:
    helpers.save(saved, 9, "best")
    assert open_checkpoint(saved, "last").step == 2
    assert open_checkpoint(saved, "best").step == 9


def test_manifest_tells_all(run: Any, helpers: Any) -> None:
    marks = helpers.journals(run)
    written = helpers.save(run, 5, journals=marks, scores={"bits_per_char": 3.25, "epoch": 2})
    manifest = open_checkpoint(run.path, "last").manifest
    assert manifest == written
    assert set(manifest.run_files) == {"config.json", "tokenizer.json", "ngram.json"}
    assert manifest.journals == marks
    assert manifest.scores == {"bits_per_char": 3.25, "epoch": 2.0}


@pytest.mark.parametrize(
    ("changes", "kind", "message"),
    [
        ({"slot": "first"}, OptionError, "slot must be one of best, last, got 'first'"),
        (
            {"files": {"a.pickle": {}}},
            OptionError,
            "a checkpoint's file must be .safetensors or .json, got 'a.pickle'",
        ),
        (
            {"files": {"manifest.json": {}}},
            OptionError,
            "a checkpoint's file must be .safetensors or .json, got 'manifest.json'",
        ),
        (
            {"files": {"../a.json": {}}},
            RunDamagedError,
            "a checkpoint to be saved names a file '../a.json', which no run has",
        ),
        (
            {"files": {"weights.safetensors": {"output.bias": np.array([1, np.nan])}}},
            RunDamagedError,
            "checkpoint last of step 3: weight output.bias holds numbers that are not finite",
        ),
        (
            {"scores": {"bits_per_char": float("nan")}},
            RunDamagedError,
            "checkpoint last: bits_per_char must be a number, got nan",
        ),
        ({"scores": {"a": "b"}}, RunDamagedError, "checkpoint last: a must be a number, got 'b'"),
        (
            {"journals": {"other.jsonl": None}},
            RunDamagedError,
            "checkpoint last: other.jsonl must be an object, got None",
        ),
    ],
)
def test_refusals_touch_nothing(
    saved: Path, helpers: Any, changes: dict[str, Any], kind: type[Exception], message: str
) -> None:
    before = sorted(saved.rglob("*"))
    step, slot = changes.pop("step", 3), changes.pop("slot", "last")
    with pytest.raises(kind) as caught:
        helpers.save(saved, step, slot, **({"run_files": {}} | changes))
    assert str(caught.value).startswith(message)
    assert sorted(saved.rglob("*")) == before


def test_a_caller_s_mistake_leaves_no_litter(saved: Path, helpers: Any) -> None:
    before = sorted(saved.rglob("*"))
    for content in ({"x": np.zeros(2, np.complex128)}, {"x": np.array(["a"])}):
        with pytest.raises(TypeError, match="cannot be saved"):
            helpers.save(saved, 3, files={"trainer.safetensors": content})
    with pytest.raises(ValueError, match="not JSON compliant"):
        helpers.save(saved, 3, files={"trainer.json": {"x": float("inf")}})
    assert sorted(saved.rglob("*")) == before


def test_read_only_and_vanished_folders(saved: Path, helpers: Any) -> None:
    moved = saved.rename(saved.with_name("moved"))
    with pytest.raises(RunError) as caught:
        save_checkpoint(saved, "last", {}, step=3, scores={}, run_files={}, journals={})
    assert str(caught.value) == (
        "checkpoint last of step 3 cannot be written (No such file or directory): "
        "put the folder back where it was"
    )
    assert step_found(moved) == 2


def test_binding_refuses_links_and_odd_names(run: Any) -> None:
    (run.path / "ngram.bin").symlink_to(run.path / "config.json")
    with pytest.raises(RunError, match="Too many levels of symbolic links"):
        bind_run_files(run.path)
    (run.path / "ngram.bin").unlink()
    (run.path / "ngram.Ä").write_bytes(encode_json({}))
    with pytest.raises(RunDamagedError, match=r"names a file 'ngram\.Ä', which no run has"):
        bind_run_files(run.path)


def test_what_looks_as_it_was_saved_is_not_read_again(
    run: Run, helpers: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    monkeypatch.setattr(
        saving_module, "is_whole", lambda folder, slot: read.append(slot) or is_whole(folder, slot)
    )
    helpers.save(run, 1)
    known = looks_of(run.path / "last")
    helpers.save(run, 2, known=known)
    assert read == ["last"]
    helpers.save(run, 3, known=known)  # of another one
    helpers.save(run, 4)
    assert read == ["last"] * 3
    assert (run.last().step, open_checkpoint(run.path, "last").step) == (4, 4)


@pytest.mark.parametrize("name", ["weights.safetensors", "trainer.json", "manifest.json"])
def test_what_was_damaged_since_it_was_saved_is_noticed(run: Run, helpers: Any, name: str) -> None:
    helpers.save(run, 1)
    helpers.save(run, 2)
    known = looks_of(run.path / "last")
    damage(run.path / "last" / name)
    helpers.save(run, 3, known=known)
    (run.path / "last" / "manifest.json").unlink()
    assert run.last().step == 1  # and not the damaged one


def test_looks(run: Run, helpers: Any) -> None:
    assert looks_of(run.path / "last") is None
    helpers.save(run, 1)
    looks = looks_of(run.path / "last")
    assert looks == looks_of(run.path / "last")
    (run.path / "last" / "more").touch()
    assert looks_of(run.path / "last") != looks


class Enough(Exception):  # noqa: N818
    """Somebody has had enough."""


@pytest.mark.parametrize("calls", [1, 2, 3])
def test_a_save_that_is_broken_off_leaves_what_was_there(
    run: Run, helpers: Any, calls: int
) -> None:
    helpers.save(run, 1)
    left = calls

    def watch() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise Enough

    with pytest.raises(Enough):
        helpers.save(run, 2, watch=watch)
    assert run.last().step == 1
    assert not (run.path / "last.new").exists()
    helpers.save(run, 3, watch=lambda: None)
    assert run.last().step == 3
