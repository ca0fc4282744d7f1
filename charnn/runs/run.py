"""A run: the folder of one training, or the file it was exported to, and the way into it."""

import contextlib
import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from numpy.typing import NDArray

from charnn.corpus.tokenizers import Tokenizer, load_tokenizer, save_tokenizer
from charnn.errors import RunDamagedError, RunExistsError, RunNotFoundError
from charnn.records import Record
from charnn.runs.checkpoints import Checkpoint, open_checkpoint, open_manifest
from charnn.runs.config import MAX_CONFIG_BYTES, RunConfig
from charnn.runs.documents import read_sealed, take, unseal, write_sealed
from charnn.runs.files import is_there, read_file
from charnn.runs.journal_lines import read_journal
from charnn.runs.layout import CONFIG, NEW, PLAN, UNVALIDATED, Slot, check_run_name, next_free_name
from charnn.runs.storage import flush_folder, remove, write_file, writing
from charnn.runs.tensors import encode_tensors
from charnn.text.shell import quoted


@dataclass(frozen=True, slots=True)
class Run:
    """One training: its folder holds all there is of it.

    Attributes:
        path: the folder; or the file of an exported run, which is read in the same way.
    """

    path: Path

    def __fspath__(self) -> str:
        return str(self.path)

    @property
    def name(self) -> str:
        """What the run is called: the name of its folder or file."""
        return self.path.name or self.path.resolve().name

    def config(self) -> RunConfig:
        """What the run is.

        Raises:
            RunDamagedError: config.json is missing or was altered.
            RunError: it is of a version that this charnn does not read.
        """
        path = self.path / CONFIG
        try:
            document = read_sealed(path, MAX_CONFIG_BYTES)
        except RunDamagedError as error:
            raise RunDamagedError(f"{error}: restore it from a copy") from None
        return RunConfig.from_json(document, str(path))

    def tokenizer(self) -> Tokenizer:
        """The tokenizer, proved to be the one the run was made with.

        Raises:
            RunDamagedError: a file of it is missing, or it is that of another run.
            TokenizerError: it cannot be used.
        """
        expected = self.config().tokenizer["fingerprint"]
        tokenizer = load_tokenizer(self.path, lambda path, most: bytes(read_file(path, most)))
        if tokenizer.fingerprint != expected:
            raise RunDamagedError(
                f"{self.path}: the tokenizer is not the one the run was trained with"
            )
        return tokenizer

    def plan(self) -> dict[str, Any] | None:
        """The plan that training follows; None before it is fixed.

        Raises:
            RunDamagedError: plan.json was altered or is that of another run.
            RunError: it is of a version that this charnn does not read.
        """
        path = self.path / PLAN
        if not is_there(path):
            return None
        data = read_sealed(path)
        if take(data, "config", str, str(path)) != self._config_sha256():
            raise RunDamagedError(f"{path} belongs to another run: restore it from a copy")
        return take(data, "plan", dict, str(path))

    def write_plan(self, plan: Mapping[str, Any]) -> None:
        """Fix the plan; a crash leaves the old one or the new one.

        Raises:
            RunError: the system refused.
        """
        write_sealed(self.path / PLAN, {"config": self._config_sha256(), "plan": plan})

    def best(self, *names: str) -> Checkpoint:
        """The checkpoint with the fewest bits per character on the validation part.

        Args:
            names: the files that are wanted; all if none is named.

        Raises:
            RunNotFoundError: there is none yet.
            RunDamagedError: neither it nor the one before it is good.
        """
        return open_checkpoint(self.path, "best", names or None)

    def last(self, *names: str) -> Checkpoint:
        """The newest checkpoint, from which training goes on.

        Args:
            names: the files that are wanted; all if none is named.

        Raises:
            RunNotFoundError: there is none yet.
            RunDamagedError: neither it nor the one before it is good.
        """
        return open_checkpoint(self.path, "last", names or None)

    def chosen(self, *names: str) -> Checkpoint:
        """The checkpoint that writes; see `writing_slot`.

        Args:
            names: the files that are wanted; all if none is named.

        Raises:
            RunNotFoundError: there is none of either slot yet.
            RunDamagedError: there is one, but none that is good.
        """
        return open_checkpoint(self.path, self.writing_slot(), names or None)

    def writing_slot(self) -> Slot:
        """The slot whose checkpoint writes: the best, or the last while there is no best.

        The network before its first step is no best once there are steps that no validation has
        judged: a training that was stopped by then would write with it.

        Raises:
            RunDamagedError: there is a best checkpoint, but none that is good.
        """
        try:
            if open_manifest(self.path, "best").step > 0:
                return "best"
        except RunNotFoundError:
            return "last"
        with contextlib.suppress(RunNotFoundError, RunDamagedError):
            if UNVALIDATED in open_manifest(self.path, "last").scores:
                return "last"
        return "best"

    def records(self, journal: str) -> Iterator[Record]:
        """The records of a journal such as "metrics.jsonl", in order.

        Raises:
            RunDamagedError: a line, while it is read, is no record.
        """
        return (line.record for line in read_journal(self.path / journal))

    def _config_sha256(self) -> str:
        path = self.path / CONFIG
        data = read_file(path, MAX_CONFIG_BYTES)
        unseal(data, str(path))
        return hashlib.sha256(data).hexdigest()


def create_run(
    checkpoints: Path,
    name: str,
    config: RunConfig,
    tokenizer: Tokenizer | None = None,
    tensors: Mapping[str, Mapping[str, NDArray[Any]]] = MappingProxyType({}),
) -> Run:
    """Make the folder of a new run, with its config.json and its tokenizer.

    It is made beside its place and moved there whole: a crash leaves all of it or nothing that
    is called so.

    Args:
        checkpoints: the folder of runs; made if it is not there.
        name: what the run is called; nothing there may be called so.
        config: what the run is.
        tokenizer: what its text was cut with.
        tensors: arrays of further files that never change, by file name.

    Raises:
        OptionError: a run may not be called so.
        RunExistsError: the name is taken; the message says what to do.
        RunError: the system refused.
    """
    check_run_name(name)
    path = checkpoints / name
    data = config.to_json()
    RunConfig.from_json(data, CONFIG)
    new = checkpoints / f".{name}.{os.getpid()}{NEW}"
    with writing(f"run {name}"):
        checkpoints.mkdir(parents=True, exist_ok=True)
        check_free(checkpoints, name)
        remove(new)
        try:
            new.mkdir()
            write_sealed(new / CONFIG, data)
            if tokenizer is not None:
                save_tokenizer(tokenizer, new)
            for file, arrays in tensors.items():
                write_file(new / file, encode_tensors(arrays))
            _move(new, path)
            flush_folder(checkpoints)
        except BaseException:  # also a signal's
            with contextlib.suppress(OSError):
                remove(new)
            raise
    return Run(path)


def create_next_run(
    checkpoints: Path,
    stem: str,
    config: RunConfig,
    tokenizer: Tokenizer | None = None,
    tensors: Mapping[str, Mapping[str, NDArray[Any]]] = MappingProxyType({}),
) -> Run:
    """Make the folder of a new run under the first of stem, stem-2, stem-3, ... that is free.

    Where other processes take one after another, that is the first that is left.

    Args:
        checkpoints: as of `create_run`.
        stem: what the run should be called.
        config: as of `create_run`.
        tokenizer: as of `create_run`.
        tensors: as of `create_run`.

    Raises:
        RunError: the system refused.
    """
    while True:
        with contextlib.suppress(RunExistsError):
            name = next_free_name(checkpoints, stem)
            return create_run(checkpoints, name, config, tokenizer, tensors)


def _move(new: Path, path: Path) -> None:
    flush_folder(new)
    try:
        new.rename(path)
    except OSError:
        check_free(path.parent, path.name)  # another process was faster
        raise


def check_free(checkpoints: Path, name: str) -> None:
    """Refuse a name that a run may not have or that is taken, before any work is done for it.

    Raises:
        OptionError: a run may not be called so.
        RunExistsError: the name is taken; the message says what to do.
    """
    check_run_name(name)
    if os.path.lexists(checkpoints / name):
        raise _taken(checkpoints, name)


def _taken(checkpoints: Path, name: str) -> RunExistsError:
    free = next_free_name(checkpoints, name)
    return RunExistsError(
        f"run {name!r} is there already and is not overwritten: go on with it by "
        f"'charnn train --resume {quoted(name)}', or call this one --run {quoted(free)}"
    )
