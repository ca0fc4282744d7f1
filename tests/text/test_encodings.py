import encodings as python_encodings
import io
import pkgutil
import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charnn.errors import CharnnError, EncodingError, OptionError, TextError
from charnn.text.encodings import NULS_MENDED, decode_stream, likely_encoding, text_encoding

KOREAN = (
    "겨울이 깊어 갈수록 마을은 더 조용해졌다. 할머니는 불을 지피며 "
    "옛이야기를 꺼내 놓으셨다.\n"
    "“그때는 말이다, 눈이 지붕까지 쌓였단다.”\n"
)
NOISE = random.Random(1).randbytes(20_000).replace(b"\0", b"")


def read(data: bytes, encoding: str = "utf-8", block_bytes: int = 1 << 20) -> str:
    return "".join(decode_stream(io.BytesIO(data), "a.txt", encoding, block_bytes))


def refusal(data: bytes, encoding: str = "utf-8", error: type[CharnnError] = EncodingError) -> str:
    with pytest.raises(error) as caught:
        read(data, encoding)
    assert type(caught.value) is error
    return str(caught.value)


@settings(max_examples=200)
@given(
    st.text(max_size=20),
    st.sampled_from(["utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be", "gb18030"]),
    st.integers(1, 9),
)
def test_text_comes_back_however_it_is_cut(text: str, encoding: str, block_bytes: int) -> None:
    text = "\ufeff" + text.replace("\0", "")  # without the mark, a short text may be anything
    assert read(text.encode(encoding), encoding, block_bytes) == text


@pytest.mark.parametrize("encoding", ["cp949", "johab", "euc_kr", "iso2022_kr"])
@pytest.mark.parametrize("block_bytes", [1, 2, 3, 1000])
def test_korean_encodings_however_they_are_cut(encoding: str, block_bytes: int) -> None:
    assert read(KOREAN.encode(encoding), encoding, block_bytes) == KOREAN


@settings(max_examples=300)
@given(st.binary(max_size=40), st.integers(1, 5), st.sampled_from(["utf-8", "cp949", "johab"]))
def test_the_offset_is_that_of_the_first_byte_python_refuses(
    data: bytes, block_bytes: int, encoding: str
) -> None:
    data = b"plain, " + data.replace(b"\0", b"")
    try:
        expected = data.decode(encoding)
    except UnicodeDecodeError as error:
        with pytest.raises(EncodingError) as caught:
            read(data, encoding, block_bytes)
        byte = data[error.start]
        assert f"(byte 0x{byte:02X} at offset {error.start})" in str(caught.value)
    else:
        assert read(data, encoding, block_bytes) == expected


def test_korean_files_of_old_are_named() -> None:
    assert refusal(KOREAN.encode("cp949")) == (
        "a.txt is not UTF-8 (byte 0xB0 at offset 0); it looks like CP949, "
        "as older Korean Windows files are: try --encoding cp949"
    )
    assert refusal(b"Title: snow\n" * 700 + KOREAN.encode("cp949")) == (
        "a.txt is not UTF-8 (byte 0xB0 at offset 8400); it looks like CP949, "
        "as older Korean Windows files are: try --encoding cp949"
    )
    assert refusal(KOREAN.replace("“", '"').replace("”", '"').encode("johab")) == (
        "a.txt is not UTF-8 (byte 0x89 at offset 0); it looks like JOHAB: try --encoding johab"
    )


@pytest.mark.parametrize("bits", [16, 32])
@pytest.mark.parametrize("order", ["le", "be"])
def test_utf16_and_utf32_are_named_with_and_without_byte_order_mark(bits: int, order: str) -> None:
    data = KOREAN.encode(f"utf-{bits}-{order}")
    mark = "\ufeff".encode(f"utf-{bits}-{order}")
    assert refusal(mark + data) == (
        f"a.txt is not UTF-8 (byte 0x{mark[0]:02X} at offset 0); "
        f"its byte order mark says UTF-{bits}: try --encoding utf-{bits}"
    )
    assert refusal(data) == (
        f"a.txt is not UTF-8 (byte 0x00 at offset {data.index(0)}); "
        f"it looks like UTF-{bits}-{order.upper()}: try --encoding utf-{bits}-{order}"
    )
    assert read(mark + data, f"utf-{bits}") == "\ufeff" + KOREAN
    assert read(data, f"utf-{bits}-{order}") == KOREAN
    if order == "le":
        assert read(data, f"utf-{bits}") == KOREAN


def test_ascii_in_utf16_is_no_utf8() -> None:
    assert "it looks like UTF-16-LE: try --encoding utf-16-le" in refusal(
        ("the quick brown fox " * 9).encode("utf-16-le")
    )


def test_another_byte_order_mark_than_the_encoding_has() -> None:
    assert refusal("가".encode("utf-8-sig"), "cp949") == (
        "a.txt is not CP949 (byte 0xEF at offset 0); "
        "its byte order mark says UTF-8: leave out --encoding"
    )
    assert refusal("\ufeff가".encode("utf-16-le"), "utf-16-be") == (
        "a.txt is not UTF-16-BE (byte 0xFF at offset 0); "
        "its byte order mark says UTF-16: try --encoding utf-16"
    )


@pytest.mark.parametrize("encoding", ["utf-8", "cp949"])
def test_a_damaged_text_is_not_taken_for_another_encoding(encoding: str) -> None:
    data = KOREAN.encode(encoding)
    message = (
        "; nearly all the rest is, so the file is damaged there: "
        f"mend that place, or drop such bytes with iconv -c -f {encoding} -t utf-8"
    )
    assert refusal(data[:-1] + b"\xff\n" + data, encoding) == (
        f"a.txt is not {encoding.upper()} (byte 0xFF at offset {len(data) - 1}){message}"
    )
    cut_short = KOREAN.rstrip("”\n").encode(encoding) + "눈".encode(encoding)[:-1]
    offset = len(KOREAN.rstrip("”\n").encode(encoding))
    byte = f"byte 0x{cut_short[offset]:02X} at offset {offset}"
    assert refusal(cut_short, encoding) == f"a.txt is not {encoding.upper()} ({byte}){message}"


def test_a_wrong_encoding_that_was_asked_for() -> None:
    assert refusal(KOREAN.encode("johab"), "cp949").endswith(
        "; it looks like JOHAB: try --encoding johab"
    )
    assert refusal(KOREAN.encode(), "cp949").endswith("; it looks like UTF-8: leave out --encoding")
    assert refusal(NOISE, "johab") == (
        "a.txt is not JOHAB (byte 0xDF at offset 8); "
        "it is damaged there, or in yet another encoding: try another --encoding"
    )
    assert refusal(KOREAN.encode(), "utf-16") == (
        "a.txt is not UTF-16 (it has no byte order mark, and reads as UTF-8 without an error): "
        "leave out --encoding"
    )
    assert refusal(("뷁 " + KOREAN).encode("cp949"), "euc_kr").endswith("try --encoding cp949")


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("형식은 웃었다.", "cp949"),
        ("무정", "cp949"),
        ("Où êtes-vous allé? Ça va très bien.", "cp1252"),
        ("Über den Flüssen, größer als zuvor.", "cp1252"),
        ("我们希望它能够被正确识别。", "gb18030"),
        ("吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。", "cp932"),
        ("Все счастливые семьи похожи друг на друга.", "cp1251"),
    ],
)
def test_likely_encoding_of_short_texts(text: str, encoding: str) -> None:
    assert likely_encoding(text.encode(encoding)) == encoding


@pytest.mark.parametrize("encoding", ["cp949", "johab", "gb18030"])
@pytest.mark.parametrize("size", range(4096, 4100))
def test_a_sample_may_end_within_a_character(encoding: str, size: int) -> None:
    """However the sample is cut out of the file, its encoding is known."""
    text = {
        "gb18030": "我们希望它能够被正确识别。\n",
    }.get(encoding, "경성학교 영어 교사 이형식은 땀을 흘리면서 안동 김장로의 집으로 간다.\n")
    assert likely_encoding((text * 500).encode(encoding)[:size]) == encoding


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "a PNG image"),
        (b"%PDF-1.7\n", "a PDF document"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an OLE document (as .hwp and .doc files are)"),
        (b"PK\x03\x04", "a ZIP archive (as .docx, .hwpx, .odt and .epub files are)"),
        (b"\x1f\x8b\x08", "gzip-compressed"),
    ],
)
def test_known_binary_files_are_named(data: bytes, message: str) -> None:
    assert refusal(data, error=TextError) == (
        f"a.txt is {message}, not plain text: save its text as a .txt file"
    )
    assert refusal(data, "latin-1", error=TextError).startswith("a.txt is ")


def test_random_bytes_are_binary() -> None:
    data = random.Random(1).randbytes(20_000)
    binary = "a.txt is binary (it has NUL bytes), not text: name a plain text file"
    assert refusal(data, error=TextError) == binary
    assert refusal(data, "latin-1", error=TextError) == binary
    assert refusal(NOISE).endswith(
        "; no known encoding fits it: is it text? If so, name its encoding with --encoding"
    )


@pytest.mark.parametrize("encoding", ["utf-8", "cp949", "utf-16", "utf-32-be"])
def test_nuls_alone_are_binary(encoding: str) -> None:
    assert refusal(b"\0" * 8, encoding, TextError) == (
        "a.txt is binary (it has NUL bytes), not text: name a plain text file"
    )
    assert read("\0가".encode("utf-32-be"), "utf-32-be") == "\0가"


def test_as_many_nuls_as_are_allowed() -> None:
    data = b"a" * 95 + b"\0" * 5
    assert "".join(decode_stream(io.BytesIO(data), "a.txt", "utf-8", 7, NULS_MENDED))
    for many, limit in ((data, 0.001), (data + b"\0", NULS_MENDED)):
        with pytest.raises(TextError, match=r"^a\.txt is binary"):
            list(decode_stream(io.BytesIO(many), "a.txt", "utf-8", 7, limit))


def test_a_stray_nul_is_text() -> None:
    text = "가\0나" + "다" * 1000
    assert read(text.encode()) == text


@pytest.mark.parametrize(
    "name", ["klingon", "rot13", "hex", "idna", "unicode_escape", "utf-7", "undefined", "", "a\0"]
)
def test_unknown_encodings_are_refused(name: str) -> None:
    message = f"encoding must be a character set such as utf-8 or cp949, got {name!r}"
    with pytest.raises(OptionError, match=f"^{re.escape(message)}$"):
        text_encoding(name)


def test_no_encoding_lets_surrogates_through() -> None:
    data = b"+2AA-\\ud800\xed\xa0\x80\x00\xd8\x00\xd8\xd8\x00" + bytes(range(1, 256)) * 4
    for module in pkgutil.iter_modules(python_encodings.__path__):
        try:
            encoding = text_encoding(module.name)
            text = read(data * 20, encoding)
        except CharnnError:
            continue
        text.encode()
