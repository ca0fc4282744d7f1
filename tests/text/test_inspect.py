"""What is in a text: whole inspections of small texts, good and bad ones."""

import codecs
import io
import json
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest

from charnn.errors import OptionError, TextError
from charnn.text import inspect
from charnn.text.classes import Sort
from charnn.text.detection import Certainty
from charnn.text.inspect import Inspection, inspect_texts
from charnn.text.inspect_json import inspection_json

STORY = "형식은 영어를 가르치고 나와 무더운 길을 걸어 김장로(金長老)의 집으로 간다.\n" * 30
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def put(content: str | bytes, name: str = "novel.txt") -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return put


def facts(found: Inspection) -> tuple[int, int, int, int]:
    return (found.counts.characters, found.counts.lines, found.distinct, found.once)


def test_a_story(write: Write) -> None:
    found = inspect_texts(write(STORY))
    assert facts(found) == (len(STORY), 30, len(set(STORY)), 0)
    assert (found.encoding, found.certainty) == ("utf-8", Certainty.CERTAIN)
    assert found.utf8_bytes == len(STORY.encode())
    assert found.normal_form == "NFC"
    assert found.characters[0].char == " "
    assert found.words.most[0] == ("가르치고", 30)
    assert ("김장로(金長老)의", 30) in found.words.most
    assert found.lines.repeated == 29
    assert found.passages.longest[0].text in STORY
    assert found.sample.texts == (STORY,) and found.sample.whole


@pytest.mark.parametrize("encoding", ["utf-8", "cp949", "johab", "utf-16", "utf-16-be", "utf-32"])
def test_the_encoding_changes_nothing_else(encoding: str, write: Write) -> None:
    data = STORY.replace("\n", "\r\n").encode(encoding)
    found = inspect_texts(write(data))
    assert facts(found) == (len(STORY), 30, len(set(STORY)), 0)
    assert found.encoding.startswith(encoding)
    assert found.files[0].line_ends.crlf == 30
    assert found.files[0].bytes == len(data)
    assert found.sample.texts == (STORY,)


def test_what_has_to_be_said_to_train_on_it(write: Write) -> None:
    cases = {"utf-8": None, "cp949": "cp949", "utf-16": "utf-16", "utf-16-be": "utf-16-be"}
    for encoding, option in cases.items():
        assert inspect_texts(write(STORY.encode(encoding))).encoding_option == option


def test_decomposed_text(write: Write) -> None:
    found = inspect_texts(write(unicodedata.normalize("NFD", STORY)))
    syllables = sum("가" <= character <= "힣" for character in STORY)
    assert (found.counts.nfd_sequences, found.normal_form) == (syllables, "NFD")
    assert found.composition.count(Sort.SYLLABLE) == 0


def test_damaged_bytes_are_counted_and_the_rest_is_read(write: Write) -> None:
    data = STORY.encode() + b"\xff\xfe" + STORY.encode()
    found = inspect_texts(write(data))
    assert found.undecodable == 2
    assert found.files[0].detected.first_bad == len(STORY.encode())
    assert found.counts.characters == 2 * len(STORY) + 2
    assert "��" in found.sample.texts[0]
    assert all(one.char != "\udcff" for one in found.characters)


def test_many_files(write: Write, tmp_path: Path) -> None:
    write(STORY, "a.txt")
    write(STORY.encode("cp949"), "b.txt")
    write("", "c.txt")
    found = inspect_texts([tmp_path])
    assert [file.name.rpartition("/")[2] for file in found.files] == ["a.txt", "b.txt", "c.txt"]
    assert found.encoding == "mixed"
    assert found.encodings == {"utf-8": 1, "cp949": 1}
    assert found.certainty == Certainty.VERY_LIKELY
    assert found.counts.characters == 2 * len(STORY)
    assert found.sample.texts == (STORY, STORY)


def test_a_byte_order_mark_is_no_character(write: Write) -> None:
    found = inspect_texts(write(codecs.BOM_UTF8 + "가\ufeff".encode()))
    assert found.counts.by_code_point() == {ord("가"): 1, 0xFEFF: 1}
    assert found.files[0].byte_order_mark
    assert found.composition.count(Sort.BYTE_ORDER_MARK) == 1


def test_stdin_in_any_encoding() -> None:
    found = inspect_texts(["-"], stdin=io.BytesIO(STORY.encode("utf-16-le")))
    assert (found.encoding, found.counts.characters) == ("utf-16-le", len(STORY))
    assert found.files[0].name == "stdin"


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="needs devices")
def test_nothing_but_nuls_ends_at_once() -> None:
    with pytest.raises(TextError, match=r"^/dev/zero is binary \(it has NUL bytes\)"):
        inspect_texts("/dev/zero")


def test_a_long_text_is_counted_whole_and_sampled(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inspect, "MOST_BYTES", 1 << 18)
    text = STORY * 500
    path = write(text)
    found = inspect_texts(path)
    assert found.counts.characters == len(text)
    assert not found.sample.whole
    assert 0 < sum(len(part.encode()) for part in found.sample.texts) <= 3 << 18
    assert inspect_texts(path, full=True).sample.whole


def test_the_progress_is_told(write: Write) -> None:
    told: list[tuple[str, int, int]] = []
    inspect_texts(write(STORY), tell=lambda *what: told.append(what))
    stages = list(dict.fromkeys(stage for stage, _, _ in told))
    assert stages == ["counting", "words", "lines", "passages", "entropies", "compressors"]
    assert all(0 <= done <= total for _, done, total in told)


def test_refusals(write: Write, tmp_path: Path) -> None:
    empty = write("", "empty.txt")
    message = f"{empty} is empty, there is nothing to inspect: name a file with text"
    with pytest.raises(TextError) as error:
        inspect_texts(empty)
    assert str(error.value) == message
    with pytest.raises(TextError) as error:
        inspect_texts([empty, empty])
    assert str(error.value) == message.replace(f"{empty} is", "all the files are")
    with pytest.raises(TextError, match="is a PNG image, not plain text"):
        inspect_texts(write(b"\x89PNG...", "image.txt"))
    with pytest.raises(TextError, match="does not exist"):
        inspect_texts(tmp_path / "missing.txt")
    with pytest.raises(OptionError, match="encoding must be a character set"):
        inspect_texts(empty, encoding="klingon")
    with pytest.raises(OptionError, match="got none"):
        inspect_texts([])


def test_as_json(write: Write) -> None:
    text = "형식\uf9e1\ue0bc\u1112\u119e\u1100\u1161\0\u200b\n" + STORY
    told = inspection_json(inspect_texts(write(text.encode() + b"\xff")))
    assert json.loads(json.dumps(told))["files"][0]["encoding"] == "utf-8"
    assert told["compatibility_hanja"] == [
        {
            "char": "\uf9e1",
            "code_point": "U+F9E1",
            "unified": "李",
            "unified_code_point": "U+674E",
            "count": 1,
        }
    ]
    expected = {
        "characters": len(text) + 1,
        "private_use": 1,
        "private_use_hanyang": 1,
        "conjoining_jamo": 4,
        "old_jamo": 1,
        "nfd_sequences": 1,
        "control_characters": 1,
        "zero_width": 1,
        "undecodable_bytes": 1,
        "normal_form": "neither",
    }
    assert {name: told[name] for name in expected} == expected
    assert sum(one["share"] for one in told["sorts"].values()) == pytest.approx(1)
    assert len(told["entropy"]) == 4
    assert set(told["yardsticks"]) == {"xz", "ppmd"}
