"""Checkpoints opened so that no damage passes for one; saving them is left to saving.py.

Anybody may open one, also while another process saves.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from charnn.errors import RunDamagedError, RunNotFoundError
from charnn.model.shapes import ModelShape, parameter_count
from charnn.runs.config import MAX_CONFIG_BYTES, RunConfig
from charnn.runs.documents import MAX_DOCUMENT_BYTES, decode_json, read_sealed
from charnn.runs.files import (
    MAX_FILE_BYTES,
    identity,
    measure_file,
    memory_limit,
    read_aligned,
    read_file,
)
from charnn.runs.layout import (
    BOUND_FILES,
    CONFIG,
    GRADIENTS,
    PREVIOUS,
    WEIGHTS,
    Slot,
    check_slot,
)
from charnn.runs.manifest import Manifest, read_manifest
from charnn.runs.storage import Buffer
from charnn.runs.tensors import (
    MAX_HEADER_BYTES,
    Array,
    decode_header,
    decode_tensors,
    decode_weights,
)
from charnn.text.shell import quoted

Result = TypeVar("Result")

MAX_RUN_DOCUMENT_BYTES = 1 << 23  # tokenizer.json is the longest
MAX_RUN_FILE_BYTES = 1 << 30  # n-grams of 2 million tokens take a quarter of that
_ATTEMPTS = 5
_BYTES_OF_A_PARAMETER = 32  # weights, average, moments and gradients together take 20
_BYTES_BESIDES = 1 << 30  # what is carried from window to window, for thousands of rows


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint whose files have been read and proved against its manifest.

    Attributes:
        folder: where it was found.
        manifest: what it holds.
        note: why this is not the newest one that was saved; None if it is.
    """

    folder: Path
    manifest: Manifest
    note: str | None
    _contents: Mapping[str, Buffer] = field(repr=False)

    @property
    def step(self) -> int:
        """Optimiser updates done."""
        return self.manifest.step

    def tensors(self, name: str) -> dict[str, Array]:
        """The arrays of a .safetensors file, as views of one buffer.

        Raises:
            RunDamagedError: the file was not read, or is not as the format says.
        """
        return decode_tensors(self.content(name), str(self.folder / name))

    def document(self, name: str) -> dict[str, Any]:
        """The object in a .json file.

        Raises:
            RunDamagedError: the file was not read, or is not readable JSON.
        """
        return decode_json(self.content(name), str(self.folder / name))

    def weights(self, shape: ModelShape) -> dict[str, NDArray[np.float32]]:
        """The weights to evaluate and generate with, if they fit the network and are finite.

        Returns:
            Arrays named and shaped as `weight_shapes(shape)` says, in its order.

        Raises:
            RunDamagedError: they are of another network, or not finite.
        """
        return decode_weights(self.content(WEIGHTS), shape, str(self.folder / WEIGHTS))

    def gradient_roots(self, shape: ModelShape) -> dict[str, NDArray[np.float32]]:
        """How large each weight's gradient was in training, if the file fits the network.

        Returns:
            Root mean squares, named and shaped as the weights; not all of them zero.

        Raises:
            RunDamagedError: they are of another network, or none.
        """
        where = str(self.folder / GRADIENTS)
        roots = decode_weights(self.content(GRADIENTS), shape, where)
        for name, array in roots.items():
            if array.min() < 0:
                raise RunDamagedError(f"{where}: weight {name} holds roots that are below zero")
        if not any(array.any() for array in roots.values()):
            raise RunDamagedError(f"{where} says that nothing was ever learned")
        return roots

    def run_file(self, name: str) -> bytearray:
        """A file of the run's own folder, proved to be the one this checkpoint was made with.

        Raises:
            RunDamagedError: it is missing, another one, or the checkpoint was made without it.
        """
        path = self.folder.parent / name
        if name not in self.manifest.run_files:
            raise RunDamagedError(f"{self.folder} was made without {name}: it cannot be used")
        most = MAX_RUN_DOCUMENT_BYTES if name.endswith(".json") else MAX_RUN_FILE_BYTES
        return read_file(path, min(memory_limit(), most), self.manifest.run_files[name])

    def content(self, name: str) -> Buffer:
        """The bytes of a file, as they are on disk.

        Raises:
            RunDamagedError: the file was not read.
        """
        if name not in self._contents:
            raise RunDamagedError(f"{self.folder} has no {name}: it was saved for other uses")
        return self._contents[name]


def open_checkpoint(
    run: Path,
    slot: Slot,
    names: Collection[str] | None = None,
    fits: Callable[[int], bool] | None = None,
) -> Checkpoint:
    """The newest good checkpoint of a slot, its files read into memory.

    Args:
        run: the run's folder.
        slot: "best" or "last".
        names: the files that are wanted; only they are read and need be whole. All if None.
        fits: whether one of this step is wanted at all; any is if None.

    Raises:
        RunNotFoundError: none was saved yet.
        RunDamagedError: neither the newest nor the one before is good, or the run's config.json
            or tokenizer is not the one they were made with.
        RunError: it is of a version that this charnn does not read.
    """
    checkpoint, note = find_good(run, slot, lambda folder: _open(folder, slot, names, fits))
    return replace(checkpoint, note=note)


def open_manifest(run: Path, slot: Slot) -> Manifest:
    """The manifest of the newest checkpoint of a slot that has a good one; no file is read.

    Raises:
        RunNotFoundError: none was saved yet.
        RunDamagedError: neither the newest nor the one before is good.
        RunError: it is of a version that this charnn does not read.
    """
    return find_good(run, slot, lambda folder: read_manifest(folder, slot))[0]


def _open(
    folder: Path, slot: Slot, names: Collection[str] | None, fits: Callable[[int], bool] | None
) -> Checkpoint:
    manifest = read_manifest(folder, slot)
    if fits is not None and not fits(manifest.step):
        raise RunDamagedError(f"{folder} is of step {manifest.step:,}, which is not the one wanted")
    wanted = list(manifest.files if names is None else names)
    parameters = _parameters(folder.parent) if wanted else 0
    limit = min(memory_limit(), _BYTES_OF_A_PARAMETER * parameters + _BYTES_BESIDES)
    contents: dict[str, Buffer] = {}
    for name in wanted:
        if name not in manifest.files:
            raise RunDamagedError(f"{folder} has no {name}")
        read = read_aligned if name.endswith(".safetensors") else read_file
        most = min(limit, most_bytes(name, parameters))
        contents[name] = read(folder / name, most, manifest.files[name])
        limit -= len(contents[name])
        if name.endswith(".safetensors"):
            decode_header(contents[name], str(folder / name))
    for name in BOUND_FILES:
        if name in manifest.run_files:
            measure_file(folder.parent / name, manifest.run_files[name])
    return Checkpoint(folder, manifest, None, contents)


def most_bytes(name: str, parameters: int | None) -> int:
    """How long a file of a checkpoint may be, before anything of it is read.

    Args:
        name: of the file.
        parameters: how many numbers the network has; None if that is not known.
    """
    if name.endswith(".json"):
        return MAX_DOCUMENT_BYTES
    if name in (WEIGHTS, GRADIENTS) and parameters is not None:
        return 4 * parameters + 8 + MAX_HEADER_BYTES
    return MAX_FILE_BYTES


def _parameters(run: Path) -> int:
    """How many numbers the network of a run has, as its config.json declares it."""
    path = run / CONFIG
    return parameter_count(
        RunConfig.from_json(read_sealed(path, MAX_CONFIG_BYTES), str(path)).model
    )


def find_good(run: Path, slot: Slot, read: Callable[[Path], Result]) -> tuple[Result, str | None]:
    """What `read` makes of the slot's folder or, if that is damaged, of the one before.

    Returns:
        The result, and a sentence if it is not that of the newest one.

    Raises:
        RunNotFoundError: none was saved yet.
        RunDamagedError: neither is good.
    """
    check_slot(slot)
    folder, previous = run / slot, run / (slot + PREVIOUS)
    for _ in range(_ATTEMPTS):
        before = identity(folder), identity(previous)
        reason, result = "", None
        try:
            return read(folder), None
        except RunDamagedError as error:
            reason = str(error)
        try:
            result = read(previous)
        except RunDamagedError as error:
            reason = f"{reason}; {error}"
        # A save that goes on meanwhile moves folders under the reader: then look again.
        if before == (identity(folder), identity(previous)):
            break
    if result is not None:
        return result, f"{reason}: {previous.name}/, the checkpoint before it, is used instead"
    if before == (None, None):
        raise RunNotFoundError(
            f"run {run.name} has no {slot} checkpoint yet: let 'charnn train --resume "
            f"{quoted(run.name)}' go on until it has saved one"
        )
    raise RunDamagedError(
        f"run {run.name} has no good {slot} checkpoint ({reason}): restore it from a copy"
    )
