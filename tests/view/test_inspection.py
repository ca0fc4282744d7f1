"""The report of an inspected text: what it shows, and that it fits."""

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console

from charnn.corpus.tokenizers.comparison import compare_tokenizers
from charnn.text.inspect import inspect_texts
from charnn.view.inspection import advice_table, show_inspection

STORY = "형식은 영어를 가르치고 나와 무더운 길을 걸어 김장로(金長老)의 집으로 간다.\n"
Report = Callable[..., str]


@pytest.fixture
def report(tmp_path: Path) -> Report:
    def show(text: str | bytes, width: int = 80) -> str:
        path = tmp_path / "novel.txt"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        inspection = inspect_texts(path)
        fits = compare_tokenizers(inspection.sample.texts)
        advice = advice_table([("tokenizer", "char")], "charnn train [b]x", ["it was measured"])
        out = io.StringIO()
        show_inspection(inspection, fits, advice, Console(file=out, width=width, highlight=False))
        return out.getvalue()

    return show


def section(text: str, title: str) -> str:
    """The lines below a heading, up to the next one."""
    return text.partition(f"\n{title}\n")[2].partition("\n\n")[0]


def test_everything_has_its_section(report: Report) -> None:
    text = report(STORY * 20 + "\uf9e1\u200b" + "\u1112\u1167")
    headings = [line for line in text.splitlines() if line and not line.startswith(" ")][6:]
    assert headings == [
        "made of",
        "compatibility Hanja and their unified forms",
        "unseen and unknown characters",
        "worth knowing",
        "most frequent characters",
        "most frequent words",
        "said more than once",
        "bits per character",
        "in tokens",
        "what to train",
    ]
    assert "encoding       UTF-8, certain: valid throughout" in text
    assert "\uf9e1 U+F9E1 → U+674E 李 1" in text
    assert "U+200B 1" in section(text, "unseen and unknown characters")
    assert "• 1 compatibility Hanja" in section(text, "worth knowing")
    assert "normal form    not NFC: 1 syllables in separate jamo and 1 compatibility Hanja" in text
    made_of = section(text, "made of").splitlines()
    assert made_of[0].split()[:2] == ["Hangul", "syllables"]
    assert (
        section(text, "what to train").splitlines()[1].strip() == "command        charnn train [b]x"
    )


@pytest.mark.parametrize("width", [40, 57, 80, 200])
def test_no_line_is_wider_than_the_terminal(width: int, report: Report, novella: Path) -> None:
    for text in (novella.read_text("utf-8")[:6000], STORY * 30, "a" * 3000):
        shown = report(text, width)
        # the last lines quote a path, which is only folded
        assert max(cell_len(line) for line in shown.splitlines()) <= width
        assert not any(line.endswith(" ") for line in shown.splitlines())


def test_what_is_in_the_text_cannot_act_on_the_terminal(report: Report) -> None:
    evil = "\x1b[2J\u202e[bold]red[/bold] \x07" * 40 + "\n"
    text = report(evil * 3)
    assert "\x1b" not in text and "\u202e" not in text and "\x07" not in text
    assert "[bold]red[/bold]" in text


def test_jamo_are_told_apart(report: Report) -> None:
    shown = section(report("\u1112\u119e\u11ab \u1102\n" * 9), "most frequent characters")
    assert {"ㅎ-", "-ㆍ-", "-ㄴ", "ㄴ-", "␣", "⏎"} <= set(shown.split())


def test_damage_is_told(report: Report) -> None:
    text = report(STORY.encode() * 20 + b"\xff" + STORY.encode() * 20)
    assert "undecodable bytes" in section(text, "made of")
    assert "1 byte cannot be decoded" in section(text, "worth knowing")
