"""Which encoding a file is in, and how sure that is."""

import codecs
import io
import unicodedata

import pytest

from charnn.errors import TextError
from charnn.text.detection import Certainty, Detected, detect_encoding

KOREAN = "형식은 영어를 가르치고 나와 무더운 길을 걸어 안동 김장로의 집으로 간다.\n" * 40
VALID = "valid throughout, which no other text is by chance"
EVERYDAY = "all of it can be decoded, to everyday Hangul"


def detect(data: bytes, given: str | None = None) -> Detected:
    return detect_encoding(io.BytesIO(data), "novel.txt", given)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (KOREAN.encode(), Detected("utf-8", Certainty.CERTAIN, VALID)),
        ("가".encode(), Detected("utf-8", Certainty.VERY_LIKELY, VALID)),
        (b"plain", Detected("utf-8", Certainty.CERTAIN, "plain ASCII, the same in UTF-8")),
        (b"", Detected("utf-8", Certainty.CERTAIN, "plain ASCII, the same in UTF-8")),
        (KOREAN.encode("cp949"), Detected("cp949", Certainty.VERY_LIKELY, EVERYDAY)),
        (KOREAN.encode("johab"), Detected("johab", Certainty.VERY_LIKELY, EVERYDAY)),
        (
            KOREAN.encode("utf-16-be"),
            Detected("utf-16-be", Certainty.VERY_LIKELY, "its NUL bytes stand as they do there"),
        ),
        (
            unicodedata.normalize("NFD", KOREAN).encode(),
            Detected("utf-8", Certainty.CERTAIN, VALID),
        ),
    ],
)
def test_whole_texts(data: bytes, expected: Detected) -> None:
    assert detect(data) == expected


@pytest.mark.parametrize(
    ("mark", "encoding"),
    [
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (codecs.BOM_UTF32_LE, "utf-32-le"),
        (codecs.BOM_UTF32_BE, "utf-32-be"),
    ],
)
def test_a_byte_order_mark_settles_it(mark: bytes, encoding: str) -> None:
    found = detect(mark + KOREAN.encode(encoding))
    assert found == Detected(encoding, Certainty.CERTAIN, "it begins with a byte order mark")


@pytest.mark.parametrize(
    ("encoding", "certainty"),
    [("utf-8", Certainty.VERY_LIKELY), ("cp949", Certainty.LIKELY)],
)
def test_a_damaged_byte_does_not_change_the_encoding(encoding: str, certainty: Certainty) -> None:
    data = bytearray(KOREAN.encode(encoding))
    data[data.index(b" ", 500)] = 0xFF
    found = detect(bytes(data))
    assert (found.encoding, found.certainty) == (encoding, certainty)
    assert found.why == "nearly all of it is valid"
    assert found.first_bad is not None and abs(found.first_bad - data.index(0xFF)) <= 1


def test_a_text_cut_inside_a_character_is_damaged_utf8() -> None:
    cut = KOREAN.encode().index("길".encode(), 1000)
    found = detect(KOREAN.encode()[: cut + 2])
    assert (found.encoding, found.certainty) == ("utf-8", Certainty.VERY_LIKELY)
    assert found.first_bad == cut


def test_two_encodings_one_after_the_other() -> None:
    head = KOREAN.encode()
    found = detect(head + KOREAN.encode("cp949"))
    why = f"valid up to offset {len(head)}, then it looks like CP949"
    assert found == Detected("utf-8", Certainty.GUESS, why, len(head))


@pytest.mark.parametrize("paragraph", [3_000, 30_000])
def test_one_letter_of_an_old_western_encoding_among_long_paragraphs(paragraph: int) -> None:
    plain = ("The quick brown fox jumps over the lazy dog. " * 999)[:paragraph] + "\n"
    text = plain * 3 + plain[:-9] + " café\n" + plain * 9
    found = detect(text.encode("cp1252"))
    assert found.encoding == "cp1252"
    assert found.certainty in (Certainty.LIKELY, Certainty.GUESS)


@pytest.mark.parametrize("paragraph", [3_000, 30_000])
@pytest.mark.parametrize("korean", [KOREAN[:37], "이것은 나의 이야기"])
def test_little_korean_among_long_paragraphs_of_english(paragraph: int, korean: str) -> None:
    plain = ("The quick brown fox jumps over the lazy dog. " * 999)[:paragraph] + "\n"
    found = detect((plain * 3 + plain[:-9] + f" {korean}\n" + plain * 9).encode("cp949"))
    assert (found.encoding, found.why) == ("cp949", EVERYDAY)


@pytest.mark.parametrize("encoding", ["utf-8", "cp949"])
def test_a_damaged_byte_in_a_text_of_one_line(encoding: str) -> None:
    data = bytearray(KOREAN.replace("\n", " ").encode(encoding) * 20)
    data[data.index(b" ", len(data) // 2)] = 0xFF
    found = detect(bytes(data))
    assert (found.encoding, found.why) == (encoding, "nearly all of it is valid")


@pytest.mark.parametrize("encoding", ["euc_jp", "shift_jis", "gb18030", "big5"])
def test_other_languages_are_not_taken_for_korean(encoding: str) -> None:
    japanese = "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。\n"
    chinese = "學而時習之不亦說乎有朋自遠方來不亦樂乎人不知而不慍不亦君子乎\n"
    text = japanese if encoding in ("euc_jp", "shift_jis") else chinese
    assert detect(text.encode(encoding) * 40).encoding not in ("cp949", "johab")


def test_what_was_said_is_believed_and_checked() -> None:
    assert detect(KOREAN.encode("cp949"), "cp949") == Detected(
        "cp949", Certainty.GIVEN, "as --encoding says"
    )
    assert detect(KOREAN.encode("cp949"), "utf-8").first_bad == 0
    assert detect(KOREAN.encode("utf-16"), "utf-16").encoding == "utf-16-le"


def test_a_text_with_a_few_nuls_is_a_text() -> None:
    assert detect((KOREAN[:200] + "\0\0\0").encode()).encoding == "utf-8"


def test_what_is_no_text_is_refused() -> None:
    with pytest.raises(TextError, match=r"^novel\.txt is a PDF document, not plain text"):
        detect(b"%PDF-1.7 ...")
    with pytest.raises(TextError, match=r"^novel\.txt is binary"):
        detect(bytes(range(256)) * 40)
