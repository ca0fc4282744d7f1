"""Damage: whatever happens to a file, readers get what was saved, a note or a refusal."""

import hashlib
import os
import re
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from charnn.errors import RunDamagedError, RunError
from charnn.model.shapes import ModelShape, parameter_count
from charnn.records import Record
from charnn.runs.catalog import list_runs
from charnn.runs.check import check_run
from charnn.runs.checkpoints import Checkpoint
from charnn.runs.journals import Journals
from charnn.runs.layout import JOURNALS
from charnn.runs.manifest import read_manifest
from charnn.runs.run import Run

BEST, LAST = {3, 1}, {4, 2}


def damages(path: Path) -> Iterator[tuple[str, bytes]]:
    """Altered forms of a file: a bit flipped here and there, cut short, longer."""
    data = path.read_bytes()
    for number, offset in enumerate(range(0, len(data), max(1, len(data) // 11))):
        flipped = bytearray(data)
        flipped[offset] ^= 1 << (number % 8)
        yield f"flipped at {offset}", bytes(flipped)
    yield from (("emptied", b""), ("halved", data[: len(data) // 2]), ("cut", data[:-1]))
    yield from (("longer", data + b"\n"), ("zeroed", bytes(len(data))))


def content(checkpoint: Checkpoint, shape: ModelShape) -> int:
    """The step that everything in the checkpoint agrees on."""
    step = checkpoint.step
    arrays = checkpoint.weights(shape) | checkpoint.tensors("trainer.safetensors")
    assert {int(array.flat[0]) for array in arrays.values()} == {step}
    assert checkpoint.document("trainer.json")["step"] == step
    return step


def attempt(read: Callable[[], Any]) -> Any:
    """What `read` gives, or the refusal; any other exception fails the test."""
    try:
        return read()
    except RunError as refusal:
        assert str(refusal)
        assert "\n" not in str(refusal)
        return refusal


def read_journal_of(run: Run, name: str) -> list[Record]:
    return list(run.records(name))


def read_everything(run: Run, shape: ModelShape) -> bool:
    """Whether damage shows somewhere; wrong content without a word fails the test."""
    noticed = False
    for read, steps in ((run.best, BEST), (run.last, LAST)):
        checkpoint = attempt(read)
        if isinstance(checkpoint, Checkpoint):
            assert content(checkpoint, shape) in steps
            assert (checkpoint.note is None) == (checkpoint.step == max(steps))
            ngram = attempt(partial(checkpoint.run_file, "ngram.json"))
            assert isinstance(ngram, RunError) or b"novel" in ngram
            noticed |= checkpoint.note is not None or isinstance(ngram, RunError)
        noticed |= isinstance(checkpoint, RunError)
    config, plan = attempt(run.config), attempt(run.plan)
    noticed |= isinstance(config, RunError) or isinstance(plan, RunError) or plan is None
    assert plan is None or isinstance(plan, RunError) or plan == {"total_steps": 100}
    for name in JOURNALS:
        attempt(partial(read_journal_of, run, name))
    assert [summary.name for summary in list_runs(run.path.parent)][:1] == ["novel"]
    return noticed


def journals_noticed(run: Run, marks: Any) -> bool:
    journals = attempt(lambda: Journals(run.path, marks))
    if isinstance(journals, RunError):
        return True
    journals.close()
    return bool(journals.notes)


def files_of(run: Run) -> list[Path]:
    return sorted(path for path in run.path.rglob("*") if path.is_file())


def test_every_file_altered(full_run: Run, shape: ModelShape) -> None:
    marks = full_run.last().manifest.journals
    assert not read_everything(full_run, shape)
    for path in files_of(full_run):
        good = path.read_bytes()
        for what, bad in damages(path):
            path.write_bytes(bad)
            noticed = read_everything(full_run, shape)
            if path.name in JOURNALS:
                # What a journal gained since the checkpoint is cut, as it should be.
                noticed = journals_noticed(full_run, marks) or what == "longer"
            path.write_bytes(good)
            assert noticed or ".prev" in path.parent.name, (path.name, what)
    assert not read_everything(full_run, shape)


@pytest.mark.parametrize("substitute", ["nothing", "link", "broken link", "folder", "pipe"])
def test_every_file_replaced_by_something_else(
    full_run: Run, shape: ModelShape, tmp_path: Path, substitute: str
) -> None:
    marks = full_run.last().manifest.journals
    for path in files_of(full_run):
        hidden = path.rename(tmp_path / "hidden")
        if substitute.endswith("link"):
            path.symlink_to(hidden if substitute == "link" else tmp_path / "nowhere")
        elif substitute == "folder":
            path.mkdir()
        elif substitute == "pipe":
            os.mkfifo(path)
        noticed = read_everything(full_run, shape)
        if path.name in JOURNALS:
            noticed = journals_noticed(full_run, marks)
        if path.is_dir() and not path.is_symlink():
            path.rmdir()
        else:
            path.unlink(missing_ok=True)
        hidden.rename(path)
        assert noticed or ".prev" in path.parent.name, path.name
    assert not (tmp_path / "nowhere").exists()


def test_files_and_folders_swapped_between_runs(
    full_run: Run, shape: ModelShape, tmp_path: Path, helpers: Any
) -> None:
    other = helpers.run(tmp_path / "others", "other", created="2025-01-02T03:04:06+00:00")
    (other.path / "tokenizer.json").write_text('{"kind": "jamo"}', encoding="utf-8")
    other.write_plan({"total_steps": 200})
    for step, slot in ((5, "best"), (6, "last"), (7, "best"), (8, "last")):
        helpers.save(other, step, slot)
    names = [str(path.relative_to(full_run.path)) for path in files_of(full_run)]
    names = [name for name in names if name not in JOURNALS and ".prev" not in name]
    for name in [*names, "best", "last"]:
        mine, theirs, aside = full_run.path / name, other.path / name, tmp_path / "aside"
        mine.rename(aside)
        theirs.rename(mine)
        assert read_everything(full_run, shape), name
        mine.rename(theirs)
        aside.rename(mine)


def test_best_and_last_swapped(full_run: Run) -> None:
    best, last, aside = (full_run.path / name for name in ("best", "last", "aside"))
    best.rename(aside)
    last.rename(best)
    aside.rename(last)
    assert full_run.best().note == (
        f"{best}/manifest.json belongs to a checkpoint 'last', not best: "
        "best.prev/, the checkpoint before it, is used instead"
    )
    assert full_run.last().step == 2


def test_fallback_says_what_is_wrong(full_run: Run) -> None:
    (full_run.path / "last" / "trainer.json").unlink()
    checkpoint = full_run.last()
    assert checkpoint.step == 2
    assert checkpoint.note == (
        f"{full_run}/last/trainer.json is missing: "
        "last.prev/, the checkpoint before it, is used instead"
    ).replace(str(full_run), str(full_run.path))


def test_only_what_is_read_need_be_whole(full_run: Run, shape: ModelShape) -> None:
    (full_run.path / "last" / "trainer.safetensors").unlink()
    checkpoint = full_run.last("weights.safetensors")
    assert checkpoint.note is None
    assert checkpoint.weights(shape)["output.bias"][0] == 4
    with pytest.raises(RunDamagedError) as caught:
        checkpoint.tensors("trainer.safetensors")
    assert str(caught.value) == (
        f"{full_run.path}/last has no trainer.safetensors: it was saved for other uses"
    )


def test_refusal_when_nothing_is_good(full_run: Run) -> None:
    shutil.rmtree(full_run.path / "best.prev")
    (full_run.path / "best" / "manifest.json").write_bytes(b"{}")
    with pytest.raises(RunDamagedError) as caught:
        full_run.best()
    folder = full_run.path
    assert str(caught.value) == (
        f"run novel has no good best checkpoint ({folder}/best/manifest.json was altered: it does "
        f"not begin as charnn writes it; {folder}/best.prev is missing): restore it from a copy"
    )


def test_slot_that_is_a_link(full_run: Run, tmp_path: Path) -> None:
    (full_run.path / "last").rename(tmp_path / "elsewhere")
    (full_run.path / "last").symlink_to(tmp_path / "elsewhere")
    assert full_run.last().note == (
        f"{full_run.path}/last is not a folder of its own: "
        "last.prev/, the checkpoint before it, is used instead"
    )


MANIFESTS = {
    '"step": 4': '"step": "4"',
    '"step": 4,': '"step": 9007199254740992,',
    '"saved": ': '"saved": -',
    '"slot": "last"': '"slot": null',
    '"bits_per_char": 2.5': '"bits_per_char": 1e999',
    '"weights.safetensors"': '"../weights.safetensors"',
    '"trainer.json"': '"/etc/passwd"',
    '"config.json"': '"Config.json"',
    '"metrics.jsonl"': '"other.jsonl"',
    '"length": ': '"length": -',
    '"sha256": "': '"sha256": "0',
    '"files": {': '"files": {"a.json": {"length": 1e300, "sha256": ""},',
    '"run_files": {': '"run_files": [], "more": {',
}


@pytest.mark.parametrize("old", MANIFESTS)
def test_hostile_manifests(full_run: Run, reseal: Any, old: str) -> None:
    """Manifests with a right checksum and wrong content."""
    path = full_run.path / "last" / "manifest.json"
    assert old in path.read_text(encoding="utf-8")
    reseal(path, lambda text: text.replace(old, MANIFESTS[old]))
    note = full_run.last().note
    assert note
    assert note.startswith(str(path))


def test_too_many_files(full_run: Run, reseal: Any) -> None:
    path = full_run.path / "last" / "manifest.json"
    many = "".join(f'"a{number}.json": {{}},' for number in range(65))
    reseal(path, lambda text: text.replace('"files": {', '"files": {' + many, 1))
    assert "has 68 entries in a place for 64" in (full_run.last().note or "")


def test_what_is_larger_than_memory_is_not_read(
    full_run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    lengths = {name: entry.length for name, entry in full_run.last().manifest.files.items()}
    for limit in (sum(lengths.values()) - 1, 1000):
        monkeypatch.setattr("charnn.runs.checkpoints.memory_limit", lambda most=limit: most)
        with pytest.raises(RunDamagedError, match=r"is too large: .* bytes, at most .* are read"):
            full_run.last()
    monkeypatch.setattr("charnn.runs.checkpoints.memory_limit", lambda: sum(lengths.values()))
    assert full_run.last().note is None


def declare(run: Run, reseal: Any, name: str, length: int) -> Path:
    """Make a file of the last checkpoint a hole of so many bytes, and the manifest say so."""
    path = run.path / "last" / name
    before = path.stat().st_size
    with path.open("wb") as file:
        file.truncate(length)
    digest = hashlib.sha256()
    for _ in range(length >> 20):
        digest.update(bytes(1 << 20))
    digest.update(bytes(length & ((1 << 20) - 1)))
    entry = re.compile(rf'("{re.escape(name)}": {{\s*"length": ){before}(,\s*"sha256": ")\w+')
    reseal(
        run.path / "last" / "manifest.json",
        lambda text: entry.sub(rf"\g<1>{length}\g<2>{digest.hexdigest()}", text),
    )
    return path


@pytest.mark.parametrize(
    ("name", "most"),
    [
        ("trainer.json", 1 << 22),
        (
            "weights.safetensors",
            4 * parameter_count(ModelShape(5, 3, 4, 2, "lstm")) + 8 + (1 << 20),
        ),
    ],
)
def test_no_file_is_longer_than_what_it_is_for(
    full_run: Run, reseal: Any, name: str, most: int
) -> None:
    """A hole costs its owner nothing; read, it takes what it says."""
    path = declare(full_run, reseal, name, most + 1)
    refusal = f"{path} is too large: {most + 1:,} bytes, at most {most:,} are read"
    assert (full_run.last().note or "").startswith(f"{refusal}: last.prev/")
    found = {finding.name: finding.problem for finding in check_run(full_run)}
    assert found[f"last/{name}"] == refusal


def test_a_checkpoint_is_not_larger_than_its_network_makes_it(
    full_run: Run, reseal: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("charnn.runs.checkpoints._BYTES_BESIDES", 1 << 16)
    assert full_run.last().note is None
    path = declare(full_run, reseal, "trainer.safetensors", 1 << 20)
    assert f"{path} is too large: 1,048,576 bytes, at most " in (full_run.last().note or "")


def test_reader_beside_a_saving_process(
    full_run: Run, helpers: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A save between the manifest and the files moves the folder away under the reader."""
    from charnn.runs import checkpoints

    real, saves = read_manifest, iter((5, 6))

    def read_then_save(folder: Path, slot: str) -> Any:
        manifest = real(folder, slot)
        if step := next(saves, None):
            monkeypatch.setattr(checkpoints, "read_manifest", real)
            helpers.save(full_run, step)
            monkeypatch.setattr(checkpoints, "read_manifest", read_then_save)
        return manifest

    monkeypatch.setattr(checkpoints, "read_manifest", read_then_save)
    checkpoint = full_run.last()
    assert checkpoint.note is None
    assert checkpoint.step == 6
