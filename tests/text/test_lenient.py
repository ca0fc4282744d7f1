"""Decoding that always comes to an end: marks for what is lost."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charnn.text.lenient import first_undecodable, is_mark, marked, marked_text, without_marks

ENCODINGS = ["utf-8", "cp949", "johab", "utf-16-le", "utf-16-be", "utf-32-le", "shift_jis"]


@pytest.mark.parametrize("encoding", ENCODINGS)
@given(data=st.binary(max_size=60), block=st.integers(1, 9))
def test_every_byte_is_decoded_or_marked(encoding: str, data: bytes, block: int) -> None:
    text = "".join(marked_text(io.BytesIO(data), encoding, block))
    assert text == marked(data, encoding)
    lost = sum(is_mark(ord(character)) for character in text)
    whole = first_undecodable(io.BytesIO(data), encoding) is None
    assert (lost == 0) == whole
    if whole:
        assert text == data.decode(encoding)


@pytest.mark.parametrize("encoding", ENCODINGS[:3])
@given(data=st.binary(max_size=60), block=st.integers(1, 9))
def test_the_offset_is_where_strict_decoding_stops(encoding: str, data: bytes, block: int) -> None:
    try:
        data.decode(encoding)
        expected = None
    except UnicodeDecodeError as error:
        expected = error.start
    assert first_undecodable(io.BytesIO(data), encoding, block) == expected


def test_a_mark_tells_its_byte() -> None:
    assert marked(b"a\xff\xfeb", "utf-8") == "a\udcff\udcfeb"
    assert marked("가".encode("cp949") + b"\xff", "cp949") == "가\udcff"
    assert without_marks("a\udcff\udc80b") == "a��b"
