"""Every file of a run looked at: seals, checksums, numbers, journals, and what does not belong.

Readers verify what they read; this reads all there is. Telling it to a person is left to the
command.
"""

import contextlib
import hashlib
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from charnn.errors import CharnnError, RunDamagedError
from charnn.model.shapes import ModelShape, parameter_count
from charnn.runs.checkpoints import Checkpoint, most_bytes
from charnn.runs.documents import decode_json
from charnn.runs.files import (
    Part,
    blocks_of,
    identity,
    is_there,
    measure_file,
    members_of,
    memory_limit,
    open_bytes,
    read_file,
    reading,
)
from charnn.runs.journal_lines import read_journal
from charnn.runs.layout import (
    BOUND_FILES,
    CONFIG,
    EXTRA_PREFIXES,
    JOURNALS,
    LOCK,
    MANIFEST,
    PLAN,
    PREVIOUS,
    SLOTS,
    SUBWORD,
    TOKENIZER,
    TRAINER,
    WEIGHTS,
    belongs,
    is_leftover,
)
from charnn.runs.lock import holder
from charnn.runs.manifest import Manifest, read_manifest
from charnn.runs.ngram_file import ngram_weight
from charnn.runs.run import Run
from charnn.runs.storage import Checksum
from charnn.runs.temperature import temperature_of
from charnn.runs.tensors import decode_tensors, decode_weights

_ATTEMPTS = 5


class Finding(NamedTuple):
    """What is to be said of one file of a run.

    Attributes:
        name: in the run's folder.
        problem: what is wrong with it; None if it is whole.
        note: what else is worth knowing.
        is_aside: whether this is no file of the run.
    """

    name: str
    problem: str | None = None
    note: str = ""
    is_aside: bool = False


def check_run(run: Run) -> Iterator[Finding]:
    """Every file of a run, one after another; what is damaged says how.

    Raises:
        RunError: there is no run at all.
    """
    if run.path.is_file():
        yield from _check_members(run.path)
    yield _found(CONFIG, run.config)
    shape = _quietly(lambda: run.config().model)
    if is_there(run.path / PLAN):
        yield _found(PLAN, run.plan)
    yield _found(TOKENIZER, run.tokenizer)
    if is_there(run.path / SUBWORD):
        yield _found(SUBWORD, run.tokenizer)
    manifests: dict[str, Manifest] = {}
    for slot in SLOTS:
        for folder in (slot, slot + PREVIOUS):
            if is_there(run.path / folder) or _has_members(run.path, folder):
                yield from _check_folder(run.path / folder, slot, shape, manifests)
    if not is_there(run.path / PLAN):
        yield from _missing_plan(run.path, manifests)
    yield from _check_run_files(run.path, manifests)
    yield from _check_journals(run.path, manifests)
    yield from _check_rest(run)


def _missing_plan(run: Path, manifests: Mapping[str, Manifest]) -> Iterator[Finding]:
    """A plan that must have been there, for training has come further than to making it."""
    manifest = manifests.get("last")
    if manifest is None or not manifest.step or TRAINER not in manifest.files:
        return
    path = run / "last" / TRAINER
    said = _quietly(lambda: decode_json(read_file(path, memory_limit()), str(path)))
    if said is None or said.get("plan", ()) is not None:  # null: it was not fixed then
        yield Finding(PLAN, f"{run / PLAN} is missing")


def _found(name: str, look: Callable[[], Any], note: str = "") -> Finding:
    try:
        look()
    except CharnnError as error:
        return Finding(name, str(error))
    return Finding(name, None, note)


def _quietly(look: Callable[[], Any]) -> Any:
    with contextlib.suppress(CharnnError):
        return look()
    return None


def _has_members(run: Path, folder: str) -> bool:
    return run.is_file() and any(name.startswith(f"{folder}/") for name in members_of(run))


def _check_members(archive: Path) -> Iterator[Finding]:
    """The CRC of each member, which no other reader looks at."""
    for name, member in members_of(archive).items():
        crc = 0
        with open_bytes(archive / name) as part:
            for block in blocks_of(part):
                crc = zlib.crc32(block, crc)
        if crc != member.crc:
            yield Finding(name, f"{archive / name} was altered: its CRC differs")


def _check_folder(
    folder: Path, slot: str, shape: ModelShape | None, manifests: dict[str, Manifest]
) -> Iterator[Finding]:
    """A checkpoint; looked at again if a save has moved it meanwhile."""
    findings: list[Finding] = []
    for _ in range(_ATTEMPTS):
        before = identity(folder)
        findings = list(_check_checkpoint(folder, slot, shape, manifests))
        if before == identity(folder) or not any(finding.problem for finding in findings):
            break
    yield from findings


def _check_checkpoint(
    folder: Path, slot: str, shape: ModelShape | None, manifests: dict[str, Manifest]
) -> Iterator[Finding]:
    name = f"{folder.name}/{MANIFEST}"
    try:
        manifest = read_manifest(folder, slot)
    except CharnnError as error:
        yield Finding(name, str(error))
        return
    manifests[folder.name] = manifest
    checkpoint = Checkpoint(folder, manifest, None, {})
    yield _found(name, lambda: _check_scores(checkpoint), f"step {manifest.step:,}")
    for file, expected in manifest.files.items():
        look = _content_check(folder / file, expected, shape)
        yield _found(f"{folder.name}/{file}", look)
    if folder.parent.is_dir():
        known = {MANIFEST, *manifest.files}
        for path in sorted(folder.iterdir()):
            if path.name not in known:
                note = "not part of the checkpoint; nobody reads it"
                yield Finding(f"{folder.name}/{path.name}", None, note, is_aside=True)


def _check_scores(checkpoint: Checkpoint) -> None:
    """That a network could predict with what stands in its manifest."""
    ngram_weight(checkpoint)
    temperature_of(checkpoint)


def _content_check(
    path: Path, expected: Checksum | None, shape: ModelShape | None
) -> Callable[[], None]:
    """A look at one file: its checksum, and that it holds what its name says."""

    def look() -> None:
        if path.suffix not in (".safetensors", ".json"):
            measure_file(path, expected)
            return
        parameters = None if shape is None else parameter_count(shape)
        most = min(memory_limit(), most_bytes(path.name, parameters))
        data = read_file(path, most, expected)
        if path.suffix == ".json":
            decode_json(data, str(path))
        elif path.name == WEIGHTS and shape is not None:
            decode_weights(data, shape, str(path))
        else:
            _check_numbers(decode_tensors(data, str(path)), path)

    return look


def _check_numbers(arrays: Mapping[str, Any], path: Path) -> None:
    for name, array in arrays.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise RunDamagedError(f"{path}: tensor {name} holds numbers that are not finite")


def _check_run_files(run: Path, manifests: Mapping[str, Manifest]) -> Iterator[Finding]:
    """The files that belong to the run as a whole, as every checkpoint was made with them."""
    for folder, manifest in manifests.items():
        for name, expected in manifest.run_files.items():
            finding = _found(name, _measuring(run / name, expected))
            if finding.problem:
                note = f"{finding.problem} (of {folder})"
                yield Finding(name, note)
    bound = {name for manifest in manifests.values() for name in manifest.run_files}
    names = bound | {name for name in _names(run) if name.startswith(EXTRA_PREFIXES)}
    for name in sorted(names - set(BOUND_FILES)):
        if not is_leftover(name) and belongs(name):
            note = "" if name in bound else "no checkpoint was made with it"
            yield _found(name, _content_check(run / name, None, None), note)


def _measuring(path: Path, expected: Checksum) -> Callable[[], Checksum]:
    return lambda: measure_file(path, expected)


def _check_journals(run: Path, manifests: Mapping[str, Manifest]) -> Iterator[Finding]:
    """Every line, and the part that the checkpoints from which training goes on speak of."""
    binding = [manifests[name] for name in ("last", "last" + PREVIOUS) if name in manifests]
    binding = binding or [manifests[name] for name in manifests if run.is_file()]
    for name in JOURNALS:
        path = run / name
        problems = []
        try:
            note = _read_all(path)
        except CharnnError as error:
            note, problems = "", [str(error)]
        for manifest in binding:
            if expected := manifest.journals.get(name):
                problems += _prefix_problem(path, expected, manifest)
        if problems or is_there(path):
            yield Finding(name, problems[0] if problems else None, note)


def _read_all(path: Path) -> str:
    """What is to be noted of a journal all of whose lines are records."""
    end = 0
    for line in read_journal(path):
        end = line.end
    if not is_there(path):
        return ""
    with open_bytes(path) as part:
        torn = part.length - end
    return f"its last line of {torn:,} bytes is unfinished, readers leave it out" if torn else ""


def _prefix_problem(path: Path, expected: Checksum, manifest: Manifest) -> list[str]:
    if expected.length == 0:
        return []
    try:
        with open_bytes(path) as part:
            digest = hashlib.sha256()
            for block in blocks_of(Part(part.file, min(part.length, expected.length))):
                digest.update(block)
            if part.length >= expected.length and digest.hexdigest() == expected.sha256:
                return []
    except RunDamagedError as error:
        return [str(error)]
    return [f"{path} was altered: it is not as it was at step {manifest.step:,}"]


def _names(run: Path) -> list[str]:
    if run.is_file():
        return [name for name in members_of(run) if "/" not in name]
    with reading(run):
        return sorted(path.name for path in run.iterdir())


def _check_rest(run: Run) -> Iterator[Finding]:
    """What is left from crashes, what does not belong, and links, which nobody follows."""
    who = holder(run.path)
    for name in _names(run.path):
        path = run.path / name
        if is_leftover(name) and belongs(name):
            note = "being written" if who else "left from a save that died, --prune removes it"
            yield Finding(name, None, note, is_aside=True)
        elif not belongs(name):
            yield Finding(name, None, "not part of the run, nobody reads it", is_aside=True)
        elif path.is_symlink() and name not in BOUND_FILES:
            yield Finding(name, f"{path} is a link: nothing in a run is")
    if who is not None:
        yield Finding(LOCK, None, f"being trained by {who}", is_aside=True)
