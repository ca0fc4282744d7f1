"""Journals: records there and back, torn lines, the cut on resume, failing disks, strangers."""

import dataclasses
import hashlib
import json
import math
import os
from pathlib import Path
from tempfile import TemporaryDirectory
from types import NoneType
from typing import Any, get_args, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charnn.errors import RunDamagedError, RunError
from charnn.records import Event, Finished, Heartbeat, Preparing, Record, Sample, StepRecord
from charnn.runs.journal_lines import MAX_LINE_BYTES, decode_line, encode_line, read_journal
from charnn.runs.journals import Journal, Journals
from charnn.runs.storage import BLOCK_BYTES, EMPTY, Checksum

TEXTS = st.text(st.characters(exclude_categories=()), max_size=6)
FIELDS: dict[Any, st.SearchStrategy[Any]] = {
    str: TEXTS,
    bool: st.booleans(),
    int: st.integers(-(1 << 64) + 1, (1 << 64) - 1),
    float: st.floats(),
    NoneType: st.none(),
}


def records() -> st.SearchStrategy[Record]:
    def build(kind: type[Any]) -> st.SearchStrategy[Any]:
        hints = get_type_hints(kind)
        values = {}
        for field in dataclasses.fields(kind):
            hint = hints[field.name]
            if field.name == "pieces":
                values[field.name] = st.lists(st.tuples(TEXTS, st.floats())).map(tuple)
            else:
                kinds = [hint] if hint in FIELDS else get_args(hint)
                values[field.name] = st.one_of([FIELDS[kind] for kind in kinds])
        return st.builds(kind, **values)

    return st.one_of([build(kind) for kind in get_args(Record)])


def event(step: int) -> Event:
    return Event("note", step, "무정", 0.5)


def steps(path: Path) -> list[int]:
    return [line.record.step for line in read_journal(path)]  # type: ignore[union-attr]


@given(records())
@settings(max_examples=150)
def test_round_trip(record: Record) -> None:
    line = encode_line(record)
    assert line.count(b"\n") == 1
    json.loads(line, parse_constant=pytest.fail)
    assert repr(decode_line(line, "x")) == repr(record)  # NaN is not equal to itself


def test_korean_is_written_as_it_is() -> None:
    assert encode_line(event(3)).decode() == (
        '{"record": "event", "kind": "note", "step": 3, "message": "무정", "elapsed": 0.5}\n'
    )


def test_each_record_goes_to_its_journal(run: Any, helpers: Any) -> None:
    helpers.journals(run, 2)
    with Journals(run.path, helpers.journals(run, 2)) as journals:
        assert journals.notes == ()
        journals.append(Preparing("reading", 1))
        journals.append(Heartbeat(3, True, 1.0))
        journals.append(Finished(2, "done", 3.5, 3.5, 2, 9.0, "x"))
        before = journals.marks()
    assert [type(record) for record in run.records("metrics.jsonl")] == [StepRecord] * 2
    assert [type(record) for record in run.records("samples.jsonl")] == [Sample]
    assert [type(record) for record in run.records("events.jsonl")] == [Event, Finished]
    with Journals(run.path, before) as journals:
        assert journals.marks() == before


def test_resuming_cuts_the_tail(run: Any) -> None:
    path = run.path / "events.jsonl"
    journal = Journal(path)
    journal.append(event(1))
    mark = journal.mark()
    journal.append(event(2))
    journal.close()
    journal.close()
    with path.open("ab") as file:
        file.write(b'{"record": "eve')
    assert steps(path) == [1, 2]
    journal = Journal(path, mark)
    assert journal.note is None
    assert steps(path) == [1]
    journal.append(event(3))
    assert steps(path) == [1, 3]
    journal.close()


def test_following_a_journal_that_grows(run: Any) -> None:
    path = run.path / "events.jsonl"
    assert list(read_journal(path)) == []
    journal = Journal(path)
    journal.append(event(1))
    (first,) = read_journal(path)
    assert first.end == path.stat().st_size
    assert list(read_journal(path, first.end)) == []
    journal.append(event(2))
    (second,) = read_journal(path, first.end)
    assert second.record == event(2)
    assert list(read_journal(path, second.end + 100)) == []
    journal.close()


def test_an_altered_prefix_is_kept_as_far_as_it_goes_and_said(run: Any) -> None:
    path = run.path / "events.jsonl"
    journal = Journal(path)
    for step in range(3):
        journal.append(event(step))
    mark = journal.mark()
    journal.close()
    path.write_bytes(path.read_bytes()[:-20])
    journal = Journal(path, mark)
    length = mark.length // 3 * 2
    assert journal.note == (
        f"{path} is not as the checkpoint left it: {length} of {mark.length} bytes are kept"
    )
    journal.append(event(7))
    assert steps(path) == [0, 1, 7]
    journal.close()


def test_a_full_disk_tears_no_line(run: Any, faults: Any, disk_full: Any) -> None:
    path = run.path / "events.jsonl"
    journal = Journal(path)
    journal.append(event(1))
    mark = journal.mark()
    faults.arm(1, disk_full, half=True)
    with pytest.raises(RunError) as caught:
        journal.append(event(2))
    assert str(caught.value) == (
        f"{path} cannot be written (No space left on device): free some space"
    )
    assert steps(path) == [1]
    assert journal.mark() == mark
    faults.arm(1, disk_full)  # the torn part cannot be cut either
    with pytest.raises(RunError):
        journal.append(event(3))
    faults.disarm()
    journal.append(event(4))
    assert steps(path) == [1, 4]
    mark = journal.mark()
    journal.close()
    assert Journal(path, mark).note is None


def test_a_power_cut_leaves_whole_lines(run: Any, faults: Any, power_cut: Any) -> None:
    path = run.path / "events.jsonl"
    journal = Journal(path)
    journal.append(event(1))
    mark = journal.mark()
    faults.arm(1, power_cut, half=True)
    with pytest.raises(power_cut):
        journal.append(event(2))
    faults.disarm()
    assert steps(path) == [1]
    again = Journal(path, mark)
    again.append(event(3))
    assert steps(path) == [1, 3]


def test_a_new_run_begins_with_empty_journals(run: Any) -> None:
    (run.path / "metrics.jsonl").write_bytes(b"left from before the first checkpoint")
    with Journals(run.path, {}) as journals:
        assert set(journals.marks().values()) == {EMPTY}
        assert journals.notes == ()


def test_a_link_is_not_written_through(run: Any, tmp_path: Path) -> None:
    target = tmp_path / "profile"
    target.write_text("keep", encoding="utf-8")
    (run.path / "samples.jsonl").symlink_to(target)
    with pytest.raises(RunDamagedError) as caught:
        Journals(run.path, {})
    assert str(caught.value) == f"{run.path}/samples.jsonl is not a plain file"
    assert target.read_text(encoding="utf-8") == "keep"


STEP = json.loads(encode_line(StepRecord(1, 0.5, 2.5, 3.5, 1e-3, 0.5, 1e5, 1.0, None, 9)))
SAMPLE = json.loads(encode_line(Sample(1, 0.8, "", (("a", 1.0),), 7, 2.0)))


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"record": ["step"]},
        {"record": "step"},
        STEP | {"step": "1"},
        STEP | {"step": 1.5},
        STEP | {"step": True},
        STEP | {"loss": "2.5"},
        STEP | {"loss": None},
        STEP | {"loss": [1.0]},
        STEP | {"loss": False},
        STEP | {"remaining": "soon"},
        SAMPLE | {"prompt": None},
        SAMPLE | {"prompt": ["a"]},
        SAMPLE | {"pieces": 5},
        SAMPLE | {"pieces": "ab"},
        SAMPLE | {"pieces": [["a"]]},
        SAMPLE | {"pieces": [["a", "b"]]},
        SAMPLE | {"pieces": [["a", None]]},
    ],
)
def test_what_is_no_record(run: Any, data: Any) -> None:
    path = run.path / "metrics.jsonl"
    good = encode_line(event(1))
    path.write_bytes(good + json.dumps(data).encode() + b"\n")
    lines = read_journal(path)
    assert next(lines).record == event(1)
    with pytest.raises(RunDamagedError) as caught:
        next(lines)
    assert str(caught.value).startswith(f"{path} at byte {len(good)} is no record: ")


def test_numbers_beyond_all_reason_are_refused(run: Any) -> None:
    path = run.path / "metrics.jsonl"
    path.write_text(json.dumps(STEP | {"loss": 10**400}) + "\n", encoding="utf-8")
    with pytest.raises(RunDamagedError) as caught:
        list(read_journal(path))
    assert str(caught.value) == f"{path} at byte 0 is not readable JSON: a number is too large"


def test_keys_of_newer_versions_are_ignored() -> None:
    record = decode_line(json.dumps(STEP | {"mood": "good", "remaining": 3}).encode(), "x")
    assert isinstance(record, StepRecord)
    assert record.remaining == 3.0
    assert math.isclose(record.loss, 2.5)


def test_endless_lines_are_refused(run: Any) -> None:
    path = run.path / "metrics.jsonl"
    path.write_bytes(b" " * (MAX_LINE_BYTES + 1))
    with pytest.raises(RunDamagedError) as caught:
        list(read_journal(path))
    assert str(caught.value) == f"{path} has a line of more than 8,388,608 bytes"


@pytest.mark.parametrize("before", [0, 1, 5], ids="{} lines before".format)
def test_a_line_without_an_end_is_not_read_to_its_end(
    run: Any, before: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A checkpoint may declare 64 GB of a file that is nothing but a hole."""
    path = run.path / "metrics.jsonl"
    with path.open("wb") as file:
        file.write(encode_line(event(1)) * before)
        file.truncate(1 << 36)
    taken = []
    real = os.read
    monkeypatch.setattr(os, "read", lambda *given: taken.append(given[1]) or real(*given))
    with pytest.raises(RunDamagedError) as caught:
        Journals(run.path, {"metrics.jsonl": Checksum(1 << 36, "0" * 64)})
    assert str(caught.value) == f"{path} has a line of more than {MAX_LINE_BYTES:,} bytes"
    assert sum(taken) <= MAX_LINE_BYTES + 2 * BLOCK_BYTES
    assert path.stat().st_size == 1 << 36


@given(st.lists(st.integers(0, 12), max_size=8), st.integers(0, 4), st.integers(0, 120))
def test_blocks_of_any_size_measure_the_same_lines(
    lengths: list[int], rest: int, limit: int
) -> None:
    data = b"".join(b"x" * length + b"\n" for length in lengths) + b"x" * rest
    whole = data[:limit][: data[:limit].rfind(b"\n") + 1]
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        path = Path(folder) / "metrics.jsonl"
        path.write_bytes(data)
        patch.setattr("charnn.runs.journals.BLOCK_BYTES", 5)
        journal = Journal(path, Checksum(limit, "0" * 64))
        assert journal.mark() == Checksum(len(whole), hashlib.sha256(whole).hexdigest())
        journal.close()
        assert path.read_bytes() == whole
