"""Checkpoints saved so that no crash loses one; opening them is left to checkpoints.py.

A slot ("best" or "last") is a folder beside its predecessor:

    last.new/   being written; ignored by readers, removed by the next save
    last/       the newest that was written whole
    last.prev/  the one before, taken when last/ is missing or damaged

At every instant one of the last two is whole. Only the process that holds the run's lock saves.
A predecessor that somebody still needs stays until nobody does: then last/ is the one that goes.
"""

import contextlib
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from charnn.errors import OptionError, RunDamagedError, RunError
from charnn.runs.documents import encode_json, seal
from charnn.runs.files import measure_file
from charnn.runs.layout import (
    BOUND_FILES,
    MANIFEST,
    NEW,
    NGRAM_PREFIX,
    OLD,
    PREVIOUS,
    WEIGHTS,
    Slot,
    check_file_name,
    check_slot,
)
from charnn.runs.manifest import Manifest, read_manifest
from charnn.runs.storage import (
    BLOCK_BYTES,
    Buffer,
    Checksum,
    flush_file,
    flush_folder,
    remove,
    write_file,
    writing,
)
from charnn.runs.tensors import check_finite, encode_tensors

Looks = tuple[tuple[str, int, int, int, int], ...]
"""Name, inode, length and times of every file in a folder."""


def bind_run_files(run: Path) -> dict[str, Checksum]:
    """Flush the files of a run that never change, and say what they are.

    These are config.json, the tokenizer and the n-gram. A checkpoint keeps what this returns, so
    that a file swapped for that of another run is noticed. Call it once they are all written.

    Raises:
        RunError: the system refused.
        RunDamagedError: one of them is no plain file.
    """
    names = [name for name in BOUND_FILES if os.path.lexists(run / name)]
    names += sorted(path.name for path in run.glob(f"{NGRAM_PREFIX}*") if path.suffix != NEW)
    with writing(f"run {run.name}"):
        for name in names:
            flush_file(run / check_file_name(name, str(run)))
        flush_folder(run)
    return {name: measure_file(run / name) for name in names}


def save_checkpoint(
    run: Path,
    slot: Slot,
    files: Mapping[str, Mapping[str, Any]],
    *,
    step: int,
    scores: Mapping[str, float],
    run_files: Mapping[str, Checksum],
    journals: Mapping[str, Checksum],
    known: Looks | None = None,
    watch: Callable[[], None] | None = None,
    needed: int | None = None,
) -> Manifest:
    """Save a checkpoint; when this returns it is on the disk, when it fails the one before is.

    Costs one pass over the new files and one over the ones they replace: only a checkpoint that
    is whole may take the place of the one before it. Who has written that one, and says how its
    folder looked then, saves the second pass as long as it looks so.

    Args:
        run: the run's folder; the caller holds its lock.
        slot: "best" or "last".
        files: by file name; for .safetensors arrays by name, for .json an object.
        step: optimiser updates done.
        scores: finite numbers by name, such as "bits_per_char".
        run_files: what `bind_run_files` said.
        journals: what `Journals.marks` said when the state was taken.
        known: what `looks_of` said of the slot's folder when the caller had saved it.
        watch: called before every few megabytes; what it raises breaks the saving off.
        needed: the step of the checkpoint that should be the one before, if it is there: the
            training may have to go on from a state that knows of no other one.

    Raises:
        RunError: the system refused; what was saved before is still there.
        RunDamagedError: the weights are not finite, or a name or score cannot be read back.
        OptionError: the slot or the kind of a file is unknown.
        TypeError: an array is of a type that cannot be saved.
    """
    check_slot(slot)
    manifest = Manifest(slot, step, time.time(), scores, {}, run_files, journals)
    Manifest.from_json(manifest.to_json(), f"checkpoint {slot}")
    for name in files:
        _check_content_name(name)
    check_finite(files.get(WEIGHTS, {}), f"checkpoint {slot} of step {step}")
    folder, new = run / slot, run / (slot + NEW)
    with writing(f"checkpoint {slot} of step {step}"):
        remove(new)
        remove(run / (slot + OLD))
        keep = (known is not None and looks_of(folder) == known) or is_whole(folder, slot)
        keep = keep and not _is_kept(run, slot, needed)
        try:
            for name in journals:
                flush_file(run / name)
            manifest = _write(new, manifest, files, watch or _nothing)
            (watch or _nothing)()
            _rotate(folder, keep)
        except Exception:
            with contextlib.suppress(OSError):
                remove(new)
            raise
    return manifest


def _check_content_name(name: str) -> None:
    check_file_name(name, "a checkpoint to be saved")
    if Path(name).suffix not in (".safetensors", ".json") or name == MANIFEST:
        raise OptionError(f"a checkpoint's file must be .safetensors or .json, got {name!r}")


def looks_of(folder: Path) -> Looks | None:
    """What tells whether anybody has touched the files in a folder; None if it is not there."""
    try:
        seen = [(path.name, path.lstat()) for path in sorted(folder.iterdir())]
    except OSError:
        return None
    return tuple(
        (name, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        for name, status in seen
    )


def _is_kept(run: Path, slot: Slot, step: int | None) -> bool:
    """Whether the predecessor in a slot alone is of a step, and whole."""
    if step is None or _step_of(run / slot, slot) == step:
        return False
    previous = run / (slot + PREVIOUS)
    return _step_of(previous, slot) == step and is_whole(previous, slot)


def _step_of(folder: Path, slot: Slot) -> int | None:
    with contextlib.suppress(RunError):
        return read_manifest(folder, slot).step
    return None


def _nothing() -> None:
    return None


def _write(
    new: Path,
    manifest: Manifest,
    files: Mapping[str, Mapping[str, Any]],
    watch: Callable[[], None],
) -> Manifest:
    new.mkdir()
    written = {
        name: write_file(new / name, _watched(_encode(name, content), watch))
        for name, content in files.items()
    }
    manifest = replace(manifest, files=written)
    write_file(new / MANIFEST, [seal(manifest.to_json())])
    flush_folder(new)
    return manifest


def _encode(name: str, content: Mapping[str, Any]) -> Iterable[Buffer]:
    if name.endswith(".safetensors"):
        return encode_tensors(content)
    return [encode_json(content)]


def _watched(parts: Iterable[Buffer], watch: Callable[[], None]) -> Iterator[Buffer]:
    """The same bytes; `watch` is called before each block of them."""
    for part in parts:
        view = memoryview(part)
        for start in range(0, len(view), BLOCK_BYTES):
            watch()
            yield view[start : start + BLOCK_BYTES]


def _rotate(folder: Path, keep: bool) -> None:
    name, run = folder.name, folder.parent
    old = run / (name + OLD)
    if keep:
        previous = run / (name + PREVIOUS)
        if os.path.lexists(previous):  # put aside in one piece: nobody finds half of it
            previous.rename(old)
        folder.rename(previous)
    elif os.path.lexists(folder):
        folder.rename(old)
    (run / (name + NEW)).rename(folder)
    flush_folder(run)
    with contextlib.suppress(OSError):
        remove(old)


def is_whole(folder: Path, slot: str) -> bool:
    """Whether every file of the checkpoint in a folder is what its manifest says.

    Raises:
        RunError: it is of a version that this charnn does not read.
    """
    try:
        manifest = read_manifest(folder, slot)
        for name, checksum in manifest.files.items():
            measure_file(folder / name, checksum)
    except RunDamagedError:
        return False
    return True
