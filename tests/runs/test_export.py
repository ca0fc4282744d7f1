"""A run as one file: the same to every reader, and nothing in it of the machine."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from charnn.errors import RunDamagedError, RunError, RunExistsError, RunNotFoundError
from charnn.model.shapes import ModelShape, weight_shapes
from charnn.records import Event, RunStarted, Validation
from charnn.runs import export as export_module
from charnn.runs.archive import Entry
from charnn.runs.catalog import find_run, summarise
from charnn.runs.check import check_run
from charnn.runs.documents import write_sealed
from charnn.runs.export import export_run
from charnn.runs.files import members_of
from charnn.runs.journal_lines import encode_line
from charnn.runs.layout import JOURNALS
from charnn.runs.lock import holder, lock_run
from charnn.runs.ngram_file import read_ngram
from charnn.runs.run import Run, create_run
from charnn.runs.saving import bind_run_files, save_checkpoint


@pytest.fixture
def file(whole_run: Run, tmp_path: Path) -> Path:
    """The run as one file, the folder gone."""
    path = tmp_path / "novel.charnn"
    assert export_run(whole_run, path) == (path.stat().st_size, None)
    whole_run.path.rename(tmp_path / "away")
    return path


def test_it_is_read_like_the_folder(file: Path, tmp_path: Path) -> None:
    shared, run = find_run(tmp_path / "checkpoints", file), Run(tmp_path / "away")
    assert shared == Run(file)
    mine, theirs = run.config(), shared.config()
    assert (theirs.model, theirs.tokenizer, theirs.training) == (
        mine.model,
        mine.tokenizer,
        mine.training,
    )
    assert shared.tokenizer().fingerprint == run.tokenizer().fingerprint
    for one, other in ((run.best(), shared.best()), (run.best(), shared.chosen())):
        assert (other.step, other.note) == (3, None)
        weights, others = one.weights(mine.model), other.weights(mine.model)
        assert all((others[name] == weights[name]).all() for name in weights)
        assert other.run_file("ngram.safetensors") == one.run_file("ngram.safetensors")
    for name in ("metrics.jsonl", "samples.jsonl"):
        assert list(shared.records(name)) == list(run.records(name))
    assert shared.plan() is None
    assert holder(shared.path) is None
    summary = summarise(shared)
    assert (summary.name, summary.step, summary.problem) == ("novel.charnn", 3, None)
    with pytest.raises(RunNotFoundError, match="has no last checkpoint yet"):
        shared.last()


def test_the_trainer_and_the_machine_stay_at_home(file: Path, tmp_path: Path) -> None:
    assert list(members_of(file)) == [
        *["best/manifest.json", "best/weights.safetensors", "config.json", "events.jsonl"],
        *["metrics.jsonl", "ngram.safetensors", "samples.jsonl", "tokenizer.json"],
    ]
    assert b"somebody" not in file.read_bytes()
    assert b"somebody" in (tmp_path / "away" / "events.jsonl").read_bytes()
    shared = Run(file)
    assert "paths" not in shared.config().corpus
    (started,) = shared.records("events.jsonl")
    assert isinstance(started, RunStarted)
    assert started.path == "novel"


def test_the_same_bytes_every_time(whole_run: Run, tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("a.charnn", "b.charnn")]
    for path in files:
        export_run(whole_run, path)
    assert files[0].read_bytes() == files[1].read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *["a.charnn", "b.charnn", "checkpoints"]
    ]


def test_without_a_best_the_last_is_taken(whole_run: Run, tmp_path: Path) -> None:
    for name in ("best", "best.prev"):
        shutil.rmtree(whole_run.path / name)
    export_run(whole_run, tmp_path / "x")
    shared = Run(tmp_path / "x")
    assert shared.chosen().step == 4
    assert list(shared.chosen().manifest.files) == ["weights.safetensors"]


def test_a_fall_back_is_told(whole_run: Run, tmp_path: Path) -> None:
    (whole_run.path / "best" / "weights.safetensors").unlink()
    _, note = export_run(whole_run, tmp_path / "x")
    assert note and note.endswith("best.prev/, the checkpoint before it, is used instead")
    assert Run(tmp_path / "x").best().step == 1


def test_a_fall_back_need_not_have_what_the_newest_has(whole_run: Run, tmp_path: Path) -> None:
    weights = whole_run.best().weights(whole_run.config().model)
    files = {"weights.safetensors": weights, "gradients.safetensors": weights}
    bound = bind_run_files(whole_run.path)
    save_checkpoint(whole_run.path, "best", files, step=5, scores={}, run_files=bound, journals={})
    (whole_run.path / "best" / "weights.safetensors").unlink()
    export_run(whole_run, tmp_path / "x")
    assert Run(tmp_path / "x").best().step == 3


def test_files_that_came_after_the_checkpoint_are_bound(whole_run: Run, tmp_path: Path) -> None:
    (whole_run.path / "copies.index").write_bytes(b"123")
    export_run(whole_run, tmp_path / "x")
    assert Run(tmp_path / "x").best().run_file("copies.index") == b"123"


def test_unpacked_it_is_a_run(file: Path, tmp_path: Path) -> None:
    shutil.unpack_archive(file, tmp_path / "unpacked", "zip")
    run = Run(tmp_path / "unpacked")
    assert run.best().step == 3
    assert not [finding for finding in check_run(run) if finding.problem or finding.is_aside]


def refusal(kind: type[RunError], call: Callable[[], Any]) -> str:
    with pytest.raises(kind) as caught:
        call()
    return str(caught.value)


def test_refusals(
    whole_run: Run, tmp_path: Path, helpers: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "x"
    file.write_bytes(b"mine")
    assert refusal(RunExistsError, lambda: export_run(whole_run, file)) == (
        f"{file} is there already and is not overwritten: name another file"
    )
    file.unlink()
    file.symlink_to(tmp_path / "nowhere")
    refusal(RunExistsError, lambda: export_run(whole_run, file))
    file.unlink()
    none = create_run(tmp_path, "none", helpers.config())
    assert "has no last checkpoint yet" in refusal(RunNotFoundError, lambda: export_run(none, file))
    nowhere = tmp_path / "nowhere" / "x"
    assert refusal(RunError, lambda: export_run(whole_run, nowhere)) == (
        f"{nowhere} cannot be written (No such file or directory): put the folder back where it was"
    )
    monkeypatch.setattr(export_module, "lay_out", overflow)
    assert refusal(RunError, lambda: export_run(whole_run, file)).startswith(
        "run novel is too large for one file ("
    )
    assert not file.exists()


def overflow(entries: list[Entry]) -> Any:
    raise OverflowError


def test_an_exported_run_is_not_trained_or_exported(file: Path, tmp_path: Path) -> None:
    assert refusal(RunError, lambda: export_run(Run(file), tmp_path / "y")) == (
        f"{file} is one file already: copy it"
    )

    def lock() -> None:
        with lock_run(file):
            pass

    assert refusal(RunError, lock) == (
        f"{file} holds no training to go on with, only what it came to: begin a new run from it "
        f"with --init-from {file}"
    )


def test_a_crash_leaves_no_half_file(
    whole_run: Run, tmp_path: Path, faults: Any, disk_full: Any
) -> None:
    file, call = tmp_path / "x.charnn", 1
    while True:
        faults.arm(call, disk_full, half=True)
        try:
            export_run(whole_run, file)
            faults.disarm()
            break
        except RunError as error:
            assert "No space left on device" in str(error)
        faults.disarm()
        assert not file.exists()
        call += 1
    assert Run(file).best().step == 3
    assert call > 4
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_somebody_else_takes_the_name_meanwhile(
    whole_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, real = tmp_path / "x", os.link

    def link(source: Path, target: Path) -> None:
        target.write_bytes(b"theirs")
        real(source, target)

    monkeypatch.setattr(os, "link", link)
    refusal(RunExistsError, lambda: export_run(whole_run, file))
    assert file.read_bytes() == b"theirs"


def test_a_disk_without_links(
    whole_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def link(source: Path, target: Path) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "link", link)
    export_run(whole_run, tmp_path / "x")
    assert Run(tmp_path / "x").best().step == 3


def test_any_altered_byte_is_noticed(file: Path) -> None:
    """By the layout, a seal, a checksum or a CRC; sampled."""
    data = file.read_bytes()
    assert not [finding for finding in check_run(Run(file)) if finding.problem]
    for place in range(0, len(data), 131):
        altered = bytearray(data)
        altered[place] ^= 1 << place % 8
        file.write_bytes(altered)
        assert noticed(Run(file)), place
    for cut in (0, 1, 100, len(data) // 2, len(data) - 1):
        file.write_bytes(data[:cut])
        assert noticed(Run(file)), cut


def noticed(run: Run) -> bool:
    """Whether a check or a reader says that something is wrong; any other error fails the test."""
    try:
        found = [finding for finding in check_run(run) if finding.problem]
        summarise(run)
        for name in JOURNALS:
            list(run.records(name))
        run.chosen().weights(run.config().model)
    except RunError:
        return True
    return bool(found)


def test_notes_of_other_kinds_go_along(whole_run: Run, tmp_path: Path) -> None:
    line = b'{"record": "event", "kind": "best", "step": 3, "message": "a", "elapsed": 2.0}\n'
    with (whole_run.path / "events.jsonl").open("ab") as journal:
        journal.write(line + b'{"record": "torn')
    export_run(whole_run, tmp_path / "x")
    _, event = Run(tmp_path / "x").records("events.jsonl")
    assert event == Event("best", 3, "a", 2.0)


def mixed(run: Run, helpers: Any) -> None:
    """Make the run one of a mixture, with an index of copies; its network alone scored 4 bits."""
    config = run.config().to_json() | {"experts": ["network", "ngram"]}
    (run.path / "config.json").unlink()
    write_sealed(run.path / "config.json", config)
    (run.path / "copies.safetensors").write_bytes(b"123")
    with (run.path / "metrics.jsonl").open("ab") as journal:
        for final, bits in ((False, 4.0), (True, 5.0)):
            score = Validation(3, 1.0, 3.0, 1.5, 9, 9, True, True, 2.0, final, bits)
            journal.write(encode_line(score))
    weights = {name: np.ones(size, np.float32) for name, size in weight_shapes(SHAPE).items()}
    scores = {"bits_per_char": 3.0, "ngram_weight": 0.4}
    files = {"weights.safetensors": weights}
    helpers.save(run, 3, "best", scores=scores, files=files)


SHAPE = ModelShape(257, 3, 4, 2, "lstm")


def test_without_the_ngram(whole_run: Run, tmp_path: Path, helpers: Any) -> None:
    mixed(whole_run, helpers)
    file = tmp_path / "x.charnn"
    export_run(whole_run, file, with_ngram=False)
    names = list(members_of(file))
    assert not [name for name in names if name.startswith(("ngram", "copies"))]
    shared = Run(file)
    assert tuple(shared.config().experts) == ("network",)
    manifest = shared.best().manifest
    assert dict(manifest.scores) == {"bits_per_char": 4.0}
    assert set(manifest.run_files) == {"config.json", "tokenizer.json"}
    assert read_ngram(shared, shared.best()) is None
    assert not [finding for finding in check_run(shared) if finding.problem]
    assert summarise(shared).bits_per_char == 4.0
    assert tuple(whole_run.config().experts) == ("network", "ngram")


def test_without_the_ngram_of_a_file(whole_run: Run, tmp_path: Path, helpers: Any) -> None:
    mixed(whole_run, helpers)
    whole, one, other = (tmp_path / name for name in ("novel", "one", "other"))
    export_run(whole_run, whole)
    assert "copies.safetensors" in members_of(whole)
    export_run(Run(whole), one, with_ngram=False)
    export_run(whole_run, other, with_ngram=False)
    assert one.read_bytes() == other.read_bytes()


def test_without_an_ngram_that_is_not_there(whole_run: Run, tmp_path: Path) -> None:
    (whole_run.path / "ngram.safetensors").unlink()
    with pytest.raises(RunDamagedError, match=r"ngram.safetensors is missing$"):
        export_run(whole_run, tmp_path / "x")
    export_run(whole_run, tmp_path / "x", with_ngram=False)
    assert Run(tmp_path / "x").best().step == 3


@pytest.mark.parametrize("change", [("corpus", []), ("experts", 7), ("experts", None)], ids=str)
@pytest.mark.parametrize("with_ngram", [True, False])
def test_a_configuration_that_is_none_is_refused(
    whole_run: Run, tmp_path: Path, change: tuple[str, Any], with_ngram: bool
) -> None:
    config = whole_run.config().to_json() | dict([change])
    (whole_run.path / "config.json").unlink()
    write_sealed(whole_run.path / "config.json", config)
    refusal(RunError, lambda: export_run(whole_run, tmp_path / "x", with_ngram=with_ngram))
    assert not (tmp_path / "x").exists()
