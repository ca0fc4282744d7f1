"""Counts over a whole text, against slow obvious twins, however the text comes in stretches."""

import unicodedata
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charnn.text import counting
from charnn.text.counting import Counts, undecodable
from charnn.text.hangul import compose_text

TRICKY = st.text(
    st.sampled_from(
        "\n\n a1형가힣\u1112\u1167\u11bc\u1100\u1161\u11a8\u119e\u1113\u11c3"
        "\u0301\u0323eé\uf90a形\U0001f600\udcff"
    )
    | st.characters(exclude_categories=["Cs"]),
    max_size=40,
)


def counted(*files: str, cut: int = 7) -> Counts:
    counts = Counts()
    for text in files:
        counts.add(text[at : at + cut] for at in range(0, len(text), cut))
    return counts


def sequences(text: str) -> int:
    """How many times two neighbours are joined on the way to composed syllables."""
    joined = 0
    for before, after in pairwise(text):
        modern = "\u1100" <= before <= "\u1112" and "\u1161" <= after <= "\u1175"
        open_syllable = "가" <= before <= "힣" and (ord(before) - 0xAC00) % 28 == 0
        joined += modern or (open_syllable and "\u11a8" <= after <= "\u11c2")
    return joined


@given(TRICKY, st.integers(1, 9), st.integers(1, 9))
def test_the_twins_agree(text: str, block: int, cut: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(counting, "_BLOCK", block)
        found = counted(text, cut=cut)
    assert found.by_code_point() == Counter(map(ord, text))
    assert found.characters == len(text)
    lines = text.split("\n")[: -1 if text.endswith("\n") or not text else None]
    assert found.lines == len(lines)
    assert found.longest_line == max(map(len, lines), default=0)
    assert found.blank_lines == lines.count("")
    assert found.nfd_sequences == sequences(text)
    assert (found.nfc, found.nfd) == tuple(
        unicodedata.is_normalized(form, text) for form in ("NFC", "NFD")
    )
    assert undecodable(found.code_points) == text.count("\udcff")


def test_sequences_are_what_composing_joins() -> None:
    text = "형식은 가르치고 나와 김장로의 집으로 간다."
    apart = unicodedata.normalize("NFD", text)
    syllables = sum("가" <= character <= "힣" for character in text)
    assert counted(apart).nfd_sequences == syllables
    assert compose_text(apart) == text
    assert counted(text).nfd_sequences == 0
    assert counted("\u1112\u119e\u11ab").nfd_sequences == 0  # old Hangul is composed of nothing


def test_files_are_counted_apart() -> None:
    found = counted("\u1112", "\u1167", "a\nb")
    assert (found.nfd_sequences, found.lines, found.characters) == (0, 4, 5)


def test_a_cluster_without_end_is_cut_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "_BLOCK", 64)
    monkeypatch.setattr(counting, "_LONGEST_CLUSTER", 16)
    found = counted("a" + "\u0301" * 1000)
    assert found.characters == 1001


@pytest.mark.texts
def test_real_texts(texts_dir: object) -> None:
    from pathlib import Path

    for path in Path(str(texts_dir)).glob("*.txt"):
        text = path.read_text("utf-8")
        found = counted(text, cut=1 << 16)
        assert found.by_code_point() == Counter(map(ord, text))
        assert found.nfc == unicodedata.is_normalized("NFC", text)
        assert found.lines == text.count("\n") + (not text.endswith("\n"))
        assert int(np.count_nonzero(found.code_points)) == len(set(text))
