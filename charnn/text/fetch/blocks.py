"""Paragraphs and headings of a page, and how they become the lines of a text."""

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

# What stands on a page of Wikisource beside the work, by its heading.
BESIDE_THE_WORK: Final = frozenset(
    {
        *(
            "라이선스",
            "라이센스",
            "저작권",
            "각주",
            "주석",
            "주",
            "같이 보기",
            "바깥 고리",
            "외부 링크",
        ),
        *("license", "licence", "copyright", "notes", "footnotes", "references", "external links"),
        *("脚注", "注釈", "底本", "外部リンク", "ライセンス", "注釋", "註釋", "外部連結", "版權"),
        *("anmerkungen", "einzelnachweise", "weblinks"),
    }
)
_SPACES: Final = re.compile("[ \t\u00a0]+")


class Block(NamedTuple):
    """A paragraph, or a heading of a level from 1 to 6; the level of a paragraph is 0."""

    text: str
    level: int = 0


def as_text(blocks: Iterable[Block]) -> str:
    r"""The paragraphs, a line each; a blank line before each heading.

    Sections that are no part of the work are left out, with the sections below them.

    >>> as_text([Block("1", 2), Block(" 가  나 "), Block("라이선스", 2), Block("PD")])
    '1\n가 나\n'
    """
    lines: list[str] = []
    left_out = 0  # the level of the section that is being left out
    for block in blocks:
        text = _SPACES.sub(" ", block.text).strip(" \u3000")
        if block.level and (not left_out or block.level <= left_out):
            left_out = block.level if text.casefold() in BESIDE_THE_WORK else 0
        if left_out or not text:
            continue
        if block.level and lines:
            lines.append("")
        lines.append(text)
    return "".join(f"{line}\n" for line in lines)
