"""Texts that no choice in charnn was made on, out of packages of Debian.

    apt-get download fortunes-de fortunes-ru installation-guide-amd64 libreoffice-help-ko
    python benchmarks/unseen.py *.deb --out texts
    CHARNN_TEXTS=texts python benchmarks/learning.py quotes_de.txt --minutes 2 --split 85/5/10

They are what anybody can fetch who has Debian or Ubuntu: quotations and jokes in German and
Russian, a manual in Korean and Japanese, the help of an office program in Korean. Files come in the
order of their names; of HTML the text remains, a line a paragraph. A line that stood before is left
out, for menus and headings come again on every page.
"""

import argparse
import hashlib
import io
import re
import subprocess
import tarfile
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

TEXTS = {
    "quotes_de.txt": ("fortunes-de", r"/fortunes/de/zitate"),
    "quotes_ru.txt": ("fortunes-ru", r"/fortunes/ru/[a-z]+"),
    "guide_ko.txt": ("installation-guide-amd64", r"/installation-guide-amd64/ko/.*\.html"),
    "guide_ja.txt": ("installation-guide-amd64", r"/installation-guide-amd64/ja/.*\.html"),
    "help_ko.txt": ("libreoffice-help-ko", r"/help/ko/text/s(calc|draw|writer)/.*\.html"),
}
"""The package of each text and which of its files."""

_BLOCKS = {"br", "dd", "div", "dt", "h1", "h2", "h3", "h4", "h5", "li", "p", "pre", "td", "tr"}
_UNREAD = {"head", "nav", "script", "style"}


def main() -> None:
    """Make every text whose package is there, and say what it is."""
    options = _arguments()
    options.out.mkdir(parents=True, exist_ok=True)
    for name, (package, pattern) in TEXTS.items():
        for path in options.packages:
            if path.name.split("_")[0] == package:
                text = "".join(unique(lines_of(path, pattern)))
                data = text.encode()
                (options.out / name).write_bytes(data)
                digest = hashlib.sha256(data).hexdigest()
                print(f"{name}  {len(text):,} characters  {path.name}  sha256 {digest}")


def lines_of(package: Path, pattern: str) -> Iterator[str]:
    """The lines of the files of a package whose paths end in a match of the pattern."""
    found = {}
    archive = subprocess.run(
        ["dpkg-deb", "--fsys-tarfile", package], check=True, stdout=subprocess.PIPE
    ).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        for member in files:
            if member.isfile() and re.search(f"{pattern}$", member.name):
                found[member.name] = files.extractfile(member)
        for name in sorted(found):
            content = found[name].read().decode("utf-8", "replace")
            if name.endswith(".html"):
                content = text_of(content)
            yield from content.splitlines(keepends=True)


def unique(lines: Iterator[str]) -> Iterator[str]:
    """Lines without those that stood before; empty ones stay, but never two in a row."""
    seen: set[str] = set()
    last = ""
    for line in lines:
        if (line.strip() and line in seen) or line == last == "\n":
            continue
        seen.add(line)
        last = line
        yield line


def text_of(page: str) -> str:
    """What a reader sees of a page of HTML, a line for each block."""
    reader = _Reader()
    reader.feed(page)
    blocks = (" ".join(block.split()) for block in "".join(reader.pieces).split("\n\n"))
    return "".join(f"{block}\n" for block in blocks if block)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[str] = []
        self._unread = 0

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self._unread += tag in _UNREAD
        self._end_block(tag)

    def handle_endtag(self, tag: str) -> None:
        self._unread -= tag in _UNREAD
        self._end_block(tag)

    def handle_data(self, data: str) -> None:
        if not self._unread:
            self.pieces.append(data.replace("\n", " "))

    def _end_block(self, tag: str) -> None:
        if tag in _BLOCKS:
            self.pieces.append("\n\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="texts out of packages of Debian")
    parser.add_argument("packages", nargs="+", type=Path, help="files that end in .deb")
    parser.add_argument("--out", type=Path, required=True, help="the folder of the texts")
    return parser.parse_args()


if __name__ == "__main__":
    main()
