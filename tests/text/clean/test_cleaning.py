"""A file into a new file: encodings, memory, what is refused, real texts."""

import io
import re
import tracemalloc
import unicodedata
from pathlib import Path

import pytest

from charnn.errors import CharnnError, EncodingError, OptionError, TextError
from charnn.text.clean import cleaning
from charnn.text.clean.cleaning import ALL_REPAIRS, Repairs, clean

KOREAN = "형식은 선형(善馨)의 집으로 갔다.\n" * 300


def refusal(kind: type[CharnnError], *arguments: object, **rest: object) -> str:
    with pytest.raises(kind) as caught:
        clean(*arguments, **rest)  # type: ignore[arg-type]
    return str(caught.value)


@pytest.mark.parametrize("name", ["cp949", "johab", "utf-16", "utf-8-sig", "utf-8"])
@pytest.mark.parametrize("told", [True, False])
def test_any_encoding_becomes_utf_8(tmp_path: Path, novella: Path, name: str, told: bool) -> None:
    source, output = tmp_path / "old.txt", tmp_path / "new.txt"
    source.write_bytes(novella.read_text("utf-8")[:9000].encode(name, "ignore"))
    text = source.read_bytes().decode(name)
    report = clean(source, output, Repairs(), encoding=name if told else "auto")
    assert output.read_text("utf-8") == text
    assert report.characters_before == report.characters_after == len(text)
    assert report.byte_order_mark == (name in ("utf-16", "utf-8-sig"))
    assert report.encoding.startswith(name.removesuffix("-sig"))


def test_line_ends_stay_unless_they_are_to_be_mended(tmp_path: Path) -> None:
    source = tmp_path / "old.txt"
    source.write_bytes("가\r\n나\r다\n".encode())
    clean(source, tmp_path / "same.txt", Repairs(hanja=True))
    report = clean(source, tmp_path / "new.txt", Repairs(newlines=True))
    assert (tmp_path / "same.txt").read_bytes() == source.read_bytes()
    assert (tmp_path / "new.txt").read_bytes() == "가\n나\n다\n".encode()
    assert report.tallies["newlines"].count == report.changes == 2


def test_a_dry_run_tells_the_same_and_writes_nothing(tmp_path: Path) -> None:
    source = tmp_path / "old.txt"
    source.write_text(unicodedata.normalize("NFD", KOREAN), "utf-8")
    dry = clean(source, None, ALL_REPAIRS)
    assert [one.name for one in tmp_path.iterdir()] == ["old.txt"]
    wet = clean(source, tmp_path / "new.txt", ALL_REPAIRS)
    assert dry == wet


def test_stdin(tmp_path: Path) -> None:
    report = clean("-", tmp_path / "new.txt", Repairs(newlines=True), stdin=io.BytesIO(b"a\r\nb"))
    assert report.source == "stdin"
    assert (tmp_path / "new.txt").read_bytes() == b"a\nb"


@pytest.mark.parametrize("encoding", [None, "auto", "cp949"])
def test_nuls_are_taken_from_a_text_that_has_many(tmp_path: Path, encoding: str | None) -> None:
    codec = encoding if encoding == "cp949" else "utf-8"
    source = tmp_path / "old.txt"
    source.write_bytes((KOREAN[:40] + "\0\0").encode(codec))
    binary = "binary (it has NUL bytes), not text: name a plain text file"
    message = refusal(TextError, source, None, Repairs(newlines=True), encoding=encoding)
    assert message == f"{source} is {binary}"
    for named in (source, "-"):
        output = tmp_path / f"new of {Path(named).name}"
        stdin = io.BytesIO(source.read_bytes())
        clean(named, output, Repairs(controls=True), encoding=encoding, stdin=stdin)
        assert output.read_text("utf-8") == KOREAN[:40]


@pytest.mark.parametrize("name", ["utf-16-le", "utf-32-be", "cp949"])
def test_stdin_in_an_encoding_that_is_found_out(tmp_path: Path, novella: Path, name: str) -> None:
    text = novella.read_text("utf-8")[:9000].encode("cp949", "ignore").decode("cp949")
    stdin = io.BytesIO(text.encode(name))
    report = clean("-", tmp_path / "new.txt", Repairs(), encoding="auto", stdin=stdin)
    assert report.encoding == name
    assert (tmp_path / "new.txt").read_text("utf-8") == text


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="needs devices")
@pytest.mark.parametrize("encoding", ["auto", "utf-32"])
def test_nothing_but_nuls_ends_at_once(encoding: str) -> None:
    binary = "binary (it has NUL bytes), not text: name a plain text file"
    message = refusal(TextError, "/dev/zero", None, ALL_REPAIRS, encoding=encoding)
    assert message == f"/dev/zero is {binary}"


def test_memory_does_not_grow_with_the_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cleaning, "_BLOCK_BYTES", 1 << 13)
    source, peaks = tmp_path / "old.txt", []
    for times in (10, 40):
        source.write_text(KOREAN * times, "utf-8")
        tracemalloc.start()
        clean(source, None, ALL_REPAIRS)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert source.stat().st_size > 500_000 > 2 * peaks[1]
    assert peaks[1] < 1.2 * peaks[0]


def test_refusals(tmp_path: Path, novella: Path) -> None:
    source = tmp_path / "old.txt"
    source.write_bytes(novella.read_text("utf-8")[:9000].encode("cp949", "ignore"))
    taken = f"{source} is there already and is not overwritten: name another -o"
    assert refusal(OptionError, source, source, Repairs(newlines=True)) == taken
    assert refusal(TextError, tmp_path, None, Repairs()) == f"{tmp_path} is a folder: name one file"
    missing = tmp_path / "no.txt"
    assert (
        refusal(TextError, missing, None, Repairs()) == f"{missing} does not exist: check its path"
    )
    assert refusal(EncodingError, source, tmp_path / "new.txt", Repairs()) == (
        f"{source} is not UTF-8 (byte 0xB8 at offset 0); it looks like CP949, "
        "as older Korean Windows files are: try --encoding cp949"
    )
    assert not (tmp_path / "new.txt").exists()
    source.write_bytes(bytes(range(128, 256)) * 20)
    assert refusal(EncodingError, source, None, Repairs(), encoding="auto") == (
        f"{source} is in no encoding that can be told, or is damaged: "
        "name its encoding with --encoding"
    )
    rule = re.escape("glosses must be one of keep, drop, swap, got 'burn'")
    with pytest.raises(OptionError, match=rule):
        Repairs(glosses="burn")


@pytest.mark.texts
@pytest.mark.parametrize(
    "name", ["mujeong.txt", "honggildong_1860.txt", "bible_mixed_script.txt", "tinyshakespeare.txt"]
)
def test_real_texts_come_back_from_nfd(texts_dir: Path, tmp_path: Path, name: str) -> None:
    text = (texts_dir / name).read_text("utf-8")[:500_000]
    source, output = tmp_path / "nfd.txt", tmp_path / "nfc.txt"
    hangul = re.compile("[\u1100-\u11ff\ua960-\ua97c\uac00-\ud7fb]+")
    source.write_text(
        hangul.sub(lambda run: unicodedata.normalize("NFD", run[0]), text), "utf-8", newline=""
    )
    clean(source, output, Repairs(nfc_hangul=True))
    assert output.read_text("utf-8") == text
    again = tmp_path / "again.txt"
    first = clean(output, tmp_path / "once.txt", ALL_REPAIRS)
    assert clean(tmp_path / "once.txt", again, ALL_REPAIRS).changes == 0
    assert again.read_bytes() == (tmp_path / "once.txt").read_bytes()
    assert first.characters_before == len(text)
