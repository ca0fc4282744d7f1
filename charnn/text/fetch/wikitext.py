"""Wikitext to paragraphs: as much of its grammar as transcribed books use.

Templates cannot be known without the wiki. Those that set off a stretch of the text give that
stretch; headers and licences are left out; so is every other, and it is named.
"""

import html
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Final

from charnn.text.fetch.blocks import Block

_DEPTH: Final = 40

# Templates that show their first argument, whatever they do to how it looks.
_SHOWN: Final = frozenset(
    {
        *("옛한글", "옛한글 인라인", "옛한글인라인", "드러냄표", "밑줄", "윗주", "루비", "분주"),
        *("작게", "더 작게", "더작게", "크게", "더 크게", "더크게"),
        *("가운데", "가운데 정렬", "오른쪽", "오른쪽 정렬", "왼쪽"),
        *("sic", "u", "du", "uc", "sc", "small-caps", "c", "center", "block center", "right"),
        *("big", "small", "larger", "smaller", "x-larger", "x-smaller", "xx-larger"),
        *("nowrap", "nop", "hws", "ruby", "tooltip", "popup"),
        *("ルビ", "圏点", "傍点", "標楷體"),
    }
)
_LAST_SHOWN: Final = frozenset({"lang", "언어", "sperrschrift"})
_GAP: Final = "gap"  # its argument is a width
# Templates about the page, not of it.
_ABOUT: Final = re.compile(
    r"머리말|header\d?|한시|소설|시|저작권.*|pd.*|public domain.*|cc-.*|gfdl.*|저자|이전.*|다음.*"
    r"|toc.*|auxiliary.*|textquality|authority control|sister|wikipedia|위키백과.*"
    r"|defaultsort.*|textdaten|seite|bearbeitungen|gutenberg|aozora.*|ライセンス.*",
    re.IGNORECASE,
)
_HIDDEN_LINKS: Final = re.compile(
    r"(?:분류|파일|그림|category|file|image|カテゴリ|ファイル|画像|分類|分类|文件|檔案|kategorie|datei|bild"
    r"|[a-z]{2,3}|zh-[a-z-]+)\s*:",
    re.IGNORECASE,
)
_UNSEEN: Final = re.compile(
    r"<!--|<(ref|references|templatestyles|includeonly|gallery|score|math|timeline|style|script)"
    r"\b[^<>]*>",
    re.IGNORECASE,
)
_TOKEN: Final = re.compile(r"\{\{|\}\}|\[\[|\]\]|\{\||\|\}(?!\})")
_CLOSES: Final = {"}}": "{{", "]]": "[[", "|}": "{|"}
_TRANSCLUDED: Final = re.compile(r"<pages\b[^<>]*>", re.IGNORECASE)
_EXTERNAL: Final = re.compile(r"\[(?:https?:)?//[^\s\[\]]++\s*+([^\[\]\n]*)\]")
_BREAK: Final = re.compile(r"<(?:br|/?p|/?div|/?poem|/?center|hr)\b[^<>]*>", re.IGNORECASE)
_TAG: Final = re.compile(r"</?[a-zA-Z][^<>\n]*>")
_DEEPEST: Final = 6  # level of a heading
_LIST_MARKS: Final = re.compile(r"[*#:;]+[ \t]*")
_MAGIC: Final = re.compile(r"__[^\W\d_]+__")
_QUOTES: Final = re.compile("'{2,5}")
_NAMED_ARGUMENT: Final = re.compile(r"\s*[^\W\d][\w -]{0,30}?\s*=(?!=)")
_NUMBERED_ARGUMENT: Final = re.compile(r"\s*(\d{1,3})\s*=(?!=)")


@dataclass(slots=True)
class Read:
    """What a page's wikitext comes to.

    Attributes:
        blocks: its paragraphs and headings.
        transcluded: whether its text lies on other pages, which only the wiki can put together.
        notes_left_out: how many footnotes were left out.
        about: the templates about the page, licences among them.
        left_out: templates that were left out because nobody knows what they show, how often.
        links: what the page links to, in order.
    """

    blocks: list[Block] = field(default_factory=list)
    transcluded: bool = False
    notes_left_out: int = 0
    about: list[str] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    links: list[str] = field(default_factory=list)


def read_wikitext(wikitext: str) -> Read:
    """The paragraphs of a page, and what of it is not in them.

    Every line of the source that is not empty is a line: transcribers put one paragraph on one.

    >>> read_wikitext("{{머리말|제목=무정}}== 1 ==").blocks
    [Block(text='1', level=2)]
    >>> read_wikitext("'''형식'''은 [[저자:이광수|그]].").blocks
    [Block(text='형식은 그.', level=0)]
    """
    read = Read(transcluded=_TRANSCLUDED.search(wikitext) is not None)
    text = _expand(_without_unseen(wikitext.replace("\r", ""), read), read)
    read.blocks = list(_blocks(text))
    return read


def _without_unseen(text: str, read: Read) -> str:
    """The text without comments, footnotes and what else is not set as text.

    Linear in its length: an end that was not found once is not looked for again.
    """
    parts: list[str] = []
    at, endless = 0, set[str]()
    while found := _UNSEEN.search(text, at):
        parts.append(text[at : found.start()])
        at = found.end()
        name = (found[1] or "--").lower()
        if found[0].endswith("/>") or name in endless:
            continue
        end = _end_of(name).search(text, at)
        if end is None:
            endless.add(name)
            at = len(text) if name == "--" else at
            continue
        read.notes_left_out += name == "ref"
        at = end.end()
    return "".join((*parts, text[at:]))


@cache
def _end_of(name: str) -> re.Pattern[str]:
    """What ends a comment, "--", or a tag of a name."""
    return re.compile("-->" if name == "--" else rf"</{name}\s*>", re.IGNORECASE)


def _expand(text: str, read: Read) -> str:
    """The text with its templates, links and tables as what they show. Linear in its length."""
    opened: list[tuple[str, list[str]]] = [("", [])]
    at = 0
    for token in _TOKEN.finditer(text):
        opened[-1][1].append(text[at : token.start()])
        at = token.end()
        mark = token[0]
        if mark not in _CLOSES:
            if len(opened) <= _DEPTH:
                opened.append((mark, []))
            continue
        if opened[-1][0] == _CLOSES[mark]:
            kind, parts = opened.pop()
            opened[-1][1].append(_SHOW[kind]("".join(parts), read))
    opened[-1][1].append(text[at:])
    return "".join("".join(parts) for _, parts in opened)


def _template(inside: str, read: Read) -> str:
    """What a template shows, as far as that is known."""
    name, *arguments = inside.split("|")
    name = name.strip().replace("_", " ")
    plain = _without_names(arguments)
    key = name.casefold()
    if key == _GAP:
        return " "
    if key in _SHOWN:
        return plain[0] if plain else ""
    if key in _LAST_SHOWN:
        return plain[-1] if plain else ""
    if _ABOUT.fullmatch(key.split(":")[0]):
        read.about.append(name[:80])
    else:
        read.left_out[name[:80]] += 1
    return ""


def _without_names(arguments: Sequence[str]) -> list[str]:
    """The arguments that have a place and no name, in order; some tell their place themselves.

    >>> _without_names(["size=5", "2=나=다", "가"])
    ['가', '나=다']
    """
    places: dict[int, str] = {}
    unnumbered = 0
    for argument in arguments:
        if numbered := _NUMBERED_ARGUMENT.match(argument):
            places[int(numbered[1])] = argument[numbered.end() :].strip()
        elif not _NAMED_ARGUMENT.match(argument):
            unnumbered += 1
            places[unnumbered] = argument
    return [places[place] for place in sorted(places)]


def _link(inside: str, read: Read) -> str:
    """What a link shows: its label, or where it leads."""
    target, *labels = inside.split("|")
    target = target.strip()
    if _HIDDEN_LINKS.match(target):
        return ""
    target = target.removeprefix(":")
    read.links.append(target.split("#")[0].strip())
    return labels[-1] if labels and labels[-1].strip() else target


def _table(inside: str, read: Read) -> str:
    read.left_out["table"] += 1
    return ""


_SHOW: Final[dict[str, Callable[[str, Read], str]]] = {
    "{{": _template,
    "[[": _link,
    "{|": _table,
}


def _blocks(text: str) -> Iterator[Block]:
    text = _QUOTES.sub("", _MAGIC.sub("", _EXTERNAL.sub(r"\1", _BREAK.sub("\n", text))))
    for line in text.split("\n"):
        bare = line.strip()
        level, title = _heading(bare)
        if level and title:
            yield Block(_plain(title), level)
        elif not bare.startswith("----"):
            yield Block(_plain(_LIST_MARKS.sub("", bare, count=1) if bare[:1] in "*#:;" else bare))


def _heading(line: str) -> tuple[int, str]:
    """The level of a heading, from 1 to 6, and what it says; level 0 for any other line.

    Args:
        line: without spaces at its ends.

    >>> _heading("== 1 =="), _heading("=== 가 ="), _heading("가")
    ((2, '1'), (1, '== 가'), (0, '가'))
    """
    before = len(line) - len(line.lstrip("="))
    behind = len(line) - len(line.rstrip("="))
    level = min(_DEEPEST, before, behind, len(line) // 2)
    return level, line[level : len(line) - level].strip(" \t")


def _plain(text: str) -> str:
    return html.unescape(_TAG.sub("", text)).replace("\n", " ").strip()
