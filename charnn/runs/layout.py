"""The names in a run folder, and what a run may be called.

Names only: what the files hold is left to the modules beside this one.
"""

import os
import re
import unicodedata
from pathlib import Path
from typing import Literal, get_args

from charnn.errors import OptionError, RunDamagedError

CONFIG = "config.json"
PLAN = "plan.json"
TOKENIZER = "tokenizer.json"
SUBWORD = "subword.model"
NGRAM_PREFIX = "ngram."
EXTRA_PREFIXES = (NGRAM_PREFIX, "copies.")  # files that a run may have beside its network
BOUND_FILES = (CONFIG, TOKENIZER, SUBWORD)  # written once, and proved at every opening

METRICS = "metrics.jsonl"
SAMPLES = "samples.jsonl"
EVENTS = "events.jsonl"
JOURNALS = (METRICS, SAMPLES, EVENTS)

Slot = Literal["best", "last"]
SLOTS: tuple[Slot, ...] = get_args(Slot)
MANIFEST = "manifest.json"
WEIGHTS = "weights.safetensors"
TRAINER = "trainer.json"  # the scalar part of what going on needs
UNVALIDATED = "unvalidated"  # a score of last/ whose weights no validation has judged yet
GRADIENTS = "gradients.safetensors"  # root mean squares in training: what adapting goes by

LOCK = ".lock"

NEW = ".new"  # being written; worth nothing after a crash
PREVIOUS = ".prev"  # the good one before
OLD = ".old"  # being thrown away

MAX_NAME_BYTES = 200  # file systems take 255; this leaves room for a suffix
_FILE_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*(\.[a-z0-9_-]+)+")


def check_slot(slot: str) -> None:
    """Refuse what is no slot for checkpoints.

    Raises:
        OptionError: slot is neither "best" nor "last".
    """
    if slot not in SLOTS:
        raise OptionError(f"slot must be one of {', '.join(SLOTS)}, got {slot!r}")


def check_file_name(name: str, where: str) -> str:
    """The name back, if it is a plain ASCII file name that no system reads as a path.

    >>> check_file_name("weights.safetensors", "manifest.json")
    'weights.safetensors'

    Raises:
        RunDamagedError: the name has separators, capitals, no suffix, or more than 64 characters.
    """
    if len(name) > 64 or not _FILE_NAME.fullmatch(name):
        raise RunDamagedError(f"{where} names a file {name[:80]!r}, which no run has")
    return name


def belongs(name: str) -> bool:
    """Whether a file or folder right in a run's folder is one that charnn puts there.

    >>> belongs("last.prev"), belongs("ngram.safetensors"), belongs("notes.txt")
    (True, True, False)
    """
    known = (*BOUND_FILES, PLAN, *JOURNALS, LOCK)
    plain = name.removesuffix(NEW).removesuffix(OLD)
    if plain in known or plain.removesuffix(PREVIOUS) in SLOTS:
        return True
    return plain.startswith(EXTRA_PREFIXES) and bool(_FILE_NAME.fullmatch(plain))


def is_leftover(name: str) -> bool:
    """Whether a name is that of something half written or half thrown away."""
    return name.endswith((NEW, OLD))


def check_run_name(name: str) -> str:
    """The name back, if a run may be called so.

    >>> check_run_name("무정-2")
    '무정-2'

    Raises:
        OptionError: the name is empty, too long, begins with a dot, hyphen or space, ends in a
            space, or holds a separator or a character that cannot be printed.
    """
    problem = _problem(name)
    if problem:
        raise OptionError(f"run name {problem}, got {name!r}: give a name such as 'mujeong-2'")
    return name


def _problem(name: str) -> str | None:
    if not name:
        return "must not be empty"
    if not name.isprintable():
        return "must hold printable characters alone"
    if any(mark in name for mark in "/\\"):
        return "must not hold / or \\"
    if name[0] in ".- " or name[-1] == " ":
        return "must not begin with a dot, hyphen or space, nor end in a space"
    if (size := len(name.encode())) > MAX_NAME_BYTES:
        return f"must take at most {MAX_NAME_BYTES} bytes in UTF-8 (it takes {size})"
    return None


def suitable_name(stem: str, suffix: str = "") -> str:
    r"""The nearest name to `stem` + `suffix` that a run may have, composed as people type it.

    >>> suitable_name(".my/novel\n", "-2")
    'my-novel--2'
    """
    stem = unicodedata.normalize("NFC", stem)  # files from a Mac have their names in NFD
    plain = "".join(mark if mark.isprintable() and mark not in "/\\" else "-" for mark in stem)
    room = MAX_NAME_BYTES - len(suffix.encode())
    plain = plain.lstrip(".- ").encode()[:room].decode("utf-8", "ignore").rstrip(" ")
    return (plain or "run") + suffix


def next_free_name(checkpoints: Path, stem: str) -> str:
    """The first of stem, stem-2, stem-3, ... that nothing in the folder is called.

    Args:
        checkpoints: the folder of runs; it need not exist.
        stem: what the run should be called, for example the stem of its text's name.
    """
    name, number = suitable_name(stem), 1
    while os.path.lexists(checkpoints / name):
        number += 1
        name = suitable_name(stem, f"-{number}")
    return name
