"""HTML that a wiki made of a page to paragraphs, for text that lies on pages of scans."""

import re
from html.parser import HTMLParser
from typing import Final

from charnn.text.fetch.blocks import Block

_VOID: Final = frozenset({"br", "hr", "img", "input", "link", "meta", "wbr", "col", "source"})
_SILENT: Final = frozenset({"style", "script", "noscript", "rt", "rp", "math", "figure", "audio"})
_BLOCKS: Final = frozenset(
    {
        *("p", "div", "br", "hr", "li", "ul", "ol", "dl", "dd", "dt", "table", "tr", "td", "th"),
        *("blockquote", "center", "section", "pre", "h1", "h2", "h3", "h4", "h5", "h6"),
    }
)
# Classes of what Wikisource puts around the work, or says is not to be exported or printed.
_BESIDE: Final = re.compile(
    r"(?:^|\s)(?:ws-noexport|noprint|mw-editsection|reference|references|mw-references-wrap|toc"
    r"|pagenum|ws-pagenum|licen[sc]e\S*|catlinks|navbox|metadata|mw-cite-backlink|headertemplate"
    r"|wst-header\S*|ws-header|error)(?:\s|$)",
    re.IGNORECASE,
)
_HIDDEN: Final = re.compile(r"display\s*:\s*none", re.IGNORECASE)
_WHITE: Final = re.compile(r"[ \t\n\r\f]+")


def read_rendered_page(page: str) -> list[Block]:
    """The paragraphs and headings of a page.

    >>> read_rendered_page('<h2>1</h2><p>형식은<sup class="reference">[1]</sup> 갔다.</p>')
    [Block(text='1', level=2), Block(text='형식은 갔다.', level=0)]
    """
    reader = _Reader()
    reader.feed(page)
    reader.close()
    reader.end_block()
    return reader.blocks


class _Reader(HTMLParser):
    """Collects what is shown, block by block."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.blocks: list[Block] = []
        self._open: list[tuple[str, bool]] = []  # the tag, and whether what is in it is left out
        self._parts: list[str] = []
        self._level = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """A tag begins; what it opens may be beside the work."""
        if tag in _BLOCKS:
            self.end_block()
        if tag in _VOID:
            return
        given = {name: value or "" for name, value in attrs}
        beside = tag in _SILENT or bool(_BESIDE.search(given.get("class", "")))
        beside = beside or bool(_HIDDEN.search(given.get("style", "")))
        self._open.append((tag, beside or self._left_out))
        if re.fullmatch("h[1-6]", tag):
            self._level = int(tag[1])

    def handle_endtag(self, tag: str) -> None:
        """A tag ends, and with it whatever was left open in it."""
        if tag in _BLOCKS:
            self.end_block()
        if any(tag == one for one, _ in self._open[-100:]):
            while self._open.pop()[0] != tag:
                pass

    def handle_data(self, data: str) -> None:
        """Text."""
        if not self._left_out:
            self._parts.append(data)

    def end_block(self) -> None:
        """Whatever came before is a block of its own."""
        text = _WHITE.sub(" ", "".join(self._parts)).strip()
        if text:
            self.blocks.append(Block(text, self._level))
        self._parts.clear()
        self._level = 0

    @property
    def _left_out(self) -> bool:
        return bool(self._open) and self._open[-1][1]
