"""What somebody should know about a text: the exact lines."""

import unicodedata
from pathlib import Path

import pytest

from charnn.text.findings import findings
from charnn.text.inspect import inspect_texts

LINE = "형식은 영어를 가르치고 나와 무더운 길을 걸어 김장로의 집으로 간다.\n"
STORY = LINE * 10
SHORT = "a short text: results that read well want a few hundred thousand characters"
CLEAN = "charnn corpus clean"


def found(path: Path, data: bytes) -> list[str]:
    path.write_bytes(data)
    lines = findings(inspect_texts(path))
    return [line for line in lines if line != SHORT and "further up" not in line]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            unicodedata.normalize("NFD", "가각"),
            "2 modern syllables are written in separate jamo (NFD, as from a Mac), which look "
            f"alike and cost two or three tokens: {CLEAN} --nfc-hangul joins them",
        ),
        (
            "\uf9e1",
            "1 compatibility Hanja: each looks like another character and is one of its own; "
            f"{CLEAN} --hanja makes them the common ones (so does any NFC)",
        ),
        (
            "\ue0bc\ue0bd",
            "2 private-use characters where Hanyang's fonts have old Hangul: no other font shows "
            f"that; {CLEAN} --hanyang makes jamo of it",
        ),
        (
            "\uf8ff",
            "1 other private-use character: only the font it was made for knows what that is",
        ),
        ("\u1112\u119e", "1 jamo of old Hangul: charnn learns and writes old Hangul as it is"),
        ("\0", f"1 control character: {CLEAN} --controls removes such"),
        (
            "\u200b\u200b",
            f"2 zero-width or otherwise unseen characters: {CLEAN} --controls removes those that "
            "no script needs; joiners, fillers and variation selectors stay",
        ),
        (
            "\u3164",
            f"1 zero-width or otherwise unseen character: {CLEAN} --controls removes those that "
            "no script needs; joiners, fillers and variation selectors stay",
        ),
        (
            "가\ufeff\ufeff",
            f"2 byte order marks inside the text: {CLEAN} --controls removes such",
        ),
        (
            "Ａ",
            "1 full-width character (Latin, digits, signs): "
            f"{CLEAN} --half-width makes common ones of such",
        ),
        ("\u0378", "1 unassigned code point, which no text should have"),
        ("�", "1 U+FFFD: an earlier conversion lost characters, which only its source has"),
        ('"a" “b” 「c」', "quotation marks of 3 kinds: 2 straight, 2 curly, 2 corner"),
        ("a\r\nb\r", "2 line ends are CRLF or CR: charnn reads them as LF"),
    ],
)
def test_each_has_its_line(text: str, line: str, tmp_path: Path) -> None:
    assert found(tmp_path / "novel.txt", (STORY + text).encode()) == [line]


def test_a_plain_story_needs_none(tmp_path: Path) -> None:
    assert found(tmp_path / "novel.txt", STORY.encode()) == []
    (tmp_path / "novel.txt").write_text(LINE, encoding="utf-8")
    assert findings(inspect_texts(tmp_path / "novel.txt")) == (SHORT,)


def test_a_text_that_repeats_itself(tmp_path: Path) -> None:
    path = tmp_path / "novel.txt"
    path.write_text(STORY, encoding="utf-8")
    assert findings(inspect_texts(path))[1] == (
        "90% stands further up already: if copies reach into the held-out end of the text, its "
        "score will flatter"
    )


def test_encodings(tmp_path: Path) -> None:
    path = tmp_path / "novel.txt"
    assert found(path, STORY.encode("johab")) == [
        "it is not UTF-8: charnn train reads it with --encoding johab"
    ]
    data = STORY.encode()
    assert found(path, data + b"\xff" + data) == [
        f"1 byte cannot be decoded, the first at offset {len(data)} of {path}: charnn train "
        "refuses such a file until it is mended"
    ]
    assert found(path, data + STORY.encode("cp949"))[1:] == [
        "the encoding is not certain: look whether the words below are words",
        *found(path, data + STORY.encode("cp949"))[2:],
    ]
    assert found(path, STORY.encode("utf-8-sig")) == [
        "1 file begins with a byte order mark: charnn leaves it out"
    ]


def test_several_files(tmp_path: Path) -> None:
    for name, data in (("a", STORY.encode()), ("b", STORY.encode("cp949")), ("c", b"")):
        (tmp_path / f"{name}.txt").write_bytes(data)
    lines = findings(inspect_texts([tmp_path]))
    assert [line for line in lines if line != SHORT and "further up" not in line] == [
        f"the files differ in encoding (1 in utf-8, 1 in cp949): {CLEAN} --encoding auto makes "
        "each UTF-8",
        "1 file is empty",
    ]
