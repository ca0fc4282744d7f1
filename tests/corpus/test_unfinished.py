"""Preparations that are interrupted, and go on: the same stream, whatever happened before."""

import itertools
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charnn.corpus import scratch, workshop
from charnn.corpus.preparing import prepare_stream
from charnn.corpus.scratch import UNFINISHED
from charnn.corpus.stream import checksum_of
from charnn.corpus.tokenizers import train_tokenizer
from charnn.errors import StreamError
from charnn.records import Preparing
from charnn.text.reading import open_texts

KINDS = ["char", "jamo", "byte", "subword"]
STORY = "달빛이 마당에 가득하였다. 할머니는 마루 끝에 앉아 먼 산(山)을 바라보았다. 뷁 the moon\n"
TEXT = "=".join(STORY[: 7 + 11 * number % 60] for number in range(1, 60))
CHECKING = "checking the tokens of an interrupted preparation"

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="folders cannot be locked")


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every few tokens are noted, and nobody waits for the disk."""
    monkeypatch.setattr(workshop, "MARK_BYTES", 64)
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


class Made(NamedTuple):
    """What a preparation gave: the files of its stream, its notes, the stages it told."""

    files: dict[str, bytes]
    notes: tuple[str, ...]
    stages: list[str]


def prepare(
    text: Path, cache: Path, breaks_off: Callable[[Preparing], bool] | None = None, **options: Any
) -> Made | None:
    """Prepare a text whose documents end in =; None if it is broken off as by Ctrl-C."""
    stages: list[str] = []

    def progress(record: Preparing) -> None:
        if not stages or stages[-1] != record.stage:
            stages.append(record.stage)
        if breaks_off and breaks_off(record):
            raise KeyboardInterrupt

    with open_texts(text, document_separator="=") as source:
        try:
            stream, notes = prepare_stream(source, cache, progress=progress, **options)
        except KeyboardInterrupt:
            return None
    files = {path.name: path.read_bytes() for path in stream.folder.iterdir()}
    return Made(files, notes, stages)


def after(reports: int) -> Callable[[Preparing], bool]:
    """Break off at the report of that number, counted from 0."""
    count = itertools.count()
    return lambda _: next(count) == reports


def whole(**options: Any) -> Made:
    """What comes out where nobody interrupts."""
    with TemporaryDirectory() as name:
        text = Path(name) / "text.txt"
        text.write_text(TEXT, encoding="utf-8")
        made = prepare(text, Path(name) / "cache", **options)
    assert made is not None
    return made


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    path.write_text(TEXT, encoding="utf-8")
    return path


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "streams"


def scratches(cache: Path) -> list[Path]:
    return sorted(path for path in cache.iterdir() if path.name.startswith("."))


WHOLE: dict[str, Made] = {}
LEARNED = train_tokenizer("subword", lambda: [TEXT], vocab_size=300)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=10)
@given(breaks=st.lists(st.integers(40, 240), min_size=1, max_size=4))
def test_interruptions_change_nothing(kind, breaks):
    options = {"tokenizer": LEARNED} if kind == "subword" else {"kind": kind}
    if kind not in WHOLE:
        WHOLE[kind] = whole(**options)
    with TemporaryDirectory() as name:
        text, cache = Path(name) / "text.txt", Path(name) / "cache"
        text.write_text(TEXT, encoding="utf-8")
        for reports in breaks:
            if prepare(text, cache, after(reports), **options) is not None:
                break
            assert not cache.exists() or len(scratches(cache)) <= 1
        made = prepare(text, cache, **options)
        assert made is not None
        assert made.files == WHOLE[kind].files
        (stream,) = cache.iterdir()
        assert stream.name == json.loads(made.files["stream.json"])["key"]


@pytest.mark.parametrize("kind", ["char", "subword"])
def test_blocks_that_were_written_are_not_encoded_again(tmp_path, cache, kind, monkeypatch):
    path = tmp_path / "long.txt"
    path.write_text(STORY * 6000, encoding="utf-8")
    monkeypatch.setattr(workshop, "MARK_BYTES", 1 << 16)
    expected = prepare(path, tmp_path / "whole", kind=kind)
    assert (
        prepare(
            path, cache, lambda record: record.done > 200_000 and "token" in record.stage, kind=kind
        )
        is None
    )
    encoded = []
    encode = type(train_tokenizer(kind, lambda: [STORY]))._encode_block
    monkeypatch.setattr(
        type(train_tokenizer(kind, lambda: [STORY])),
        "_encode_block",
        lambda self, block: encoded.append(len(block)) or encode(self, block),
    )
    made = prepare(path, cache, kind=kind)
    assert made.files == expected.files
    assert sum(encoded) < len(STORY) * 6000 - 130_000
    assert made.stages == ["reading", CHECKING, "tokenising"]


def tokenising(share: float) -> Callable[[Preparing], bool]:
    """Break off when that share of the tokens is there."""
    return lambda record: "tokenising" in record.stage and record.done > share * (record.total or 0)


def test_what_was_done_is_told(text, cache):
    assert prepare(text, cache, tokenising(0.5)) is None
    (left,) = scratches(cache)
    told = json.loads((left / UNFINISHED).read_text("utf-8"))
    assert told["length"] == 2 * sum(count[0] for count in told["counts"].values()) > 0
    made = prepare(text, cache)
    (note,) = made.notes
    told = r"the preparation of this text was interrupted: went on where (\d+)% of it was tokenised"
    assert 45 <= int(re.fullmatch(told, note)[1]) <= 55
    assert "learning the char vocabulary" not in made.stages


def test_the_vocabulary_alone_is_kept_too(text, cache):
    assert prepare(text, cache, tokenising(-1)) is None
    made = prepare(text, cache)
    assert made.stages == ["reading", "tokenising"]
    assert made.notes[-1].endswith("went on where 0% of it was tokenised")
    assert made.files == whole().files


def test_a_short_text_leaves_nothing(text, cache, monkeypatch):
    monkeypatch.setattr(workshop, "MARK_BYTES", 1 << 20)
    assert prepare(text, cache, tokenising(0.5)) is None
    assert list(cache.iterdir()) == []


def test_the_disk_it_takes_is_stated_beforehand(text, cache, monkeypatch):
    stages = whole().stages
    assert stages == [
        "reading",
        "learning the char vocabulary",
        "tokenising, about 1 MB on the disk",
    ]
    usage = workshop.shutil.disk_usage(text.parent)._replace(free=100)
    monkeypatch.setattr(workshop.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(StreamError) as error:
        prepare(text, cache)
    assert str(error.value) == (
        f"the tokens of text will take about 1 MB, and there are 1 MB free in {cache}: make room "
        "there, or name another folder with --checkpoints"
    )
    assert list(cache.iterdir()) == []


def test_an_error_leaves_nothing(text, cache, monkeypatch):
    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    monkeypatch.setattr(workshop, "save_tokenizer", lambda tokenizer, folder: None)
    with pytest.raises(StreamError, match=r"No space left on device$"):
        prepare(text, cache)
    assert list(cache.iterdir()) == []


# -- what is not believed -----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["tokens.bin", "tokenizer.json", UNFINISHED])
@pytest.mark.parametrize("harm", ["flip", "cut", "remove", "link", "pipe"])
def test_what_is_damaged_is_made_anew(text, cache, tmp_path, name, harm):
    assert prepare(text, cache, tokenising(0.6)) is None
    (left,) = scratches(cache)
    path = left / name
    content = bytearray(path.read_bytes())
    if harm == "flip":
        content[len(content) // 3] ^= 4
        path.write_bytes(content)
    elif harm == "cut":
        path.write_bytes(content[: len(content) // 3])
    else:
        path.rename(tmp_path / "away")
    if harm == "pipe":
        os.mkfifo(path)
    if harm == "link":
        path.symlink_to(tmp_path / "away")
        before = (tmp_path / "away").read_bytes()
    made = prepare(text, cache)
    assert made.files == whole().files
    if harm == "link":
        assert (tmp_path / "away").read_bytes() == before
    assert made.notes == ()


def rewrite(left: Path, **changes: Any) -> None:
    """Alter what is told as a program that knows the format would."""
    data = json.loads((left / UNFINISHED).read_text("utf-8")) | changes
    data["checksum"] = checksum_of(data)
    (left / UNFINISHED).write_text(json.dumps(data), encoding="utf-8")


@pytest.mark.parametrize(
    "changes",
    [
        {"charnn": "0.0.0"},
        {"key": "0" * 32},
        {"tokenizer": "0" * 64},
        {"chunks": -1},
        {"chunks": True},
        {"length": 0},
        {"length": 10**30},
        {"counts": {}},
        {"counts": {"train": [1, 1], "validation": [0, 0], "test": [0, 0]}},
        {"counts": None},
        {"sha256": None},
    ],
    ids=str,
)
def test_what_makes_no_sense_is_made_anew(text, cache, changes):
    assert prepare(text, cache, tokenising(0.6)) is None
    rewrite(*scratches(cache), **changes)
    made = prepare(text, cache)
    assert made.files == whole().files
    assert made.notes == ()


@pytest.mark.parametrize("content", [b"[]", b"{}", b"[" * 60_000, b"\xff", b" " * 100_000, b""])
def test_what_is_no_record_is_made_anew(text, cache, content):
    assert prepare(text, cache, tokenising(0.6)) is None
    (scratches(cache)[0] / UNFINISHED).write_bytes(content)
    assert prepare(text, cache).files == whole().files


def test_another_text_begins_anew(text, cache):
    assert prepare(text, cache, tokenising(0.6)) is None
    text.write_text(TEXT.replace("할머니", "할아비", 1), encoding="utf-8")
    made = prepare(text, cache)
    assert made.notes == ()
    assert len(scratches(cache)) == 1  # of the text as it was


# -- how much stays -----------------------------------------------------------------------------


def leave(text: Path, cache: Path, number: int) -> None:
    """An unfinished preparation of a text of its own."""
    text.write_text(TEXT + str(number), encoding="utf-8")
    assert prepare(text, cache, tokenising(0.6)) is None


def test_a_few_unfinished_ones_stay(text, cache):
    for number in range(6):
        leave(text, cache, number)
        assert len(scratches(cache)) == min(number + 1, 1 + scratch.MOST_KEPT)
        for path in scratches(cache):  # file systems may not tell them apart
            status = path.stat()
            os.utime(path, (status.st_atime, status.st_mtime - 1))
    text.write_text(TEXT + "4", encoding="utf-8")
    assert prepare(text, cache).notes != ()
    text.write_text(TEXT + "0", encoding="utf-8")
    assert prepare(text, cache).notes == ()


def test_old_ones_go(text, cache):
    leave(text, cache, 1)
    (left,) = scratches(cache)
    os.utime(left, (time.time(), time.time() - scratch.KEPT_SECONDS - 1))
    leave(text, cache, 2)
    assert left not in scratches(cache)
    assert len(scratches(cache)) == 1


def test_two_at_once_do_not_share(text, cache):
    """The second finds the first one's folder in use, and makes its own."""
    assert prepare(text, cache, tokenising(0.3)) is None
    second: list[Made] = []

    def beside(record: Preparing) -> bool:
        if not second and "tokenising" in record.stage:
            second.append(prepare(text, cache))
        return False

    first = prepare(text, cache, beside)
    assert first.files == second[0].files == whole().files
    assert second[0].notes == ()
    assert first.notes != ()
    assert scratches(cache) == []


# -- real processes -----------------------------------------------------------------------------

CHILD = """
import sys
from pathlib import Path
from charnn.corpus import preparing, workshop
from charnn.text.reading import open_texts
workshop.MARK_BYTES = 64
with open_texts(sys.argv[1], document_separator="=") as source:
    tell = lambda record: print(record.stage, flush=True)
    preparing.prepare_stream(source, Path(sys.argv[2]), progress=tell)
"""


def test_kills_change_nothing(text, cache):
    draw = random.Random(3)
    command = [sys.executable, "-c", CHILD, str(text), str(cache)]
    went_on = 0
    for _ in range(4):
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            lines = iter(process.stdout.readline, "")
            told = list(itertools.islice(lines, draw.randrange(80, 200)))
            process.send_signal(signal.SIGKILL)
        went_on += f"{CHECKING}\n" in told
        assert len(scratches(cache)) <= 1
    made = prepare(text, cache)
    assert made.files == whole().files
    assert went_on > 0
    assert scratches(cache) == []
