"""The manifest of a checkpoint: what it holds, what it was made with, and the checksums of both.

Reading and judging one is here; the files it speaks of are left to checkpoints.py.
"""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from charnn.errors import RunDamagedError
from charnn.runs.documents import read_sealed, take
from charnn.runs.files import MAX_FILE_BYTES, check_folder
from charnn.runs.layout import JOURNALS, MANIFEST, check_file_name
from charnn.runs.storage import Checksum

MAX_MANIFEST_BYTES = 1 << 20
MAX_ENTRIES = 64
_MAX_STEP = 1 << 53
_MAX_TIME = 1e11  # seconds; a date of four digits
_SHA256 = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a checkpoint holds.

    Attributes:
        slot: "best" or "last".
        step: optimiser updates done.
        saved: when, in seconds since 1970 (UTC).
        scores: numbers by name, such as "bits_per_char".
        files: the files beside the manifest.
        run_files: files of the run that it was made with, such as config.json and tokenizer.json.
        journals: how much of each journal belonged to the run at that step.
    """

    slot: str
    step: int
    saved: float
    scores: Mapping[str, float]
    files: Mapping[str, Checksum]
    run_files: Mapping[str, Checksum]
    journals: Mapping[str, Checksum]

    def to_json(self) -> dict[str, Any]:
        """The JSON object that `from_json` reads."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any], where: str) -> "Manifest":
        """The manifest in a JSON object, whoever wrote it.

        Raises:
            RunDamagedError: a value is missing, of another type, or outside its range.
        """
        step, saved = take(data, "step", int, where), take(data, "saved", float, where)
        if not 0 <= step < _MAX_STEP or not 0 <= saved < _MAX_TIME:
            raise RunDamagedError(f"{where}: step {step} or time {saved} is out of range")
        scores = take(data, "scores", dict, where)
        journals = _checksums(data, "journals", where)
        if unknown := set(journals) - set(JOURNALS):
            raise RunDamagedError(f"{where} speaks of an unknown journal {min(unknown)!r}")
        return cls(
            slot=take(data, "slot", str, where),
            step=step,
            saved=saved,
            scores={name: take(scores, name, float, where) for name in _few(scores, where)},
            files=_checksums(data, "files", where),
            run_files=_checksums(data, "run_files", where),
            journals=journals,
        )


def _few(data: Mapping[str, Any], where: str) -> Mapping[str, Any]:
    if len(data) > MAX_ENTRIES:
        raise RunDamagedError(f"{where} has {len(data):,} entries in a place for {MAX_ENTRIES}")
    return data


def _checksums(data: Mapping[str, Any], key: str, where: str) -> dict[str, Checksum]:
    entries = _few(take(data, key, dict, where), where)
    return {
        check_file_name(name, where): _checksum(take(entries, name, dict, where), where)
        for name in entries
    }


def _checksum(data: Mapping[str, Any], where: str) -> Checksum:
    length, sha256 = take(data, "length", int, where), take(data, "sha256", str, where)
    if not 0 <= length <= MAX_FILE_BYTES or not _SHA256.fullmatch(sha256):
        raise RunDamagedError(f"{where}: length {length} or sha256 {sha256[:64]!r} cannot be")
    return Checksum(length, sha256)


def read_manifest(folder: Path, slot: str) -> Manifest:
    """The manifest of the checkpoint in a folder; its files are not looked at.

    Args:
        folder: best/, last/ or what was one of them before.
        slot: "best" or "last", which the checkpoint must have been made as.

    Raises:
        RunDamagedError: there is none, it was altered, or it was made for the other slot.
        RunError: it is of a version that this charnn does not read.
    """
    check_folder(folder)
    path = folder / MANIFEST
    manifest = Manifest.from_json(read_sealed(path, MAX_MANIFEST_BYTES), str(path))
    if manifest.slot != slot:
        raise RunDamagedError(f"{path} belongs to a checkpoint {manifest.slot[:80]!r}, not {slot}")
    return manifest
