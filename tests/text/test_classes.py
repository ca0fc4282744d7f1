"""What sorts of characters a text is made of."""

import unicodedata
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charnn.text.classes import Composition, Sort, compose, is_hanyang, is_old_jamo, sort_of


def composed(text: str) -> Composition:
    return compose(Counter(map(ord, text)))


@pytest.mark.parametrize(
    ("characters", "sort"),
    [
        ("가힣", Sort.SYLLABLE),
        ("形一", Sort.HANJA),
        ("\u3400", Sort.HANJA_EXTENSION_A),
        ("\uf900\ufa0d\U0002f800", Sort.HANJA_COMPATIBILITY),
        ("\ufa0e\ufa29", Sort.HANJA),  # among them, but unified ideographs themselves
        ("\U00020000", Sort.HANJA_PLANE_2),
        ("\U00030000", Sort.HANJA_PLANE_3),
        ("々〇\u2f00", Sort.HANJA_PARTS),
        ("\u1100\u1112\u1161\u1175\u11a8\u11c2", Sort.JAMO),
        ("\u1113\u115f\u1160\u1176\u119e\u11a7\u11c3\ua960\ud7b0\ud7fb", Sort.JAMO_OLD),
        ("\u302e\u302f", Sort.TONE_MARK),
        ("ㄱㅎㅏㅣ", Sort.LETTER_JAMO),
        ("ㅥㆎ", Sort.LETTER_JAMO_OLD),
        ("\uffa1\uffdc", Sort.HALF_WIDTH_JAMO),
        ("\ue0bc\uefff\uf100\uf66e\uf784\uf8f7", Sort.HANYANG),
        ("\ue000\ue0bb\uf66f\uf8ff\U000f0000\U0010fffd", Sort.PRIVATE),
        ("aZé", Sort.LATIN),
        ("Ａｚ", Sort.LATIN_FULL_WIDTH),
        ("あカ", Sort.KANA),
        ("яω", Sort.LETTER),
        ("07１", Sort.DIGIT),
        (".,“”「」…", Sort.PUNCTUATION),
        ("+₩★", Sort.SYMBOL),
        (" \t\u3000\u00a0", Sort.SPACE),
        ("\n", Sort.NEWLINE),
        ("\0\x1b\x7f\x85", Sort.CONTROL),
        ("\ufffd", Sort.REPLACEMENT),
        ("\ufeff", Sort.BYTE_ORDER_MARK),
        ("\u200b\u200d\u202e\u2060\u00ad\u3164\ufe0f", Sort.ZERO_WIDTH),
        ("\u0378", Sort.UNASSIGNED),
        ("\udc80\udcff", Sort.UNDECODABLE),
    ],
)
def test_each_character_has_one_sort(characters: str, sort: Sort) -> None:
    assert [sort_of(ord(character)) for character in characters] == [sort] * len(characters)


@given(st.text(max_size=80))
def test_the_sorts_add_up(text: str) -> None:
    assert sum(composed(text).sorts.values()) == len(text)


def test_compatibility_hanja_by_their_unified_form() -> None:
    found = composed("\uf9e1\uf9e1金\uf90a李").compatibility_hanja
    assert [(one.char, one.unified, one.count) for one in found] == [
        ("\uf9e1", "李", 2),
        ("\uf90a", "金", 1),
    ]
    everyone = "".join(map(chr, range(0xF900, 0xFB00)))
    listed = {one.char for one in composed(everyone).compatibility_hanja}
    changed = {one for one in everyone if unicodedata.normalize("NFC", one) != one}
    assert listed == changed


def test_the_hanyang_ranges_have_their_numbers() -> None:
    places = [point for point in range(0xE000, 0xF900) if is_hanyang(point)]
    syllables = [point for point in places if point <= 0xF66E]
    assert (len(syllables), len(places) - len(syllables)) == (5299, 125 + 95 + 142)


def test_modern_jamo_are_those_of_modern_syllables() -> None:
    modern = set(unicodedata.normalize("NFD", "".join(map(chr, range(0xAC00, 0xD7A4)))))
    jamo = [*range(0x1100, 0x1200), *range(0xA960, 0xA97D), *range(0xD7B0, 0xD7C7)]
    assert {chr(point) for point in jamo if not is_old_jamo(point)} == modern


def test_quotes_full_width_and_the_unseen() -> None:
    found = composed('"a" ‘b’ ＡＢ\0\0\u200b')
    assert [(one.char, one.count) for one in found.quotes] == [('"', 2), ("‘", 1), ("’", 1)]
    assert [(one.char, one.count) for one in found.odd] == [("\0", 2), ("\u200b", 1)]
    assert found.full_width == 2
    assert found.count(Sort.LATIN, Sort.LATIN_FULL_WIDTH) == 4
