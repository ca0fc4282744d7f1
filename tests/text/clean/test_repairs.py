"""Each repair alone: what it does, what it leaves, and that its slow twin does the same."""

import re
import sys
import unicodedata
from collections.abc import Iterator
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charnn.text.clean import characters, composition, glosses, lines, pages
from charnn.text.clean.cleaning import ALL_REPAIRS, Repairs, clean_text
from charnn.text.clean.streams import DISTINCT_KEPT, Example, Tally

# What repairs are about, so that short texts hit it often.
TELLING = st.sampled_from(
    [
        *" \t\u3000\u00a0\n\r\f\x00\x85\u200b\ufeff\u00ad",
        *"가각힣형한나()（）〔〕[]·, ",
        *"漢字李\uf9e1\uf900\U0002f81a\ufa0e",
        *"\u1112\u1167\u11bc\u119e\u11ab\u115f\u1160\u302e\ua960\ud7b0\ud7cb\u1109\u1103",
        *"ｅＡ１（）￦～e\u0301\u0323\u0338\u212b\u2126＞",
        *"\ue0bc\uf784\uf86a\uf8f7",
        *"- 12 -\n",
        "\n- 1 -\n",
        "\n- 2 -\n",
        "\n- 3 -\n",
        "\n무정\n",
        "선형(善馨)",
        "(漢)",
    ]
)
TEXTS = st.lists(st.one_of(TELLING, st.characters(codec="utf-8")), max_size=40).map("".join)
CUTS = st.integers(1, 7)
REPAIRS = st.builds(
    Repairs,
    **{name: st.booleans() for name in ALL_REPAIRS.names if name != "glosses"},
    glosses=st.sampled_from([None, "keep", "drop", "swap"]),
)


def cut(text: str, size: int) -> Iterator[str]:
    return (text[start : start + size] for start in range(0, len(text), size))


def cleaned(text: str, repairs: Repairs, size: int = 1 << 20) -> str:
    return clean_text(cut(text, size), repairs)[0]


@given(TEXTS, REPAIRS)
def test_cleaning_twice_is_cleaning_once(text: str, repairs: Repairs) -> None:
    once = cleaned(text, repairs)
    again, tallies = clean_text([once], repairs)
    assert again == once
    assert {name: tally.count for name, tally in tallies.items()} == dict.fromkeys(tallies, 0)


@given(TEXTS, REPAIRS, CUTS)
def test_it_does_not_matter_how_the_text_arrives(text: str, repairs: Repairs, size: int) -> None:
    whole, counted = clean_text([text], repairs)
    pieces, counted_too = clean_text(cut(text, size), repairs)
    assert pieces == whole
    assert [t.count for t in counted.values()] == [t.count for t in counted_too.values()]
    assert [t.left for t in counted.values()] == [t.left for t in counted_too.values()]


@given(TEXTS)
def test_nothing_is_done_that_is_not_asked_for(text: str) -> None:
    assert clean_text([text], Repairs()) == (text, {})
    assert cleaned(text, Repairs(glosses="keep")) == text


@given(TEXTS, REPAIRS)
def test_no_change_is_silent(text: str, repairs: Repairs) -> None:
    after, tallies = clean_text([text], repairs)
    counted = sum(tally.count for tally in tallies.values())
    assert (after == text) == (counted == 0)
    for tally in tallies.values():
        assert sum(example.times for example in tally.examples(1000)) == tally.count
        assert all(before != now for before, now, _ in tally.examples(1000))


def slow_newlines(text: str) -> str:
    out = ""
    for index, character in enumerate(text):
        if character == "\n" and text[index - 1 : index] == "\r":
            continue
        out += "\n" if character == "\r" else character
    return out


def slow_controls(text: str) -> str:
    gone = {*map(chr, range(32)), *map(chr, range(0x7F, 0xA0)), *"\u00ad\u200b\u2060\ufeff"}
    gone |= {*"\u200e\u200f", *map(chr, range(0x202A, 0x202F)), *map(chr, range(0x2066, 0x206A))}
    gone -= set("\t\n\r")
    return "".join("\n" if c in "\v\f\x85" else "" if c in gone else c for c in text)


def slow_half_width(text: str) -> str:
    signs = dict(zip("￠￡￢￣￤￥￦", "¢£¬¯¦¥₩", strict=True))
    return "".join(
        chr(ord(c) - 0xFEE0) if "！" <= c <= "～" else {"\u3000": " ", **signs}.get(c, c)
        for c in text
    )


def slow_hanja(text: str) -> str:
    blocks = ("CJK COMPATIBILITY IDEOGRAPH",)
    return "".join(
        unicodedata.normalize("NFD", c) if unicodedata.name(c, "").startswith(blocks) else c
        for c in text
    )


def slow_nfc_hangul(text: str) -> str:
    """The arithmetic of the Unicode Standard, section 3.12, a character at a time."""
    out: list[str] = []
    for character in text:
        last, code = ord(out[-1]) if out else 0, ord(character)
        if 0x1100 <= last <= 0x1112 and 0x1161 <= code <= 0x1175:
            out[-1] = chr(0xAC00 + ((last - 0x1100) * 21 + code - 0x1161) * 28)
        elif 0xAC00 <= last <= 0xD7A3 and (last - 0xAC00) % 28 == 0 and 0x11A8 <= code <= 0x11C2:
            out[-1] = chr(last + code - 0x11A7)
        else:
            out.append(character)
    return "".join(out)


def slow_trailing_spaces(text: str) -> str:
    lines = re.split("([\r\n])", text)
    return "".join(line.rstrip(" \t\u00a0\u3000") for line in lines)


def slow_blank_lines(text: str) -> str:
    while "\n\n\n" in text:
        text = text.replace("\n\n\n", "\n\n")
    return text


TWINS = {
    "newlines": slow_newlines,
    "controls": slow_controls,
    "half_width": slow_half_width,
    "hanja": slow_hanja,
    "nfc_hangul": slow_nfc_hangul,
    "nfc": lambda text: unicodedata.normalize("NFC", text),
    "trailing_spaces": slow_trailing_spaces,
    "blank_lines": slow_blank_lines,
}


@pytest.mark.parametrize("name", TWINS)
@given(TEXTS, CUTS)
def test_each_repair_does_what_its_slow_twin_does(name: str, text: str, size: int) -> None:
    assert cleaned(text, Repairs(**{name: True}), size) == TWINS[name](text)


def test_nothing_before_a_start_can_combine_with_it() -> None:
    """The places where the text is cut before it is normalised, against all of Unicode."""
    everything = [chr(code) for code in range(sys.maxunicode + 1) if not 0xD800 <= code < 0xE000]
    seconds = set()
    for character in everything:
        parts = unicodedata.decomposition(character).split()
        if len(parts) == 2 and not parts[0].startswith("<"):
            seconds.add(chr(int(parts[1], 16)))
    seconds |= {*map(chr, range(0x1161, 0x1176)), *map(chr, range(0x11A8, 0x11C3))}
    starts = [c for c in everything if composition._STARTS.match(c)]
    assert [c for c in starts if unicodedata.combining(c) or c in seconds] == []
    assert len(starts) > 40_000


def test_old_hangul_stays_old_hangul() -> None:
    text = "\u1112\u119e\u11ab\u302e \ua960\u1161 \u1109\u1103\u1161"
    assert (
        cleaned(text, Repairs(nfc_hangul=True)) == "\u1112\u119e\u11ab\u302e \ua960\u1161 \u1109다"
    )
    assert cleaned("\u1112\u119e\u11ab", Repairs(nfc=True)) == "\u1112\u119e\u11ab"


def test_hangul_alone_is_composed_and_hanja_are_left() -> None:
    text = unicodedata.normalize("NFD", "형식 é") + "\uf9e1"
    after, tallies = clean_text([text], Repairs(nfc_hangul=True))
    assert after == "형식 e\u0301\uf9e1"
    assert tallies["nfc_hangul"].examples(9) == [
        Example("\u1112\u1167\u11bc", "형", 1),
        Example("\u1109\u1175\u11a8", "식", 1),
    ]


def test_ideographs_that_are_no_compatibility_ones_stay() -> None:
    unified = "\ufa0e\ufa0f\ufa11\ufa13\ufa14\ufa1f\ufa21\ufa23\ufa24\ufa27\ufa28\ufa29"
    after, tallies = clean_text([unified + "\uf914"], Repairs(hanja=True))
    assert after == unified + "樂"
    assert tallies["hanja"].count == 1


@pytest.mark.parametrize(
    ("text", "dropped", "swapped"),
    [
        ("선형(善馨)이가", "선형이가", "善馨(선형)이가"),
        ("김선형（善馨）", "김선형", "김善馨（선형）"),
        ("갈재〔蘆嶺〕와", "갈재와", "蘆嶺〔갈재〕와"),
        ("동광학교(東光 學校)", "동광학교", "동광학교(東光 學校)"),
        ("중(列國中)", "중(列國中)", "중(列國中)"),
        ("효(孝)·충(忠)", "효·충", "孝(효)·忠(충)"),
        ("효 (孝)", "효 (孝)", "효 (孝)"),
        ("형식(hyeongsik)", "형식(hyeongsik)", "형식(hyeongsik)"),
        ("하(下)\u11ab", "하(下)\u11ab", "하(下)\u11ab"),
        ("善馨(선형)", "善馨(선형)", "善馨(선형)"),
    ],
)
def test_glosses(text: str, dropped: str, swapped: str) -> None:
    assert cleaned(text, Repairs(glosses="drop")) == dropped
    assert cleaned(text, Repairs(glosses="swap")) == swapped


def test_a_long_text_without_spaces_or_with_nothing_else_is_read_once() -> None:
    """Were each of its starts tried, it would take minutes."""
    for text in ("가나다라" * 50_000, " " * 200_000 + "x", "\u1112" * 200_000):
        assert cleaned(text, ALL_REPAIRS) == text


def test_glosses_that_are_kept_are_counted() -> None:
    tally = clean_text(["선형(善馨)과 선형(善馨)과 효(孝)"], Repairs(glosses="keep"))[1]["glosses"]
    assert (tally.count, tally.left) == (0, 3)
    assert tally.examples_left(1) == [Example("선형(善馨)", "선형(善馨)", 2)]


def paged(numbers: int, header: str = "무정", form: str = "- {} -") -> str:
    pages = (f"{n}의 끝이\n\n{form.format(n)}\n{header}\n{n}에 없다\n" for n in range(numbers))
    return "".join(pages)


BODY = "".join(f"{n}의 끝이\n\n{n}에 없다\n" for n in range(9))


@pytest.mark.parametrize("form", ["- {} -", "― {} ―", "p. {}", "{}쪽", "제 {} 쪽", "{} / 340"])
def test_page_numbers_and_headers_go(form: str) -> None:
    after, tallies = clean_text([paged(9, form=form)], Repairs(page_lines=True))
    assert after == BODY
    assert tallies["page_lines"].count == 18


def test_a_header_before_the_number_goes_too() -> None:
    text = "".join(f"{n}의 끝이\n무정\n\n- {n} -\n{n}에 없다\n" for n in range(9))
    assert cleaned(text, Repairs(page_lines=True)) == BODY


def test_few_numbers_and_chapters_stay() -> None:
    for text in (paged(2), "1\n가\n\n2\n나\n\n3\n다\n", "제 1 장\n가\n" * 9, "(1)\n[2]\n" * 9):
        assert cleaned(text, Repairs(page_lines=True)) == text
    tally = clean_text(["1\n가\n2\n"], Repairs(page_lines=True))[1]["page_lines"]
    assert tally.left == 2


def test_a_line_that_is_no_header_elsewhere_stays() -> None:
    text = "무정\n\n이광수\n" + paged(9)
    assert cleaned(text, Repairs(page_lines=True)).startswith("무정\n\n이광수\n0의")


def slow_page_lines(text: str) -> str:
    """All lines at once: numbers, then what stands beside at least five of them."""
    rows = text.split("\n")
    numbers = [i for i, row in enumerate(rows) if pages.is_page_number(row.strip())]
    if len(numbers) < 3:
        return text
    beside: dict[str, int] = {}
    gone = set(numbers)
    written = [i for i, row in enumerate(rows) if row.strip()]
    neighbours = []
    for at, i in enumerate(written):
        if i in gone:
            continue
        before = at > 0 and written[at - 1] in gone
        after = at + 1 < len(written) and written[at + 1] in gone
        neighbours.append((i, before + after))
        if before + after and len(rows[i].strip()) <= 40:
            beside[rows[i].strip()] = beside.get(rows[i].strip(), 0) + before + after
    least = max(5, 0.1 * len(numbers))
    gone |= {i for i, times in neighbours if times and beside.get(rows[i].strip(), 0) >= least}
    return "\n".join(row for i, row in enumerate(rows) if i not in gone)


ROWS = st.sampled_from(["- 1 -", "p. 2", "3쪽", "무정", "", " ", "가나", "12", "끝"])


@given(st.lists(ROWS, max_size=60))
def test_page_lines_are_those_of_the_slow_twin(rows: list[str]) -> None:
    text = "".join(f"{row}\n" for row in rows)
    assert cleaned(text, Repairs(page_lines=True)) == slow_page_lines(text)


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A stand-in for the package with the correspondence, which knows two characters."""
    module = ModuleType("hypua2jamo")
    known = {"\uebd4": "\u110a\u119e", "\uf86a": ""}
    module.translate = lambda text: "".join(known.get(c, c) for c in text)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "hypua2jamo", module)
    characters._hanyang_table.cache_clear()
    yield
    characters._hanyang_table.cache_clear()


@pytest.mark.usefixtures("table")
def test_hanyang_is_converted_where_the_package_is() -> None:
    after, tallies = clean_text(["나랏말\uebd4미 \uf86a"], Repairs(hanyang=True))
    assert after == "나랏말\u110a\u119e미 \uf86a"
    assert (tallies["hanyang"].count, tallies["hanyang"].left) == (1, 1)


def test_hanyang_is_counted_where_the_package_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "hypua2jamo", None)
    characters._hanyang_table.cache_clear()
    after, tallies = clean_text(["나랏말\uebd4미"], Repairs(hanyang=True))
    assert not characters.hanyang_is_known()
    characters._hanyang_table.cache_clear()
    assert after == "나랏말\uebd4미"
    assert (tallies["hanyang"].count, tallies["hanyang"].left) == (0, 1)


def test_hanyang_by_the_real_table() -> None:
    pytest.importorskip("hypua2jamo")
    text = "나랏〮말〯\uebd4미〮"
    assert cleaned(text, Repairs(hanyang=True)) == "나랏〮말〯\u110a\u119e미〮"
    every = [chr(code) for code in range(0xE000, 0xF900)]
    from hypua2jamo import translate

    known = [c for c in every if translate(c) != c]
    assert known == [c for c in every if characters.HANYANG.match(c)]


def test_a_tally_keeps_no_more_kinds_than_it_must() -> None:
    tally = Tally()
    for number in range(DISTINCT_KEPT + 5):
        tally.changed(str(number), "")
    tally.changed("0", "", 3)
    assert tally.count == DISTINCT_KEPT + 8
    assert tally.examples(1) == [Example("0", "", 4)]
    assert len(tally.examples(DISTINCT_KEPT * 2)) == DISTINCT_KEPT


def test_the_modules_have_a_repair_for_each_name() -> None:
    assert {*ALL_REPAIRS.names} == {*clean_text([""], ALL_REPAIRS)[1]}
    assert callable(lines.mend_newlines) and glosses.HOW == ("keep", "drop", "swap")
