"""The runs in a folder: found by name or path, and listed a line each.

Listing reads what is small (config.json and manifests) and never fails on what it finds there;
whether the weights are whole is left to who opens them.
"""

import os
import stat
import time
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path

from charnn.errors import RunError, RunNotFoundError
from charnn.model.shapes import ModelShape, parameter_count, size_in_brief
from charnn.runs.checkpoints import open_manifest
from charnn.runs.config import RunConfig
from charnn.runs.files import is_archive
from charnn.runs.layout import CONFIG, MANIFEST, SLOTS
from charnn.runs.lock import Holder, holder
from charnn.runs.manifest import Manifest
from charnn.runs.run import Run

_SHOWN = 10
_TEXT = 80
_BITS = "bits_per_char"
_NAME_AT = 30  # bytes into a ZIP archive, the name of its first member


@dataclass(frozen=True, slots=True)
class RunSummary:
    """A run in a line; what is not known is None.

    Attributes:
        name: what it is called.
        path: its folder, or the file it was exported to.
        problem: what is wrong with it, in a sentence.
        corpus: the name of its text.
        tokenizer: the kind of its tokenizer.
        size: layers x units and cell, such as "2x512 lstm" or "3x 2x512 lstm".
        parameters: trained numbers of its network.
        step: of its newest checkpoint; None before the first.
        bits_per_char: of its best checkpoint, as it was scored when it was chosen.
        best_step: of its best checkpoint; None before the first.
        saved: when its newest checkpoint was saved, in seconds since 1970.
        holder: the process that trains it now.
    """

    name: str
    path: Path
    problem: str | None = None
    corpus: str | None = None
    tokenizer: str | None = None
    size: str | None = None
    parameters: int | None = None
    step: int | None = None
    bits_per_char: float | None = None
    best_step: int | None = None
    saved: float | None = None
    holder: Holder | None = None

    @property
    def is_file(self) -> bool:
        """Whether it is a run in one file."""
        return is_archive(self.path)

    def age(self, now: float | None = None) -> float | None:
        """Seconds since the newest checkpoint; None before the first."""
        if self.saved is None:
            return None
        return max(0.0, (time.time() if now is None else now) - self.saved)


def list_runs(checkpoints: Path) -> list[RunSummary]:
    """The runs in a folder, the newest checkpoint first, those without one last.

    Every folder but a hidden one is listed; what is no run says so in its `problem`. Files are,
    where they look like runs that were exported.

    Args:
        checkpoints: the folder of runs; nothing is listed if it is not there.

    Raises:
        RunError: the folder is no folder, or cannot be read.
    """
    summaries = [summarise(Run(path)) for path in _run_paths(checkpoints)]
    return sorted(summaries, key=lambda run: (-(run.saved or -1.0), run.is_file, run.name))


def summarise(run: Run) -> RunSummary:
    """The run in a line, whatever state it is in."""
    summary = RunSummary(_plain(run.name), run.path, holder=holder(run.path))
    problems = []
    try:
        summary = _with_config(summary, run.config())
    except RunError as error:
        problems.append(str(error))
    manifests = []
    for slot in SLOTS:
        try:
            manifests.append(open_manifest(run.path, slot))
        except RunNotFoundError:
            continue
        except RunError as error:
            problems.append(str(error))
    return replace(_with_manifests(summary, manifests), problem="; ".join(problems) or None)


def _with_config(summary: RunSummary, config: RunConfig) -> RunSummary:
    name, shape = config.corpus.get("name"), config.model
    return replace(
        summary,
        corpus=_clean(name) if isinstance(name, str) else None,
        tokenizer=_clean(config.tokenizer["kind"]),
        size=_size(shape),
        parameters=parameter_count(shape),
    )


def _with_manifests(summary: RunSummary, manifests: Sequence[Manifest]) -> RunSummary:
    if not manifests:
        return summary
    newest = max(manifests, key=lambda manifest: (manifest.saved, manifest.step))
    best = [manifest for manifest in manifests if manifest.slot == "best"]
    return replace(
        summary,
        step=newest.step,
        saved=newest.saved,
        bits_per_char=best[0].scores.get(_BITS) if best else None,
        best_step=best[0].step if best else None,
    )


def _size(shape: ModelShape) -> str:
    one = (shape.num_layers, shape.hidden_size, shape.cell)
    return size_in_brief(*one, shape.networks, shape.feed_forward_size)


def _clean(text: str) -> str:
    """A stranger's text cut to a line's worth, and plain."""
    return _plain(text[:_TEXT])


def _plain(text: str) -> str:
    """The text without lone surrogates (the view sees to the rest)."""
    return text.encode("utf-8", "replace").decode()


def find_run(checkpoints: Path, model: str | os.PathLike[str] | None = None) -> Run:
    """The run that a person means.

    Args:
        checkpoints: the folder of runs.
        model: the name of a run there, or a path; None for the run with the newest checkpoint.

    Raises:
        RunNotFoundError: there is none; the message says which there are.
        RunError: the folder of runs is no folder, or cannot be read.
    """
    if model is None:
        return _newest(checkpoints)
    text = os.fspath(model)
    paths = _candidates(checkpoints, text)
    for path in paths:
        if _is_file(path / CONFIG) or is_archive(path):
            return Run(path)
    for path in paths:
        if _is_file(path / MANIFEST) and _is_file(path.parent / CONFIG):
            raise RunNotFoundError(
                f"{str(path)!r} is a checkpoint, not a run: give the folder that holds it"
            )
    reason = "is not there"
    if found := [path for path in paths if _mode(path) is not None]:
        reason = "has no config.json"
        if _is_file(found[0]):
            reason = "is a file, but not one that 'charnn runs --export' wrote"
    raise RunNotFoundError(f"run {text[:_TEXT]!r} {reason}: {_ways_out(checkpoints, text)}")


def _candidates(checkpoints: Path, text: str) -> list[Path]:
    """Where the run may be that is called so: by its name among the runs, then by its path."""
    if not text:
        return []
    try:
        path = Path(text).expanduser()
    except RuntimeError:  # ~name of nobody
        path = Path(text)
    named = not any(mark in text for mark in "/\\") and text not in (".", "..")
    return [checkpoints / text, path, *_alike(checkpoints, text)] if named else [path]


def _alike(checkpoints: Path, text: str) -> list[Path]:
    """Runs whose name is another way to write the same: composed or in separate jamo."""
    if text.isascii():
        return []
    wanted = unicodedata.normalize("NFC", text)
    paths = _run_paths(checkpoints)
    return [path for path in paths if unicodedata.normalize("NFC", path.name) == wanted]


def _newest(checkpoints: Path) -> Run:
    """The folder with the newest checkpoint; a file only where no folder is."""
    summaries = list_runs(checkpoints)
    summaries = [run for run in summaries if not run.is_file] or summaries
    if summaries and summaries[0].saved is not None:
        return Run(summaries[0].path)
    if summaries:
        raise RunNotFoundError(
            f"no run in {str(checkpoints)!r} has a checkpoint yet "
            f"(there is {_names(run.name for run in summaries)}): let one train until it is saved"
        )
    raise RunNotFoundError(_ways_out(checkpoints))


def _ways_out(checkpoints: Path, wanted: str = "") -> str:
    names = [run.name for run in list_runs(checkpoints)]
    if not names:
        return (
            f"there is no run in {str(checkpoints)!r}: train one with 'charnn train TEXT', or "
            "name the folder of runs with --checkpoints"
        )
    close = get_close_matches(wanted, names, n=1)
    hint = f", perhaps {close[0]!r}?" if close else ": name one of them"
    return f"in {str(checkpoints)!r} there is {_names(names)}{hint}"


def _names(names: Iterable[str]) -> str:
    every = list(names)
    rest = len(every) - _SHOWN
    return ", ".join(every[:_SHOWN]) + (f" and {rest} more" if rest > 0 else "")


def _run_paths(checkpoints: Path) -> list[Path]:
    try:
        paths = [path for path in checkpoints.iterdir() if not path.name.startswith(".")]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise RunError(
            f"{str(checkpoints)!r} cannot be read as a folder of runs ({error.strerror}): name "
            "another with --checkpoints"
        ) from error
    except ValueError as error:  # a NUL in the name
        raise RunError(
            f"{str(checkpoints)!r} cannot be read as a folder of runs ({error}): name another "
            "with --checkpoints"
        ) from error
    return sorted(path for path in paths if stat.S_ISDIR(_mode(path) or 0) or _is_exported(path))


def _is_exported(path: Path) -> bool:
    """Whether a file looks like a run in one file; other ZIP archives do not."""
    if not is_archive(path):
        return False
    try:
        with path.open("rb") as file:
            name = file.read(_NAME_AT + 8)[_NAME_AT:]
    except OSError:
        return False
    return path.suffix == ".charnn" or name.startswith((b"best/", b"config.j"))


def _is_file(path: Path) -> bool:
    return stat.S_ISREG(_mode(path) or 0)


def _mode(path: Path) -> int | None:
    """Mode bits of what is there; None if nothing is, or no file could be called so."""
    try:
        return path.stat().st_mode
    except (OSError, ValueError):
        return None
