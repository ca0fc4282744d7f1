"""Tensors: safetensors both ways against the package, hostile headers, weights of a network."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from charnn.errors import RunDamagedError
from charnn.model.shapes import ModelShape, weight_shapes
from charnn.runs.files import read_aligned
from charnn.runs.tensors import decode_header, decode_tensors, decode_weights, encode_tensors

DTYPES = ["?", "u1", "i1", "<u2", "<i2", "<f2", "<u4", "<i4", "<f4", "<u8", "<i8", "<f8", ">f4"]
ARRAYS = st.dictionaries(
    st.text(max_size=8).filter(lambda name: name != "__metadata__"),
    st.sampled_from(DTYPES).flatmap(
        lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0))
    ),
    max_size=5,
)


def encode(arrays: Any) -> bytearray:
    return bytearray().join(encode_tensors(arrays))


def same(left: Any, right: Any) -> bool:
    return left.keys() == right.keys() and all(
        left[name].dtype.newbyteorder("=") == right[name].dtype.newbyteorder("=")
        and np.array_equal(left[name], right[name], equal_nan=left[name].dtype.kind == "f")
        for name in left
    )


@given(ARRAYS)
@settings(max_examples=60)
def test_both_ways_against_the_package(arrays: dict[str, Any]) -> None:
    data = encode(arrays)
    assert same(decode_tensors(data, "x"), arrays)
    assert same(safetensors.numpy.load(bytes(data)), arrays)
    little = {name: array.astype(array.dtype.newbyteorder("<")) for name, array in arrays.items()}
    assert same(decode_tensors(safetensors.numpy.save(little), "x"), arrays)


def test_views_of_one_aligned_buffer() -> None:
    data = encode({"a": np.arange(3, dtype=np.uint8), "b": np.arange(6.0).reshape(2, 3).T})
    arrays = decode_tensors(data, "x")
    arrays["b"][0, 1] = 7
    assert decode_tensors(data, "x")["b"].tolist() == [[0, 7], [1, 4], [2, 5]]
    assert all(array.flags.aligned and array.flags.writeable for array in arrays.values())


def test_unaligned_data_is_copied() -> None:
    arrays = decode_tensors(forge({"a": entry("F32", [1], 0, 4)}, bytes(4), pad=1), "x")
    assert arrays["a"].flags.aligned
    assert arrays["a"].tolist() == [0]


def forge(header: Any, data: bytes = b"", pad: int = 0) -> bytes:
    text = (header if isinstance(header, str) else json.dumps(header)).encode()
    text += b" " * (-len(text) % 8 + pad)
    return len(text).to_bytes(8, "little") + text + data


def entry(dtype: Any, shape: Any, start: Any, stop: Any) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, stop]}


UNFIT = "x is damaged: tensor 'a' is not described as it must be"
LOOSE = "x is damaged: its tensors overlap or leave gaps"
HOSTILE = [
    (b"", "x is cut short: its header is not all there"),
    (b"\x01\0\0\0\0\0\0", "x is cut short: its header is not all there"),
    (b"\xff" * 8 + b"{}", "x is cut short: its header is not all there"),
    (bytes(8) + b"{}", "x is cut short: its header is not all there"),
    (forge(" " * (1 << 20) + "{}"), "x has a header of more than 1,048,576 bytes"),
    (forge("[]"), "x is not readable JSON: it holds no object"),
    (forge('{"a": 1, "a": 2}'), "x is not readable JSON: a key is given twice"),
    (forge("[" * 5000 + "]" * 5000), "x is not readable JSON: it is nested too deeply"),
    (forge({"a": 1}), UNFIT),
    (forge({"a": {"dtype": "F32", "shape": [1]}}, bytes(4)), UNFIT),
    (forge({"a": entry("F128", [1], 0, 16)}, bytes(16)), UNFIT),
    (forge({"a": entry("F32", [-1, -1], 0, 4)}, bytes(4)), UNFIT),
    (forge({"a": entry("F32", [1.0], 0, 4)}, bytes(4)), UNFIT),
    (forge({"a": entry("F32", [True], 0, 4)}, bytes(4)), UNFIT),
    (forge({"a": entry("F32", [1] * 9, 0, 4)}, bytes(4)), UNFIT),
    (forge({"a": entry("F32", [1 << 62, 4], 0, 0)}), UNFIT),
    (forge({"a": entry("F32", [0, 1 << 62, 1 << 62], 0, 0)}), UNFIT),
    (forge({"a": entry("F32", [1], 4, 0)}, bytes(4)), UNFIT),
    (forge({"a": entry("F32", [1], -4, 0)}, bytes(4)), UNFIT),
    (forge({"a": entry("F32", [1], 0, "4")}, bytes(4)), UNFIT),
    (forge({"a": entry("F32", [1], 4, 8)}, bytes(8)), LOOSE),
    (forge({"a": entry("F32", [1], 0, 4), "b": entry("F32", [1], 0, 4)}, bytes(4)), LOOSE),
    (forge({"a": entry("F32", [1], 0, 4)}, bytes(8)), "x is damaged: its tensors do not fill"),
    (forge({"a": entry("F32", [1 << 40], 0, 1 << 42)}), "x is damaged: its tensors do not fill"),
]


@pytest.mark.parametrize(("data", "message"), HOSTILE)
def test_hostile_headers(data: bytes, message: str) -> None:
    with pytest.raises(RunDamagedError) as caught:
        decode_tensors(data, "x")
    assert str(caught.value).startswith(message)


@given(st.binary(max_size=40), st.integers(0, 200), st.integers(0, 255))
@settings(max_examples=200)
def test_noise_gives_arrays_or_a_refusal(noise: bytes, place: int, byte: int) -> None:
    altered = encode({"a": np.arange(4.0), "b": np.arange(2, dtype=np.uint8)})
    altered[place % len(altered)] = byte
    for data in (noise, len(noise).to_bytes(8, "little") + noise, altered):
        try:
            arrays = decode_tensors(data, "x")
        except RunDamagedError:
            continue
        assert sum(array.nbytes for array in arrays.values()) <= len(data)


@pytest.mark.parametrize("name", ["__metadata__", "a"])
def test_types_that_cannot_be_saved(name: str) -> None:
    array = np.zeros(2) if name == "__metadata__" else np.zeros(2, object)
    with pytest.raises(TypeError, match=f"tensor {name} of type {array.dtype} cannot be saved"):
        encode({name: array})


def test_a_header_too_long_to_be_read_back_is_not_written() -> None:
    with pytest.raises(ValueError, match=r"the header of 1 tensors is too long: 1,048,\d+ bytes"):
        encode({"a" * (1 << 20): np.zeros(1)})


def test_metadata_of_other_writers_is_ignored() -> None:
    data = safetensors.numpy.save({"a": np.zeros(2)}, {"format": "pt"})
    assert list(decode_tensors(data, "x")) == ["a"]


@pytest.fixture
def weights(shape: ModelShape) -> dict[str, Any]:
    rng = np.random.default_rng(1)
    return {
        name: rng.normal(size=sizes).astype(np.float32)
        for name, sizes in weight_shapes(shape).items()
    }


def test_weights_come_in_the_network_s_order(shape: ModelShape, weights: dict[str, Any]) -> None:
    found = decode_weights(encode(weights), shape, "x")
    assert list(found) == list(weight_shapes(shape))
    assert same(found, weights)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"output.bias": None}, "x lacks weight 'output.bias': it is of another network"),
        ({"more": np.zeros(1)}, "x holds an unknown weight 'more': it is of another network"),
        (
            {"output.bias": np.zeros(6, np.float32)},
            "x: weight output.bias is F32 (6,), the network's is F32 (5,): it is of another "
            "network",
        ),
        (
            {"output.bias": np.zeros(5)},
            "x: weight output.bias is F64 (5,), the network's is F32 (5,): it is of another "
            "network",
        ),
        (
            {"output.bias": np.array([0, 0, np.inf, 0, 0], np.float32)},
            "x: weight output.bias holds numbers that are not finite",
        ),
    ],
)
def test_weights_that_do_not_fit(
    shape: ModelShape, weights: dict[str, Any], change: dict[str, Any], message: str
) -> None:
    changed = {name: array for name, array in (weights | change).items() if array is not None}
    with pytest.raises(RunDamagedError) as caught:
        decode_weights(encode(changed), shape, "x")
    assert str(caught.value) == message


@given(ARRAYS)
@settings(max_examples=60)
def test_as_much_as_possible_begins_at_a_line_of_64_bytes(arrays: dict[str, Any]) -> None:
    data = encode(arrays)
    header, start = decode_header(data, "x")
    assert start % 64 == 0
    for entry in header.values():
        if (entry.stop - entry.start) % 64 == 0:
            assert entry.start % 64 == 0
        assert entry.start % max(1, arrays_itemsize(entry.dtype)) == 0


def arrays_itemsize(name: str) -> int:
    return int(name[1:]) // 8 if name[1:].isdigit() else 1


def test_weights_that_are_read_lie_aligned(tmp_path: Path) -> None:
    wide = ModelShape(33, 16, 16, 2, "lstm", tied=False)
    path = tmp_path / "weights.safetensors"
    path.write_bytes(encode({n: np.ones(s, np.float32) for n, s in weight_shapes(wide).items()}))
    weights = decode_weights(read_aligned(path, 1 << 20), wide, "x")
    places = {name: array.ctypes.data % 64 for name, array in weights.items()}
    assert {name for name, place in places.items() if place} == set()
