"""A run in one file: its layout against zipfile, and hostile files."""

import io
import struct
import zipfile
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charnn.errors import RunDamagedError
from charnn.runs.archive import Entry, Member, lay_out, read_directory

NAMES = ["best/manifest.json", "best/weights.safetensors", "config.json", "ngram.bin", "x.jsonl"]
CONTENTS = st.dictionaries(st.sampled_from(NAMES), st.binary(max_size=99), max_size=5)
REFUSAL = "x is cut short, or not as 'charnn runs --export' writes it: take it from a copy"


def write(contents: dict[str, bytes]) -> bytes:
    names = sorted(contents)
    entries = [Entry(name, len(contents[name]), zlib.crc32(contents[name])) for name in names]
    heads, directory = lay_out(entries)
    parts = [head + contents[name] for head, name in zip(heads, names, strict=True)]
    return b"".join(parts) + directory


def read(data: bytes) -> dict[str, Member]:
    return read_directory(io.BytesIO(data), "x")  # type: ignore[arg-type]


@given(CONTENTS)
@settings(max_examples=60)
def test_any_program_for_zip_files_opens_it(contents: dict[str, bytes]) -> None:
    data = write(contents)
    members = read(data)
    assert {
        name: data[start : start + length] for name, (start, length, _) in members.items()
    } == contents
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        assert file.testzip() is None
        assert {name: file.read(name) for name in file.namelist()} == contents
        for entry in file.infolist():
            assert (entry.compress_type, entry.date_time[:3]) == (zipfile.ZIP_STORED, (1980, 1, 1))
            assert entry.external_attr >> 16 == 0o100644


def test_what_would_not_fit_is_not_written() -> None:
    with pytest.raises(OverflowError):
        lay_out([Entry("a.bin", 1 << 31, 0), Entry("b.bin", 1 << 31, 0)])
    with pytest.raises(OverflowError):
        lay_out([Entry(f"a{number:03}.bin", 0, 0) for number in range(257)])


GOOD = write({"best/manifest.json": b"{}", "config.json": b"123"})


def foreign(name: str = "config.json", **changes: object) -> bytes:
    """A file that another program has written."""
    stored = io.BytesIO()
    info = zipfile.ZipInfo(name)
    for key, value in changes.items():
        setattr(info, key, value)
    with zipfile.ZipFile(stored, "w") as file:
        file.writestr(info, b"0" * 999)
    return stored.getvalue()


def renamed(name: bytes) -> bytes:
    return GOOD.replace(b"config.json", name)


def patched(offset: int, fmt: str, value: int) -> bytes:
    """The good file with another number in its directory, counted from its end if negative."""
    data = bytearray(GOOD)
    struct.pack_into(fmt, data, offset % len(data), value)
    return bytes(data)


def twice() -> bytes:
    body = write({"config.json": b"1"})
    data = body.replace(b"config.json", b"aonfig.json", 1)
    return data + body


HOSTILE: dict[str, Callable[[], bytes]] = {
    "nothing": lambda: b"",
    "one end record alone, of 65,535 members": lambda: b"PK\5\6" + b"\xff" * 18,
    "another program's": foreign,
    "compressed": lambda: foreign(compress_type=zipfile.ZIP_DEFLATED),
    "a link": lambda: foreign(external_attr=0o120777 << 16),
    "a folder": lambda: foreign("best/"),
    "a comment": lambda: GOOD[:-2] + b"\1\0x",
    "something in front": lambda: b"x" + GOOD,
    "something behind": lambda: GOOD + b"x",
    "cut short": lambda: GOOD[:-1],
    "headers only": lambda: GOOD[-22:],
    "one file behind another": lambda: GOOD + GOOD,
    "two members of one name": lambda: renamed(b"best/manifest.json"),
    "not in order": lambda: GOOD.replace(b"best/manifest.json", b"last/manifest.json"),
    "a huge length": lambda: patched(-22 - 57 + 20, "<L", 0xFFFFFFFF),
    "a directory beyond the end": lambda: patched(-6, "<L", 0xFFFFFFF0),
    "more members than there are": lambda: patched(-12, "<H", 3),
    "two lists of members": twice,
}


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_files(what: str) -> None:
    with pytest.raises(RunDamagedError) as caught:
        read(HOSTILE[what]())
    assert str(caught.value) in (REFUSAL, "x names a file '', which no run has")


ELSEWHERE = (
    *("../fig.json", "/onfig.json", "a/nfig.json", "C:nfig.json", "co\\fig.json", "CONFIG.JSON"),
    *("config\0json", "best/../a.b", "best//a.txt", ".onfig.json", "last.prev/a", "conf\xe9g.json"),
)


@pytest.mark.parametrize("name", ELSEWHERE)
def test_paths_that_lead_elsewhere(name: str) -> None:
    data = write({"config.json": b"1"}).replace(b"config.json", name.encode("latin-1"))
    with pytest.raises(RunDamagedError, match=r"x names a file .*, which no run has"):
        read(data)


@given(st.integers(0, len(GOOD) - 1), st.integers(1, 255))
@settings(max_examples=300)
def test_any_altered_byte_of_the_layout_is_noticed(place: int, change: int) -> None:
    altered = bytearray(GOOD)
    altered[place] ^= change
    contents = [range(start, start + length) for start, length, _ in read(GOOD).values()]
    if any(place in span for span in contents):
        assert read(bytes(altered)) == read(GOOD)
        return
    with pytest.raises(RunDamagedError):
        read(bytes(altered))


@given(st.binary(max_size=200))
def test_noise(noise: bytes) -> None:
    for data in (noise, noise + GOOD[-22:], GOOD[:40] + noise + GOOD[-100:]):
        if data != GOOD:
            with pytest.raises(RunDamagedError):
                read(data)
