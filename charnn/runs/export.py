"""A run as one file to share: what it came to, without what only its own training needs.

The file holds what a reader of the folder reads, sealed and bound by checksums as there. Left out
are the trainer's state, the plan, and where on this machine things were: the paths of the texts
and of the run, and the notes and warnings of the training, which may name files. On request the
n-gram model and the index of copies are left out too, which tell the most of the text's wording.
How such a file is laid out is archive.py's, reading one is everybody's.
"""

import contextlib
import hashlib
import os
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from charnn.errors import RunError, RunExistsError
from charnn.records import Event, Finished, Record, RunStarted, Validation
from charnn.runs.archive import Entry, lay_out
from charnn.runs.checkpoints import Checkpoint, open_checkpoint, open_manifest
from charnn.runs.config import MAX_CONFIG_BYTES
from charnn.runs.documents import read_sealed, seal
from charnn.runs.files import blocks_of, measure_file, open_bytes
from charnn.runs.journal_lines import encode_line
from charnn.runs.layout import (
    CONFIG,
    EXTRA_PREFIXES,
    JOURNALS,
    MANIFEST,
    METRICS,
    NEW,
    belongs,
    is_leftover,
)
from charnn.runs.ngram_file import EXPERT, WEIGHT
from charnn.runs.run import Run
from charnn.runs.storage import Buffer, Checksum, flush_folder, remove, write_file, writing

_TRAINER = "trainer."
_BITS = "bits_per_char"
_LOCAL_EVENTS = ("note", "warning")
_LOCAL_KEYS = ("paths", "looks")  # of the corpus


@dataclass(frozen=True, slots=True)
class _Content:
    """A file that is to be written, given as often as it is asked for."""

    blocks: Callable[[], Iterable[Buffer]]

    def entry(self, name: str) -> tuple[Entry, Checksum]:
        crc, length, digest = 0, 0, hashlib.sha256()
        for block in self.blocks():
            crc, length = zlib.crc32(block, crc), length + len(block)
            digest.update(block)
        return Entry(name, length, crc), Checksum(length, digest.hexdigest())


def export_run(run: Run, file: Path, *, with_ngram: bool = True) -> tuple[int, str | None]:
    """Write what a run came to into one file, which every command reads as a run.

    The same run gives the same bytes. The file appears whole or not at all.

    Args:
        run: a run with a checkpoint.
        file: where; nothing may be called so.
        with_ngram: whether the n-gram model and the index of copies go along. Without them the
            file is that of a run that has neither.

    Returns:
        How many bytes it has, and why the checkpoint in it is not the newest; None if it is.

    Raises:
        RunNotFoundError: there is no checkpoint yet.
        RunDamagedError: a file that is wanted is missing, cut short or altered.
        RunExistsError: something is called so already.
        RunError: the run is an exported one, or too large, or the system refused.
    """
    if run.path.is_file() and with_ngram:
        raise RunError(f"{run.path} is one file already: copy it")
    if os.path.lexists(file):
        raise RunExistsError(f"{file} is there already and is not overwritten: name another file")
    checkpoint = _chosen(run)
    contents = _contents(run, checkpoint, with_ngram)
    entries = [contents[name].entry(name)[0] for name in sorted(contents)]
    try:
        heads, directory = lay_out(entries)
    except OverflowError:
        size = sum(entry.length for entry in entries)
        raise RunError(
            f"run {run.name} is too large for one file ({size:,} bytes, at most 4 GB): share its "
            "folder"
        ) from None
    parts = [part for entry, head in zip(entries, heads, strict=True) for part in (head, entry)]
    _write(file, _bytes_of([*parts, directory], contents))
    return file.stat().st_size, checkpoint.note


def _chosen(run: Run) -> Checkpoint:
    """The checkpoint that writes, without the trainer's state."""
    slot, names = run.writing_slot(), None  # best/ has nothing of the trainer's
    if slot == "last":
        files = open_manifest(run.path, slot).files
        names = [name for name in files if not name.startswith(_TRAINER)]
    return open_checkpoint(run.path, slot, names)


def _contents(run: Run, checkpoint: Checkpoint, with_ngram: bool) -> dict[str, _Content]:
    """Every file of the export, by its name in it."""
    manifest = checkpoint.manifest
    found = {CONFIG: _fixed(_config(run, with_ngram))}
    for name in _run_files(run, checkpoint, with_ngram):
        measure_file(run.path / name, manifest.run_files.get(name))
        found[name] = _Content(partial(_read_blocks, run.path / name))
    run_files = {name: content.entry(name)[1] for name, content in found.items()}
    journals = {name: _fixed(_journal(run, name)) for name in JOURNALS}
    journals = {name: content for name, content in journals.items() if b"".join(content.blocks())}
    kept = {name: entry for name, entry in manifest.files.items() if not name.startswith(_TRAINER)}
    shared = replace(
        manifest,
        scores=manifest.scores if with_ngram else _scores_of_network(run, checkpoint),
        files=kept,
        run_files=run_files,
        journals={name: content.entry(name)[1] for name, content in journals.items()},
    )
    found |= journals
    found[f"{manifest.slot}/{MANIFEST}"] = _fixed(seal(shared.to_json()))
    for name in kept:
        found[f"{manifest.slot}/{name}"] = _fixed(checkpoint.content(name))
    return found


def _run_files(run: Run, checkpoint: Checkpoint, with_ngram: bool) -> set[str]:
    """Names of the files beside the checkpoint, those that came after it among them."""
    names = set(checkpoint.manifest.run_files) - {CONFIG}
    if not with_ngram:
        return {name for name in names if not name.startswith(EXTRA_PREFIXES)}
    later = [path.name for path in run.path.iterdir() if path.name.startswith(EXTRA_PREFIXES)]
    return names | {name for name in later if belongs(name) and not is_leftover(name)}


def _scores_of_network(run: Run, checkpoint: Checkpoint) -> dict[str, float]:
    """The scores of a checkpoint as they are without the n-gram model beside it."""
    scores = dict(checkpoint.manifest.scores)
    if scores.pop(WEIGHT, 0) == 0:
        return scores
    scores.pop(_BITS, None)
    for record in run.records(METRICS):
        if isinstance(record, Validation) and record.step == checkpoint.step and not record.final:
            bits = record.network_bits_per_char
            scores |= {} if bits is None else {_BITS: bits}
    return scores


def _fixed(data: Buffer) -> _Content:
    return _Content(lambda: [data])


def _config(run: Run, with_ngram: bool) -> bytes:
    run.config()  # refuses what is none
    data = read_sealed(run.path / CONFIG, MAX_CONFIG_BYTES)
    if not with_ngram:
        data["experts"] = [name for name in data["experts"] if name != EXPERT]
    data["corpus"] = {key: value for key, value in data["corpus"].items() if key not in _LOCAL_KEYS}
    return seal(data)


def _journal(run: Run, name: str) -> bytes:
    records = (_shared(record, run.name) for record in run.records(name))
    return b"".join(encode_line(record) for record in records if record is not None)


def _shared(record: Record, name: str) -> Record | None:
    """The record without what it says of this machine."""
    if isinstance(record, Event) and record.kind in _LOCAL_EVENTS:
        return None
    if isinstance(record, RunStarted | Finished):
        return replace(record, path=name)
    return record


def _read_blocks(path: Path) -> Iterator[Buffer]:
    with open_bytes(path) as part:
        yield from blocks_of(part)


def _bytes_of(parts: Iterable[bytes | Entry], contents: dict[str, _Content]) -> Iterator[Buffer]:
    """The bytes of the file in order.

    Raises:
        RunError: a file of the run is another one than when it was measured.
    """
    for part in parts:
        if not isinstance(part, Entry):
            yield part
            continue
        crc = 0
        for block in contents[part.name].blocks():
            crc = zlib.crc32(block, crc)
            yield block
        if crc != part.crc:
            raise RunError(f"{part.name} changed while it was exported: start again")


def _write(file: Path, parts: Iterable[Buffer]) -> None:
    """Write a file that appears whole, and not over another one."""
    new = file.with_name(f".{file.name}.{os.getpid()}{NEW}")
    with writing(str(file)):
        try:
            remove(new)
            write_file(new, parts)
            _publish(new, file)
            with contextlib.suppress(OSError):  # it is there, whole
                flush_folder(file.parent)
        finally:
            with contextlib.suppress(OSError):
                remove(new)


def _publish(new: Path, file: Path) -> None:
    try:
        os.link(new, file)  # unlike a rename it fails where something is
    except FileExistsError:
        raise RunExistsError(f"{file} is there already and is not overwritten") from None
    except OSError:  # a file system without links
        if os.path.lexists(file):
            raise RunExistsError(f"{file} is there already and is not overwritten") from None
        new.rename(file)
