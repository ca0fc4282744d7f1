"""The bundled text has what a Korean text of its time has, and is what corpora/README.md says."""

import re
import unicodedata
from pathlib import Path

import pytest

HANJA = r"\u4e00-\u9fff\u3400-\u4dbf\uf900-\ufaff"


@pytest.fixture(scope="module")
def text(novella: Path) -> str:
    return novella.read_bytes().decode("utf-8")


def test_it_is_long_enough_and_made_of_paragraphs(text: str) -> None:
    assert len(text) >= 30_000
    paragraphs = [line for line in text.splitlines() if line]
    assert len(paragraphs) >= 300
    assert len(set(paragraphs)) > 0.95 * len(paragraphs)


def test_it_is_utf8_in_nfc_with_lf(text: str) -> None:
    assert unicodedata.is_normalized("NFC", text)
    assert not text.startswith("\ufeff")
    assert "\r" not in text and "\t" not in text
    assert text.endswith("\n") and not text.endswith("\n\n")
    assert [mark for mark in set(text) if unicodedata.category(mark)[0] == "C"] == ["\n"]
    assert not [line for line in text.splitlines() if line != line.strip()]


@pytest.mark.parametrize(("opening", "closing"), ["“”", "‘’", "()", "『』", "「」"])
def test_its_quotes_and_brackets_are_balanced(text: str, opening: str, closing: str) -> None:
    assert text.count(opening) == text.count(closing)
    for line in text.splitlines():
        depth = 0
        for mark in line:
            depth += (mark == opening) - (mark == closing)
            assert depth in (0, 1), line


def test_its_dialogue_is_in_curly_quotes(text: str) -> None:
    assert text.count("“") >= 250
    assert text.count("‘") >= 10
    assert '"' not in text and "'" not in text


def test_it_has_hanja_behind_hangul_and_running(text: str) -> None:
    glosses = re.findall(rf"[가-힣]\([{HANJA}]+\)", text)
    running = re.findall(rf"(?<![({HANJA}])[{HANJA}]+(?![){HANJA}])", text)
    assert len(glosses) >= 150
    assert len(running) >= 100
    assert len(set(re.findall(f"[{HANJA}]", text))) >= 300


def test_it_has_a_few_lines_of_old_hangul(text: str) -> None:
    lines = [line for line in text.splitlines() if re.search("[ᄀ-ᇿ]", line)]
    assert 3 <= len(lines) <= 60
    assert "ᆞ" in text  # arae-a, which no modern syllable has


def test_its_readme_counts_it_rightly(text: str, novella: Path) -> None:
    readme = (novella.parent / "README.md").read_text("utf-8")
    counts = f"| {len(text):,} | {len(set(text)):,} |"
    assert readme.count(counts) == 2
