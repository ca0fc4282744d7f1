import re
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charnn.errors import OptionError
from charnn.text import hangul
from charnn.text.hangul import Kind

LEADS = [chr(c) for c in (*range(0x1100, 0x1160), *range(0xA960, 0xA97D))]
VOWELS = [chr(c) for c in (*range(0x1160, 0x11A8), *range(0xD7B0, 0xD7C7))]
TAILS = [chr(c) for c in (*range(0x11A8, 0x1200), *range(0xD7CB, 0xD7FC))]
SYLLABLES = [chr(c) for c in range(0xAC00, 0xD7A4)]

modern_jamo = st.sampled_from(LEADS[:19] + VOWELS[1:22] + TAILS[:27])
hangul_text = st.text(
    modern_jamo
    | st.sampled_from(SYLLABLES)
    | st.sampled_from(LEADS + VOWELS + TAILS)
    | st.sampled_from("\u302e\u302f"),
    max_size=12,
)


def test_every_syllable_is_what_unicode_says() -> None:
    for syllable in SYLLABLES:
        lead, vowel, tail = hangul.decompose(ord(syllable))
        jamo = chr(0x1100 + lead) + chr(0x1161 + vowel) + (chr(0x11A7 + tail) if tail else "")
        assert jamo == unicodedata.normalize("NFD", syllable)
        assert hangul.compose(lead, vowel, tail) == ord(syllable)
        assert hangul.has_final(ord(syllable)) == (len(jamo) == 3)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ((19, 0, 0), "lead must be in 0..18, got 19"),
        ((0, 21, 0), "vowel must be in 0..20, got 21"),
        ((0, 0, 28), "tail must be in 0..27, got 28"),
        ((-1, 0, 0), "lead must be in 0..18, got -1"),
    ],
)
def test_compose_refuses(parts: tuple[int, int, int], message: str) -> None:
    with pytest.raises(OptionError, match=f"^{re.escape(message)}$"):
        hangul.compose(*parts)


@pytest.mark.parametrize("function", [hangul.decompose, hangul.has_final])
def test_what_is_no_syllable_is_refused(function) -> None:  # type: ignore[no-untyped-def]
    message = "code_point must be a Hangul syllable, U+AC00 to U+D7A3, got U+0041"
    with pytest.raises(OptionError, match=f"^{re.escape(message)}$"):
        function(ord("A"))


@settings(max_examples=300)
@given(hangul_text)
def test_composing_and_decomposing_is_unicode_normalisation_of_hangul(text: str) -> None:
    # Tone marks are reordered by normalisation, so they stay out of this comparison.
    plain = text.replace("\u302e", "").replace("\u302f", "")
    assert hangul.compose_text(plain) == unicodedata.normalize("NFC", plain)
    assert hangul.decompose_text(plain) == unicodedata.normalize("NFD", plain)


@given(st.text())
def test_composing_changes_nothing_but_hangul(text: str) -> None:
    def others(text: str) -> str:
        return re.sub("[\u1100-\u11ff\uac00-\ud7a3]", "", text)

    assert others(hangul.compose_text(text)) == others(text)
    assert others(hangul.decompose_text(text)) == others(text)


def test_composing_leaves_other_scripts_and_compatibility_hanja_alone() -> None:
    text = "e\u0301 \uf900 \u212b ㅎㅕㅇ"
    assert hangul.compose_text(text) == hangul.decompose_text(text) == text


def test_ranges_are_those_of_the_names() -> None:
    for code_point in range(0x11000):
        name = unicodedata.name(chr(code_point), "")
        assert hangul.is_conjoining_lead(code_point) == name.startswith("HANGUL CHOSEONG ")
        assert hangul.is_conjoining_vowel(code_point) == name.startswith("HANGUL JUNGSEONG ")
        assert hangul.is_conjoining_tail(code_point) == name.startswith("HANGUL JONGSEONG ")
        assert hangul.is_tone_mark(code_point) == ("DOT TONE MARK" in name)
        is_letter = name.startswith("HANGUL LETTER ") or name == "HANGUL FILLER"
        assert hangul.is_compatibility_jamo(code_point) == is_letter
        assert hangul.is_syllable(code_point) == name.startswith("HANGUL SYLLABLE ")


def test_hanja_are_what_unicode_names_ideographs() -> None:
    for code_point in range(0x40000):
        name = unicodedata.name(chr(code_point), "")
        if name.startswith(("CJK UNIFIED IDEOGRAPH", "CJK COMPATIBILITY IDEOGRAPH")):
            assert hangul.is_hanja(code_point)
        elif name and hangul.is_hanja(code_point):
            assert name.startswith(("CJK RADICAL", "KANGXI RADICAL", "IDEOGRAPHIC"))


def test_letters_of_modern_jamo() -> None:
    assert len(hangul.LEAD_LETTERS) == hangul.LEADS
    assert len(hangul.VOWEL_LETTERS) == hangul.VOWELS
    assert len(hangul.TAIL_LETTERS) == hangul.TAILS
    letters = "".join(map(hangul.compatibility_letters, map(ord, LEADS[:19])))
    assert letters == hangul.LEAD_LETTERS
    letters = "".join(map(hangul.compatibility_letters, map(ord, VOWELS[1:22])))
    assert letters == hangul.VOWEL_LETTERS
    letters = "".join(map(hangul.compatibility_letters, map(ord, TAILS[:27])))
    assert letters == hangul.TAIL_LETTERS


def test_letters_undo_unicodes_compatibility_mapping() -> None:
    for code_point in (*range(0x3131, 0x3164), *range(0x3165, 0x318F)):
        jamo = unicodedata.normalize("NFKC", chr(code_point))
        assert hangul.compatibility_letters(ord(jamo)) == chr(code_point)


def test_letters_are_compatibility_jamo_or_nothing() -> None:
    without = []
    for character in LEADS + VOWELS + TAILS:
        letters = hangul.compatibility_letters(ord(character))
        assert all(hangul.is_compatibility_jamo(ord(letter)) for letter in letters)
        if not letters:
            without.append(unicodedata.name(character).split()[-1])
    assert len(without) == 14
    assert all(
        name.startswith(("CHITUEUM", "CEONGCHIEUM", "KAPYEOUN", "FILLER")) for name in without
    )
    assert hangul.compatibility_letters(ord("가")) == ""


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("가힣", Kind.SYLLABLE),
        ("\u1100\u119e\u11f0\ua960\ud7b0\ud7cb\u302e", Kind.CONJOINING),
        ("ㄱㆎ\u3164", Kind.COMPATIBILITY),
        ("無\uf900々〇\u3400\U00020000\U00030000", Kind.HANJA),
        ("かカ", Kind.KANA),
        ("aZéＡ", Kind.LATIN),
        ("Жαش\u0301", Kind.LETTER),
        ("0９½", Kind.DIGIT),
        (".“…「", Kind.PUNCTUATION),
        ("+☆◆", Kind.SYMBOL),
        (" \n\t\u3000\u2028", Kind.SPACE),
        ("\0\x1b\u200d\ufeff\ue000\ud800\U0003fffe", Kind.CONTROL),
    ],
)
def test_kind_of(text: str, kind: Kind) -> None:
    assert {hangul.kind_of(ord(character)) for character in text} == {kind}


# From GraphemeBreakTest.txt of Unicode: every pair of Hangul types.
JOINS = {
    "\u1100": "\u1100\u1160\uac00\uac01",
    "\u1160": "\u1160\u11a8",
    "\u11a8": "\u11a8",
    "\uac00": "\u1160\u11a8",
    "\uac01": "\u11a8",
}


def test_clusters_of_the_unicode_test_file() -> None:
    for before, joining in JOINS.items():
        for after in "\u1100\u1160\u11a8\uac00\uac01 a無":
            assert hangul.ends_inside_cluster(before, after) == (after in joining)
            assert not hangul.ends_inside_cluster("a", after)
        assert hangul.ends_inside_cluster(before, "\u302e")
        assert hangul.ends_inside_cluster(before + "\u302e", "\u302f")
        assert not hangul.ends_inside_cluster(before + "\u302f", before)
    assert not hangul.ends_inside_cluster("a", "\u302e")
    assert not hangul.ends_inside_cluster("", "\u11a8")
    assert not hangul.ends_inside_cluster("\u1100", "")


# "hangul-syllable" of UAX #29, table 1c, and tone marks.
LV = "".join(SYLLABLES[::28])
LVT = "".join(syllable for syllable in SYLLABLES if syllable not in set(LV))
L, V, T = "".join(LEADS), "".join(VOWELS), "".join(TAILS)
CLUSTER = re.compile(
    f"(?:[{L}]*(?:[{V}]+|[{LV}][{V}]*|[{LVT}])[{T}]*|[{L}]+|[{T}]+)[\u302e\u302f]*|."
)


@settings(max_examples=300)
@given(hangul_text)
def test_cuts_between_clusters_are_those_of_the_grammar(text: str) -> None:
    # A tone mark without Hangul before it is a cluster of its own; the grammar starts after it.
    text = text.lstrip("\u302e\u302f")
    expected = {match.end() for match in CLUSTER.finditer(text)} | {0}
    cuts = {
        cut
        for cut in range(len(text) + 1)
        if not hangul.ends_inside_cluster(text[:cut], text[cut : cut + 1])
    }
    assert cuts == expected
