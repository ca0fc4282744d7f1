"""JSON: round trips, the seal, limits on what strangers may send."""

import contextlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charnn.errors import RunDamagedError, RunError
from charnn.runs.documents import (
    MAX_INT,
    decode_json,
    encode_json,
    read_sealed,
    seal,
    take,
    unseal,
    write_sealed,
)
from charnn.runs.files import read_file

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(1 - MAX_INT, MAX_INT - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=()), max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.text(max_size=4), VALUES, max_size=4)
HEAD = {"format", "checksum"}


@given(OBJECTS)
@settings(max_examples=60)
def test_round_trip(data: dict[str, Any]) -> None:
    assert decode_json(encode_json(data), "x") == data
    data = {key: value for key, value in data.items() if key not in HEAD}
    assert unseal(seal(data), "x") == data


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "Expecting value"),
        (b"{", "Expecting property name"),
        (b"\xff\xfe{\0}\0", "'utf-8' codec can't decode byte 0xff in position 0"),
        (b'\xef\xbb\xbf{"a": 1}', "Unexpected UTF-8 BOM"),
        (b'{"a": "\xed\xa0\x80"}', "'utf-8' codec can't decode"),
        (b"[1]", "it holds no object"),
        (b'{"a": NaN}', "NaN is no number"),
        (b'{"a": -Infinity}', "-Infinity is no number"),
        (b'{"a": [{"b": 1e999}]}', "a number is too large"),
        (b'{"a": [{"b": 18446744073709551616}]}', "a number is too large"),
        (b'{"a": -1' + b"0" * 4000 + b"}", "a number is too large"),
        (b'{"a": 1, "a": 1}', "a key is given twice"),
        (b'{"a": ' + b"9" * 5000 + b"}", "Exceeds the limit"),
        (b'{"a": ' + b"[" * 32 + b"]" * 32 + b"}", "it is nested too deeply"),
        (b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "it is nested too deeply"),
    ],
)
def test_refusals(data: bytes, reason: str) -> None:
    with pytest.raises(RunDamagedError) as caught:
        decode_json(data, "x")
    assert str(caught.value).startswith(f"x is not readable JSON: {reason}")


def test_depth_that_is_allowed() -> None:
    data = b'{"a": ' + b"[" * 30 + b"1" + b"]" * 30 + b"}"
    assert list(decode_json(data, "x")) == ["a"]


@given(st.binary(max_size=30))
@settings(max_examples=100)
def test_noise_is_refused(noise: bytes) -> None:
    for read in (decode_json, unseal):
        with contextlib.suppress(RunDamagedError):
            assert isinstance(read(noise, "x"), dict)


def test_every_altered_bit_of_a_sealed_document_is_noticed() -> None:
    good = seal({"name": "무정", "zeros": "0" * 64})
    for place in range(len(good) * 8):
        bad = bytearray(good)
        bad[place // 8] ^= 1 << place % 8
        with pytest.raises(RunDamagedError, match="x was altered: "):
            unseal(bad, "x")


def test_an_unknown_version_is_refused(tmp_path: Any, reseal: Any) -> None:
    path = tmp_path / "plan.json"
    write_sealed(path, {"a": 1})
    assert read_sealed(path) == {"a": 1}
    reseal(path, lambda text: text.replace('"format": 1', '"format": 12'))
    with pytest.raises(RunError) as caught:
        read_sealed(path)
    assert str(caught.value) == (
        f"{path} is of format 12, this charnn reads format 1: update charnn to read it"
    )


def test_too_large(tmp_path: Any) -> None:
    path = tmp_path / "plan.json"
    write_sealed(path, {"a": "b" * 1000})
    with pytest.raises(RunDamagedError) as caught:
        read_sealed(path, 1000)
    length = path.stat().st_size
    assert str(caught.value) == f"{path} is too large: {length:,} bytes, at most 1,000 are read"


def test_a_crash_leaves_the_old_document_or_the_new(
    tmp_path: Any, faults: Any, power_cut: Any, disk_full: Any
) -> None:
    path, call = tmp_path / "plan.json", 1
    write_sealed(path, {"step": 0})
    for error, expected in ((power_cut, power_cut), (disk_full, RunError)):
        found = []
        for call in range(1, 6):
            write_sealed(path, {"step": 0})
            faults.arm(call, error, half=True)
            with pytest.raises(expected):
                write_sealed(path, {"step": 1})
            faults.disarm(lose_unflushed=error is power_cut)
            found.append(read_sealed(path)["step"])
        # open, write, flush, rename, flush of the folder
        assert found == [0, 0, 0, 0, 1]
    write_sealed(path, {"step": 2})
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("value", "kind", "message"),
    [
        ("1", int, "x: a must be a whole number, got '1'"),
        (1.0, int, "x: a must be a whole number, got 1.0"),
        (True, int, "x: a must be a whole number, got True"),
        (True, float, "x: a must be a number, got True"),
        (1 << 70, float, "x: a must be a number, got 1180591620717411303424"),
        (float("inf"), float, "x: a must be a number, got inf"),
        (1, bool, "x: a must be true or false, got 1"),
        (None, str, "x: a must be a text, got None"),
        ([], dict, "x: a must be an object, got []"),
        ({}, list, "x: a must be a list, got {}"),
    ],
)
def test_types(value: Any, kind: Any, message: str) -> None:
    with pytest.raises(RunDamagedError) as caught:
        take({"a": value}, "a", kind, "x")
    assert str(caught.value) == message


def test_missing_key() -> None:
    with pytest.raises(RunDamagedError, match="x: a must be a text, got nothing"):
        take({}, "a", str, "x")


def test_memory(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "weights.safetensors"
    path.write_bytes(b"123")

    def no_memory(length: int) -> bytearray:
        raise MemoryError

    monkeypatch.setattr("charnn.runs.files.bytearray", no_memory, raising=False)
    with pytest.raises(RunError) as caught:
        read_file(path, 10)
    assert str(caught.value) == f"{path} does not fit into memory: close other programs"
